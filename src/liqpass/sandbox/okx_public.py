"""The sandbox exchange's endpoints that ask for no key: instruments, prices, tiers, funding, status."""

from collections.abc import Callable
from typing import Any, NamedTuple

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_candles import BARS, Candle, bar_start, candles, since, span_ms
from liqpass.sandbox.okx_margin import Instrument
from liqpass.sandbox.okx_market_rows import (
    Days,
    candle_row,
    funding_row,
    index_row,
    instrument_row,
    mark_row,
    settled_row,
    ticker_row,
    tier_row,
    traded_row,
)
from liqpass.sandbox.okx_parameters import (
    INST_TYPES,
    Query,
    Row,
    bad,
    digits,
    known_instrument,
    limit_of,
    listed,
    needed,
    one_of,
    unknown_instrument,
)

_LATEST_BARS = 1440
_FUNDING_KEPT_MS = 90 * 86_400_000


class Public(NamedTuple):
    """An endpoint without a key: who answers, and `at_most` requests of one address in `window_sec`, for each
    value of the parameter `per` where OKX counts so."""

    at_most: int
    window_sec: float
    read: Callable[[Books, Query, int], list[Any]]
    per: str = ""


def _asked_for(books: Books, query: Query) -> list[Instrument]:
    """By instType, instFamily (or uly, its old name) and instId."""
    inst_type, inst_id = one_of(query, "instType", ("", *INST_TYPES)), known_instrument(books, query)
    family = query.get("instFamily") or query.get("uly", "")
    return [
        each
        for each in books.instruments.values()
        if inst_type in ("", "SWAP") and inst_id in ("", each.inst_id) and family in ("", each.family)
    ]


def _days(books: Books, instrument: Instrument) -> Days:
    """What tickers tell: the last 24 hours, and today so far by two clocks."""
    now_ms = books.now_ms()
    starts = (now_ms - 86_400_000, bar_start("1Dutc", now_ms), bar_start("1D", now_ms))
    return Days(*(since(instrument, books.seed, start, now_ms) for start in starts))


def _time(_books: Books, _query: Query, now_ms: int) -> list[Row]:
    return [{"ts": str(now_ms)}]


def _status(_books: Books, query: Query, _now_ms: int) -> list[Row]:
    """No maintenance is planned here; OKX's answer is empty then."""
    one_of(query, "state", ("", "scheduled", "ongoing", "pre_open", "completed", "canceled"))
    return []


def _instruments(books: Books, query: Query, _now_ms: int) -> list[Row]:
    needed(query, "instType")
    return [instrument_row(each) for each in _asked_for(books, query)]


def _mark_price(books: Books, query: Query, now_ms: int) -> list[Row]:
    """By the documents instType must be there; by what clients send, one instId is enough."""
    if not query.get("instId"):
        needed(query, "instType")
    return [mark_row(each, now_ms) for each in _asked_for(books, query)]


def _tickers(books: Books, query: Query, now_ms: int) -> list[Row]:
    needed(query, "instType")
    return [ticker_row(each, _days(books, each), now_ms) for each in _asked_for(books, query)]


def _ticker(books: Books, query: Query, now_ms: int) -> list[Row]:
    needed(query, "instId")
    return [ticker_row(each, _days(books, each), now_ms) for each in _asked_for(books, query)]


def _index_tickers(books: Books, query: Query, now_ms: int) -> list[Row]:
    if not query.get("quoteCcy"):
        needed(query, "instId")
    quote, index = query.get("quoteCcy", ""), query.get("instId", "")
    found = [
        each
        for each in books.instruments.values()
        if index in ("", each.family) and each.family.endswith(quote and f"-{quote}")
    ]
    if index and not found:
        raise unknown_instrument()
    return [index_row(each, _days(books, each), now_ms) for each in found]


def _position_tiers(books: Books, query: Query, _now_ms: int) -> list[Row]:
    needed(query, "instType")
    needed(query, "tdMode")
    one_of(query, "instType", INST_TYPES)
    one_of(query, "tdMode", ("cross", "isolated"))
    if query["instType"] != "SWAP":
        return []
    families = listed(query, "instFamily" if query.get("instFamily") else "uly", 5)
    wanted = query.get("tier", "")
    if not families:
        needed(query, "instFamily")
    rows = [
        tier_row(each, number)
        for each in books.instruments.values()
        if each.family in families
        for number in range(len(each.tiers()))
    ]
    return [row for row in rows if wanted in ("", row["tier"])]


def _funding_rate(books: Books, query: Query, now_ms: int) -> list[Row]:
    everything = needed(query, "instId") == "ANY"
    inst_id = "" if everything else known_instrument(books, query)
    known = books.instruments.values()
    return [funding_row(each, now_ms) for each in known if inst_id in ("", each.inst_id)]


def _funding_rate_history(books: Books, query: Query, now_ms: int) -> list[Row]:
    """The last three months, newest first; `after` is older and `before` newer than a time."""
    needed(query, "instId")
    instrument = books.instruments[known_instrument(books, query)]
    limit, after, before = limit_of(query, 400), digits(query, "after"), digits(query, "before")
    rows = [
        settled_row(instrument, settled_ms, rate)
        for settled_ms, rate in reversed(instrument.funding)
        if settled_ms >= now_ms - _FUNDING_KEPT_MS
        and (after is None or settled_ms < after)
        and (before is None or settled_ms > before)
    ]
    return rows[:limit]


def _candles(
    row: Callable[[Instrument, Candle], list[str]], *, at_most: int, old: bool = False, index: bool = False
) -> Callable[[Books, Query, int], list[list[Any]]]:
    """Bars, newest first. Those of old times are complete; else the last 1,440 can be had."""

    def read(books: Books, query: Query, _now_ms: int) -> list[list[Any]]:
        name, limit = needed(query, "instId"), limit_of(query, at_most)
        known = {each.family if index else each.inst_id: each for each in books.instruments.values()}
        if name not in known:
            raise unknown_instrument()
        bar = query.get("bar") or "1m"
        if bar not in BARS:
            raise bad("bar")
        after, newer_than = digits(query, "after"), digits(query, "before") or 0
        now_ms = books.now_ms()
        if not old:
            newer_than = max(newer_than, bar_start(bar, now_ms) - _LATEST_BARS * span_ms(bar))
        rows: list[list[Any]] = []
        before_ms = now_ms + 1 if after is None else after
        for candle in candles(known[name], books.seed, bar, before_ms=before_ms, now_ms=now_ms):
            if len(rows) == limit or candle.start_ms <= newer_than:
                break
            if candle.complete or not old:
                shown = known[name].told.get((bar, candle.start_ms), row(known[name], candle))
                rows += [] if shown is None else [shown]
        return rows

    return read


PUBLIC = {
    "/api/v5/public/time": Public(10, 2, _time),
    "/api/v5/public/instruments": Public(20, 2, _instruments, "instType"),
    "/api/v5/public/mark-price": Public(10, 2, _mark_price, "instId"),
    "/api/v5/public/position-tiers": Public(10, 2, _position_tiers),
    "/api/v5/public/funding-rate": Public(10, 2, _funding_rate, "instId"),
    "/api/v5/public/funding-rate-history": Public(10, 2, _funding_rate_history, "instId"),
    "/api/v5/market/ticker": Public(20, 2, _ticker),
    "/api/v5/market/tickers": Public(20, 2, _tickers),
    "/api/v5/market/index-tickers": Public(20, 2, _index_tickers),
    "/api/v5/market/candles": Public(40, 2, _candles(traded_row, at_most=300)),
    "/api/v5/market/history-candles": Public(20, 2, _candles(traded_row, at_most=300, old=True)),
    "/api/v5/market/mark-price-candles": Public(20, 2, _candles(candle_row, at_most=100)),
    "/api/v5/market/history-mark-price-candles": Public(20, 2, _candles(candle_row, at_most=100, old=True)),
    "/api/v5/market/index-candles": Public(20, 2, _candles(candle_row, at_most=100, index=True)),
    "/api/v5/market/history-index-candles": Public(
        10, 2, _candles(candle_row, at_most=100, old=True, index=True)
    ),
    "/api/v5/system/status": Public(1, 5, _status),
}
