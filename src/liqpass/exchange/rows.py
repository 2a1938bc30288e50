"""Rows are read one by one: one that cannot be read is told by its name, and the others stand."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from liqpass.exchange.fields import Row, UnreadableRow, as_row, visible

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """One answer as it came. `target` is path and query; `asked_at` is by our clock, OKX's was
    `clock_offset_ms` ahead; `rows` may hold some that are none (`fields.as_row`)."""

    path: str
    target: str
    http_status: int
    raw: bytes
    rows: list[Any]
    asked_at: datetime
    clock_offset_ms: int


class Unread(msgspec.Struct, frozen=True):
    """A row that cannot be read, with what it says of itself, fit to be shown ("" where that is no text).

    `field` is the first one that cannot be read; None when each could be, and another row contradicts it.
    """

    inst_id: str
    mgn_mode: str
    pos_side: str
    field: str | None
    row: Any

    def may_be(self, inst_id: str, mgn_mode: str, pos_side: str) -> bool:
        """Whether this slot's position may stand in it: what it says with certainty is not something else."""
        return (
            (not self.inst_id or self.field == "instId" or self.inst_id == inst_id)
            and (self.mgn_mode not in ("isolated", "cross") or self.mgn_mode == mgn_mode)
            and (self.pos_side not in ("long", "short", "net") or self.pos_side == pos_side)
        )


def unread(row: object, field: str | None) -> Unread:
    """The row as one that cannot be read."""
    said = row if isinstance(row, dict) else {}
    inst_id, mgn_mode, pos_side = (visible(said.get(name)) for name in ("instId", "mgnMode", "posSide"))
    return Unread(inst_id, mgn_mode, pos_side, field, row)


def read_each(read: Callable[[Row], T], rows: Iterable[object]) -> tuple[list[T], list[Unread]]:
    """What could be read, and what could not; both in the order of the rows."""
    records, rest = [], []
    for row in rows:
        try:
            records.append(read(as_row(row)))
        except UnreadableRow as error:
            rest.append(unread(row, error.field))
    return records, rest
