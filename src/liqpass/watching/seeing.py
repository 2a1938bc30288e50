"""What a reading of an account shows of one cover: pure."""

import hashlib
from decimal import Decimal

import msgspec

from liqpass.exchange.fields import UnreadableRow, number
from liqpass.exchange.records import Position, Reading

PENALTY = "liqPenalty"
# What of a row is the position's own: that the mark price moved changes nothing of it.
KEPT_FIELDS = (
    "pos",
    "margin",
    "lever",
    "avgPx",
    "liqPx",
    "fundingFee",
    PENALTY,
    "posId",
    "cTime",
)


class Slot(msgspec.Struct, frozen=True):
    """Which episode was insured, and how its row was when it was last kept. `gone`: it was not there then.
    `penalty`: the liquidation penalty that is known and decided on."""

    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    c_time_ms: int
    last_row: dict[str, object]
    gone: bool
    penalty: str | None


class Shown(msgspec.Struct, frozen=True):
    """What changed since (`what`: kinds of claims.case.Watched, none when nothing), the row that shows it
    ("" when none does), whether the insured episode is there, whether its penalty is another one than is
    known. `position`: its row as it was read, None when it is not there."""

    what: list[str]
    row: str
    alive: bool
    penalised: bool = False
    position: Position | None = None

    @property
    def row_sha256(self) -> bytes:
        """SHA-256 of `row`."""
        return hashlib.sha256(self.row.encode()).digest()


class Unclear(msgspec.Struct, frozen=True):
    """The slot's position may stand in a row that cannot be read: it is neither gone nor seen."""

    why: str


def shown(slot: Slot, reading: Reading) -> Shown | Unclear:
    """What a reading says of an insured episode."""
    key = (slot.inst_id, slot.mgn_mode, slot.pos_side)
    hidden = reading.hidden(*key)
    if hidden is not None:
        return Unclear(f"{' '.join(key)}: {_said(hidden.field)}")
    position = reading.open_position(*key)
    if position is None:
        return Shown([] if slot.gone else ["gone"], "", alive=False)
    if not _is_episode(slot, position):
        return Shown([] if slot.gone else ["other"], position.row_json, alive=False)
    try:
        silent = number(position.row, PENALTY) is None and _shows_penalty(slot.last_row)
    except UnreadableRow as unreadable:
        return Unclear(f"{' '.join(key)}: {_said(unreadable.field)}")
    if silent:  # that it has none is shown, or not known
        return Unclear(f"{' '.join(key)}: its {PENALTY} is not shown any more")
    what = [name for name in KEPT_FIELDS if _as_value(slot.last_row, name) != _as_value(position.row, name)]
    if slot.gone:
        what.append("back")
    return Shown(
        what,
        position.row_json,
        alive=True,
        penalised=_as_value(position.row, PENALTY) != _as_value({PENALTY: slot.penalty}, PENALTY),
        position=position,
    )


def _is_episode(slot: Slot, position: Position) -> bool:
    """A slot in net mode can turn from long to short: that is another position, whatever its times say."""
    same = (position.pos_id, position.c_time_ms) == (slot.pos_id, slot.c_time_ms)
    before = _as_value(slot.last_row, "pos")
    turned = isinstance(before, Decimal) and before * position.pos < 0
    return same and not turned


def _shows_penalty(row: dict[str, object]) -> bool:
    return isinstance(row.get(PENALTY), str) and row[PENALTY] != ""


def _as_value(row: dict[str, object], name: str) -> Decimal | str:
    """A number by what it is worth, however it is written; anything else by its text."""
    try:
        return number(row, name) or Decimal(0)
    except UnreadableRow:
        return str(row.get(name))


def _said(field: str | None) -> str:
    return f"its {field} cannot be read" if field else "two rows say different things of it"
