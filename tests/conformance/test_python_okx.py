"""The sandbox exchange held to somebody else's idea of OKX: python-okx 0.4.4, unmodified.

It is synchronous and returns the JSON of whatever arrives. Its flag "0" is production; its default is demo.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import okx.utils
import pytest
from hypothesis import given
from hypothesis import strategies as st
from okx.Account import AccountAPI
from okx.Funding import FundingAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Status import StatusAPI
from okx.Trade import TradeAPI

from liqpass.clock import system_clock
from liqpass.exchange.signing import sign
from liqpass.sandbox.okx_server import SandboxExchange

Call = Callable[[Any], Any]
BTC, LIFE = "BTC-USDT-SWAP", "币安人生-USDT-SWAP"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client obeys the environment's proxies; the sandbox is on this machine."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as running:
        yield running


async def ask(
    exchange: SandboxExchange,
    api: Any,
    call: Call,
    *,
    flag: str = "0",
    label: str = "reads one",
    **wrong: str,
) -> dict[str, Any]:
    """One call of one API class of the client, with the key of this label."""
    key = next(key for key in exchange.test_keys() if key["label"] == label)

    def in_thread() -> dict[str, Any]:
        client = api(
            key["apiKey"],
            wrong.get("secret", key["secret"]),
            wrong.get("passphrase", key["passphrase"]),
            flag=flag,
            domain=exchange.hosts["global"],
            debug=False,
        )
        with client:
            answer: dict[str, Any] = call(client)
        return answer

    return await asyncio.to_thread(in_thread)


async def test_it_reads_the_config(exchange: SandboxExchange) -> None:
    answer = await ask(exchange, AccountAPI, lambda client: client.get_account_config())
    assert answer["code"] == "0"
    assert answer["data"][0]["perm"] == "read_only"


async def test_it_reads_the_positions(exchange: SandboxExchange) -> None:
    everything = await ask(exchange, AccountAPI, lambda client: client.get_positions())
    swaps = await ask(exchange, AccountAPI, lambda client: client.get_positions(instType="SWAP", instId=BTC))
    assert len(everything["data"]) == 3
    (row,) = swaps["data"]
    assert row in everything["data"]
    listed = await ask(
        exchange, AccountAPI, lambda client: client.get_positions(instId=f"{BTC},ETH-USDT-SWAP")
    )
    assert len(listed["data"]) == 2


async def test_it_reads_a_liquidation_in_positions_history_orders_history_and_bills(
    exchange: SandboxExchange,
) -> None:
    before = await ask(exchange, AccountAPI, lambda client: client.get_positions(instId=BTC))
    pos_id = before["data"][0]["posId"]
    exchange.books.move_mark(BTC, 50000)
    history = await ask(
        exchange, AccountAPI, lambda client: client.get_positions_history(posId=pos_id, type="3")
    )
    (row,) = history["data"]
    assert (row["posId"], row["type"], row["direction"]) == (pos_id, "3", "long")
    orders = await ask(exchange, TradeAPI, lambda client: client.get_orders_history("SWAP", instId=BTC))
    assert [order["category"] for order in orders["data"]] == ["full_liquidation", "normal"]
    bills = await ask(exchange, AccountAPI, lambda client: client.get_account_bills(type="5"))
    assert [bill["ordId"] for bill in bills["data"]] == [orders["data"][0]["ordId"]]


async def test_it_reads_funding_adl_and_a_liquidation_in_parts_and_several_fills(
    exchange: SandboxExchange,
) -> None:
    """Neither orders by `category` nor fills by `subType` can be asked for: one takes all and looks."""
    key = next(key for key in exchange.test_keys() if key["label"] == "reads one")
    uid, books = str(key["uid"]), exchange.books
    books.fund(BTC, "-0.001")
    books.liquidate_partly(uid, BTC, contracts=2, fills=2)
    books.deleverage(uid, BTC, contracts=1)
    books.liquidate(uid, BTC, fills=3)
    funding = await ask(
        exchange, AccountAPI, lambda client: client.get_account_bills(type="8", subType="174")
    )
    (paid,) = funding["data"]
    assert (paid["balChg"], paid["pnl"]) == ("0.0000000000000000", paid["posBalChg"])
    archive = await ask(exchange, AccountAPI, lambda client: client.get_account_bills_archive(type="5"))
    adl = await ask(exchange, AccountAPI, lambda client: client.get_account_bills_archive(type="9"))
    orders = await ask(
        exchange, TradeAPI, lambda client: client.get_orders_history_archive("SWAP", instId=BTC)
    )
    forced = {order["category"]: order["ordId"] for order in orders["data"] if order["category"] != "normal"}
    assert forced.keys() == {"full_liquidation", "partial_liquidation", "adl"}
    assert [bill["ordId"] for bill in archive["data"]] == (
        [forced["full_liquidation"]] * 3 + [forced["partial_liquidation"]] * 2
    )
    assert [bill["subType"] for bill in adl["data"]] == ["125"]
    fills = await ask(
        exchange, TradeAPI, lambda client: client.get_fills_history("SWAP", ordId=forced["full_liquidation"])
    )
    assert [fill["billId"] for fill in fills["data"]] == [bill["billId"] for bill in archive["data"][:3]]
    rates = await ask(exchange, PublicAPI, lambda client: client.funding_rate_history(BTC))
    assert [rate["realizedRate"] for rate in rates["data"]] == ["-0.001"]


async def test_it_pages_through_the_orders(exchange: SandboxExchange) -> None:
    everything = await ask(exchange, TradeAPI, lambda client: client.get_orders_history("SWAP"))
    newest, older = everything["data"][0], everything["data"][1:]
    page = await ask(
        exchange, TradeAPI, lambda client: client.get_orders_history("SWAP", after=newest["ordId"], limit="1")
    )
    assert page["data"] == older[:1]


async def test_it_reads_an_instrument_that_is_named_in_chinese_until_it_asks_for_it_by_name(
    exchange: SandboxExchange,
) -> None:
    """It signs the name itself and sends it encoded: findings/python-okx-signs-other-than-it-sends.sh."""
    exchange.books.list_instrument(LIFE, mark="0.25")
    exchange.books.open_position(str(exchange.test_keys()[0]["uid"]), LIFE, contracts=400, lever=10)
    everything = await ask(exchange, AccountAPI, lambda client: client.get_positions())
    assert everything["data"][0]["instId"] == LIFE
    alone = await ask(exchange, AccountAPI, lambda client: client.get_positions(instId=LIFE))
    assert alone["code"] == "50113"


async def test_it_reads_the_time_and_the_instruments_without_a_key(exchange: SandboxExchange) -> None:
    def public() -> tuple[dict[str, Any], dict[str, Any]]:
        with PublicAPI(flag="0", domain=exchange.hosts["us"], debug=False) as client:
            return client.get_system_time(), client.get_instruments("SWAP", instId=BTC)

    time, instruments = await asyncio.to_thread(public)
    assert int(time["data"][0]["ts"]) > 0
    assert instruments["data"][0]["ctVal"] == "0.01"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"flag": "1"}, "50101"),
        ({"secret": "0" * 32}, "50113"),
        ({"passphrase": "wrong"}, "50105"),
        ({"label": "reads EEA"}, "50119"),
    ],
)
async def test_it_is_refused_for_what_okx_refuses(
    exchange: SandboxExchange, wrong: dict[str, str], code: str
) -> None:
    answer = await ask(exchange, AccountAPI, lambda client: client.get_account_config(), **wrong)
    assert (answer["code"], "data" in answer, list(answer)) == (code, False, ["msg", "code"])


@pytest.mark.parametrize(
    ("api", "call", "rows"),
    [
        (AccountAPI, lambda client: client.get_account_balance(ccy="USDT"), 1),
        (AccountAPI, lambda client: client.get_fee_rates("SWAP"), 1),
        (FundingAPI, lambda client: client.get_currencies(ccy="USDT,BTC"), 3),
        (TradeAPI, lambda client: client.get_fills("SWAP", instId=BTC), 1),
        (TradeAPI, lambda client: client.get_fills_history("SWAP"), 3),
        (TradeAPI, lambda client: client.get_order_list("SWAP"), 0),
        (PublicAPI, lambda client: client.get_position_tiers("SWAP", "isolated", instFamily="BTC-USDT"), 3),
        (PublicAPI, lambda client: client.get_position_tiers("SWAP", "cross", uly="BTC-USDT", tier="1"), 1),
        (PublicAPI, lambda client: client.get_funding_rate(BTC), 1),
        (PublicAPI, lambda client: client.get_mark_price("SWAP", uly="BTC-USDT"), 1),
        (MarketAPI, lambda client: client.get_ticker(BTC), 1),
        (MarketAPI, lambda client: client.get_tickers("SWAP"), 4),
        (MarketAPI, lambda client: client.get_index_tickers(instId="BTC-USDT"), 1),
        (MarketAPI, lambda client: client.get_candlesticks(BTC, bar="1Dutc", limit="300"), 300),
        (MarketAPI, lambda client: client.get_history_candlesticks(BTC, bar="1W", limit="7"), 7),
        (MarketAPI, lambda client: client.get_mark_price_candlesticks(BTC), 100),
        (MarketAPI, lambda client: client.get_index_candlesticks("BTC-USDT", bar="1H", limit="5"), 5),
        (StatusAPI, lambda client: client.status(state="ongoing"), 0),
    ],
)
async def test_it_reads_money_fees_fills_prices_and_candles(
    exchange: SandboxExchange, api: Any, call: Call, rows: int
) -> None:
    answer = await ask(exchange, api, call)
    assert (answer["code"], len(answer["data"])) == ("0", rows)


@given(st.text("aZ09 ü"), st.text("/?&=%,aZ09"), st.text('{}":,aZ09ü'))
def test_our_signature_is_the_clients(secret: str, target: str, body: str) -> None:
    timestamp = "2026-03-01T12:00:00.000Z"
    prehash = okx.utils.pre_hash(timestamp, "GET", target, body, False)
    assert sign(secret, timestamp, "GET", target, body) == okx.utils.sign(prehash, secret).decode()
