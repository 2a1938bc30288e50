"""How one field of an OKX row is read.

Every scalar of OKX is a JSON string and "" means absent, as null and a missing field do: numbers become
Decimal, "" becomes None, times are integers of milliseconds since 1970. A field that we need and cannot read
raises UnreadableRow, because a guess about a position is worse than no answer.
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

Row = Mapping[str, Any]
MarginMode = Literal["isolated", "cross"]
PositionSide = Literal["long", "short", "net"]

# OKX's ids have up to twenty digits, all rights together take 25 characters.
SHORT = 100
# Of an instrument, which stands in keys of the database.
NAME = 255

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_MILLISECONDS = re.compile(r"[0-9]{1,13}")


class UnreadableRow(Exception):  # noqa: N818
    """A row of OKX that we cannot read. Names the field; its value is quoted, cut to 40 characters."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"OKX's field {field} cannot be read: {str(value)[:40]!r}")
        self.field = field


def canonical_json(row: Row) -> str:
    """Sorted keys, no spaces: the same row always gives the same text, and so the same hash."""
    return msgspec.json.encode(row, order="sorted").decode()


def decoded(body: bytes) -> Any:
    """What an answer says; None where it is no JSON.

    One text with half a character in it, or one number that is none (NaN), must not take the whole answer
    along: where it is no strict JSON, such a byte becomes a lone surrogate and such a number its text, which
    whatever reads that field refuses.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        text = body.decode(errors="surrogateescape")
        return json.loads(text, strict=False, parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def rows_of(answer: object, row_type: type = dict) -> list[Any]:
    """The rows of a successful answer; among them may be some that are none (`as_row`). Raises UnreadableRow
    where it is no list, or nothing in it is a row: an object, or for candles a list."""
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or (rows and not any(isinstance(row, row_type) for row in rows)):
        raise UnreadableRow("data", rows)
    return rows


def as_row(value: object) -> dict[str, Any]:
    """The row itself, where it is one that can be kept. Raises UnreadableRow by what cannot."""
    if not isinstance(value, dict):
        raise UnreadableRow("data", value)
    if not _can_be_kept(value):
        lost = (name for name, field in value.items() if not _can_be_kept({name: field}))
        raise UnreadableRow(visible(next(lost, "data")), None)
    return value


def _can_be_kept(row: Row) -> bool:
    try:
        canonical_json(row)
    except (ValueError, RecursionError):
        return False
    return True


def visible(value: object) -> str:
    """A text of OKX's for people, whatever is in it: what cannot be printed is escaped, a long one is cut;
    "" where it is no text."""
    if not isinstance(value, str):
        return ""
    kept = value if len(value) <= NAME else value[: NAME - 1] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in kept)


def text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnreadableRow(name, value)
    return value


def short(row: Row, name: str, most: int = SHORT) -> str:
    """A text that gets stored, in an index maybe, and shown: PostgreSQL takes no NUL and no index row of
    kilobytes, and what cannot be printed (marks that turn the direction of writing, say) hides what it is."""
    value = text(row, name)
    if len(value) > most or (value and not value.isprintable()):
        raise UnreadableRow(name, value)
    return value


def present(row: Row, name: str, most: int = SHORT) -> str:
    value = short(row, name, most)
    if not value:
        raise UnreadableRow(name, value)
    return value


def number(row: Row, name: str) -> Decimal | None:
    value = text(row, name)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise UnreadableRow(name, value)
    return Decimal(value)


def time_ms(row: Row, name: str) -> int:
    value = text(row, name)
    if not _MILLISECONDS.fullmatch(value):
        raise UnreadableRow(name, value)
    return int(value)


def optional_time_ms(row: Row, name: str) -> int | None:
    return time_ms(row, name) if text(row, name) else None


def mgn_mode(row: Row) -> MarginMode:
    value = text(row, "mgnMode")
    if value == "isolated":
        return "isolated"
    if value == "cross":
        return "cross"
    raise UnreadableRow("mgnMode", value)


def pos_side(row: Row) -> PositionSide:
    value = text(row, "posSide")
    if value == "long":
        return "long"
    if value == "short":
        return "short"
    if value == "net":
        return "net"
    raise UnreadableRow("posSide", value)
