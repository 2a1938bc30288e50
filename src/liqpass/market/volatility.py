"""How much a price moves, from its candles: two variances, of the last days and of the last months. Pure.

Parkinson's estimate of a bar is ln(high/low)² / (4 ln 2); Garman and Klass's is
½ ln(high/low)² − (2 ln 2 − 1) ln(close/open)² (M. Parkinson 1980; M. B. Garman and M. J. Klass 1980, both in
the Journal of Business 53). Both are of the bar's whole time.
"""

from collections.abc import Sequence
from datetime import datetime
from math import log

import msgspec

BARS = 100
SHORT_HALF_LIFE_BARS = 24
LONG_HALF_LIFE_BARS = 30
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
    """Parkinson's of the last 100 hourly candles, oldest first, an hour's."""
    return _weighed([log(bar.high / bar.low) ** 2 / (4 * log(2)) for bar in hourly], SHORT_HALF_LIFE_BARS)


def long_variance_e12(daily: Sequence[Candle]) -> int:
    """Garman and Klass's of the last 100 daily candles, oldest first, an hour's."""
    of_days = [
        0.5 * log(bar.high / bar.low) ** 2 - (2 * log(2) - 1) * log(bar.close / bar.open) ** 2
        for bar in daily
    ]
    return _weighed([day / HOURS_A_DAY for day in of_days], LONG_HALF_LIFE_BARS)


def _weighed(variances: Sequence[float], half_life: int) -> int:
    """The mean of the last ones, each half as heavy as the one `half_life` bars after it."""
    last = variances[-BARS:]
    weights: list[float] = [0.5 ** ((len(last) - 1 - at) / half_life) for at in range(len(last))]
    mean = sum(map(lambda v, w: max(v, 0.0) * w, last, weights)) / sum(weights)
    return max(1, round(mean * E12))
