"""Who has looked binds and orders from what was just read, by a statement each; and that statement finds what
has changed since, whoever changed it."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from liqpass.db import QUERIES
from liqpass.orders.orders import READING_MAX_AGE
from liqpass.positions.bindings import READING_MAX_AGE as TO_BIND
from liqpass.sandbox.calm_market import HOURLY_E12, read_calm
from liqpass.sandbox.trader import Refused
from tests.flows.newcomers import INST, Newcomer
from tests.world import SKU, TestWorld

QUOTES = "/api/insurance/quotes"
Change = Callable[[TestWorld, Newcomer], Awaitable[object]]


async def sent(world: TestWorld) -> list[str]:
    """What the product sends to its database from now on, by its own words."""
    told: list[str] = []
    own = {query.sql for query in QUERIES}
    async with AsyncExitStack() as stack:
        for _ in range(world.db.pool.get_max_size()):
            conn = await stack.enter_async_context(world.db.pool.acquire())
            conn.add_query_logger(lambda of: told.append(of.query) if of.query in own else None)
    return told


async def outcome(call: Awaitable[Any]) -> tuple[str, ...]:
    """What it answers, but for names and times; or how it is refused."""
    try:
        answer = await call
    except Refused as refused:
        return (refused.code,)
    return tuple(str(answer[name]) for name in ("status", "sku", "premiumAmount") if name in answer)


async def test_who_has_looked_binds_and_orders_by_a_statement_each(world: TestWorld, alice: Newcomer) -> None:
    await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    told = await sent(world)
    order = await alice.order()
    assert len(told) == 2, told
    await alice.trader.submit(order["purchaseOrderId"], b"\7" * 32)
    assert len(told) == 3, told[2:]


async def has_closed_it(world: TestWorld, alice: Newcomer) -> None:
    world.clock.advance(seconds=1)
    world.exchange.books.close_position(alice.okx.uid, INST)
    await alice.trader.positions(alice.account)


async def has_another_one(world: TestWorld, alice: Newcomer) -> None:
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.clock.advance(seconds=1)
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=7, lever=20)
    await alice.trader.positions(alice.account)


async def has_taken_the_key_back(world: TestWorld, alice: Newcomer) -> None:
    await alice.trader.call("DELETE", f"/api/okx/api-accounts/{alice.account}")


async def is_held(world: TestWorld, alice: Newcomer) -> None:
    held = "update api_accounts set held_reason = 'it may trade', held_at = checked_at where id = $1"
    await world.db.pool.execute(held, alice.account)


async def has_signed_out(world: TestWorld, alice: Newcomer) -> None:
    await world.db.pool.execute(
        "update sessions set revoked_at = $2 where user_id = $1", alice.trader.wallet.address, world.clock()
    )


async def is_gone_for_a_week(world: TestWorld, alice: Newcomer) -> None:
    world.clock.advance(days=8)
    await world.read_market()


async def waits_until_it_may_not_be_bound(world: TestWorld, alice: Newcomer) -> None:
    world.clock.now += TO_BIND
    world.clock.advance(seconds=1)


async def waits_until_it_may_not_be_priced(world: TestWorld, alice: Newcomer) -> None:
    world.clock.now += READING_MAX_AGE
    world.clock.advance(seconds=1)


async def is_not_told_any_more_how_it_moves(world: TestWorld, alice: Newcomer) -> None:
    await world.db.pool.execute("update market_instruments set doubted = true where inst_id = $1", INST)


async def sees_it_move_more(world: TestWorld, alice: Newcomer) -> None:
    world.clock.advance(seconds=1)
    await read_calm(world.db.pool.execute, [INST], world.clock(), hourly_e12=4 * HOURLY_E12)


async def looks_again(world: TestWorld, alice: Newcomer) -> None:
    world.clock.advance(seconds=1)
    await alice.trader.positions(alice.account)


async def has_closed_it_while_the_clock_was_set_back(world: TestWorld, alice: Newcomer) -> None:
    """What was read before is of a time to come, and would be young until that comes."""
    world.clock.advance(minutes=-10)
    world.exchange.books.close_position(alice.okx.uid, INST)


async def looked_again_when_the_clock_was_set_back(world: TestWorld, alice: Newcomer) -> None:
    await has_closed_it_while_the_clock_was_set_back(world, alice)
    await alice.trader.positions(alice.account)
    world.clock.advance(seconds=1)


# What happens, and what comes of binding after it, and of ordering what was bound before it.
CHANGES: list[tuple[Change, str, str]] = [
    (looks_again, "DRAFT", "DRAFT"),
    (has_closed_it, "POSITION_NOT_FOUND", "POSITION_NOT_FOUND"),
    (has_another_one, "DRAFT", "POSITION_CHANGED"),
    (has_closed_it_while_the_clock_was_set_back, "POSITION_NOT_FOUND", "POSITION_NOT_FOUND"),
    (looked_again_when_the_clock_was_set_back, "POSITION_NOT_FOUND", "POSITION_NOT_FOUND"),
    (has_taken_the_key_back, "API_ACCOUNT_NOT_FOUND", "API_ACCOUNT_NOT_FOUND"),
    (is_held, "API_ACCOUNT_ON_HOLD", "API_ACCOUNT_ON_HOLD"),
    (has_signed_out, "NOT_SIGNED_IN", "NOT_SIGNED_IN"),
    (is_gone_for_a_week, "NOT_SIGNED_IN", "NOT_SIGNED_IN"),
    (waits_until_it_may_not_be_bound, "DRAFT", "DRAFT"),
    (waits_until_it_may_not_be_priced, "DRAFT", "DRAFT"),
    (is_not_told_any_more_how_it_moves, "PRICE_UNAVAILABLE", "PRICE_UNAVAILABLE"),
    (sees_it_move_more, "DRAFT", "DRAFT"),
]
OF_CHANGES = pytest.mark.parametrize(
    ("change", "bound", "ordered"), CHANGES, ids=[change.__name__ for change, _, _ in CHANGES]
)


@OF_CHANGES
async def test_what_changed_before_it_is_bound_counts(
    world: TestWorld, alice: Newcomer, change: Change, bound: str, ordered: str
) -> None:
    await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    await change(world, alice)
    assert (await outcome(alice.bind()))[0] == bound


@OF_CHANGES
async def test_what_changed_before_it_is_ordered_counts(
    world: TestWorld, alice: Newcomer, change: Change, bound: str, ordered: str
) -> None:
    await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    made = await alice.bind()
    await change(world, alice)
    assert (await outcome(alice.trader.create_order(made["bindId"])))[0] == ordered


async def test_it_costs_what_its_last_reading_makes_of_it(world: TestWorld, alice: Newcomer) -> None:
    made = await alice.bind()
    await sees_it_move_more(world, alice)
    order = await alice.trader.create_order(made["bindId"])
    quoted = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    (premium,) = {quote["premiumAmount"] for quote in quoted["positions"][0]["quotes"] if quote["sku"] == SKU}
    assert order["premiumAmount"] == premium
