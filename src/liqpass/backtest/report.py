"""The report: from candles and products to one document of integers (parts per million, basis points,
micro-USDC).

The same candles and products give the same document.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from liqpass.backtest import variances
from liqpass.backtest.covers import Starts, cover_hours, starts
from liqpass.backtest.files import Unusable, paths_of, read
from liqpass.backtest.hourly import Series, hourly
from liqpass.backtest.selection import Buyers
from liqpass.backtest.tallies import EDGES_PPM, Sums, Tally, add
from liqpass.pricing.model import BPS, LEAST_PPM, PPM
from liqpass.pricing.skus import Products

EVERY_HOURS = 5  # no part of a day or a week: every hour of the week has its turn
UNSEEN_FROM = date(2023, 1, 1)  # what the delivered numbers were fitted on ends before
WORST_DAYS = 5
LEAST_COVERS_A_DAY = 10
_EPOCH = date(1970, 1, 1)
Told = Callable[[str], None]
Document = dict[str, Any]


def report(
    folder: Path, products: Products, tell: Told, *, unseen_from: date = UNSEEN_FROM, every: int = EVERY_HOURS
) -> Document:
    """Of all candles in a folder. Raises Unusable."""
    tallies = {sku.id: Tally() for sku in products.sku}
    inputs = []
    first, last = 2**62, 0
    unseen_hour = (unseen_from - _EPOCH).days * 24
    for series in series_of(folder, tell):
        short, long = variances.short_e12(series), variances.long_e12(series)
        for sku in products.sku:
            begun = starts(series, short, long, sku, every)
            add(tallies[sku.id], sku, series, begun, unseen_hour)
            first, last = _widened(first, last, begun, unseen_hour, cover_hours(sku))
        inputs.append(_input(series))
    if not last:
        raise Unusable(
            f"{folder}: no cover lies after {unseen_from}, where the part begins that the numbers have "
            "not seen. "
            "Give an earlier day with --from, or newer candles"
        )
    return {
        "format": 1,
        "version": products.version,
        "unseenFrom": unseen_from.isoformat(),
        "from": _day(first // 24),
        "to": _day(last // 24),
        "everyHours": every,
        "inputs": inputs,
        "products": [_product(sku.id, sku.title, tallies[sku.id]) for sku in products.sku],
    }


def series_of(folder: Path, tell: Told) -> Iterable[Series]:
    """One file after the other, by name. Raises Unusable."""
    paths = paths_of(folder)
    for number, path in enumerate(paths, 1):
        series = hourly(read(path))
        tell(f"{number} of {len(paths)}: {path.name}, {len(series.open):,} hours")
        for remark in series.remarks:
            tell(f"  {path.name}: {remark}")
        yield series


def curve(document: Document) -> Document:
    """What the page /price shows of it."""
    instruments = sorted({one["instrument"].split("-")[0] for one in document["inputs"]})
    return {
        **{key: document[key] for key in ("format", "version", "from", "to")},
        "instruments": instruments,
        "products": [
            {
                "sku": one["sku"],
                **{name: one[name] for name in ("samples", "brierPpm", "brierBeforePpm", "brierConstantPpm")},
                "lossRatioBps": one["lossRatioBps"],
                "worstDayHitBps": next(
                    (day["hitBps"] for day in one["worstDays"] if day["side"] == "long"), None
                ),
                "points": [
                    {name: point[name] for name in ("fromPpm", "toPpm", "samples", "predictedPpm", "seenPpm")}
                    for point in one["reliability"]
                ],
            }
            for one in document["products"]
        ],
    }


def _widened(first: int, last: int, begun: Starts, unseen: int, hours: int) -> tuple[int, int]:
    of_unseen = begun.hour[begun.hour >= unseen]
    if not len(of_unseen):
        return first, last
    return min(first, int(of_unseen[0])), max(last, int(of_unseen[-1]) + hours - 1)


def _input(series: Series) -> Document:
    return {
        "instrument": series.name,
        "sha256": series.sha256,
        "hours": len(series.open),
        "from": _day(series.first_hour // 24),
        "to": _day((series.first_hour + len(series.open) - 1) // 24),
        "remarks": list(series.remarks),
    }


def _product(sku_id: str, title: str, tally: Tally) -> Document:
    made = tally.forecasts
    seen = made.hits / made.samples if made.samples else 0.0
    total = tally.sold["all"].get("all", Sums())
    return {
        "sku": sku_id,
        "title": title,
        "samples": made.samples,
        "seenPpm": round(seen * PPM),
        "brierPpm": _mean_ppm(made.squares, made.samples),
        "brierBeforePpm": None
        if made.squares_before is None
        else _mean_ppm(made.squares_before, made.samples),
        "brierConstantPpm": round(seen * (1 - seen) * PPM) if made.samples else None,
        "offeredBps": total.covers * BPS // tally.offered.covers if tally.offered.covers else 0,
        "lossRatioBps": _ratio(total),
        "reliability": _reliability(made.buckets),
        **{f"by{name.capitalize()}": _rows(tally.sold[name]) for name in ("leverage", "side", "instrument")},
        "byQuarter": [{**row, "of": row["of"] + 1} for row in _rows(tally.sold["quarter"])],
        "byHour": [
            {**row, "of": row["of"] % 24, "weekend": row["of"] >= 24} for row in _rows(tally.sold["hour"])
        ],
        "buyers": [
            {
                **_row(name.value, tally.sold["buyers"].get(name, Sums())),
                "lossRatioBeforeBps": _ratio(tally.sold["before"].get(name, Sums())),
                "years": _rows(tally.sold[f"year {name}"]),
            }
            for name in Buyers
        ],
        "worstDays": _worst_days({side: tally.sold[f"day {side}"] for side in ("long", "short")}),
    }


def _reliability(buckets: list[list[int]]) -> list[Document]:
    """Without the empty ones. The first, of the least chance, is marked: it is a price, no forecast."""
    ends = [*EDGES_PPM[1:], PPM]
    return [
        {
            "fromPpm": max(low, LEAST_PPM),
            "toPpm": high,
            "least": low < LEAST_PPM,
            "samples": samples,
            "predictedPpm": round(chances / samples),
            "seenPpm": round(hits * PPM / samples),
        }
        for low, high, (samples, chances, hits) in zip(EDGES_PPM, ends, buckets, strict=True)
        if samples
    ]


def _rows(sums: Mapping[Any, Sums]) -> list[Document]:
    return [_row(key, sums[key]) for key in sorted(sums)]


def _row(key: object, sums: Sums) -> Document:
    return {
        "of": key,
        "covers": sums.covers,
        "hitBps": sums.hits * BPS // sums.covers if sums.covers else 0,
        "premiumMicro": sums.premium,
        "payoutMicro": sums.payout,
        "lossRatioBps": _ratio(sums),
    }


def _worst_days(by_side: Mapping[str, Mapping[Any, Sums]]) -> list[Document]:
    """The days on which covers were bought that cost most beyond their premiums, per cover; of each side."""
    all_days = [
        (sums.payout - sums.premium, _day(day), side, sums)
        for side, days in by_side.items()
        for day, sums in days.items()
        if sums.covers >= LEAST_COVERS_A_DAY
    ]
    all_days.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [{**_row(day, sums), "side": side} for _, day, side, sums in all_days[:WORST_DAYS]]


def _ratio(sums: Sums) -> int | None:
    """Payouts ÷ premiums; None: nothing was sold."""
    return round(sums.payout * BPS / sums.premium) if sums.premium else None


def _mean_ppm(total: float, count: int) -> int | None:
    return round(total * PPM / count) if count else None


def _day(days: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).date().isoformat()
