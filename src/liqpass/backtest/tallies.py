"""Sums over covers, by what a report tells them apart by; instruments are added one after the other."""

from collections import defaultdict
from collections.abc import Hashable

import msgspec
import numpy as np

from liqpass.backtest import selection
from liqpass.backtest.before import chance_before_bps, sold_before
from liqpass.backtest.covers import MARGIN_MICRO, SIDES, Bools, Cell, Starts, cells
from liqpass.backtest.files import Ints
from liqpass.backtest.hourly import Series
from liqpass.pricing.model import BPS, LEAST_PPM, PPM
from liqpass.pricing.skus import Sku

# The least chance has a bucket of its own: it is a price, no forecast. Then up to 5 %, 10 %, 20 %, …
EDGES_PPM = (0, LEAST_PPM + 1, *(percent * PPM // 100 for percent in (5, 10, 20, 30, 40, 50, 60, 70, 80, 90)))


class Sums(msgspec.Struct):
    """Of covers: how many, how many were hit, and money in micro-USDC."""

    covers: int = 0
    hits: int = 0
    premium: int = 0
    payout: int = 0


class Forecasts(msgspec.Struct):
    """How good chances were: sums of squares, hits, and per bucket covers, chances (ppm) and hits."""

    samples: int = 0
    hits: int = 0
    squares: float = 0.0
    squares_before: float | None = 0.0
    buckets: list[list[int]] = msgspec.field(default_factory=lambda: [[0, 0, 0] for _ in EDGES_PPM])


class Tally(msgspec.Struct):
    """Of one product. `sold`: by name of the division, then by its value."""

    forecasts: Forecasts = msgspec.field(default_factory=Forecasts)
    offered: Sums = msgspec.field(default_factory=Sums)
    sold: dict[str, dict[Hashable, Sums]] = msgspec.field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Sums))
    )


def add(tally: Tally, sku: Sku, series: Series, begun: Starts, unseen_from_hour: int) -> None:
    """All covers of a product on a series. Forecasts and divisions are of covers begun in the unseen part,
    years and days of all."""
    if not len(begun.at):
        return
    years = selection.years_of(begun.hour)
    unseen = begun.hour >= unseen_from_hour
    buyers = selection.bought(series, begun, years)
    by_hour = Division(selection.kinds_of_hour(begun.hour))
    by_quarter = Division(selection.quarters(begun.short_e12.astype(np.float64), years))
    by_year = {name: Division(years) for name in buyers}
    by_day = {side: Division(begun.hour // 24) for side in SIDES}
    for cell in cells(sku, begun):
        _forecasts(tally.forecasts, sku, cell, unseen)
        sold = cell.sold & unseen
        tally.offered.covers += int(np.count_nonzero(unseen))
        _plus(tally.sold["all"]["all"], cell, sold)
        _plus(tally.sold["leverage"][cell.leverage], cell, sold)
        _plus(tally.sold["side"][cell.side], cell, sold)
        _plus(tally.sold["instrument"][series.name], cell, sold)
        by_hour.add(cell, sold)
        by_quarter.add(cell, sold)
        by_day[cell.side].add(cell, cell.sold)
        for name, chosen in buyers.items():
            by_year[name].add(cell, cell.sold & chosen)
            _plus(tally.sold["buyers"][name], cell, sold & chosen)
            _before(tally.sold["before"][name], sku, cell, unseen & chosen)
    by_hour.into(tally.sold["hour"])
    by_quarter.into(tally.sold["quarter"])
    for side, days in by_day.items():
        days.into(tally.sold[f"day {side}"])
    for name, of_years in by_year.items():
        of_years.into(tally.sold[f"year {name}"])


def _before(to: Sums, sku: Sku, cell: Cell, which: Bools) -> None:
    """What the table before would have asked and paid for the same positions."""
    sold = sold_before(sku.id, cell.leverage, MARGIN_MICRO)
    if sold:
        premium, payout = sold
        covers, hits = int(np.count_nonzero(which)), int(np.count_nonzero(cell.hit & which))
        to.covers += covers
        to.hits += hits
        to.premium += covers * premium
        to.payout += hits * payout


class Division:
    """Sums over one series by a value that each start has."""

    def __init__(self, values: Ints) -> None:
        different, self.where = np.unique(values, return_inverse=True)
        self.values = different.tolist()
        self.sums = np.zeros((4, len(self.values)), np.int64)  # in the order of Sums' fields

    def add(self, cell: Cell, which: Bools) -> None:
        """Those starts of a cell."""
        where, size = self.where[which], len(self.values)
        hits = np.bincount(where, cell.hit[which], size).astype(np.int64)
        premium = np.bincount(where, cell.premium[which], size).astype(np.int64)  # whole numbers below 2**53
        self.sums += np.stack([np.bincount(where, minlength=size), hits, premium, hits * cell.payout])

    def into(self, to: dict[Hashable, Sums]) -> None:
        """Add all of it."""
        for value, column in zip(self.values, self.sums.T.tolist(), strict=True):
            if column[0]:
                was = to[value]
                to[value] = Sums(
                    was.covers + column[0],
                    was.hits + column[1],
                    was.premium + column[2],
                    was.payout + column[3],
                )


def _forecasts(to: Forecasts, sku: Sku, cell: Cell, unseen: Bools) -> None:
    chance, hit = cell.chance_ppm[unseen], cell.hit[unseen]
    to.samples += len(chance)
    to.hits += int(np.count_nonzero(hit))
    to.squares += float(np.sum((chance / PPM - hit) ** 2))
    before = chance_before_bps(sku.id, cell.leverage)
    if before is None or to.squares_before is None:
        to.squares_before = None
    else:
        to.squares_before += float(np.sum((before / BPS - hit) ** 2))
    bucket = np.searchsorted(EDGES_PPM, chance, side="right") - 1
    for at in np.unique(bucket):
        inside = bucket == at
        to.buckets[at][0] += int(np.count_nonzero(inside))
        to.buckets[at][1] += int(chance[inside].sum())
        to.buckets[at][2] += int(np.count_nonzero(hit[inside]))


def _plus(to: Sums, cell: Cell, which: Bools) -> None:
    hits = int(np.count_nonzero(cell.hit & which))
    to.covers += int(np.count_nonzero(which))
    to.hits += hits
    to.premium += int(cell.premium[which].sum())
    to.payout += hits * cell.payout
