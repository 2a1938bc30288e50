"""Who buys when: the buyers who make a price lose, because they choose the moment."""

from enum import StrEnum

import numpy as np

from liqpass.backtest.covers import Bools, Starts
from liqpass.backtest.files import Floats, Ints
from liqpass.backtest.hourly import Series
from liqpass.backtest.variances import bar_variances, hour_of_week

QUARTERS = 4


class Buyers(StrEnum):
    """What they go by: the most volatile quarter of their instrument's year…"""

    EVERYBODY = "everybody"  # no choice
    LAST_DAYS = "after volatile days"  # by the variance that the price is made of
    LAST_DAY = "after a volatile day"  # by the last 24 hours
    LAST_HOUR = "after a volatile hour"  # by the last hour alone
    FORESIGHT = "with foresight"  # by the UTC day itself, as it will have been: nobody can


def bought(series: Series, begun: Starts, years: Ints) -> dict[Buyers, Bools]:
    """Of all starts those at which such buyers buy."""
    variances = bar_variances(series)
    sums = np.concatenate([[0.0], np.cumsum(variances)])
    day = series.hours // 24
    of_day = np.bincount(day - day[0], variances)
    by = {
        Buyers.LAST_DAYS: begun.short_e12.astype(np.float64),
        Buyers.LAST_DAY: sums[begun.at] - sums[np.maximum(0, begun.at - 24)],
        Buyers.LAST_HOUR: variances[np.maximum(0, begun.at - 1)],
        Buyers.FORESIGHT: of_day[day[begun.at] - day[0]],
    }
    chosen = {name: quarters(values, years) == QUARTERS - 1 for name, values in by.items()}
    return {Buyers.EVERYBODY: np.ones(len(begun.at), bool), **chosen}


def quarters(values: Floats, years: Ints) -> Ints:
    """0 (calm) to 3 (volatile), each a quarter of the starts of its year."""
    found = np.zeros(len(values), np.int64)
    for year in np.unique(years):
        of_year = years == year
        edges = np.quantile(values[of_year], [at / QUARTERS for at in range(1, QUARTERS)])
        found[of_year] = np.searchsorted(edges, values[of_year], side="right")
    return found


def years_of(hours: Ints) -> Ints:
    """Calendar years of hours since 1970."""
    found: Ints = hours.astype("datetime64[h]").astype("datetime64[Y]").astype(np.int64) + 1970
    return found


def kinds_of_hour(hours: Ints) -> Ints:
    """0 to 23 from Monday to Friday, 24 to 47 on Saturday and Sunday."""
    of_week = hour_of_week(hours)
    return of_week % 24 + np.where(of_week >= 5 * 24, 24, 0)
