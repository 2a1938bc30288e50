"""What trades, liquidations, funding and moved margin leave behind in the sandbox exchange's histories."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from liqpass.sandbox.okx_margin import FEE_RATE, Position
from liqpass.sandbox.okx_rows import Row, text, with_point

_UNUSED_IN_ORDERS = (
    "algoClOrdId algoId attachAlgoClOrdId cancelSource cancelSourceReason clOrdId px pxType pxUsd pxVol "
    "quickMgnType slOrdPx slTriggerPx slTriggerPxType source stpId tag tgtCcy tpOrdPx tpTriggerPx "
    "tpTriggerPxType"
)
_UNUSED_IN_BILLS = (
    "clOrdId earnAmt earnApr fillFwdPx fillIdxPx fillMarkVol fillPxUsd fillPxVol from notes tag to"
)
_UNUSED_IN_FILLS = "clOrdId fillFwdPx fillIdxPx fillMarkVol fillPxUsd fillPxVol tag"
# What an order is called that the exchange made, by the way the position was closed.
_CATEGORY = {"3": "full_liquidation", "4": "partial_liquidation", "5": "adl", "6": "adl"}
_BILL_TYPE = {"3": "5", "4": "5", "5": "9", "6": "9"}
# Bill subtypes by what was closed or traded; the words are OKX's.
_OPENED = {"long": "3", "short": "4", "net-buy": "1", "net-sell": "2"}
_CLOSED = {"long": "5", "short": "6", "net-buy": "1", "net-sell": "2"}
_LIQUIDATED = {"long": "104", "short": "105", "net-buy": "106", "net-sell": "107"}
_PARTLY_LIQUIDATED = {"long": "100", "short": "101", "net-buy": "102", "net-sell": "103"}
_DELEVERAGED = {"long": "125", "short": "126", "net-buy": "127", "net-sell": "128"}
_SUB_TYPES = {
    "": _OPENED,
    "3": _LIQUIDATED,
    "4": _PARTLY_LIQUIDATED,
    "5": _DELEVERAGED,
    "6": _DELEVERAGED,
}


class Fill(NamedTuple):
    """One part of an order. A liquidation's or ADL's `trade_id` is below zero."""

    contracts: Decimal
    px: Decimal
    fee: Decimal
    pnl: Decimal
    trade_id: str


class Effect(NamedTuple):
    """By how much a bill changes the account's balance, and an isolated position's margin to what."""

    to_balance: Decimal
    to_margin: Decimal
    margin: Decimal


class Booked(NamedTuple):
    """A bill's id, the effect that it had, and the balance after it."""

    bill_id: str
    effect: Effect
    balance: Decimal


@dataclass(frozen=True)
class Trade:
    """One order, its owner's or the exchange's, just after it happened to `position`.

    `mark` is the mark price of that time, which set a liquidation off.
    """

    position: Position
    ord_id: str
    mark: Decimal
    opens: bool

    @property
    def close_type(self) -> str:
        """The way it was closed, as positions-history numbers it; "" for an opening trade."""
        return "" if self.opens else self.position.close_type

    @property
    def booked_ms(self) -> int:
        """When its bills and fills are written: as in OKX's examples, a millisecond after it was filled."""
        return self.position.u_time_ms + 1

    @property
    def forced(self) -> bool:
        """Made by the exchange: liquidation or ADL."""
        return self.close_type in _CATEGORY

    @property
    def side(self) -> str:
        """buy or sell."""
        return "buy" if (self.position.sign > 0) == self.opens else "sell"

    @property
    def sub_type(self) -> str:
        """What bills and fills call it."""
        words = self.position.pos_side if self.position.pos_side != "net" else f"net-{self.side}"
        return _SUB_TYPES.get(self.close_type, _CLOSED)[words]


def order_row(trade: Trade, fills: list[Fill]) -> Row:
    """One row of GET /trade/orders-history, for a market order filled at once."""
    position, now, last = trade.position, str(trade.position.u_time_ms), fills[-1]
    contracts = sum((fill.contracts for fill in fills), Decimal(0))
    avg_px = sum((fill.contracts * fill.px for fill in fills), Decimal(0)) / contracts
    row: Row = {
        **dict.fromkeys(_UNUSED_IN_ORDERS.split(), ""),
        "accFillSz": text(contracts),
        "attachAlgoOrds": [],
        "avgPx": text(avg_px),
        "cTime": now,
        "category": _CATEGORY.get(trade.close_type, "normal"),
        "ccy": "USDT",
        "fee": text(sum((fill.fee for fill in fills), Decimal(0))),
        "feeCcy": "USDT",
        "fillPx": text(last.px),
        "fillSz": text(last.contracts),
        "fillTime": now,
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "isTpLimit": "false",
        "lever": with_point(position.lever),
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": trade.ord_id,
        "ordType": "market",
        "pnl": text(sum((fill.pnl for fill in fills), Decimal(0))),
        "posSide": position.pos_side,
        "rebate": "0",
        "rebateCcy": "USDT",
        "reduceOnly": "false" if trade.opens else "true",
        "side": trade.side,
        "state": "filled",
        "stpMode": "cancel_maker",
        "sz": text(contracts),
        "tdMode": position.mgn_mode,
        "tradeId": "0" if trade.forced else last.trade_id,
        "uTime": now,
    }
    return dict(sorted(row.items()))


def bill_row(trade: Trade, fill: Fill, booked: Booked) -> Row:
    """One row of GET /account/bills: type 2 a trade, 5 a liquidation, 9 ADL, all leading to the order."""
    return _bill(
        trade.position,
        booked,
        {
            "execType": "" if trade.forced else "T",
            "fee": text(fill.fee),
            "fillMarkPx": text(trade.mark),
            "fillTime": str(trade.position.u_time_ms),
            "ordId": trade.ord_id,
            "pnl": text(fill.pnl),
            "px": text(fill.px),
            "subType": trade.sub_type,
            "sz": text(fill.contracts),
            "tradeId": "0" if trade.forced else fill.trade_id,
            "ts": str(trade.booked_ms),
            "type": _BILL_TYPE.get(trade.close_type, "2"),
        },
    )


def funding_bill_row(position: Position, amount: Decimal, booked: Booked) -> Row:
    """One row of GET /account/bills for funding: its price is the mark price, and its pnl what was paid or
    received. What an isolated position pays changes its margin alone; real rows of that write the balance's
    change with all its zeros, and 0 for the trade."""
    return _bill(
        position,
        booked,
        {
            "balChg": format(booked.effect.to_balance, ".16f"),
            "pnl": text(amount),
            "px": text(position.instrument.mark),
            "subType": "174" if amount > 0 else "173",
            "sz": text(position.contracts),
            "tradeId": "0",
            "type": "8",
        },
    )


def margin_bill_row(position: Position, booked: Booked) -> Row:
    """One row of GET /account/bills for margin moved by its owner between balance and position."""
    return _bill(
        position,
        booked,
        {
            "subType": "160" if booked.effect.to_margin > 0 else "161",
            "sz": text(position.contracts),
            "type": "6",
        },
    )


def clawback_bill_row(position: Position, booked: Booked) -> Row:
    """One row of GET /account/bills for a clawback, which takes from those who won and liquidates nobody."""
    return _bill(
        position,
        booked,
        {
            "pnl": text(booked.effect.to_balance),
            "subType": "108",
            "sz": text(position.contracts),
            "type": "10",
        },
    )


def _bill(position: Position, booked: Booked, told: Row) -> Row:
    """What all bills have; `told` is what this one has beside it."""
    row: Row = {
        **dict.fromkeys(_UNUSED_IN_BILLS.split(), ""),
        "bal": text(booked.balance),
        "balChg": text(booked.effect.to_balance),
        "billId": booked.bill_id,
        "ccy": "USDT",
        "execType": "",
        "fee": "0",
        "fillMarkPx": "",
        "fillTime": "",
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "interest": "0",
        "mgnMode": position.mgn_mode,
        "ordId": "",
        "pnl": "0",
        "posBal": text(booked.effect.margin),
        "posBalChg": text(booked.effect.to_margin),
        "px": "",
        "tradeId": "",
        "ts": str(position.u_time_ms),
        **told,
    }
    return dict(sorted(row.items()))


def fill_row(trade: Trade, fill: Fill, bill_id: str) -> Row:
    """One row of GET /trade/fills: the trade of one bill."""
    position, now = trade.position, str(trade.position.u_time_ms)
    return {
        **dict.fromkeys(_UNUSED_IN_FILLS.split(), ""),
        "billId": bill_id,
        "execType": "T",
        "fee": text(fill.fee),
        "feeCcy": "USDT",
        "feeRate": text(-FEE_RATE),
        "fillMarkPx": text(trade.mark),
        "fillPnl": text(fill.pnl),
        "fillPx": text(fill.px),
        "fillSz": text(fill.contracts),
        "fillTime": now,
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "ordId": trade.ord_id,
        "posSide": position.pos_side,
        "side": trade.side,
        "subType": trade.sub_type,
        "tradeId": fill.trade_id,
        "tradeQuoteCcy": "USDT",
        "ts": str(trade.booked_ms),
    }
