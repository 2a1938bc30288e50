"""The sandbox exchange held to ccxt's idea of OKX: its okx class, unmodified but for the host.

ccxt (MIT) pins a dozen packages exactly, those of security among them; so it has an environment of its own
(requirements-ccxt.lock), and what it reads comes over a pipe: with_ccxt.py.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from liqpass.clock import system_clock
from liqpass.exchange.okx import OkxGateway
from liqpass.sandbox.okx_server import SandboxExchange
from tests.conformance.asking import ask

BTC, BTC_ID = "BTC/USDT:USDT", "BTC-USDT-SWAP"
ETH, NAMED_IN_CHINESE = "ETH/USDT:USDT", "币安人生-USDT-SWAP"
MINUTE_MS = 60_000


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as running:
        yield running


def asked(
    exchange: SandboxExchange,
    *calls: list[Any],
    label: str = "reads one",
    region: str = "global",
    **wrong: str,
) -> dict[str, Any]:
    """These calls with the key of this label; "" is somebody without a key."""
    key = next((key for key in exchange.test_keys() if key["label"] == label), None)
    return {"host": exchange.hosts[region], "key": key and {**key, **wrong}, "calls": calls}


async def called(exchange: SandboxExchange, *calls: list[Any], label: str = "reads one") -> list[Any]:
    (answers,) = await ask("ccxt", [asked(exchange, *calls, label=label)])
    return list(answers)


async def test_it_loads_the_markets_and_the_currencies(exchange: SandboxExchange) -> None:
    markets, currencies = await called(exchange, ["load_markets"], ["fetch_currencies"])
    assert {market["id"] for market in markets.values()} == set(exchange.books.instruments)
    btc = markets[BTC]
    assert (btc["base"], btc["quote"], btc["settle"]) == ("BTC", "USDT", "USDT")
    assert (btc["swap"], btc["linear"], btc["active"]) == (True, True, True)
    assert (btc["contractSize"], btc["precision"]) == (0.01, {"amount": 0.01, "price": 0.1})
    assert (btc["limits"]["leverage"]["max"], btc["limits"]["amount"]["min"]) == (100, 0.01)
    assert set(currencies) == {"USDT", "BTC", "ETH", "SOL", "DOGE"}
    assert set(currencies["USDT"]["networks"]) == {"ERC20", "TRC20"}
    assert currencies["BTC"]["networks"]["BTC"]["withdraw"] is True


async def test_it_reads_the_balance_and_the_positions_of_an_account(exchange: SandboxExchange) -> None:
    key = next(key for key in exchange.test_keys() if key["label"] == "reads one")
    account = exchange.books.accounts[str(key["uid"])]
    exchange.books.list_instrument(NAMED_IN_CHINESE, mark="0.25")
    exchange.books.open_position(account.uid, NAMED_IN_CHINESE, contracts=100, lever=5)
    balance, positions = await called(exchange, ["fetch_balance"], ["fetch_positions"])
    slots = {(slot.instrument.inst_id, slot.mgn_mode): slot for slot in account.slots.values()}
    read = {(row["info"]["instId"], row["marginMode"]): row for row in positions}
    assert read.keys() == slots.keys()
    for name, row in read.items():
        slot, liq_px = slots[name], account.liq_px(slots[name])
        assert row["side"] == ("long" if slot.sign > 0 else "short")
        assert (row["contracts"], row["leverage"]) == (float(slot.contracts), float(slot.lever))
        assert row["liquidationPrice"] == (liq_px and pytest.approx(float(liq_px)))
        assert row["notional"] == pytest.approx(float(slot.notional(slot.instrument.mark)))
        assert row["timestamp"] == slot.c_time_ms
    worth = sum(slot.upl() + slot.margin for slot in slots.values())
    assert balance["total"] == {"USDT": pytest.approx(float(account.balance + worth))}
    assert balance["free"]["USDT"] < float(account.balance)


async def test_it_reads_a_liquidation_in_every_history(exchange: SandboxExchange) -> None:
    exchange.books.move_mark(BTC_ID, 50_000)
    history, orders, fills, ledger, still_open = await called(
        exchange,
        ["fetch_positions_history"],
        ["fetch_closed_orders", BTC],
        ["fetch_my_trades", BTC],
        ["fetch_ledger", "USDT", None, None, {"type": "swap"}],
        ["fetch_positions"],
    )
    (row,) = [each["info"] for each in history]
    assert (row["type"], row["instId"], row["direction"]) == ("3", BTC_ID, "long")
    (order,) = [each for each in orders if each["info"]["category"] == "full_liquidation"]
    assert (order["side"], order["filled"], order["average"]) == (
        "sell",
        float(row["closeTotalPos"]),
        float(row["triggerPx"]),
    )
    (fill,) = [each for each in fills if each["order"] == order["id"]]
    assert (fill["side"], fill["amount"], fill["price"]) == ("sell", order["filled"], order["average"])
    assert fill["info"]["tradeId"].startswith("-")
    (entry,) = [each["info"] for each in ledger if each["info"]["type"] == "5"]
    assert (entry["ordId"], entry["billId"]) == (order["id"], fill["info"]["billId"])
    assert BTC not in {each["symbol"] for each in still_open}


async def test_it_reads_funding_adl_and_a_liquidation_in_parts_and_several_fills(
    exchange: SandboxExchange,
) -> None:
    key = next(key for key in exchange.test_keys() if key["label"] == "reads one")
    uid, books = str(key["uid"]), exchange.books
    isolated, cross = books.fund(BTC_ID, "0.001"), books.fund("SOL-USDT-SWAP", "0.001")
    books.liquidate_partly(uid, BTC_ID, contracts=2, fills=2)
    books.deleverage(uid, BTC_ID, contracts=1)
    books.liquidate(uid, BTC_ID, fills=3)
    paid, rates, history, orders, fills, ledger = await called(
        exchange,
        ["fetch_funding_history"],
        ["fetch_funding_rate_history", BTC],
        ["fetch_positions_history"],
        ["fetch_closed_orders", BTC],
        ["fetch_my_trades", BTC],
        ["fetch_ledger", "USDT", None, None, {"type": "swap"}],
    )
    own = books.accounts[uid].slots.values()
    funded = [position.funding_fee for position in (*isolated, *cross) if position in own]
    assert sorted(row["amount"] for row in paid) == sorted(float(amount) for amount in funded)
    assert [(rate["fundingRate"], rate["symbol"]) for rate in rates] == [(0.001, BTC)]
    (row,) = history
    assert (row["side"], row["realizedPnl"]) == ("long", float(row["info"]["realizedPnl"]))
    filled = {order["info"]["category"]: order["filled"] for order in orders}
    assert filled.pop("normal") == filled["full_liquidation"] + 3
    assert (filled["partial_liquidation"], filled["adl"]) == (2, 1)
    forced = [order for order in orders if order["info"]["category"] != "normal"]
    parts = {order["id"]: [fill for fill in fills if fill["order"] == order["id"]] for order in forced}
    assert sorted(map(len, parts.values())) == [1, 2, 3]
    for order in forced:
        assert sum(fill["amount"] for fill in parts[order["id"]]) == pytest.approx(order["filled"])
        assert sum(fill["cost"] for fill in parts[order["id"]]) == pytest.approx(order["cost"])
        entries = [entry for entry in ledger if entry["referenceId"] == order["id"]]
        assert len(entries) == len(parts[order["id"]])
        assert sum(entry["fee"]["cost"] for entry in entries) == pytest.approx(order["fee"]["cost"])


async def test_it_reads_prices_tiers_funding_and_status_without_a_key(exchange: SandboxExchange) -> None:
    exchange.books.move_mark(BTC_ID, 61_000)
    status, mark, marks, ticker, tickers, tiers, funding, time = await called(
        exchange,
        ["fetch_status"],
        ["fetch_mark_price", BTC],
        ["fetch_mark_prices"],
        ["fetch_ticker", BTC],
        ["fetch_tickers", [BTC, ETH]],
        ["fetch_market_leverage_tiers", BTC, {"marginMode": "isolated"}],
        ["fetch_funding_rate", BTC],
        ["fetch_time"],
        label="",
    )
    assert status["status"] == "ok"
    assert (mark["markPrice"], marks[BTC]["markPrice"], ticker["last"]) == (61_000, 61_000, 61_000)
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    assert (ticker["high"] >= 61_000, ticker["low"] <= 60_000) == (True, True)
    assert set(tickers) == {BTC, ETH}
    assert [tier["maintenanceMarginRate"] for tier in tiers] == [0.004, 0.005, 0.006]
    assert [tier["maxLeverage"] for tier in tiers] == [100, 75, 50]
    assert (funding["fundingRate"], funding["interval"]) == (0, "8h")
    assert time < funding["fundingTimestamp"] <= time + 8 * 60 * MINUTE_MS


async def test_its_candles_are_a_whole_history_that_ends_at_the_mark_price(exchange: SandboxExchange) -> None:
    liquidated = exchange.books.move_mark(BTC_ID, 50_000)
    now_ms = exchange.books.now_ms()
    since = now_ms - 1_500 * MINUTE_MS
    minutes, traded, paged, older, newer, days = await called(
        exchange,
        ["fetch_ohlcv", BTC, "1m", None, 100, {"price": "mark"}],
        ["fetch_ohlcv", BTC, "1m", None, 100],
        ["fetch_ohlcv", BTC, "1m", since, 250, {"paginate": True}],
        ["fetch_ohlcv", BTC, "1m", since, 100, {"price": "mark"}],
        ["fetch_ohlcv", BTC, "1m", since + 100 * MINUTE_MS, 100, {"price": "mark"}],
        ["fetch_ohlcv", BTC, "1d", None, 100],
        label="",
    )
    for bars, length in ((minutes, 1), (traded, 1), (paged, 1), (older + newer, 1), (days, 24 * 60)):
        starts = [bar[0] for bar in bars]
        step = length * MINUTE_MS
        assert starts == list(range(starts[0], starts[0] + len(bars) * step, step))
        assert all(before[4] == after[1] for before, after in pairwise(bars))
        assert all(low <= min(opened, closed) for _, opened, _, low, closed, _ in bars)
        assert all(high >= max(opened, closed) for _, opened, high, _, closed, _ in bars)
    assert [len(bars) for bars in (minutes, days, older, newer)] == [100, 100, 100, 100]
    assert since <= older[0][0] < since + MINUTE_MS
    assert [bar[:5] for bar in paged[:200]] == [bar[:5] for bar in older + newer]
    assert (minutes[-1][4], traded[-1][4], days[-1][4]) == (50_000, 50_000, 50_000)
    (of_that_minute,) = [bar for bar in minutes if bar[0] <= now_ms < bar[0] + MINUTE_MS]
    for position in liquidated:
        assert (
            Decimal(str(of_that_minute[3])) <= (position.trigger_px or 0) <= Decimal(str(of_that_minute[2]))
        )


async def test_its_hours_and_days_of_mark_prices_are_those_that_a_price_is_made_of() -> None:
    moment, mark = system_clock(), {"price": "mark"}
    async with SandboxExchange(lambda: moment) as exchange:
        gateway = OkxGateway(exchange.hosts, system_clock)
        ours = [await gateway.mark_candles(BTC_ID, "1H"), await gateway.mark_candles(BTC_ID, "1Dutc")]
        await gateway.close()
        theirs = await called(
            exchange,
            ["fetch_ohlcv", BTC, "1h", None, 100, mark],
            ["fetch_ohlcv", BTC, "1d", None, 100, mark],
            label="",
        )
    for page, bars in zip(ours, theirs, strict=True):
        read = [[row.start_ms, *map(float, (row.open, row.high, row.low, row.close))] for row in page.rows]
        assert [bar[:5] for bar in bars] == read[::-1]


async def test_it_is_refused_for_what_okx_refuses(exchange: SandboxExchange) -> None:
    config = ["fetch_accounts"]
    refused = [
        asked(exchange, config, secret="0" * 32),
        asked(exchange, config, passphrase="wrong"),
        asked(exchange, config, label=""),
        asked(exchange, config, region="eea"),
    ]
    errors = [answer["error"] for (answer,) in await ask("ccxt", refused)]
    assert errors == ["AuthenticationError", "AuthenticationError", "AuthenticationError", "ExchangeError"]
