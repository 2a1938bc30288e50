"""Answers that are kept as evidence: the bytes as they came, what was asked, when, and by whose clock."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from aiohttp import web

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.pace import BILLS, FILLS, FILLS_HISTORY, INSTRUMENTS, LIMITS, ORDERS_HISTORY, POSITIONS
from liqpass.sandbox.okx_public import PUBLIC as SANDBOX_PUBLIC
from liqpass.sandbox.okx_queries import PRIVATE as SANDBOX_PRIVATE
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import MakeGateway, Serve, StandingTime

BTC = "BTC-USDT-SWAP"


async def test_an_answer_is_kept_with_its_bytes_its_request_its_time_and_the_exchanges_clock(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, time: StandingTime
) -> None:
    okx.faults.skew_clock(7)
    okx.books.move_mark(BTC, 50000)
    asked_at = time.wall()
    answer = await gateway.ask(creds, ORDERS_HISTORY, {"instType": "SWAP", "instId": BTC, "after": None})
    assert answer.path == ORDERS_HISTORY
    assert answer.target == f"{ORDERS_HISTORY}?instType=SWAP&instId={BTC}"
    assert (answer.http_status, answer.asked_at, answer.clock_offset_ms) == (200, asked_at, 7000)
    assert msgspec.json.decode(answer.raw)["data"] == answer.rows
    assert "full_liquidation" in [row["category"] for row in answer.rows]


async def test_an_answer_that_refuses_is_no_evidence(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    okx.books.delete_key(creds.api_key)
    with pytest.raises(ExchangeError) as raised:
        await gateway.ask(creds, BILLS, {"type": "5"})
    assert raised.value.kind is Kind.KEY_UNKNOWN


async def test_the_exchanges_clock_is_asked_for_once_in_some_minutes(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, time: StandingTime
) -> None:
    okx.faults.skew_clock(3)
    assert await gateway.clock_offset("global") == timedelta(seconds=3)
    okx.faults.skew_clock(5)
    assert (await gateway.ask(creds, POSITIONS, {})).clock_offset_ms == 3000
    await time.sleep(301)
    assert (await gateway.ask(creds, POSITIONS, {})).clock_offset_ms == 5000


async def test_without_the_exchanges_clock_nothing_is_asked(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    okx.faults.fail("50001", path="public/time")
    with pytest.raises(ExchangeError) as raised:
        await gateway.ask(creds, POSITIONS, {})
    assert raised.value.kind is Kind.UNAVAILABLE


async def test_what_is_public_is_asked_without_a_key(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials
) -> None:
    asked: list[web.Request] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response({"code": "0", "data": [{"ts": "1772366400000"}], "msg": ""})

    async with serve(note) as host:
        await make_gateway(hosts={"global": host}).ask(creds, INSTRUMENTS, {"instType": "SWAP"})
    assert [request.path for request in asked] == ["/api/v5/public/time", INSTRUMENTS]
    assert [name for request in asked for name in request.headers if name.startswith("OK-")] == []


async def test_instruments_are_read_with_a_key_that_is_gone(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    okx.books.delete_key(creds.api_key)
    (row,) = (await gateway.ask(creds, INSTRUMENTS, {"instType": "SWAP", "instId": BTC})).rows
    assert (row["ctVal"], row["ctMult"]) == ("0.01", "1")


@pytest.mark.parametrize("path", [FILLS, FILLS_HISTORY])
async def test_fills_are_asked_for(
    gateway: OkxGateway, credentials_of: Callable[[str], Credentials], path: str
) -> None:
    answer = await gateway.ask(credentials_of("reads two"), path, {"instType": "SWAP", "instId": BTC})
    assert [row["instId"] for row in answer.rows] == [BTC]


def test_the_limits_are_those_that_the_sandbox_exchange_holds_us_to() -> None:
    held = {path: (each.at_most, float(each.window_sec)) for path, each in SANDBOX_PRIVATE.items()}
    held |= {path: (each.at_most, float(each.window_sec)) for path, each in SANDBOX_PUBLIC.items()}
    assert {path: held.get(path) for path in LIMITS} == LIMITS


async def test_keys_that_are_said_to_be_of_one_user_share_its_limit(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], time: StandingTime
) -> None:
    uid = okx.books.keys[creds.api_key].uid
    key = okx.books.add_key(uid, label="second")
    second = Credentials(key.api_key, key.secret, key.passphrase, "global", demo=False)
    assert [gateway.belongs_to(each, uid) for each in (creds, second, creds)] == [True, True, False]
    for _ in range(6):
        await gateway.ask(creds, POSITIONS, {})
        await gateway.ask(second, POSITIONS, {})
    assert errors == []
    assert time.passed_sec > 2
