"""How the sandbox exchange writes its rows: the fields, their order and their emptiness are OKX's.

Numbers are strings, what does not apply is "". Positions and histories list their fields in alphabetical
order, as real answers do. What trades leave behind is in okx_trade_rows.
"""

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
_WHILE_OPEN = "avgPx bePx imr liqPx margin mgnRatio mmr notionalUsd upl uplLastPx uplRatio uplRatioLastPx"


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
        "fundingFee": text(position.funding_fee),
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
        "realizedPnl": text(position.realized()),
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
    at_stake = position.max_contracts * position.instrument.ct_val * position.avg_px / position.lever
    return {
        "cTime": str(position.c_time_ms),
        "ccy": "USDT",
        "closeAvgPx": text(position.close_avg_px),
        "closeTotalPos": text(position.closed_contracts),
        "direction": "long" if position.sign > 0 else "short",
        "fee": text(position.fee),
        "fundingFee": text(position.funding_fee),
        "instId": position.instrument.inst_id,
        "instType": "SWAP",
        "lever": with_point(position.lever),
        "liqPenalty": text(position.liq_penalty),
        "mgnMode": position.mgn_mode,
        "nonSettleAvgPx": "",
        "openAvgPx": text(position.avg_px),
        "openMaxPos": text(position.max_contracts),
        "pnl": text(position.pnl),
        "pnlRatio": text(position.realized() / at_stake),
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "realizedPnl": text(position.realized()),
        "settledPnl": "",
        "triggerPx": text(position.trigger_px),
        "type": position.close_type,
        "uTime": str(position.u_time_ms),
        "uly": position.instrument.family,
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


def with_point(lever: Decimal) -> str:
    """A leverage as histories show it: 10.0."""
    shown = text(lever)
    return shown if "." in shown else f"{shown}.0"
