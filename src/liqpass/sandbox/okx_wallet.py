"""The sandbox exchange's money of an account: its balance, and the currencies that it may hold."""

from decimal import Decimal

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_margin import Account
from liqpass.sandbox.okx_parameters import Query, Row, listed
from liqpass.sandbox.okx_rows import text

# Of spot trading, borrowing and other account modes: always "" for USDT in futures mode.
_NOT_OF_FUTURES = (
    "accAvgPx borrowFroz clSpotInUseAmt crossLiab interest isoLiab liab maxLoan maxSpotInUseAmt openAvgPx "
    "spotBal spotInUseAmt spotUpl spotUplRatio totalPnl totalPnlRatio uplLiab"
)
_NOT_USED = "fixedBal ordFrozen rewardBal smtSyncEq spotCopyTradingEq spotIsoBal stgyEq twap"
_OF_OTHER_MODES = (
    "adjEq borrowFroz imr mgnRatio mmr notionalUsd notionalUsdForBorrow notionalUsdForFutures "
    "notionalUsdForOption notionalUsdForSwap ordFroz upl"
)
_CHAINS = {"USDT": ("ERC20", "TRC20"), "BTC": ("Bitcoin",), "SOL": ("Solana",), "DOGE": ("Dogecoin",)}
_NAMES = {"USDT": "Tether", "BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "DOGE": "Dogecoin"}
_UNLIMITED = (
    "burningFeeRate ctAddr depEstOpenTime depQuotaFixed depQuoteDailyLayer2 maxFeeForCtAddr minFeeForCtAddr "
    "usedDepQuotaFixed wdEstOpenTime"
)


def balance(books: Books, account: Account, query: Query) -> list[Row]:
    """One row, its details only of the currencies asked for. All of an account's money is USDT."""
    asked, now = listed(query, "ccy", 20), str(books.now_ms())
    details = _usdt_row(account, now)
    return [
        {
            **dict.fromkeys(_OF_OTHER_MODES.split(), ""),
            "details": [details] if not asked or "USDT" in asked else [],
            "isoEq": details["isoEq"],
            "totalEq": details["eqUsd"],
            "uTime": now,
        }
    ]


def currencies(books: Books, query: Query) -> list[Row]:
    """A row for each chain of USDT and of every coin that has an instrument."""
    asked = listed(query, "ccy", 20)
    known = dict.fromkeys(["USDT", *(each.base for each in books.instruments.values())])
    return [
        _currency_row(ccy, chain, main=not number)
        for ccy in known
        if not asked or ccy in asked
        for number, chain in enumerate(_CHAINS.get(ccy, ("ERC20",)))
    ]


def _usdt_row(account: Account, now: str) -> Row:
    """Equity is cash, what isolated positions are worth, and what the cross ones have gained."""
    open_slots = [slot for slot in account.slots.values() if slot.contracts]
    isolated = [slot for slot in open_slots if slot.mgn_mode == "isolated"]
    cross = account.cross()
    iso_upl, upl = (
        sum((slot.upl() for slot in isolated), Decimal(0)),
        sum((slot.upl() for slot in open_slots), Decimal(0)),
    )
    iso_eq = sum((slot.margin for slot in isolated), Decimal(0)) + iso_upl
    notional = sum((slot.notional(slot.instrument.mark) for slot in cross), Decimal(0))
    imr = sum((slot.notional(slot.instrument.mark) / slot.lever for slot in cross), Decimal(0))
    equity = account.balance + iso_eq + upl - iso_upl
    available = max(account.balance + upl - iso_upl - imr, Decimal(0))
    row: Row = {
        **dict.fromkeys(_NOT_OF_FUTURES.split(), ""),
        **dict.fromkeys(_NOT_USED.split(), "0"),
        "availBal": text(available),
        "availEq": text(available),
        "cashBal": text(account.balance),
        "ccy": "USDT",
        "collateralEnabled": False,
        "disEq": text(equity),
        "eq": text(equity),
        "eqUsd": text(equity),
        "frozenBal": text(iso_eq + imr),
        "imr": text(imr),
        "isoEq": text(iso_eq),
        "isoUpl": text(iso_upl),
        "mgnRatio": text(account.mgn_ratio(cross[0])) if cross else "",
        "mmr": text(sum((slot.mmr() for slot in cross), Decimal(0))),
        "notionalLever": text(notional / equity if equity > 0 else Decimal(0)),
        "uTime": now,
        "upl": text(upl),
    }
    return dict(sorted(row.items()))


def _currency_row(ccy: str, chain: str, *, main: bool) -> Row:
    row: Row = {
        **dict.fromkeys(_UNLIMITED.split(), ""),
        "canDep": True,
        "canInternal": True,
        "canWd": True,
        "ccy": ccy,
        "chain": f"{ccy}-{chain}",
        "fee": "0.1",
        "logoLink": "",
        "mainNet": main,
        "maxFee": "0.1",
        "maxWd": "1000000",
        "minDep": "0.01",
        "minDepArrivalConfirm": "12",
        "minFee": "0.1",
        "minInternal": "0.01",
        "minWd": "1",
        "minWdUnlockConfirm": "64",
        "name": _NAMES.get(ccy, ccy),
        "needTag": False,
        "usedWdQuota": "0",
        "wdQuota": "10000000",
        "wdTickSz": "6",
    }
    return dict(sorted(row.items()))
