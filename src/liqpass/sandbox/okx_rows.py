"""How the sandbox exchange writes its rows: the fields, their order and their emptiness are OKX's.

Numbers are strings, what does not apply is "". Positions, histories and orders list their fields in
alphabetical order, as real answers do.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liqpass.sandbox.okx_margin import FEE_RATE, MAKER_FEE_RATE, Account, Key, Position

Row = dict[str, Any]

# Of options, margin trading and portfolio margin: always "" for a swap.
_NOT_OF_SWAPS = (
    "baseBal baseBorrowed baseInterest bizRefId bizRefType clSpotInUseAmt deltaBS deltaPA gammaBS gammaPA "
    "interest liab liabCcy maxSpotInUseAmt nonSettleAvgPx optVal pendingCloseOrdLiabVal posCcy quoteBal "
    "quoteBorrowed quoteInterest settledPnl spotInUseAmt spotInUseCcy thetaBS thetaPA vegaBS vegaPA"
)
_UNUSED_IN_ORDERS = (
    "algoClOrdId algoId attachAlgoClOrdId cancelSource cancelSourceReason clOrdId px pxType pxUsd pxVol "
    "quickMgnType slOrdPx slTriggerPx slTriggerPxType source stpId tag tgtCcy tpOrdPx tpTriggerPx "
    "tpTriggerPxType"
)
_UNUSED_IN_BILLS = (
    "clOrdId earnAmt earnApr fillFwdPx fillIdxPx fillMarkVol fillPxUsd fillPxVol from notes tag to"
)
_UNUSED_IN_FILLS = "clOrdId fillFwdPx fillIdxPx fillMarkVol fillPxUsd fillPxVol tag"
_WHILE_OPEN = "avgPx bePx imr liqPx margin mgnRatio mmr notionalUsd upl uplLastPx uplRatio uplRatioLastPx"
_CATEGORY = {"3": "full_liquidation", "4": "partial_liquidation"}
# Bill subtypes by what was closed or traded; the words are OKX's.
_OPENED = {"long": "3", "short": "4", "net-buy": "1", "net-sell": "2"}
_CLOSED = {"long": "5", "short": "6", "net-buy": "1", "net-sell": "2"}
_LIQUIDATED = {"long": "104", "short": "105", "net-buy": "106", "net-sell": "107"}
_PARTLY_LIQUIDATED = {"long": "100", "short": "101", "net-buy": "102", "net-sell": "103"}


@dataclass(frozen=True)
class Trade:
    """One fill, by order or by liquidation, just after it happened to `position`."""

    position: Position
    ord_id: str
    contracts: Decimal
    px: Decimal
    fee: Decimal
    pnl: Decimal
    opens: bool

    @property
    def close_type(self) -> str:
        """The way it was closed, as positions-history numbers it; "" for an opening trade."""
        return "" if self.opens else self.position.close_type

    @property
    def forced(self) -> bool:
        """Made by liquidation."""
        return self.close_type in _CATEGORY

    @property
    def side(self) -> str:
        """buy or sell."""
        return "buy" if (self.position.sign > 0) == self.opens else "sell"

    @property
    def sub_type(self) -> str:
        """What bills and fills call it."""
        words = self.position.pos_side if self.position.pos_side != "net" else f"net-{self.side}"
        by_type = {"": _OPENED, "3": _LIQUIDATED, "4": _PARTLY_LIQUIDATED}.get(self.close_type, _CLOSED)
        return by_type[words]


def text(number: Decimal | None) -> str:
    """Plain digits, at most 16 after the point; "" for nothing."""
    if number is None:
        return ""
    rounded = number.quantize(Decimal("1e-16")).normalize()
    return format(abs(rounded) if rounded == 0 else rounded, "f")


def config_row(account: Account, key: Key) -> Row:
    """One row of GET /account/config."""
    return {
        "acctLv": "2",
        "acctStpMode": "cancel_maker",
        "autoLoan": False,
        "ctIsoMode": "automatic",
        "enableSpotBorrow": False,
        "greeksType": "PA",
        "feeType": "0",
        "ip": key.ip,
        "type": "0" if account.uid == account.main_uid else "1",
        "kycLv": "3",
        "label": key.label,
        "level": "Lv1",
        "levelTmp": "",
        "liquidationGear": "-1",
        "mainUid": account.main_uid,
        "mgnIsoMode": "automatic",
        "opAuth": "0",
        "perm": key.perm,
        "posMode": account.pos_mode,
        "roleType": "0",
        "spotBorrowAutoRepay": False,
        "spotOffsetType": "",
        "spotRoleType": "0",
        "spotTraderInsts": [],
        "stgyType": "0",
        "traderInsts": [],
        "uid": account.uid,
        "settleCcy": "USDC",
        "settleCcyList": ["USD", "USDC", "USDG"],
    }


def position_row(account: Account, position: Position) -> Row:
    """One row of GET /account/positions. A closed slot has pos 0 and no numbers of an open one."""
    instrument, is_open = position.instrument, position.contracts > 0
    signed = position.contracts * position.sign if position.pos_side == "net" else position.contracts
    numbers = _numbers_while_open(account, position) if is_open else dict.fromkeys(_WHILE_OPEN.split())
    row: Row = {
        **dict.fromkeys(_NOT_OF_SWAPS.split(), ""),
        **{name: text(number) for name, number in numbers.items()},
        "adl": "1" if is_open else "",
        "availPos": "" if position.pos_side == "net" else text(position.contracts),
        "cTime": str(position.c_time_ms),
        "ccy": "USDT",
        "closeOrderAlgo": [],
        "fee": text(position.fee),
        "fundingFee": "0",
        "idxPx": text(instrument.mark),
        "instId": instrument.inst_id,
        "instType": "SWAP",
        "last": text(instrument.mark),
        "lever": text(position.lever),
        "liqPenalty": text(position.liq_penalty),
        "markPx": text(instrument.mark),
        "mgnMode": position.mgn_mode,
        "pnl": text(position.pnl),
        "pos": text(signed),
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "realizedPnl": text(position.pnl + position.fee + position.liq_penalty),
        "tradeId": position.trade_id,
        "uTime": str(position.u_time_ms),
        "usdPx": "1",
    }
    return dict(sorted(row.items()))


def _numbers_while_open(account: Account, position: Position) -> dict[str, Decimal | None]:
    """_WHILE_OPEN for a position that is open."""
    mark, isolated = position.instrument.mark, position.mgn_mode == "isolated"
    upl = position.upl()
    upl_ratio = upl * position.lever / position.notional(position.avg_px)
    fee = position.sign * FEE_RATE
    return {
        "avgPx": position.avg_px,
        "bePx": position.avg_px * (1 + fee) / (1 - fee),
        "imr": None if isolated else position.notional(mark) / position.lever,
        "liqPx": account.liq_px(position),
        "margin": position.margin if isolated else None,
        "mgnRatio": account.mgn_ratio(position),
        "mmr": position.mmr(),
        "notionalUsd": position.notional(mark),
        "upl": upl,
        "uplLastPx": upl,
        "uplRatio": upl_ratio,
        "uplRatioLastPx": upl_ratio,
    }


def history_row(position: Position) -> Row:
    """One row of GET /account/positions-history: one episode, with the latest way that it was closed."""
    realized = position.pnl + position.fee + position.liq_penalty
    at_stake = position.max_contracts * position.instrument.ct_val * position.avg_px / position.lever
    return {
        "cTime": str(position.c_time_ms),
        "ccy": "USDT",
        "closeAvgPx": text(position.close_avg_px),
        "closeTotalPos": text(position.closed_contracts),
        "direction": "long" if position.sign > 0 else "short",
        "fee": text(position.fee),
        "fundingFee": "0",
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "lever": _with_point(position.lever),
        "liqPenalty": text(position.liq_penalty),
        "mgnMode": position.mgn_mode,
        "nonSettleAvgPx": "",
        "openAvgPx": text(position.avg_px),
        "openMaxPos": text(position.max_contracts),
        "pnl": text(position.pnl),
        "pnlRatio": text(realized / at_stake),
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "realizedPnl": text(realized),
        "settledPnl": "",
        "triggerPx": text(position.trigger_px),
        "type": position.close_type,
        "uTime": str(position.u_time_ms),
        "uly": position.instrument.family,
    }


def order_row(trade: Trade) -> Row:
    """One row of GET /trade/orders-history, for a market order filled at once."""
    position, now = trade.position, str(trade.position.u_time_ms)
    row: Row = {
        **dict.fromkeys(_UNUSED_IN_ORDERS.split(), ""),
        "accFillSz": text(trade.contracts),
        "attachAlgoOrds": [],
        "avgPx": text(trade.px),
        "cTime": now,
        "category": _CATEGORY.get(trade.close_type, "normal"),
        "ccy": "USDT",
        "fee": text(trade.fee),
        "feeCcy": "USDT",
        "fillPx": text(trade.px),
        "fillSz": text(trade.contracts),
        "fillTime": now,
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "isTpLimit": "false",
        "lever": _with_point(position.lever),
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": trade.ord_id,
        "ordType": "market",
        "pnl": text(trade.pnl),
        "posSide": position.pos_side,
        "rebate": "0",
        "rebateCcy": "USDT",
        "reduceOnly": "false" if trade.opens else "true",
        "side": trade.side,
        "state": "filled",
        "stpMode": "cancel_maker",
        "sz": text(trade.contracts),
        "tdMode": position.mgn_mode,
        "tradeId": position.trade_id,
        "uTime": now,
    }
    return dict(sorted(row.items()))


def bill_row(trade: Trade, bill_id: str, change: Decimal, balance: Decimal) -> Row:
    """One row of GET /account/bills: type 2 a trade, type 5 a liquidation, both leading to the order."""
    position, now = trade.position, str(trade.position.u_time_ms)
    row: Row = {
        **dict.fromkeys(_UNUSED_IN_BILLS.split(), ""),
        "bal": text(balance),
        "balChg": text(change),
        "billId": bill_id,
        "ccy": "USDT",
        "execType": "" if trade.forced else "T",
        "fee": text(trade.fee),
        "fillMarkPx": text(trade.px if trade.forced else position.instrument.mark),
        "fillTime": now,
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "interest": "0",
        "mgnMode": position.mgn_mode,
        "ordId": trade.ord_id,
        "pnl": text(trade.pnl),
        "posBal": text(position.margin),
        "posBalChg": "0",
        "px": text(trade.px),
        "subType": trade.sub_type,
        "sz": text(trade.contracts),
        "tradeId": position.trade_id,
        "ts": now,
        "type": "5" if trade.forced else "2",
    }
    return dict(sorted(row.items()))


def fill_row(trade: Trade, bill_id: str) -> Row:
    """One row of GET /trade/fills: the trade of one bill. That of a liquidation has a negative tradeId."""
    position, now = trade.position, str(trade.position.u_time_ms)
    return {
        **dict.fromkeys(_UNUSED_IN_FILLS.split(), ""),
        "billId": bill_id,
        "execType": "T",
        "fee": text(trade.fee),
        "feeCcy": "USDT",
        "feeRate": text(-FEE_RATE),
        "fillMarkPx": text(trade.px if trade.forced else position.instrument.mark),
        "fillPnl": text(trade.pnl),
        "fillPx": text(trade.px),
        "fillSz": text(trade.contracts),
        "fillTime": now,
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "ordId": trade.ord_id,
        "posSide": position.pos_side,
        "side": trade.side,
        "subType": trade.sub_type,
        "tradeId": f"-{int(bill_id) % 10**10}" if trade.forced else position.trade_id,
        "tradeQuoteCcy": "USDT",
        "ts": now,
    }


def fee_row(now_ms: int) -> Row:
    """The row of GET /account/trade-fee for swaps."""
    maker, taker = text(-MAKER_FEE_RATE), text(-FEE_RATE)
    return {
        "category": "1",
        "delivery": "",
        "exercise": "",
        "feeGroup": [{"groupId": "2", "maker": maker, "taker": taker}],
        "fiat": [],
        "instType": "SWAP",
        "level": "Lv1",
        "maker": maker,
        "makerU": maker,
        "makerUSDC": maker,
        "ruleType": "normal",
        "taker": taker,
        "takerU": taker,
        "takerUSDC": taker,
        "ts": str(now_ms),
    }


def _with_point(lever: Decimal) -> str:
    shown = text(lever)
    return shown if "." in shown else f"{shown}.0"
