"""Covers that could have been bought: what each would have cost, by the product's price, and what came.

A position is opened at the start of an hour at its open, and lives on its own: margin fixed, liquidation at
the distance of its leverage less the maintenance margin. It is hit when a high or low within the cover
reaches that. The waiting period counts into the time that is priced; as many hours are looked at as the
product covers.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import erfc, exp, log1p, sqrt
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from liqpass.backtest.files import Floats, Ints
from liqpass.backtest.hourly import Series
from liqpass.backtest.variances import BARS, hour_of_week
from liqpass.market.week import HOURS_A_WEEK, milli_hours
from liqpass.money import MICRO, ceil_div
from liqpass.pricing.model import BPS, LEAST_PPM, NEVER_PPM, PPM, Model
from liqpass.pricing.premium import CENT
from liqpass.pricing.skus import Sku

Side = Literal["long", "short"]
SIDES: tuple[Side, Side] = ("long", "short")
MARGIN_MICRO = 1_000 * MICRO
MAINTENANCE_PPM = 4_000
_HOUR_SEC = 3_600
# The distances at which a product is tried, as leverages, by how long it covers at most (seconds).
_LEVERAGES = (
    (12 * _HOUR_SEC, (5, 10, 15, 20, 25, 30, 40, 50, 75)),
    (7 * 24 * _HOUR_SEC, (5, 10, 15, 20, 25, 30, 40, 50)),
    (366 * 24 * _HOUR_SEC, (2, 3, 5, 7, 10, 15)),
)
Bools = NDArray[np.bool_]


class Starts(msgspec.Struct, frozen=True):
    """Where covers of a product begin in a series: `at` are indices of hours, the others are theirs."""

    at: Ints
    hour: Ints
    short_e12: Ints
    long_e12: Ints
    milli_hours: Ints
    lowest: Floats
    highest: Floats


class Cell(msgspec.Struct, frozen=True):
    """One leverage and side at all starts. `premium` in micro-USDC; `sold`: not refused."""

    leverage: int
    side: Side
    chance_ppm: Ints
    hit: Bools
    sold: Bools
    premium: Ints
    payout: int


def leverages(sku: Sku) -> tuple[int, ...]:
    return next(grid for up_to, grid in _LEVERAGES if sku.duration_sec <= up_to)


def cover_hours(sku: Sku) -> int:
    return max(1, round(sku.duration_sec / _HOUR_SEC))


def starts(series: Series, short: Ints, long: Ints, sku: Sku, every: int) -> Starts:
    """Every so many hours by the calendar, where all that is looked back on and lived through is known."""
    hours = cover_hours(sku)
    ends = len(series.open) - hours
    lacking = np.concatenate([[0], np.cumsum(series.unknown)])
    at = np.flatnonzero((series.hours % every == 0) & (short > 0) & (long > 0))
    at = at[at <= ends]
    back = np.maximum(0, at - BARS * 24)
    at = at[lacking[at + hours] == lacking[back]]
    weighed = _milli_hours(sku)[hour_of_week(series.hours[at])]
    lowest, highest = _runs(series.low, hours, np.minimum)[at], _runs(series.high, hours, np.maximum)[at]
    opened = series.open[at]
    return Starts(at, series.hours[at], short[at], long[at], weighed, lowest / opened, highest / opened)


def cells(sku: Sku, begun: Starts) -> Iterator[Cell]:
    """Of all leverages and both sides."""
    payout = min(MARGIN_MICRO * sku.payout_ratio_bps // BPS, sku.payout_cap_micro) // CENT * CENT
    for leverage in leverages(sku):
        distance = PPM // leverage - MAINTENANCE_PPM
        for side in SIDES:
            chance = chances_ppm(sku.model, side, distance, begun)
            premium = premiums(sku, payout, chance)
            far = distance >= sku.min_distance_bps * (PPM // BPS) and leverage <= sku.max_leverage
            sold = (chance <= sku.most_chance_bps * (PPM // BPS)) & (
                premium * BPS <= payout * sku.most_premium_bps
            )
            hit = (
                begun.lowest <= 1 - distance / PPM if side == "long" else begun.highest >= 1 + distance / PPM
            )
            yield Cell(leverage, side, chance, hit, sold & far, premium, payout)


def chances_ppm(model: Model, side: Side, distance_ppm: int, begun: Starts) -> Ints:
    """`pricing.model.chance_ppm` at all starts, operation by operation. The distance is above 0 and below
    1."""
    away = -log1p(-distance_ppm / PPM) if side == "long" else log1p(distance_ppm / PPM)
    w = model.short_weight_bps
    variance = (w * begun.short_e12 + (BPS - w) * begun.long_e12) / (BPS * 1e12)
    scale = model.scale_bps / BPS * np.sqrt(variance * begun.milli_hours / 1000)
    step = exp(sqrt(3) * model.spread_bps / BPS)
    chance = (
        4 * _touched(away / scale) + _touched(away / (scale * step)) + _touched(away * step / scale)
    ) / 6
    found: Ints = np.clip(np.rint(chance * PPM), LEAST_PPM, NEVER_PPM).astype(np.int64)
    return found


def premiums(sku: Sku, payout: int, chance_ppm: Ints) -> Ints:
    """What the product asks at each chance: `pricing.premium`, for many at once; a payout of whole cents."""
    parts = PPM * BPS  # of a cent
    asked = -(
        -(payout // CENT * chance_ppm * (BPS + sku.load_bps) + sku.fee_micro * (parts // CENT)) // parts
    )
    return np.maximum(asked, ceil_div(sku.floor_micro, CENT)) * CENT


def _touched(deviations: Floats) -> Floats:
    return np.fromiter(map(erfc, (deviations / sqrt(2)).tolist()), np.float64, len(deviations))


def _milli_hours(sku: Sku) -> Ints:
    """How long the cover is by the week's clock, by the hour of the week in which it is bought."""
    monday = datetime(2026, 11, 30, tzinfo=UTC)
    seconds = sku.delay_sec + sku.duration_sec
    return np.array(
        [milli_hours(monday + timedelta(hours=hour), seconds) for hour in range(HOURS_A_WEEK)], np.int64
    )


def _runs(values: Floats, length: int, of_two: np.ufunc) -> Floats:
    """Of every run of so many values the least or the most: by doubling."""
    found, size = values, 1
    while size * 2 <= length:
        found, size = of_two(found[:-size], found[size:]), size * 2
    rest = length - size
    return of_two(found[: len(found) - rest], found[rest:]) if rest else found
