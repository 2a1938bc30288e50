"""Candles of the mark price as the gateway reads them: without a key, in a limit of their own."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import OkxGateway
from liqpass.exchange.pace import LIMITS, MARK_CANDLES, Pace
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import MakeGateway, Serve, StandingTime

BTC = "BTC-USDT-SWAP"
HOUR_MS = 3_600_000


@pytest.fixture
def anybody(make_gateway: MakeGateway) -> OkxGateway:
    return make_gateway()


async def test_the_newest_hundred_hours_come_with_that_of_now_first(
    okx: SandboxExchange, anybody: OkxGateway, time: StandingTime
) -> None:
    await time.sleep(600)
    okx.books.move_mark(BTC, 61_000)
    page = await anybody.mark_candles(BTC, "1H")
    now_ms = okx.books.now_ms()
    assert [row.start_ms for row in page.rows] == [
        now_ms - now_ms % HOUR_MS - n * HOUR_MS for n in range(100)
    ]
    assert [row.complete for row in page.rows] == [False] + [True] * 99
    assert (page.rows[0].high, page.rows[0].close) == ("61000", "61000")
    assert (page.asked_at, page.unread) == (time.wall(), [])
    assert page.source == "okx global /api/v5/market/mark-price-candles"
    assert json.loads(page.raw)["data"][7][1] == page.rows[7].open


async def test_days_begin_at_midnight_of_utc_not_of_china(anybody: OkxGateway) -> None:
    page = await anybody.mark_candles(BTC, "1Dutc")
    begun = {datetime.fromtimestamp(row.start_ms / 1000, UTC).time().isoformat() for row in page.rows}
    assert begun == {"00:00:00"}


async def test_no_key_goes_along_and_a_name_in_chinese_does(make_gateway: MakeGateway, serve: Serve) -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"code": "0", "msg": "", "data": [["1", "2", "3", "1", "2", "1"]]})

    async with serve(answer) as host:
        await make_gateway({"eea": host, "us": "http://127.0.0.1:1"}).mark_candles("币安人生-USDT-SWAP", "1H")
    (request,) = seen
    assert dict(request.query) == {"instId": "币安人生-USDT-SWAP", "bar": "1H", "limit": "100"}
    assert not [name for name in request.headers if name.lower().startswith(("ok-access", "x-simulated"))]


async def test_their_limit_is_of_the_address_and_no_users(
    anybody: OkxGateway, time: StandingTime, errors: list[str]
) -> None:
    at_most, window_sec = LIMITS[MARK_CANDLES]
    begun = time.passed_sec
    for _ in range(at_most):
        await anybody.mark_candles(BTC, "1H")
    assert time.passed_sec == begun
    await anybody.mark_candles("ETH-USDT-SWAP", "1Dutc")
    assert time.passed_sec >= begun + window_sec
    assert errors == []


def test_three_hundred_instruments_are_read_in_half_a_minute() -> None:
    pace, now = Pace(), 0.0
    for _ in range(300):
        now += pace.wait_sec("global", MARK_CANDLES, now, at_most=3.0) or 0.0
    assert 30 < now < 35


async def test_a_row_that_cannot_be_read_is_counted_and_takes_no_other_along(
    okx: SandboxExchange, anybody: OkxGateway, errors: list[str]
) -> None:
    now_ms = okx.books.now_ms()
    odd: list[list[Any]] = [[], ["1"], [1, 2, 3, 4, 5, 6], ["x"] * 6, [None] * 6]
    for ago, row in enumerate(odd, 1):
        okx.books.tell_candle(BTC, now_ms - now_ms % HOUR_MS - ago * HOUR_MS, row=row)
    page = await anybody.mark_candles(BTC, "1H")
    assert (len(page.rows), len(page.unread), errors) == (95, 5, ["unread_row"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"code": "0", "msg": "", "data": [{"ts": "1"}]}', Kind.UNREADABLE),
        ('{"code": "0", "msg": "", "data": {}}', Kind.UNREADABLE),
        ('{"code": "51001", "msg": "Instrument ID does not exist", "data": []}', Kind.OUR_BUG),
    ],
)
async def test_what_is_no_candles_is_an_error(
    okx: SandboxExchange, anybody: OkxGateway, body: str, kind: Kind
) -> None:
    okx.faults.answer(body, path="mark-price-candles")
    with pytest.raises(ExchangeError) as raised:
        await anybody.mark_candles(BTC, "1H")
    assert raised.value.kind is kind
