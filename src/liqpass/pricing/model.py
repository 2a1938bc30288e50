"""How probable it is that the mark price touches the liquidation price within a cover: a pure function.

A price without drift that moves by σ√hour touches a barrier x away (in logarithms) within T hours with the
probability f(σ) = 2·N(−x ÷ (σ√T)), by the principle of reflection. Nobody knows σ: three of them, weighed as
the points of Gauss and Hermite's quadrature of a log-normal one, make tails as thick as real ones.
"""

from math import erfc, exp, log1p, sqrt
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PPM = 1_000_000
BPS = 10_000
LEAST_PPM = 5_000  # 0.5 %: nobody has seen enough to say that it is less
NEVER_PPM = 999_999


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is fitted for a product: the share w of the short variance, the scale k of σ, and ν, how little σ
    is known (the standard deviation of its logarithm), all in basis points."""

    short_weight_bps: Annotated[int, Meta(ge=0, le=BPS)]
    scale_bps: Annotated[int, Meta(ge=1_000, le=50_000)]
    spread_bps: Annotated[int, Meta(ge=0, le=20_000)]


def chance_ppm(
    model: Model,
    *,
    side: Literal["long", "short"],
    distance_ppm: int,
    short_e12: int,
    long_e12: int,
    milli_hours: int,
) -> int:
    """In millionths, at least 0.5 %.

    `distance_ppm`: |mark − liquidation price| ÷ mark; `short_e12`, `long_e12`: variances an hour in units of
    1e-12; `milli_hours`: how long, the waiting period included, in hours as the week's clock weighs them.
    """
    if distance_ppm <= 0 or (side == "long" and distance_ppm >= PPM):
        return PPM if distance_ppm <= 0 else LEAST_PPM
    away = -log1p(-distance_ppm / PPM) if side == "long" else log1p(distance_ppm / PPM)
    w = model.short_weight_bps
    variance = (w * short_e12 + (BPS - w) * long_e12) / (BPS * 1e12)
    scale = model.scale_bps / BPS * sqrt(variance * milli_hours / 1000)
    step = exp(sqrt(3) * model.spread_bps / BPS)
    chance = (
        4 * _touched(away / scale) + _touched(away / (scale * step)) + _touched(away * step / scale)
    ) / 6
    return min(NEVER_PPM, max(LEAST_PPM, round(chance * PPM)))


def _touched(deviations: float) -> float:
    """2·N(−deviations)."""
    return erfc(deviations / sqrt(2))
