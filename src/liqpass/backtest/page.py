"""A report as one page that needs nothing beside it, as tables for a terminal, and as files in a folder.
Pure, but for `write`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from liqpass.backtest import pictures
from liqpass.backtest.report import curve
from liqpass.pricing.model import BPS, PPM

Document = dict[str, Any]
MOST_OFF_PERCENT = 20  # a bucket of more samples than the next may be off by so much of its prediction
LEAST_SAMPLES = 500
SHORT = 24  # so many characters stand in one line of a table
_STYLE = (
    "body{font:15px/1.5 sans-serif;color:#1c2733;max-width:980px;margin:2em auto;padding:0 1em}"
    "div{overflow-x:auto}table{border-collapse:collapse;margin:1em 0;font-size:13px}"
    "td,th{border:1px solid #d5dbe1;padding:2px 8px;text-align:right;white-space:pre}"
    "td.long{white-space:pre-wrap;min-width:12em;text-align:left}"
    "td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto;margin:4px}"
    "section{break-inside:avoid}"
)


def write(document: Document, out: Path) -> list[Path]:
    """report.json, report.html, reliability.json and pictures, into a folder."""
    files = {
        "report.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        "reliability.json": json.dumps(curve(document), indent=1, ensure_ascii=False) + "\n",
        "report.html": html(document),
        "brier.svg": pictures.brier(document["products"]),
    }
    for one in document["products"]:
        name = one["sku"].lower().replace("_", "-")
        files[f"{name}-reliability.svg"] = pictures.reliability(one)
        files[f"{name}-losses.svg"] = pictures.losses(one)
    for name, content in files.items():
        (out / name).write_text(content, encoding="utf-8")
    return [out / name for name in files]


def table(document: Document) -> Iterator[str]:
    """Lines for a terminal."""
    yield (
        f"{len(document['inputs'])} files, covers of {document['from']} to {document['to']}, "
        f"products of {document['version']}"
    )
    header = ("", *(one["title"] for one in document["products"]))
    for cells in (header, *_lines(document["products"])):
        yield f"{cells[0]:<48}" + "".join(f"{cell:>14}" for cell in cells[1:])


def off_buckets(product: Document) -> list[Document]:
    """Of enough samples, those off by more than a fifth of themselves; the least chance is no forecast."""
    return [
        point
        for point in product["reliability"]
        if not point["least"]
        and point["samples"] > LEAST_SAMPLES
        and abs(point["seenPpm"] - point["predictedPpm"]) * 100 > MOST_OFF_PERCENT * point["predictedPpm"]
    ]


def _lines(products: Sequence[Document]) -> Iterator[tuple[str, ...]]:
    yield ("covers looked at", *(f"{one['samples']:,}" for one in products))
    for name, key in (
        ("this price", "brierPpm"),
        ("the table before", "brierBeforePpm"),
        ("a constant", "brierConstantPpm"),
    ):
        yield (f"Brier score of {name}", *(_thousandths(one[key]) for one in products))
    yield (f"buckets off by over {MOST_OFF_PERCENT} %", *(str(len(off_buckets(one))) for one in products))
    yield ("sold of all positions", *(_percent(one["offeredBps"]) for one in products))
    yield from _losses(products)
    yield (
        "payouts ÷ premiums, in the worst hour of purchase",
        *(_percent(_most(one["byHour"])) for one in products),
    )
    yield ("worst day", *(one["worstDays"][0]["of"] if one["worstDays"] else "-" for one in products))
    yield (
        "  hit of those covers",
        *(_percent(one["worstDays"][0]["hitBps"]) if one["worstDays"] else "-" for one in products),
    )


def _losses(products: Sequence[Document]) -> Iterator[tuple[str, ...]]:
    for at, first in enumerate(products[0]["buyers"]):
        of = [one["buyers"][at] for one in products]
        who = "by everybody" if first["of"] == "everybody" else first["of"]
        yield (f"payouts ÷ premiums, bought {who}", *(_percent(one["lossRatioBps"]) for one in of))
        yield ("  in the worst year", *(_percent(_most(one["years"])) for one in of))
        yield ("  with the table before", *(_percent(one["lossRatioBeforeBps"]) for one in of))


def html(document: Document) -> str:
    products = document["products"]
    header, lines = ("", *(one["title"] for one in products)), list(_lines(products))
    files = [
        (
            one["instrument"],
            one["from"],
            one["to"],
            f"{one['hours']:,}",
            one["sha256"][:16],
            "; ".join(one["remarks"]),
        )
        for one in document["inputs"]
    ]
    body = [
        "<h1>What the price would have done</h1>",
        f"<p>Covers begun from {document['from']} on and ended by {document['to']}, which the numbers were "
        f"not fitted on: one start every {document['everyHours']} hours, both sides. Years are of all "
        f"candles. Products of {escape(document['version'])}. Hits are counted with highs and lows.</p>",
        _table(header, lines),
        pictures.brier(products),
        *(_section(one) for one in products),
        "<h2>Candles</h2>",
        _table(("file", "from", "to", "hours", "SHA-256 begins", "remarks"), files),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>LiqPass: price backtest</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _section(one: Document) -> str:
    years = [row["of"] for row in one["buyers"][0]["years"]]
    selected = [
        (row["of"], *(_percent(by.get(year)) for year in years), _percent(row["lossRatioBps"]))
        for row in one["buyers"]
        for by in [{year["of"]: year["lossRatioBps"] for year in row["years"]}]
    ]
    buckets = [
        (
            f"{_chance(point['fromPpm'])} to {_chance(point['toPpm'])}"
            if not point["least"]
            else "the least",
            f"{point['samples']:,}",
            _chance(point["predictedPpm"]),
            _chance(point["seenPpm"]),
        )
        for point in one["reliability"]
    ]
    instruments = [
        (row["of"], f"{row['covers']:,}", _percent(row["lossRatioBps"])) for row in one["byInstrument"]
    ]
    days = [
        (day["of"], day["side"], str(day["covers"]), _percent(day["hitBps"]), _percent(day["lossRatioBps"]))
        for day in one["worstDays"]
    ]
    return "".join(
        [
            f"<section><h2>{escape(one['title'])}</h2>",
            pictures.reliability(one),
            pictures.losses(one),
            pictures.by_hour(one),
            pictures.by_division(one, "byQuarter", "by volatility, calm to wild"),
            pictures.by_division(one, "byLeverage", "by leverage"),
            pictures.by_division(one, "byInstrument", "by instrument"),
            _table(("chance", "covers", "predicted", "seen"), buckets),
            "<p>Payouts ÷ premiums by who buys:</p>",
            _table(("bought", *map(str, years), "unseen part"), selected),
            _table(("instrument", "covers", "payouts ÷ premiums"), instruments),
            "<p>The worst days to have sold on:</p>",
            _table(("day", "side", "covers", "hit", "payouts ÷ premiums"), days),
            "</section>",
        ]
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f"<div><table><tr>{head}</tr>{lines}</table></div>"


def _cell(cell: str) -> str:
    kind = ' class="long"' if len(cell) > SHORT else ""
    return f"<td{kind}>{escape(cell)}</td>"


def _most(rows: Sequence[Document]) -> int | None:
    return max((row["lossRatioBps"] for row in rows if row["lossRatioBps"] is not None), default=None)


def _percent(bps: int | None) -> str:
    return "-" if bps is None else f"{bps * 100 / BPS:.0f} %"


def _chance(ppm: int) -> str:
    return f"{ppm * 100 / PPM:.1f} %"


def _thousandths(ppm: int | None) -> str:
    return "-" if ppm is None else f"{ppm / PPM:.4f}"
