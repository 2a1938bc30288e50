"""Whether a model gives the higher chance of two, whatever the market does and whenever it is asked. Pure."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import exp, sqrt

from liqpass.market.week import HOURS_A_WEEK, milli_hours
from liqpass.pricing.model import BPS, Model

WEEK_SEC = HOURS_A_WEEK * 3600
A_MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


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


@lru_cache(maxsize=256)  # of pairs of products, which a start reads twice: 1.5 ms each
def least_times_as_long(longer_sec: int, shorter_sec: int) -> Fraction:
    """How many times as long one is as the other by the week's clock, at the worst moment: both are straight
    lines between the moments when an hour ends at the start or at the end of one of them."""
    moments = {
        (3600 * hour - seconds) % WEEK_SEC
        for hour in range(HOURS_A_WEEK)
        for seconds in (0, longer_sec, shorter_sec)
    }
    starts = [A_MONDAY + timedelta(seconds=second) for second in moments]
    # one less and one more: a price takes both rounded up
    return min(Fraction(milli_hours(at, longer_sec) - 1, milli_hours(at, shorter_sec) + 1) for at in starts)
