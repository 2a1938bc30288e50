"""Whether a model gives the higher chance of two, whatever the market does: a pure function."""

from fractions import Fraction
from math import exp, sqrt

from liqpass.pricing.model import BPS, Model


def never_less_probable(longer: Model, shorter: Model, times_as_long: Fraction) -> bool:
    """Whether `longer`, over a time so many times as long, gives no lower chance than `shorter` for
    any distance and any two variances.

    It does where each of its three σ√T (model.py) is at least the other's; a variance is a sum of two parts,
    either of which may be as good as all of it. The middle one lies between the two outer ones.
    """
    times = float(times_as_long)
    for of_longer, of_shorter in (
        (longer.short_weight_bps, shorter.short_weight_bps),
        (BPS - longer.short_weight_bps, BPS - shorter.short_weight_bps),
    ):
        for step in (-2 * sqrt(3) / BPS, 2 * sqrt(3) / BPS):
            mine = longer.scale_bps**2 * of_longer * times * exp(step * longer.spread_bps)
            if mine < shorter.scale_bps**2 * of_shorter * exp(step * shorter.spread_bps):
                return False
    return True
