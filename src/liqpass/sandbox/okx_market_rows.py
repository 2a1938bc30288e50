"""How the sandbox exchange writes what is public: instruments, prices, candles, tiers, funding.

As in okx_rows: numbers are strings, what does not apply is "", the fields are in the order of real answers.
"""

import zlib
from decimal import Decimal
from typing import NamedTuple

from liqpass.sandbox.okx_candles import Candle
from liqpass.sandbox.okx_margin import Instrument
from liqpass.sandbox.okx_parameters import Row
from liqpass.sandbox.okx_rows import text

_FUNDING_MS = 8 * 3_600_000
_LISTED_MS = 1_573_557_408_000
_INST_ID_CODES = {"BTC-USDT-SWAP": 10459, "ETH-USDT-SWAP": 10461}
# Of spot trading, options, expiring and new contracts: always "" for a swap that has long been traded.
_NOT_OF_SWAPS = (
    "alias auctionEndTime baseCcy contTdSwTime expTime maxMktAmt maxPlatOILmt openType optType posLmtAmt "
    "posLmtPct preMktSwTime quoteCcy stk"
)
_LARGEST = "100000000.0000000000000000"


class Days(NamedTuple):
    """What tickers tell of: the last 24 hours, and today since midnight in UTC and in China."""

    last: Candle
    utc0: Candle
    utc8: Candle


def instrument_row(instrument: Instrument) -> Row:
    """One row of GET /public/instruments."""
    largest = str(max(int(10_000_000 / (instrument.ct_val * instrument.path[0][1])), 1))
    row: Row = {
        **dict.fromkeys(_NOT_OF_SWAPS.split(), ""),
        "category": "1",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": text(instrument.ct_val),
        "ctValCcy": instrument.base,
        "futureSettlement": False,
        "groupId": "2",
        "instCategory": "1",
        "instFamily": instrument.family,
        "instId": instrument.inst_id,
        "instIdCode": _inst_id_code(instrument.inst_id),
        "instType": "SWAP",
        "lever": str(instrument.tiers()[0].max_lever),
        "listTime": str(_LISTED_MS),
        "lotSz": "0.01",
        "maxIcebergSz": _LARGEST,
        "maxLmtAmt": "20000000",
        "maxLmtSz": "100000000",
        "maxMktSz": largest,
        "maxStopSz": largest,
        "maxTriggerSz": _LARGEST,
        "maxTwapSz": _LARGEST,
        "minSz": "0.01",
        "ruleType": "normal",
        "settleCcy": "USDT",
        "state": "live",
        "tickSz": text(instrument.tick),
        "tradeQuoteCcyList": [],
        "uly": instrument.family,
        "upcChg": [],
    }
    return dict(sorted(row.items()))


def mark_row(instrument: Instrument, now_ms: int) -> Row:
    """One row of GET /public/mark-price."""
    return {
        "instId": instrument.inst_id,
        "instType": "SWAP",
        "markPx": text(instrument.mark),
        "ts": str(now_ms),
    }


def ticker_row(instrument: Instrument, days: Days, now_ms: int) -> Row:
    """One row of GET /market/ticker: the last price is the mark price, the spread two ticks."""
    contracts = days.last.contracts
    return {
        "instType": "SWAP",
        "instId": instrument.inst_id,
        "last": text(instrument.mark),
        "lastSz": "1",
        "askPx": text(instrument.mark + instrument.tick),
        "askSz": "100",
        "bidPx": text(max(instrument.mark - instrument.tick, instrument.tick)),
        "bidSz": "100",
        "open24h": text(days.last.open),
        "high24h": text(days.last.high),
        "low24h": text(days.last.low),
        "volCcy24h": text(contracts * instrument.ct_val),
        "vol24h": str(contracts),
        "ts": str(now_ms),
        "sodUtc0": text(days.utc0.open),
        "sodUtc8": text(days.utc8.open),
    }


def index_row(instrument: Instrument, days: Days, now_ms: int) -> Row:
    """One row of GET /market/index-tickers: the index is the mark price."""
    return {
        "instId": instrument.family,
        "idxPx": text(instrument.mark),
        "high24h": text(days.last.high),
        "sodUtc0": text(days.utc0.open),
        "open24h": text(days.last.open),
        "low24h": text(days.last.low),
        "sodUtc8": text(days.utc8.open),
        "ts": str(now_ms),
    }


def candle_row(_instrument: Instrument, candle: Candle) -> list[str]:
    """One bar of mark or index prices: time, open, high, low, close, whether it is complete."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [str(candle.start_ms), *map(text, prices), "1" if candle.complete else "0"]


def traded_row(instrument: Instrument, candle: Candle) -> list[str]:
    """One bar of trades: as of prices, and before the last the volume in contracts, coins and USDT."""
    *prices, complete = candle_row(instrument, candle)
    coins = candle.contracts * instrument.ct_val
    value = coins * (candle.open + candle.close) / 2
    return [*prices, str(candle.contracts), text(coins), text(value), complete]


def tier_row(instrument: Instrument, number: int) -> Row:
    """One row of GET /public/position-tiers; the first tier's number is 0 here and 1 in the row."""
    tiers = instrument.tiers()
    tier = tiers[number]
    return {
        "baseMaxLoan": "",
        "imr": text(Decimal(1) / tier.max_lever),
        "instFamily": instrument.family,
        "instId": "",
        "maxLever": str(tier.max_lever),
        "maxSz": text(tier.max_contracts),
        "minSz": text(tiers[number - 1].max_contracts + 1) if number else "0",
        "mmr": text(tier.mmr_rate),
        "optMgnFactor": "0",
        "quoteMaxLoan": "",
        "tier": str(number + 1),
        "uly": instrument.family,
    }


def funding_row(instrument: Instrument, now_ms: int) -> Row:
    """One row of GET /public/funding-rate: the last rate that was settled is foretold to come again."""
    next_ms = now_ms - now_ms % _FUNDING_MS + _FUNDING_MS
    rate = text(instrument.funding[-1][1]) if instrument.funding else "0"
    return {
        "formulaType": "noRate",
        "fundingRate": rate,
        "fundingTime": str(next_ms),
        "impactValue": "",
        "instId": instrument.inst_id,
        "instType": "SWAP",
        "interestRate": "",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(next_ms + _FUNDING_MS),
        "premium": "0",
        "settFundingRate": rate,
        "settState": "settled",
        "ts": str(now_ms),
    }


def settled_row(instrument: Instrument, settled_ms: int, rate: Decimal) -> Row:
    """One row of GET /public/funding-rate-history."""
    return {
        "formulaType": "noRate",
        "fundingRate": text(rate),
        "fundingTime": str(settled_ms),
        "instId": instrument.inst_id,
        "instType": "SWAP",
        "method": "current_period",
        "realizedRate": text(rate),
    }


def _inst_id_code(inst_id: str) -> int:
    """OKX's number where it is known, else one that stays the same."""
    return _INST_ID_CODES.get(inst_id) or 100_000 + zlib.crc32(inst_id.encode()) % 100_000
