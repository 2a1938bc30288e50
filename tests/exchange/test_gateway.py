"""The gateway against the sandbox exchange, over HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.records import CloseType, Reading, key_refusal
from liqpass.exchange.signing import sign, timestamp_of
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import MakeGateway, Serve, StandingTime

BTC = "BTC-USDT-SWAP"


def test_the_signature_is_that_which_openssl_makes() -> None:
    """openssl dgst -sha256 -hmac SECRET -binary | base64, over timestamp + GET + path with its query."""
    target = "/api/v5/account/balance?ccy=BTC"
    signed = sign("22582BD0CFF14C41EDBF1AB98506286D", "2020-12-08T09:08:57.715Z", "GET", target)
    assert signed == "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="


def test_the_timestamp_always_has_three_decimals(time: StandingTime) -> None:
    assert timestamp_of(time.wall()) == "2026-03-01T12:00:00.000Z"
    assert timestamp_of(time.wall() + timedelta(microseconds=715_999)) == "2026-03-01T12:00:00.715Z"


async def test_the_config_says_whose_key_it_is_and_what_it_may_do(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    config = await gateway.account_config(creds)
    assert config.uid == okx.books.keys[creds.api_key].uid
    assert config.main_uid == config.uid
    assert (sorted(config.perm), config.label, config.ip_bound) == (["read_only"], "reads one", False)
    assert key_refusal(config) is None


async def test_a_key_that_can_trade_is_refused_in_words(
    gateway: OkxGateway, credentials_of: Callable[[str], Credentials]
) -> None:
    config = await gateway.account_config(credentials_of("trades"))
    assert "can trade" in (key_refusal(config) or "")


async def test_a_key_whose_rights_grew_is_refused_at_the_next_check(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    okx.books.set_perm(creds.api_key, "read_only,withdraw")
    assert "can withdraw" in (key_refusal(await gateway.account_config(creds)) or "")
    okx.books.set_perm(creds.api_key, "read_only")
    assert key_refusal(await gateway.account_config(creds)) is None


async def test_the_positions_answer_is_kept_as_it_came(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    reading = await gateway.positions(creds)
    assert Reading.of(reading.raw) == reading
    position = reading.open_position(BTC, "isolated", "long")
    assert position is not None
    assert position.lever == 20
    assert position.mark_px == Decimal(60000)
    assert position.liq_px is not None
    assert 0 < position.liq_px < Decimal(58000)
    cross = reading.open_position("SOL-USDT-SWAP", "cross", "long")
    assert cross is not None
    assert cross.liq_px is None


async def test_a_closed_position_is_no_longer_among_them_unless_asked_for_by_instrument(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    uid = okx.books.keys[creds.api_key].uid
    okx.books.close_position(uid, BTC)
    assert BTC not in [position.inst_id for position in (await gateway.positions(creds)).positions]
    (closed,) = (await gateway.positions(creds, inst_id=BTC)).positions
    assert closed.closed


async def test_a_liquidation_is_seen_in_history_orders_and_bills(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    before = (await gateway.positions(creds)).open_position(BTC, "isolated", "long")
    assert before is not None
    okx.books.move_mark(BTC, 50000)
    (row,) = (await gateway.positions_history(creds, pos_id=before.pos_id)).rows
    assert (row.close_type, row.c_time_ms) == (CloseType.LIQUIDATED, before.c_time_ms)
    assert row.liq_penalty is not None
    assert row.liq_penalty < 0
    (order,) = (await gateway.orders_history(creds, category="full_liquidation")).rows
    (bill,) = (await gateway.bills(creds, bill_type="5")).rows
    assert (bill.ord_id, bill.sub_type) == (order.ord_id, "104")
    assert order.acc_fill_sz == row.close_total_pos == bill.sz
    archived = await gateway.orders_history(creds, category="full_liquidation", archive=True)
    assert archived.rows == [order]
    assert bill in (await gateway.bills(creds, archive=True)).rows


async def test_a_key_of_another_region_is_found_there(
    gateway: OkxGateway, credentials_of: Callable[[str], Credentials], errors: list[str]
) -> None:
    region, config = await gateway.find_region(replace(credentials_of("reads EEA"), region="global"))
    assert (region, config.label) == ("eea", "reads EEA")
    assert errors == ["50119"]


async def test_a_key_that_no_region_knows_is_unknown(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str]
) -> None:
    okx.books.delete_key(creds.api_key)
    with pytest.raises(ExchangeError) as raised:
        await gateway.find_region(creds)
    assert raised.value.kind is Kind.KEY_UNKNOWN
    assert errors == ["50119"] * 3


async def test_a_key_is_not_called_unknown_while_a_region_does_not_answer(
    okx: SandboxExchange, gateway: OkxGateway, credentials_of: Callable[[str], Credentials]
) -> None:
    okx.faults.html(region="eea")
    with pytest.raises(ExchangeError) as raised:
        await gateway.find_region(replace(credentials_of("reads EEA"), region="us"))
    assert raised.value.kind is Kind.UNAVAILABLE


async def test_a_region_that_does_not_answer_does_not_hide_the_one_that_knows_the_key(
    okx: SandboxExchange, gateway: OkxGateway, credentials_of: Callable[[str], Credentials]
) -> None:
    okx.faults.html(region="us")
    region, _ = await gateway.find_region(replace(credentials_of("reads EEA"), region="global"))
    assert region == "eea"
    okx.faults.heal()
    okx.faults.html(region="eea")
    account = okx.books.add_account(region="us")
    key = okx.books.add_key(account.uid)
    creds = Credentials(key.api_key, key.secret, key.passphrase, "global", demo=False)
    assert (await gateway.find_region(creds))[0] == "us"


async def test_a_wrong_passphrase_is_told_by_the_region_that_knows_the_key(
    gateway: OkxGateway, credentials_of: Callable[[str], Credentials]
) -> None:
    with pytest.raises(ExchangeError) as raised:
        await gateway.find_region(replace(credentials_of("reads EEA"), region="us", passphrase="Wrong!1234"))
    assert (raised.value.code, raised.value.kind) == ("50105", Kind.KEY_REJECTED)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"secret": "0" * 32}, "50113"), ({"passphrase": "no"}, "50105"), ({"demo": True}, "50101")],
)
async def test_wrong_credentials_are_told_after_one_request(
    gateway: OkxGateway, creds: Credentials, errors: list[str], wrong: dict[str, object], code: str
) -> None:
    with pytest.raises(ExchangeError):
        await gateway.account_config(replace(creds, **wrong))  # type: ignore[arg-type]
    assert errors == [code]


async def test_a_demo_key_works_when_it_is_said_to_be_one(okx: SandboxExchange, gateway: OkxGateway) -> None:
    account = okx.books.add_account(demo=True)
    key = okx.books.add_key(account.uid, label="demo")
    config = await gateway.account_config(
        Credentials(key.api_key, key.secret, key.passphrase, "global", demo=True)
    )
    assert config.uid == account.uid


async def test_a_key_bound_to_other_addresses_is_told_so(okx: SandboxExchange, gateway: OkxGateway) -> None:
    account = okx.books.add_account()
    elsewhere = okx.books.add_key(account.uid, label="office", ip="203.0.113.7,198.51.100.0/24")
    with pytest.raises(ExchangeError) as raised:
        await gateway.account_config(
            Credentials(elsewhere.api_key, elsewhere.secret, elsewhere.passphrase, "global", demo=False)
        )
    assert raised.value.kind is Kind.IP_NOT_ALLOWED
    here = okx.books.add_key(account.uid, ip="127.0.0.0/8")
    config = await gateway.account_config(
        Credentials(here.api_key, here.secret, here.passphrase, "global", demo=False)
    )
    assert config.ip_bound


@pytest.mark.parametrize("skew_sec", [3600, -3600])
async def test_a_clock_that_is_off_is_set_by_okxs_and_the_request_repeated_once(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], skew_sec: int
) -> None:
    okx.faults.skew_clock(skew_sec)
    assert (await gateway.positions(creds)).positions
    assert errors == ["50102"]
    assert (await gateway.positions(creds)).positions
    assert errors == ["50102"], "the difference is remembered"
    okx.faults.heal()
    assert (await gateway.positions(creds)).positions


async def test_okxs_clock_can_be_read(okx: SandboxExchange, gateway: OkxGateway, time: StandingTime) -> None:
    okx.faults.skew_clock(-5)
    assert await gateway.server_time("us") == time.wall() - timedelta(seconds=5)


async def test_an_exchange_that_is_slow_becomes_unavailable(
    okx: SandboxExchange, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    okx.faults.lag(10)
    gateway = make_gateway(timeout_sec=0.05)
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(creds)
    assert (raised.value.kind, errors) == (Kind.UNAVAILABLE, ["timeout"])
    okx.faults.heal()
    assert (await make_gateway().positions(creds)).positions


async def test_an_exchange_that_is_down_is_unavailable_and_is_back_when_it_is_back(
    okx: SandboxExchange, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    gateway = make_gateway(hosts={"global": "http://127.0.0.1:9"})
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(creds)
    assert (raised.value.kind, errors) == (Kind.UNAVAILABLE, ["network"] * 3)


async def test_a_region_without_a_host_is_our_mistake(gateway: OkxGateway, creds: Credentials) -> None:
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(replace(creds, region="mars"))
    assert raised.value.kind is Kind.OUR_BUG


async def test_many_readings_at_once_get_the_same_answer(gateway: OkxGateway, creds: Credentials) -> None:
    readings = await asyncio.gather(*(gateway.positions(creds) for _ in range(10)))
    assert {reading.sha256 for reading in readings} == {readings[0].sha256}


async def test_readings_in_a_row_keep_within_okxs_limit(
    gateway: OkxGateway, creds: Credentials, errors: list[str], time: StandingTime
) -> None:
    for _ in range(25):
        await gateway.positions(creds)
    assert errors == []
    assert 4 <= time.passed_sec <= 5


async def test_a_request_that_would_wait_too_long_is_not_sent(
    make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    gateway = make_gateway(timeout_sec=1.0)
    for _ in range(5):
        await gateway.account_config(creds)
    with pytest.raises(ExchangeError) as raised:
        await gateway.account_config(creds)
    assert (raised.value.kind, errors) == (Kind.RATE_LIMITED, ["busy"])


async def test_two_keys_of_one_okx_user_share_its_limit(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], time: StandingTime
) -> None:
    key = okx.books.add_key(okx.books.keys[creds.api_key].uid, label="second")
    second = Credentials(key.api_key, key.secret, key.passphrase, "global", demo=False)
    await gateway.account_config(creds)
    await gateway.account_config(second)
    for _ in range(6):
        await gateway.positions(creds)
        await gateway.positions(second)
    assert errors == []
    assert time.sleeps


async def test_an_answer_that_is_too_large_is_dropped(
    make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    with pytest.raises(ExchangeError) as raised:
        await make_gateway(max_bytes=1000).positions(creds)
    assert (raised.value.kind, errors) == (Kind.UNAVAILABLE, ["too_large"] * 3)


async def test_an_answer_without_end_is_not_read_to_its_end(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)

    async with serve(endless) as host:
        with pytest.raises(ExchangeError):
            await make_gateway(hosts={"global": host}, max_bytes=200_000, tries=1, timeout_sec=2).positions(
                creds
            )
    assert errors == ["too_large"]


async def test_a_row_that_cannot_be_read_is_no_absence_of_a_position(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    async def strange(_request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": [{"instId": BTC, "pos": "many"}], "msg": ""})

    async with serve(strange) as host:
        reading = await make_gateway(hosts={"global": host}).positions(creds)
    assert reading.open_position(BTC, "isolated", "long") is None
    assert reading.hidden(BTC, "isolated", "long") is not None
    assert errors == ["unread_row"]


async def test_an_answer_without_rows_is_no_absence_of_positions(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    async def strange(_request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": {"instId": BTC}, "msg": ""})

    async with serve(strange) as host:
        with pytest.raises(ExchangeError) as raised:
            await make_gateway(hosts={"global": host}).positions(creds)
    assert (raised.value.kind, errors) == (Kind.UNREADABLE, ["unreadable"])


async def test_no_redirect_is_followed_with_a_key(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials, errors: list[str]
) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with serve(elsewhere) as host:
        with pytest.raises(ExchangeError):
            await make_gateway(hosts={"global": host}, tries=1).account_config(creds)
    assert seen == ["/api/v5/account/config"]


async def test_no_cookie_goes_from_one_users_answer_into_anothers_request(
    serve: Serve, make_gateway: MakeGateway, creds: Credentials
) -> None:
    cookies: list[str | None] = []

    async def sets_a_cookie(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        response = web.json_response({"code": "0", "data": [], "msg": ""})
        response.set_cookie("who", "first")
        return response

    async with serve(sets_a_cookie) as host:
        # A client that keeps cookies keeps none of a bare address.
        gateway = make_gateway(hosts={"global": host.replace("127.0.0.1", "localhost")})
        await gateway.positions(creds)
        await gateway.positions(replace(creds, api_key="another"))
    assert cookies == [None, None]
