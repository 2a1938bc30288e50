"""How one field of an OKX row is read.

Every scalar of OKX is a JSON string and "" means absent: numbers become Decimal, "" becomes None, times are
integers of milliseconds since 1970. A field that we need and cannot read raises UnreadableRow, because a
guess about a position is worse than no answer.
"""

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

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_INSTRUMENT = re.compile(r"[A-Z0-9_-]{1,64}")
_MILLISECONDS = re.compile(r"[0-9]{1,13}")


class UnreadableRow(Exception):  # noqa: N818
    """A row of OKX that we cannot read. Names the field; its value is quoted, cut to 40 characters."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"OKX's field {field} cannot be read: {str(value)[:40]!r}")
        self.field = field


def canonical_json(row: Row) -> str:
    """Sorted keys, no spaces: the same row always gives the same text, and so the same hash."""
    return msgspec.json.encode(row, order="sorted").decode()


def decoded_rows(raw: bytes) -> list[dict[str, Any]]:
    """The rows of a successful answer. Raises UnreadableRow."""
    try:
        answer: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableRow("data", rows)
    return rows


def text(row: Row, name: str) -> str:
    value = row.get(name, "")
    if not isinstance(value, str):
        raise UnreadableRow(name, value)
    return value


def short(row: Row, name: str) -> str:
    """A text that gets stored, in an index maybe: PostgreSQL takes no NUL, and no index row of kilobytes."""
    value = text(row, name)
    if len(value) > SHORT or (value and not value.isprintable()):
        raise UnreadableRow(name, value)
    return value


def present(row: Row, name: str) -> str:
    value = short(row, name)
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


def inst_id(row: Row) -> str:
    value = text(row, "instId")
    if not _INSTRUMENT.fullmatch(value):
        raise UnreadableRow("instId", value)
    return value


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
