"""What the sandbox exchange says of instruments, prices and an account's money, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from yarl import URL

from liqpass.clock import system_clock
from liqpass.exchange.signing import sign, timestamp_of
from liqpass.sandbox.okx_server import SandboxExchange
from tests.clock import SettableClock

BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"
NAMED_IN_CHINESE = "币安人生-USDT-SWAP"


@pytest.fixture
async def okx() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as exchange:
        yield exchange


async def ask(okx: SandboxExchange, path: str, uid: str = "", **query: str) -> dict[str, Any]:
    """Unsigned, or signed with the key of an account."""
    url = URL(f"{okx.hosts['global']}/api/v5/{path}").with_query(query)
    sent = {}
    if uid:
        key = next(key for key in okx.test_keys() if key["uid"] == uid)
        now = timestamp_of(system_clock())
        sent = {
            "OK-ACCESS-KEY": str(key["apiKey"]),
            "OK-ACCESS-SIGN": sign(str(key["secret"]), now, "GET", url.raw_path_qs),
            "OK-ACCESS-TIMESTAMP": now,
            "OK-ACCESS-PASSPHRASE": str(key["passphrase"]),
        }
    async with aiohttp.ClientSession() as session, session.get(url, headers=sent) as response:
        said: dict[str, Any] = await response.json()
        return said


async def rows(okx: SandboxExchange, path: str, uid: str = "", **query: str) -> list[dict[str, Any]]:
    said = await ask(okx, path, uid, **query)
    assert said["code"] == "0", said
    return list(said["data"])


def somebody(okx: SandboxExchange) -> str:
    """An account without positions, and with a key."""
    account = okx.books.add_account(balance=10_000)
    okx.books.add_key(account.uid)
    return account.uid


async def test_instruments_are_found_by_type_family_and_name(okx: SandboxExchange) -> None:
    everything = await rows(okx, "public/instruments", instType="SWAP")
    assert [row["instId"] for row in everything] == list(okx.books.instruments)
    for query in ({"instFamily": "BTC-USDT"}, {"uly": "BTC-USDT"}, {"instId": BTC}):
        assert await rows(okx, "public/instruments", instType="SWAP", **query) == everything[:1]
    assert await rows(okx, "public/instruments", instType="SPOT") == []
    assert (await ask(okx, "public/instruments"))["code"] == "50014"


async def test_a_mark_price_is_found_by_its_instrument_alone(okx: SandboxExchange) -> None:
    okx.books.move_mark(BTC, "61234.5")
    (row,) = await rows(okx, "public/mark-price", instId=BTC)
    assert (row["instType"], row["markPx"]) == ("SWAP", "61234.5")
    assert len(await rows(okx, "public/mark-price", instType="SWAP")) == 4
    assert (await ask(okx, "public/mark-price"))["code"] == "50014"


async def test_a_coin_named_in_chinese_is_listed_wherever_the_others_are(okx: SandboxExchange) -> None:
    okx.books.list_instrument(NAMED_IN_CHINESE, mark="0.25")
    by_name = ("public/mark-price", "public/funding-rate", "market/ticker")
    for path in by_name:
        assert [row["instId"] for row in await rows(okx, path, instId=NAMED_IN_CHINESE)] == [NAMED_IN_CHINESE]
    (row,) = await rows(okx, "public/instruments", instType="SWAP", instId=NAMED_IN_CHINESE)
    assert (row["ctValCcy"], row["instFamily"]) == ("币安人生", "币安人生-USDT")
    running, *_ = (await ask(okx, "market/mark-price-candles", instId=NAMED_IN_CHINESE))["data"]
    assert running[4] == "0.25"


@pytest.mark.parametrize(("contracts", "tier"), [("10000", 0), ("10001", 1), ("50001", 2), ("900000", 2)])
async def test_a_position_is_held_to_the_rate_of_its_tier(
    okx: SandboxExchange, contracts: str, tier: int
) -> None:
    uid = somebody(okx)
    okx.books.open_position(uid, BTC, contracts=contracts, lever=10)
    tiers = await rows(
        okx, "public/position-tiers", instType="SWAP", tdMode="isolated", instFamily="BTC-USDT"
    )
    (position,) = await rows(okx, "account/positions", uid)
    assert [row["tier"] for row in tiers] == ["1", "2", "3"]
    rate = Decimal(position["mmr"]) / Decimal(position["notionalUsd"])
    assert rate == Decimal(tiers[tier]["mmr"])
    if tier < 2:
        assert Decimal(tiers[tier]["minSz"]) <= Decimal(contracts) <= Decimal(tiers[tier]["maxSz"])


@pytest.mark.parametrize("missing", ["instType", "tdMode", "instFamily"])
async def test_tiers_want_type_mode_and_family(okx: SandboxExchange, missing: str) -> None:
    query = {"instType": "SWAP", "tdMode": "cross", "instFamily": "BTC-USDT,ETH-USDT", "tier": "2"}
    assert [row["instFamily"] for row in await rows(okx, "public/position-tiers", **query)] == [
        "BTC-USDT",
        "ETH-USDT",
    ]
    said = await ask(okx, "public/position-tiers", **{key: query[key] for key in query.keys() - {missing}})
    assert (said["code"], said["msg"]) == ("50014", f"{missing} cannot be empty")


async def test_funding_is_settled_every_eight_hours(okx: SandboxExchange) -> None:
    (row,) = await rows(okx, "public/funding-rate", instId=BTC)
    assert int(row["fundingTime"]) % (8 * 3_600_000) == 0
    assert 0 < int(row["fundingTime"]) - int(row["ts"]) <= 8 * 3_600_000
    assert len(await rows(okx, "public/funding-rate", instId="ANY")) == 4
    assert (await ask(okx, "public/funding-rate"))["code"] == "50014"


async def test_a_ticker_tells_of_the_last_day() -> None:
    clock = SettableClock(datetime(2026, 3, 4, 20, 30, tzinfo=UTC))
    async with SandboxExchange(clock) as okx:
        okx.books.move_mark(BTC, 70_000)
        okx.books.move_mark(BTC, 65_000)
        (ticker,) = await rows(okx, "market/ticker", instId=BTC)
        (index,) = await rows(okx, "market/index-tickers", instId="BTC-USDT")
        minutes = (await ask(okx, "market/candles", instId=BTC, bar="30m", limit="49"))["data"]
        assert await rows(okx, "market/tickers", instType="SWAP", instFamily="BTC-USDT") == [ticker]
        assert len(await rows(okx, "market/index-tickers", quoteCcy="USDT")) == 4
        assert (await ask(okx, "market/index-tickers", instId=BTC))["code"] == "51001"
    assert (ticker["last"], ticker["high24h"], ticker["open24h"]) == ("65000", "70000", minutes[-1][1])
    assert Decimal(ticker["low24h"]) == min(Decimal(bar[3]) for bar in minutes)
    opened = {int(bar[0]): bar[1] for bar in minutes}
    midnight, in_china = (datetime(2026, 3, 4, hour, tzinfo=UTC).timestamp() * 1000 for hour in (0, 16))
    assert (ticker["sodUtc0"], ticker["sodUtc8"]) == (opened[int(midnight)], opened[int(in_china)])
    assert {name: ticker[name] for name in index.keys() - {"idxPx", "instId"}} == {
        name: index[name] for name in index.keys() - {"idxPx", "instId"}
    }


async def test_no_maintenance_is_an_empty_status(okx: SandboxExchange) -> None:
    assert await ask(okx, "system/status") == {"code": "0", "data": [], "msg": ""}


@pytest.mark.parametrize(
    ("mgn_mode", "told"),
    [
        # 0.1 BTC at 60,000 with a margin of 600 gained 100; the fee was 3
        ("isolated", {"cashBal": "9397", "isoEq": "700", "imr": "0", "availEq": "9397", "frozenBal": "700"}),
        ("cross", {"cashBal": "9997", "isoEq": "0", "imr": "610", "availEq": "9487", "frozenBal": "610"}),
    ],
)
async def test_the_balance_is_cash_and_what_the_positions_are_worth(
    okx: SandboxExchange, mgn_mode: str, told: dict[str, str]
) -> None:
    uid = somebody(okx)
    okx.books.open_position(uid, BTC, contracts=10, lever=10, mgn_mode=mgn_mode)
    okx.books.move_mark(BTC, 61_000)
    (whole,) = await rows(okx, "account/balance", uid)
    (usdt,) = whole["details"]
    assert {name: usdt[name] for name in told} == told
    assert (usdt["eq"], usdt["upl"]) == ("10097", "100")
    assert (usdt["mgnRatio"] == "") == (mgn_mode == "isolated")
    assert (whole["totalEq"], whole["isoEq"]) == (usdt["eqUsd"], usdt["isoEq"])
    assert (await rows(okx, "account/balance", uid, ccy="BTC,ETH"))[0]["details"] == []


async def test_money_that_a_liquidation_took_is_gone_from_the_balance(okx: SandboxExchange) -> None:
    uid = somebody(okx)
    okx.books.open_position(uid, BTC, contracts=10, lever=10)
    okx.books.move_mark(BTC, 50_000)
    (whole,) = await rows(okx, "account/balance", uid)
    bills = await rows(okx, "account/bills", uid)
    assert whole["details"][0]["eq"] == whole["details"][0]["cashBal"] == bills[0]["bal"]
    assert Decimal(whole["totalEq"]) < 9_400


async def test_currencies_are_those_of_the_instruments_and_usdt_a_row_for_each_chain(
    okx: SandboxExchange,
) -> None:
    uid = somebody(okx)
    found = await rows(okx, "asset/currencies", uid)
    assert [row["chain"] for row in found][:2] == ["USDT-ERC20", "USDT-TRC20"]
    assert {row["ccy"] for row in found} == {"USDT", "BTC", "ETH", "SOL", "DOGE"}
    assert await rows(okx, "asset/currencies", uid, ccy="USDT") == found[:2]
    assert (await ask(okx, "asset/currencies"))["code"] == "50103"


async def test_a_fill_leads_from_its_order_to_its_bill(okx: SandboxExchange) -> None:
    uid = somebody(okx)
    okx.books.open_position(uid, BTC, contracts=10, lever=10)
    okx.books.open_position(uid, ETH, contracts=10, lever=10)
    okx.books.liquidate_partly(uid, BTC, contracts=4)
    fills = await rows(okx, "trade/fills", uid)
    orders = await rows(okx, "trade/orders-history", uid, instType="SWAP")
    bills = await rows(okx, "account/bills", uid)
    shared = ("ordId", "billId", "instId", "fee", "subType", "ts")
    assert [[row[name] for name in shared] for row in fills] == [
        [row[name] for name in shared] for row in bills
    ]
    assert [row["ordId"] for row in fills] == [row["ordId"] for row in orders]
    assert [row["tradeId"].startswith("-") for row in fills] == [True, False, False]
    assert await rows(okx, "trade/fills-history", uid, instType="SWAP", subType="100") == fills[:1]
    assert await rows(okx, "trade/fills", uid, after=fills[1]["billId"]) == fills[2:]
    assert await rows(okx, "trade/orders-pending", uid, instType="SWAP") == []
    assert (await rows(okx, "account/trade-fee", uid, instType="SWAP"))[0]["takerU"] == fills[0]["feeRate"]


async def test_the_limit_of_prices_is_one_for_each_instrument() -> None:
    async with SandboxExchange(system_clock, monotonic=lambda: 0.0) as okx:
        codes = [(await ask(okx, "public/mark-price", instId=BTC))["code"] for _ in range(11)]
        assert codes == ["0"] * 10 + ["50011"]
        assert (await ask(okx, "public/mark-price", instId=ETH))["code"] == "0"
