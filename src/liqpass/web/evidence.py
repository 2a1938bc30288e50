"""The exchange's answers beside each other, an endpoint a column, as an operator compares them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from liqpass.web.rendering import millis
from liqpass.web.words import N_

MOST_ROWS = 20
"""Of one answer; the bundle has them all."""
MOST_LETTERS = 20_000
"""Of one answer as it came, of one value 200."""

# What tells of a liquidation, by the end of the endpoint's path; all else is in the bytes below it.
_TELLING: Mapping[str, str] = {
    "positions-history": "type direction openMaxPos closeTotalPos openAvgPx closeAvgPx triggerPx pnl fee "
    "fundingFee liqPenalty realizedPnl cTime uTime",
    "positions": "posSide pos avgPx liqPx markPx lever margin fundingFee liqPenalty cTime uTime",
    "orders-history": "category side posSide accFillSz avgPx pnl fee fillTime cTime ordId",
    "bills": "type subType sz px fillMarkPx pnl fee balChg ts ordId",
    "fills": "subType side posSide fillSz fillPx fillMarkPx fillPnl fee ts ordId tradeId",
    "instruments": "ctVal ctMult ctType settleCcy state",
}
SAID_OF_ENDPOINT: Mapping[str, str] = {
    "positions-history": N_("History of positions"),
    "positions": N_("Open positions"),
    "orders-history": N_("Orders"),
    "bills": N_("Bills"),
    "fills": N_("Fills"),
    "instruments": N_("Contract"),
}
_TIMES = ("cTime", "uTime", "fillTime", "ts")


class Answered(Protocol):
    """One answer as it is kept (review/reading.py: evidence_of); a template shows what else it has."""

    @property
    def seq(self) -> int:
        """Its number."""

    @property
    def endpoint(self) -> str:
        """The path."""

    @property
    def request(self) -> str:
        """Path and query."""

    @property
    def body(self) -> bytes:
        """As it came."""


@dataclass(frozen=True)
class ReadAnswer:
    """One answer: of its rows that are of the instrument, what tells; and the bytes as text."""

    of: Answered
    rows: Sequence[Sequence[tuple[str, str]]]
    left_out: int
    text: str
    is_cut: bool


@dataclass(frozen=True)
class Column:
    """The answers of one endpoint, the newest first: of each question the last one, those that say something
    before those that do not; and the earlier ones."""

    kind: str
    newest: list[ReadAnswer]
    earlier: list[ReadAnswer]


def columns(evidence: Sequence[Answered], inst_id: str) -> list[Column]:
    """In the order in which `_TELLING` has them; what it does not know comes last, by its path."""
    by_kind: dict[str, Column] = {}
    asked = set()
    for row in reversed(evidence):
        kind = _kind(row.endpoint)
        column = by_kind.setdefault(kind, Column(kind, [], []))
        answers = column.earlier if row.request in asked else column.newest
        answers.append(_read(row, kind, inst_id))
        asked.add(row.request)
    order = [*_TELLING, *sorted(set(by_kind) - set(_TELLING))]
    found = [by_kind[kind] for kind in order if kind in by_kind]
    return [Column(it.kind, sorted(it.newest, key=lambda one: not one.rows), it.earlier) for it in found]


def changed(whats: Sequence[str], row: str) -> list[tuple[str, str | None]]:
    """What a reading found changed, and to what; None for what is no field of the row."""
    found = _decoded(row)
    fields = found if isinstance(found, dict) else {}
    return [(what, _value(what, fields[what]) if what in fields else None) for what in whats]


def _kind(endpoint: str) -> str:
    """orders-history of /api/v5/trade/orders-history-archive: the archive's rows are the same."""
    name = endpoint.rpartition("/")[2].removesuffix("-archive")
    return "fills" if name == "fills-history" else name


def _read(row: Answered, kind: str, inst_id: str) -> ReadAnswer:
    found = _decoded(row.body)
    data = found.get("data") if isinstance(found, dict) else None
    rows = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    of_it = [one for one in rows if one.get("instId", inst_id) == inst_id]
    text = row.body.decode("utf-8", "replace")
    return ReadAnswer(
        of=row,
        rows=[_telling(one, kind) for one in of_it[:MOST_ROWS]],
        left_out=len(rows) - len(of_it[:MOST_ROWS]),
        text=text[:MOST_LETTERS],
        is_cut=len(text) > MOST_LETTERS,
    )


def _telling(row: Mapping[str, Any], kind: str) -> list[tuple[str, str]]:
    names = _TELLING[kind].split() if kind in _TELLING else list(row)[:12]
    return [(name, _value(name, row[name])) for name in names if name in row]


def _value(name: str, value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if name in _TIMES and text.isascii() and text.isdecimal() and len(text) == 13:
        return millis(int(text))
    return text[:200]


def _decoded(body: bytes | str) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
