"""OKX is down, slow, behind a page of its CDN, counting, settling: nothing changes, and the user is told."""

from collections.abc import Awaitable, Callable

import pytest

from liqpass.sandbox.trader import Trader
from tests.outages.conftest import metric, page, refusal, state_of
from tests.outages.door import Door
from tests.world import SKU, TestWorld

Trouble = Callable[[TestWorld, Door], Awaitable[None]]


async def _down(_world: TestWorld, door: Door) -> None:
    await door.shut()


async def _slow(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.lag(10)


async def _html(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.html(status=200)


async def _bad_gateway(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.html(status=502)


async def _empty(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.fail("", status=503)


async def _rate_limiting(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.rate_limit()


async def _out_of_service(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.fail("50001", status=503)


async def _settling_funding(world: TestWorld, _door: Door) -> None:
    world.exchange.faults.fail("51030")


# what goes wrong → the code that the user and the metrics get
TROUBLES: dict[str, tuple[Trouble, str]] = {
    "down": (_down, "network"),
    "slow": (_slow, "timeout"),
    "a page instead of JSON": (_html, "html"),
    "a gateway's error page": (_bad_gateway, "html"),
    "an empty answer": (_empty, "empty"),
    "rate limiting": (_rate_limiting, "50011"),
    "out of service": (_out_of_service, "50001"),
    "settling funding fees": (_settling_funding, "51030"),
}


async def _is_told(trader_call: Awaitable[object], code: str) -> None:
    refused = await refusal(trader_call)
    assert (refused.status, refused.code) == (503, "EXCHANGE_UNAVAILABLE")
    assert refused.body["exchangeCode"] == code
    assert refused.body["retryAfterSec"] > 0
    assert "OKX" in refused.body["detail"]
    assert "try again" in refused.body["detail"].lower()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_while_okx_fails_nothing_changes_and_the_user_is_told(
    trouble: str, hasty: TestWorld, exchange_door: Door
) -> None:
    break_it, code = TROUBLES[trouble]
    async with hasty.trader() as trader:
        await trader.sign_in()
        account = await trader.add_key(hasty.key())
        position = next(p for p in await trader.positions(account) if p["insurable"])
        await hasty.pass_time(seconds=31)  # too long ago for what was seen to be bound
        before = await state_of(hasty.db)
        counted = await metric(hasty, f'liqpass_exchange_errors_total{{code="{code}"}}')

        await break_it(hasty, exchange_door)
        await _is_told(trader.positions(account), code)
        await _is_told(trader.bind(account, position, SKU), code)
        await _is_told(trader.add_key(hasty.key("reads two")), code)
        assert await state_of(hasty.db) == before
        assert await metric(hasty, f'liqpass_exchange_errors_total{{code="{code}"}}') >= counted + 3

        hasty.exchange.faults.heal()
        await exchange_door.shut()
        await exchange_door.open()
        await _goes_on(trader, account)


async def _goes_on(trader: Trader, account: str) -> None:
    position = next(p for p in await trader.positions(account) if p["insurable"])
    bound = await trader.bind(account, position, SKU)
    assert (await trader.create_order(bound["bindId"]))["status"] == "DRAFT"


async def test_no_price_is_made_from_an_old_reading_while_okx_is_down(
    hasty: TestWorld, exchange_door: Door
) -> None:
    async with hasty.trader() as trader:
        await trader.sign_in()
        account = await trader.add_key(hasty.key())
        position = next(p for p in await trader.positions(account) if p["insurable"])
        bound = await trader.bind(account, position, SKU)
        await hasty.pass_time(seconds=61)
        await exchange_door.shut()
        await _is_told(trader.create_order(bound["bindId"]), "network")
        await exchange_door.open()
        assert (await trader.create_order(bound["bindId"]))["status"] == "DRAFT"


async def test_an_order_is_paid_and_becomes_cover_while_okx_is_down(
    hasty: TestWorld, exchange_door: Door
) -> None:
    async with hasty.trader() as trader:
        await trader.sign_in()
        account = await trader.add_key(hasty.key())
        position = next(p for p in await trader.positions(account) if p["insurable"])
        order = await trader.create_order((await trader.bind(account, position, SKU))["bindId"])
        await exchange_door.shut()
        await trader.submit(order["purchaseOrderId"], await trader.pay(hasty.chain, order))
        await hasty.confirm()
        assert (await trader.order(order["purchaseOrderId"]))["status"] == "ACTIVE"


async def test_a_key_is_not_put_on_hold_because_okx_does_not_answer(
    hasty: TestWorld, exchange_door: Door
) -> None:
    async with hasty.trader() as trader:
        await trader.sign_in()
        account = await trader.add_key(hasty.key())
        await hasty.pass_time(hours=7)  # its rights are to be checked again
        before = await state_of(hasty.db)
        await exchange_door.shut()
        await hasty.work()
        assert await state_of(hasty.db) == before
        await exchange_door.open()
        hasty.exchange.books.set_perm(str(hasty.key()["apiKey"]), "read_only,trade")
        await hasty.work()
        refused = await refusal(trader.positions(account))
        assert (refused.status, refused.code) == (409, "API_ACCOUNT_ON_HOLD")


async def test_the_rest_of_the_api_answers_while_okx_is_slow(hasty: TestWorld) -> None:
    hasty.exchange.faults.lag(10)
    async with hasty.trader() as trader:
        await trader.sign_in()
        assert (await trader.call("GET", "/api/insurance/orders"))["orders"] == []
        assert (await trader.call("GET", "/api/insurance/skus"))["skus"] != []
    assert (await page(hasty, "/healthz")).status == 200
