"""The two variances of `market.volatility`, of every hour of a series at once, from what was complete by
then."""

from collections.abc import Sequence
from math import log

import numpy as np

from liqpass.backtest.files import Floats, Ints
from liqpass.backtest.hourly import Series
from liqpass.market import volatility
from liqpass.market.week import HOURS_A_WEEK, MILLI, WEIGHTS

MONDAY = 4 * 24  # hours from 1970-01-01, a Thursday, to the first Monday
BARS = volatility.BARS


def hour_of_week(hours: Ints) -> Ints:
    """0 is Monday 00:00 UTC."""
    return (hours - MONDAY) % HOURS_A_WEEK


def bar_variances(series: Series) -> Floats:
    """Parkinson's of every hour."""
    found: Floats = np.log(series.high / series.low) ** 2 / (4 * log(2))
    return found


def short_e12(series: Series) -> Ints:
    """At the start of every hour; -1 for the first 100."""
    weights = volatility.decaying(BARS, volatility.SHORT_HALF_LIFE_BARS)
    sums = _clipped_sums(bar_variances(series), weights, volatility.SHORT_MOST_SHARE)
    begins = hour_of_week(series.hours)[: len(sums)]  # of the oldest of the 100 bars
    by_hour = np.array(
        [
            sum(share * WEIGHTS[(at + bar) % HOURS_A_WEEK] for bar, share in enumerate(weights)) / MILLI
            for at in range(HOURS_A_WEEK)
        ]
    )
    return np.concatenate([np.full(BARS, -1), _e12(sums / by_hour[begins])])[: len(series.open)]


def long_e12(series: Series) -> Ints:
    """At the start of every hour, of the UTC days that were over; -1 before there were 100."""
    first = -series.first_hour % 24
    days = (len(series.open) - first) // 24
    by_day = [prices[first : first + days * 24].reshape(days, 24) for prices in _prices(series)]
    opened, high, low, closed = by_day[0][:, 0], by_day[1].max(1), by_day[2].min(1), by_day[3][:, -1]
    of_bars = 0.5 * np.log(high / low) ** 2 - (2 * log(2) - 1) * np.log(closed / opened) ** 2
    weights = volatility.decaying(BARS, volatility.LONG_HALF_LIFE_BARS)
    sums = _clipped_sums(of_bars, weights, volatility.LONG_MOST_SHARE) / volatility.HOURS_A_DAY
    known = np.concatenate([np.full(BARS, -1), _e12(sums)])  # by day; the last one is of the day under way
    day = (np.arange(len(series.open)) - first) // 24
    return np.where(day < 0, -1, known[np.clip(day, 0, len(known) - 1)])


def _prices(series: Series) -> tuple[Floats, Floats, Floats, Floats]:
    return series.open, series.high, series.low, series.close


def _clipped_sums(variances: Floats, weights: Sequence[float], most_share: float) -> Floats:
    """Of each run of 100 bars that which `volatility` makes of it, added up in the same order."""
    runs = max(0, len(variances) - BARS + 1)
    above_zero = np.maximum(variances, 0.0)
    total, clipped = np.zeros(runs), np.zeros(runs)
    for bar, weight in enumerate(weights):
        total += above_zero[bar : bar + runs] * weight
    most = max(most_share, 2 / BARS) * total
    for bar, weight in enumerate(weights):
        clipped += np.minimum(above_zero[bar : bar + runs] * weight, most)
    return clipped


def _e12(variances: Floats) -> Ints:
    return np.maximum(1, np.rint(variances * volatility.E12)).astype(np.int64)
