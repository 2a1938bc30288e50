"""A slot of an account (instrument, margin mode, side), and which orders, bills and fills are its own.

None of them names a position. Orders say margin mode and side; bills say the margin mode, and the side by
their sub-type; fills only lead to their order and bill.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from liqpass.claims.exact import exact, number_of
from liqpass.claims.facts import By, Fill, Leg, Order, Unclear
from liqpass.exchange.fields import NAME, Row, UnreadableRow, optional_time_ms, present, text, time_ms
from liqpass.exchange.records import BillRow, Side, bill_row, order_row
from liqpass.exchange.rows import Unread

_BY_CATEGORY = {
    "full_liquidation": By.LIQUIDATION,
    "partial_liquidation": By.LIQUIDATION,
    "adl": By.ADL,
    "normal": By.OWNER,
    "twap": By.OWNER,
    "ddh": By.OWNER,
    "auto_conversion": By.OWNER,
}
# Bills by type and sub-type: trades, delta hedging and block trades are its owner's; all of them say what was
# bought or sold (net mode), or opened or closed (hedge mode).
_OWNERS = {"2", "13", "14"}
_OWNERS_EFFECT = {
    "1": "buy", "2": "sell", "3": "open long", "4": "open short", "5": "close long", "6": "close short",
    "131": "buy", "132": "sell",
    "204": "buy", "205": "sell", "206": "open long", "207": "open short", "208": "close long",
    "209": "close short",
}  # fmt: skip
_LIQUIDATED = {
    "100": "close long", "101": "close short", "102": "buy", "103": "sell",
    "104": "close long", "105": "close short", "106": "buy", "107": "sell",
}  # fmt: skip
_DELEVERAGED = {"125": "close long", "126": "close short", "127": "buy", "128": "sell"}
# What moves no contracts: transfers, interest, funding, clawback; margin by hand; clawback and the transfers
# of a liquidation.
_HARMLESS_TYPES = {"1", "7", "8", "10"}
_HARMLESS = {("6", "160"), ("6", "161"), ("6", "162"), ("5", "108"), ("5", "110"), ("5", "111")}


class Slot(NamedTuple):
    """One slot, and the direction of the position that stood in it. `pos_side`: long, short or net."""

    inst_id: str
    mgn_mode: str
    pos_side: str
    direction: Side

    def order(self, row: Row) -> Order | None:
        """The order, where it is this slot's and something of it was filled. Raises UnreadableRow."""
        read = order_row(row)
        if (read.inst_id, read.td_mode) != (self.inst_id, self.mgn_mode) or not self._side_fits(
            read.pos_side
        ):
            return None
        if not read.acc_fill_sz:
            return None
        if read.acc_fill_sz < 0:
            raise UnreadableRow("accFillSz", read.acc_fill_sz)
        if read.side not in ("buy", "sell"):
            raise UnreadableRow("side", read.side)
        rebate = number_of(row, "rebate") if text(row, "rebateCcy") == text(row, "feeCcy") else None
        fee = exact(read.fee)
        return Order(
            ord_id=read.ord_id,
            by=_BY_CATEGORY.get(read.category, By.UNKNOWN),
            opens=(read.side == "buy") == (self.direction == "long"),
            contracts=exact(read.acc_fill_sz),
            px=exact(read.avg_px),
            pnl=exact(read.pnl),
            fee=fee if fee is None else fee + (rebate or 0),
            made_at_ms=read.c_time_ms,
            at_ms=read.fill_time_ms,
        )

    def bill(self, row: Row) -> Leg | Unclear | None:
        """The bill, where it is of this slot and moves contracts; Unclear where nobody knows whether it does.
        Raises UnreadableRow."""
        read = bill_row(row)
        if (read.inst_id, read.mgn_mode) != (self.inst_id, self.mgn_mode) or _harmless(read):
            return None
        at_ms = optional_time_ms(row, "fillTime") or read.ts_ms
        by, effect = _effect(read)
        if effect is None:
            return Unclear("UNKNOWN", at_ms)
        opens = self._opens(by, effect)
        if opens is None:
            return None
        if not read.sz or read.sz < 0:
            raise UnreadableRow("sz", read.sz)
        return Leg(
            bill_id=read.bill_id,
            ord_id=read.ord_id or f"bill {read.bill_id}",
            by=by,
            opens=opens,
            contracts=exact(read.sz),
            px=exact(read.px),
            pnl=exact(read.pnl),
            fee=exact(read.fee),
            mark_px=number_of(row, "fillMarkPx"),
            at_ms=at_ms,
        )

    def fill(self, row: Row) -> Fill | None:
        """The fill, where it may be this slot's: it does not say its margin mode. Raises UnreadableRow."""
        if present(row, "instId", NAME) != self.inst_id or not self._side_fits(text(row, "posSide")):
            return None
        contracts = number_of(row, "fillSz")
        if not contracts or contracts < 0:
            raise UnreadableRow("fillSz", contracts)
        return Fill(
            bill_id=present(row, "billId"),
            ord_id=present(row, "ordId"),
            contracts=contracts,
            px=number_of(row, "fillPx"),
            pnl=number_of(row, "fillPnl"),
            fee=number_of(row, "fee"),
            mark_px=number_of(row, "fillMarkPx"),
            at_ms=optional_time_ms(row, "fillTime") or time_ms(row, "ts"),
        )

    def unclear_order(self, one: Unread) -> Unclear | None:
        """An order that cannot be read and may be this slot's."""
        said: dict[str, set[str]] = {"instId": {self.inst_id}, "tdMode": {self.mgn_mode}}
        said["posSide"] = {"net"} if self.pos_side == "net" else {self.pos_side}
        return _unclear(one, said)

    def unclear_bill(self, one: Unread) -> Unclear | None:
        """A bill that cannot be read and may be this slot's."""
        if isinstance(one.row, dict) and one.field != "type" and one.row.get("type") in _HARMLESS_TYPES:
            return None
        return _unclear(one, {"instId": {self.inst_id}, "mgnMode": {self.mgn_mode}})

    def _side_fits(self, pos_side: str) -> bool:
        return pos_side == self.pos_side or (self.pos_side == "net" and not pos_side)

    def _opens(self, by: By, effect: str) -> bool | None:
        """Whether a trade adds to the position, or takes from it; None where it is another's."""
        action, _, side = effect.partition(" ")
        if side and self.pos_side != "net":
            return action == "open" if side == self.direction else None
        buys = effect in ("buy", "open long", "close short")
        opens = buys == (self.direction == "long")
        if by is By.OWNER:
            return opens if self.pos_side == "net" else None
        return None if opens else False  # a liquidation and an ADL only ever close


def _harmless(bill: BillRow) -> bool:
    return bill.type in _HARMLESS_TYPES or (bill.type, bill.sub_type) in _HARMLESS


def _effect(bill: BillRow) -> tuple[By, str | None]:
    if bill.type == "5":
        return By.LIQUIDATION, _LIQUIDATED.get(bill.sub_type)
    if bill.type == "9":
        return By.ADL, _DELEVERAGED.get(bill.sub_type)
    return By.OWNER, _OWNERS_EFFECT.get(bill.sub_type) if bill.type in _OWNERS else None


def _unclear(one: Unread, said: Mapping[str, set[str]]) -> Unclear | None:
    row: Mapping[str, Any] = one.row if isinstance(one.row, dict) else {}
    for name, expected in said.items():
        value = row.get(name)
        if name != one.field and isinstance(value, str) and value and value not in expected:
            return None
    return Unclear("UNREADABLE", _time_of(row))


def _time_of(row: Row) -> int | None:
    try:
        return optional_time_ms(row, "fillTime") or optional_time_ms(row, "ts")
    except UnreadableRow:
        return None
