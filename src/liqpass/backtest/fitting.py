"""Fits w, k and ν of each product on the covers that ended before a day, and tells how good they are after
it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from liqpass.backtest import variances
from liqpass.backtest.covers import (
    MAINTENANCE_PPM,
    SIDES,
    Bools,
    Side,
    Starts,
    chances_ppm,
    cover_hours,
    leverages,
    starts,
)
from liqpass.backtest.files import Unusable
from liqpass.backtest.report import Told, series_of
from liqpass.pricing.model import BPS, PPM, Model
from liqpass.pricing.skus import Products, Sku

EVERY_HOURS = 13
LEAST_SAMPLES = 1_000
_STRIDES = (800, 400, 200, 100, 50, 25)
_LIMITS = ((0, BPS), (1_000, 50_000), (0, 20_000))


class Part(msgspec.Struct, frozen=True):
    """Covers of one leverage and side on one series."""

    side: Side
    distance_ppm: int
    begun: Starts
    hit: Bools


class Fitted(msgspec.Struct, frozen=True):
    """Scores are mean log losses and Brier scores, of the part that was fitted and of the one after it
    (None: there is none); `delivered` are those of the product as it is."""

    sku: Sku
    model: Model
    samples: int
    fitted: tuple[float, float]
    unseen: tuple[float, float] | None
    delivered_unseen: tuple[float, float] | None


def fit(folder: Path, products: Products, until: date, tell: Told) -> Iterator[Fitted]:
    """Of every product, one after the other. Raises Unusable."""
    until_hour = (until - date(1970, 1, 1)).days * 24
    seen: dict[str, list[Part]] = {sku.id: [] for sku in products.sku}
    unseen: dict[str, list[Part]] = {sku.id: [] for sku in products.sku}
    for series in series_of(folder, tell):
        short, long = variances.short_e12(series), variances.long_e12(series)
        for sku in products.sku:
            begun = starts(series, short, long, sku, EVERY_HOURS)
            seen[sku.id] += parts(sku, _only(begun, begun.hour + cover_hours(sku) < until_hour))
            unseen[sku.id] += parts(sku, _only(begun, begun.hour >= until_hour))
    for sku in products.sku:
        samples = sum(len(part.hit) for part in seen[sku.id])
        if samples < LEAST_SAMPLES:
            raise Unusable(
                f"{folder}: only {samples} covers of {sku.id} ended before {until}. Give older candles, "
                "or a later "
                "day with --until"
            )
        model = fitted_model(sku.model, lambda tried, of=seen[sku.id]: scores(tried, of)[0], tell)  # type: ignore[misc]
        after = unseen[sku.id] if any(len(part.hit) for part in unseen[sku.id]) else None
        yield Fitted(
            sku,
            model,
            samples,
            scores(model, seen[sku.id]),
            scores(model, after) if after else None,
            scores(sku.model, after) if after else None,
        )


def parts(sku: Sku, begun: Starts) -> list[Part]:
    found = []
    for leverage in leverages(sku):
        distance = PPM // leverage - MAINTENANCE_PPM
        for side in SIDES:
            low, high = begun.lowest <= 1 - distance / PPM, begun.highest >= 1 + distance / PPM
            found.append(Part(side, distance, begun, low if side == "long" else high))
    return found


def scores(model: Model, of: Sequence[Part]) -> tuple[float, float]:
    """Mean log loss and Brier score."""
    lost = squares = 0.0
    count = 0
    for part in of:
        chance = chances_ppm(model, part.side, part.distance_ppm, part.begun) / PPM
        lost -= float(np.sum(np.where(part.hit, np.log(chance), np.log1p(-chance))))
        squares += float(np.sum((chance - part.hit) ** 2))
        count += len(part.hit)
    return lost / count, squares / count


def fitted_model(first: Model, loss: Callable[[Model], float], tell: Told) -> Model:
    """By steps along each number, shorter ones when none is better: the same start, the same end."""
    best = [first.short_weight_bps, first.scale_bps, first.spread_bps]
    least = loss(Model(*best))
    for stride in _STRIDES:
        better = True
        while better:
            better = False
            for at in range(3):
                for step in (stride, -stride):
                    moved = best[at] + step
                    if not _LIMITS[at][0] <= moved <= _LIMITS[at][1]:
                        continue
                    tried = [*best[:at], moved, *best[at + 1 :]]
                    lost = loss(Model(*tried))
                    if lost < least:
                        best, least, better = tried, lost, True
                        break
        tell(f"  steps of {stride}: w {best[0]}, k {best[1]}, ν {best[2]}, log loss {least:.5f}")
    return Model(*best)


def _only(begun: Starts, which: Bools) -> Starts:
    return Starts(*(getattr(begun, name)[which] for name in Starts.__struct_fields__))
