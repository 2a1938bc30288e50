"""What many readings at once ask of the exchange together."""

import asyncio
from datetime import timedelta

import pytest

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import MakeGateway, StandingTime


def somebody(okx: SandboxExchange) -> Credentials:
    """A key of an account of its own: no user's limit bites."""
    key = okx.books.add_key(okx.books.add_account().uid)
    return Credentials(key.api_key, key.secret, key.passphrase, "global", False)


async def test_the_exchanges_clock_is_asked_for_once_by_all_who_want_it(
    okx: SandboxExchange, make_gateway: MakeGateway, time: StandingTime
) -> None:
    okx.faults.skew_clock(3)
    gateway = make_gateway()
    offsets = await asyncio.gather(*(gateway.clock_offset("global") for _ in range(25)))
    assert set(offsets) == {timedelta(seconds=3)}
    assert time.sleeps == [], "ten in two seconds may be asked for"


async def test_requests_leave_evenly_however_many_users_they_are_of(
    okx: SandboxExchange, make_gateway: MakeGateway, time: StandingTime
) -> None:
    gateway = make_gateway(per_sec=20)
    for _ in range(5):
        await gateway.positions(somebody(okx))
    assert [round(slept, 6) for slept in time.sleeps] == [0.05] * 4


async def test_one_that_would_wait_too_long_is_told_so_and_sends_nothing(
    okx: SandboxExchange, make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(per_sec=1, timeout_sec=1.9, tries=1)
    await gateway.positions(somebody(okx))
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(somebody(okx))
    assert (raised.value.kind, raised.value.code) == (Kind.RATE_LIMITED, "busy")


async def test_without_a_limit_none_waits(
    okx: SandboxExchange, make_gateway: MakeGateway, time: StandingTime
) -> None:
    gateway = make_gateway()
    await asyncio.gather(*(gateway.positions(somebody(okx)) for _ in range(30)))
    assert time.sleeps == []
