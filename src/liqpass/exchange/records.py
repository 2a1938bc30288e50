"""What OKX says about an account, as typed, frozen records.

Fields that we do not know stay in the raw row and are otherwise irrelevant. How one field is read, and what
"" means: fields.py.
"""

import hashlib
from decimal import ROUND_FLOOR, Decimal
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import msgspec

from liqpass.exchange.fields import (
    NAME,
    MarginMode,
    PositionSide,
    Row,
    UnreadableRow,
    canonical_json,
    decoded,
    mgn_mode,
    number,
    optional_time_ms,
    pos_side,
    present,
    rows_of,
    short,
    text,
    time_ms,
)
from liqpass.exchange.rows import Unread, read_each, unread

Side = Literal["long", "short"]
T = TypeVar("T")

# A hundred thousand times the price. The liquidation price of a small cross position in a large account has
# no bound of its own, and an integer in JSON has.
FARTHEST_BPS = 10**9
_RIGHTS = {"read_only", "trade", "withdraw"}


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key it is and what it may do (GET /account/config)."""

    uid: str
    main_uid: str
    perm: frozenset[str]
    label: str
    ip_bound: bool


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """One open slot of an account, named by (inst_id, mgn_mode, pos_side).

    `pos` is in contracts, negative for a short in net mode. `pos_id` names the slot and is used again when it
    re-opens: a position is (uid, pos_id, c_time_ms). `liq_px` is None where no positive price liquidates.
    `row` is the row exactly as OKX gave it.
    """

    inst_type: str
    inst_id: str
    mgn_mode: MarginMode
    pos_side: PositionSide
    pos_id: str
    ccy: str
    pos: Decimal
    lever: Decimal | None
    avg_px: Decimal | None
    mark_px: Decimal | None
    liq_px: Decimal | None
    upl_ratio: Decimal | None
    margin: Decimal | None
    notional_usd: Decimal | None
    biz_ref_type: str
    c_time_ms: int
    u_time_ms: int
    row: dict[str, Any]

    @property
    def slot(self) -> tuple[str, str, str]:
        """Where it stands in its account."""
        return (self.inst_id, self.mgn_mode, self.pos_side)

    @property
    def closed(self) -> bool:
        """OKX goes on showing a closed slot with pos 0 when it is asked for by instrument."""
        return self.pos == 0

    @property
    def side(self) -> Side:
        """long or short, in hedge mode as in net mode."""
        if self.pos_side == "net":
            return "long" if self.pos > 0 else "short"
        return self.pos_side

    @property
    def distance_bps(self) -> int | None:
        """From the mark price to the liquidation price in basis points of the mark price, rounded down and at
        most FARTHEST_BPS either way; below zero past it. None where one of them is not shown."""
        return self._distance(10_000, FARTHEST_BPS)

    @property
    def distance_ppm(self) -> int | None:
        """The same in millionths of the mark price."""
        return self._distance(1_000_000, FARTHEST_BPS * 100)

    def _distance(self, parts: int, farthest: int) -> int | None:
        if not self.mark_px or not self.liq_px or self.mark_px <= 0:
            return None
        away = self.mark_px - self.liq_px if self.side == "long" else self.liq_px - self.mark_px
        found = (away * parts / self.mark_px).to_integral_value(rounding=ROUND_FLOOR)
        return max(-farthest, min(int(found), farthest))

    @property
    def row_json(self) -> str:
        """The row as canonical JSON: what is stored with whatever was decided from it."""
        return canonical_json(self.row)

    @property
    def row_sha256(self) -> bytes:
        """SHA-256 of `row_json`."""
        return hashlib.sha256(self.row_json.encode()).digest()


class Reading(msgspec.Struct, frozen=True):
    """One answer about positions: the bytes as they came, and what they say. Closed rows are among them;
    `unread` are the rows of which nothing is certain, not even that they are another position's."""

    raw: bytes
    positions: list[Position]
    unread: list[Unread] = []

    @classmethod
    def of(cls, raw: bytes) -> "Reading":
        """Read a stored successful answer again. Raises UnreadableRow when it holds no rows."""
        return cls.of_rows(raw, rows_of(decoded(raw)))

    @classmethod
    def of_rows(cls, raw: bytes, rows: list[Any]) -> "Reading":
        """The same of rows that were found in it."""
        return cls(raw, *_one_for_each_slot(*read_each(position, rows)))

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes as they came."""
        return hashlib.sha256(self.raw).digest()

    def open_position(self, inst_id: str, mgn_mode: str, pos_side: str) -> Position | None:
        """The open position with this key, or None: then it is closed, unless `hidden` says otherwise."""
        key = (inst_id, mgn_mode, pos_side)
        return next((p for p in self.positions if p.slot == key and not p.closed), None)

    def hidden(self, inst_id: str, mgn_mode: str, pos_side: str) -> Unread | None:
        """The row that cannot be read and may be this position."""
        return next((one for one in self.unread if one.may_be(inst_id, mgn_mode, pos_side)), None)


class CloseType(Enum):
    """How a position was closed last (`type` of positions-history): only the latest way is shown."""

    PARTLY = "1"
    """Part of it was closed by its owner."""
    WHOLLY = "2"
    """Closed by its owner."""
    LIQUIDATED = "3"
    """Liquidated wholly."""
    PARTLY_LIQUIDATED = "4"
    """Liquidated in part; a later close by the owner hides this."""
    PARTLY_ADL = "5"
    """Reduced by auto-deleveraging."""
    ADL = "6"
    """Closed by auto-deleveraging."""
    UNKNOWN = ""
    """A type that OKX has not documented."""


_CLOSE_TYPES = {member.value for member in CloseType}


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of a slot, in part or wholly closed (GET /account/positions-history).

    `liq_penalty` is negative after any liquidation, also when `close_type` has moved on since.
    `trigger_px` is the mark price that triggered a liquidation. Rows of 2023 have no `posSide`.
    """

    inst_id: str
    mgn_mode: MarginMode
    pos_id: str
    pos_side: PositionSide | None
    direction: Side
    close_type: CloseType
    lever: Decimal | None
    open_avg_px: Decimal | None
    close_avg_px: Decimal | None
    open_max_pos: Decimal | None
    close_total_pos: Decimal | None
    pnl: Decimal | None
    fee: Decimal | None
    funding_fee: Decimal | None
    liq_penalty: Decimal | None
    realized_pnl: Decimal | None
    trigger_px: Decimal | None
    c_time_ms: int
    u_time_ms: int
    row: dict[str, Any]


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One finished order. `category` is normal, full_liquidation, partial_liquidation, adl, …"""

    ord_id: str
    inst_id: str
    td_mode: str
    pos_side: str
    side: str
    category: str
    state: str
    acc_fill_sz: Decimal | None
    avg_px: Decimal | None
    pnl: Decimal | None
    fee: Decimal | None
    c_time_ms: int
    fill_time_ms: int | None
    row: dict[str, Any]


class BillRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the account's own ledger. `type` 5 is a liquidation; `ord_id` leads to its order."""

    bill_id: str
    ord_id: str
    inst_id: str
    mgn_mode: str
    type: str
    sub_type: str
    px: Decimal | None
    sz: Decimal | None
    pnl: Decimal | None
    fee: Decimal | None
    bal_chg: Decimal | None
    ts_ms: int
    row: dict[str, Any]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a history: the bytes as they came (evidence), and what they say. What is not among `rows`
    may be in one of those that could not be read."""

    raw: bytes
    rows: list[T]
    unread: list[Unread]


def key_refusal(config: AccountConfig) -> str | None:
    """Why this key is not taken, in words for its owner; None when it can read and nothing else.

    Only exactly {read_only} passes: a right that we have never heard of is a right too many.
    """
    if config.perm == {"read_only"}:
        return None
    if not config.perm:
        return "OKX does not say what this key may do, so it is not taken."
    if "read_only" not in config.perm:
        return "This key cannot read the account. Make one with the permission Read, and nothing else."
    known = sorted(config.perm & {"trade", "withdraw"})
    unknown = [f"use a right that we do not know ({token[:30]!r})" for token in sorted(config.perm - _RIGHTS)]
    return (
        f"This key can {' and '.join(known + unknown)}. Make one with the permission Read, and nothing else."
    )


def account_config(row: Row) -> AccountConfig:
    """Raises UnreadableRow when it does not say whose key it is."""
    perm = short(row, "perm")
    return AccountConfig(
        uid=present(row, "uid"),
        main_uid=present(row, "mainUid"),
        perm=frozenset(perm.split(",")) if perm else frozenset(),
        # The owner's own note, which gets stored and shown: no control characters.
        label="".join(char for char in str(row.get("label") or "") if char.isprintable())[:50],
        ip_bound=bool(row.get("ip")),
    )


def position(row: Row) -> Position:
    """One row of GET /account/positions. Raises UnreadableRow."""
    if row.get("pos") is None:  # "" and "0" say that it is closed; without the field nothing does
        raise UnreadableRow("pos", None)
    pos = number(row, "pos") or Decimal(0)
    slot_side = pos_side(row)
    if pos < 0 and slot_side != "net":
        raise UnreadableRow("pos", row["pos"])
    liq_px = number(row, "liqPx")
    return Position(
        inst_type=text(row, "instType"),
        inst_id=present(row, "instId", NAME),
        mgn_mode=mgn_mode(row),
        pos_side=slot_side,
        pos_id=present(row, "posId"),
        ccy=short(row, "ccy"),
        pos=pos,
        lever=number(row, "lever"),
        avg_px=number(row, "avgPx"),
        mark_px=number(row, "markPx"),
        liq_px=liq_px if liq_px is not None and liq_px > 0 else None,
        upl_ratio=number(row, "uplRatio"),
        margin=number(row, "margin"),
        notional_usd=number(row, "notionalUsd"),
        biz_ref_type=text(row, "bizRefType"),
        c_time_ms=time_ms(row, "cTime") if pos else optional_time_ms(row, "cTime") or 0,
        u_time_ms=time_ms(row, "uTime") if pos else optional_time_ms(row, "uTime") or 0,
        row=dict(row),
    )


def _one_for_each_slot(positions: list[Position], rest: list[Unread]) -> tuple[list[Position], list[Unread]]:
    """A row that came twice counts once. Where two open rows say different things of one slot, or one of them
    cannot be read, there is no telling which is right: neither is a position."""
    first: dict[tuple[str, str, str], Position] = {}
    torn = {(one.inst_id, one.mgn_mode, one.pos_side) for one in rest}
    kept, contradicted = [], list[Unread]()
    for one in positions:
        other = one if one.closed else first.setdefault(one.slot, one)
        if other is one:
            kept.append(one)
        elif one.row != other.row and one.slot not in torn:
            torn.add(one.slot)
            contradicted.append(unread(one.row, None))
    return [one for one in kept if one.closed or one.slot not in torn], rest + contradicted


def history_row(row: Row) -> HistoryRow:
    """One row of GET /account/positions-history. Raises UnreadableRow."""
    direction = text(row, "direction")
    if direction not in ("long", "short"):
        raise UnreadableRow("direction", direction)
    shown_type = text(row, "type")
    return HistoryRow(
        inst_id=present(row, "instId", NAME),
        mgn_mode=mgn_mode(row),
        pos_id=present(row, "posId"),
        pos_side=pos_side(row) if text(row, "posSide") else None,
        direction="long" if direction == "long" else "short",
        close_type=CloseType(shown_type) if shown_type in _CLOSE_TYPES else CloseType.UNKNOWN,
        lever=number(row, "lever"),
        open_avg_px=number(row, "openAvgPx"),
        close_avg_px=number(row, "closeAvgPx"),
        open_max_pos=number(row, "openMaxPos"),
        close_total_pos=number(row, "closeTotalPos"),
        pnl=number(row, "pnl"),
        fee=number(row, "fee"),
        funding_fee=number(row, "fundingFee"),
        liq_penalty=number(row, "liqPenalty"),
        realized_pnl=number(row, "realizedPnl"),
        trigger_px=number(row, "triggerPx"),
        c_time_ms=time_ms(row, "cTime"),
        u_time_ms=time_ms(row, "uTime"),
        row=dict(row),
    )


def order_row(row: Row) -> OrderRow:
    """One row of GET /trade/orders-history. Raises UnreadableRow."""
    return OrderRow(
        ord_id=present(row, "ordId"),
        inst_id=present(row, "instId", NAME),
        td_mode=text(row, "tdMode"),
        pos_side=text(row, "posSide"),
        side=present(row, "side"),
        category=text(row, "category"),
        state=text(row, "state"),
        acc_fill_sz=number(row, "accFillSz"),
        avg_px=number(row, "avgPx"),
        pnl=number(row, "pnl"),
        fee=number(row, "fee"),
        c_time_ms=time_ms(row, "cTime"),
        fill_time_ms=optional_time_ms(row, "fillTime"),
        row=dict(row),
    )


def bill_row(row: Row) -> BillRow:
    """One row of GET /account/bills. Raises UnreadableRow."""
    return BillRow(
        bill_id=present(row, "billId"),
        ord_id=text(row, "ordId"),
        inst_id=short(row, "instId", NAME),
        mgn_mode=text(row, "mgnMode"),
        type=present(row, "type"),
        sub_type=text(row, "subType"),
        px=number(row, "px"),
        sz=number(row, "sz"),
        pnl=number(row, "pnl"),
        fee=number(row, "fee"),
        bal_chg=number(row, "balChg"),
        ts_ms=time_ms(row, "ts"),
        row=dict(row),
    )
