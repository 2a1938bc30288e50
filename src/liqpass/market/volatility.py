"""How much a price moves, from its candles: two variances, of the last days and of the last months. Pure.

Parkinson's estimate of a bar is ln(high/low)² / (4 ln 2); Garman and Klass's is
½ ln(high/low)² − (2 ln 2 − 1) ln(close/open)² (M. Parkinson 1980; M. B. Garman and M. J. Klass 1980, both in
the Journal of Business 53). Both are of the bar's whole time. One bar counts for a share of the sum at most:
what a single crash says of the next days is less than what it was.
"""

from collections.abc import Sequence
from datetime import datetime
from math import log

import msgspec

from liqpass.market.week import MILLI, weight

BARS = 100
SHORT_HALF_LIFE_BARS = 12
LONG_HALF_LIFE_BARS = 60
SHORT_MOST_SHARE = 0.25
LONG_MOST_SHARE = 0.1
HOURS_A_DAY = 24
E12 = 10**12


class Candle(msgspec.Struct, frozen=True):
    """One complete bar. `start_at` in UTC; the prices are above zero, and high and low hold the others."""

    start_at: datetime
    open: float
    high: float
    low: float
    close: float


class Volatility(msgspec.Struct, frozen=True):
    """An instrument's variances an hour in units of 1e-12, when they were read, and the SHA-256 (hex) of the
    candles that they were made of. `source`: which exchange and path."""

    inst_id: str
    read_at: datetime
    short_e12: int
    long_e12: int
    candles_sha256: str
    source: str


def short_variance_e12(hourly: Sequence[Candle]) -> int:
    """Parkinson's of the last 100 hourly candles, oldest first: an hour's as the week's clock weighs it, so
    that a quiet Sunday does not promise a quiet Monday."""
    last = hourly[-BARS:]
    of_bars = [log(bar.high / bar.low) ** 2 / (4 * log(2)) for bar in last]
    weights = decaying(len(last), SHORT_HALF_LIFE_BARS)
    hours = sum(share * weight(bar.start_at) for share, bar in zip(weights, last, strict=True)) / MILLI
    return _e12(_clipped_sum(of_bars, weights, SHORT_MOST_SHARE) / hours)


def long_variance_e12(daily: Sequence[Candle]) -> int:
    """Garman and Klass's of the last 100 daily candles, oldest first, an hour's."""
    last = daily[-BARS:]
    of_bars = [
        0.5 * log(bar.high / bar.low) ** 2 - (2 * log(2) - 1) * log(bar.close / bar.open) ** 2 for bar in last
    ]
    weights = decaying(len(last), LONG_HALF_LIFE_BARS)
    return _e12(_clipped_sum(of_bars, weights, LONG_MOST_SHARE) / HOURS_A_DAY)


def decaying(bars: int, half_life: int) -> list[float]:
    """Shares that sum to 1, each half of the one `half_life` bars after it."""
    falling = [0.5 ** ((bars - 1 - at) / half_life) for at in range(bars)]
    return [one / sum(falling) for one in falling]


def _clipped_sum(variances: Sequence[float], weights: Sequence[float], most_share: float) -> float:
    """Weighed; of the whole sum no bar brings more than its share (of few bars: two bars' share)."""
    parts = [max(variance, 0.0) * share for variance, share in zip(variances, weights, strict=True)]
    most = max(most_share, 2 / len(parts)) * sum(parts)
    return sum(min(part, most) for part in parts)


def _e12(variance: float) -> int:
    return max(1, round(variance * E12))
