"""What cannot be done for one order is done for all others: settling, ending, cancelling, earning."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.flows.newcomers import Newcomer, newcomer
from tests.world import TestWorld

# Whatever the reason may be one day: here the database refuses what this one needs.
NO_MOVE = ("order_events", "seq < {seq} or order_id <> '{id}'")
NO_EARNING = ("ledger_transfers", "kind <> 'EARNED' or encode(ref, 'hex') <> '{ref}'")
NO_END = ("insured_bindings", "status <> 'CANCELLED' or id <> '{bindId}'")


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Of the database."""
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


@pytest.fixture
async def pair(world: TestWorld) -> AsyncIterator[tuple[Newcomer, Newcomer]]:
    """One for whom nothing goes on, and one for whom all does: which of the two comes first is chance."""
    async with newcomer(world) as poisoned, newcomer(world) as healthy:
        yield poisoned, healthy


@asynccontextmanager
async def refused(owner: asyncpg.Connection, what: tuple[str, str], **of: object) -> AsyncIterator[None]:
    """While this lasts, the database takes no such row."""
    table, rule = what
    await owner.execute(f"alter table {table} add constraint refuse check ({rule.format(**of)}) not valid")
    yield
    await owner.execute(f"alter table {table} drop constraint refuse")


async def paid(world: TestWorld, *orders: tuple[Newcomer, dict[str, object]]) -> None:
    """And settled."""
    for who, order in orders:
        await who.trader.pay(world.chain, order)
    await world.confirm()


async def time_passes(world: TestWorld, **by: float) -> None:
    """For the clock, and for the chain up to its safe head."""
    await world.pass_time(**by)
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await world.work(2)


async def test_a_payment_that_cannot_be_settled(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    (poisoned, healthy), orders = pair, [await who.order() for who in pair]
    async with refused(owner, NO_MOVE, seq=2, id=orders[0]["id"]):
        await paid(world, *zip(pair, orders, strict=True))
        assert await poisoned.status(orders[0]) == "DRAFT"
        assert await healthy.status(orders[1]) == "ACTIVE"
    await world.work()
    assert await poisoned.status(orders[0]) == "ACTIVE"


async def test_an_unpaid_order_that_cannot_be_cancelled(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    (poisoned, healthy), orders = pair, [await who.order() for who in pair]
    async with refused(owner, NO_MOVE, seq=2, id=orders[0]["id"]):
        await time_passes(world, minutes=16)
        assert await poisoned.status(orders[0]) == "DRAFT"
        assert await healthy.status(orders[1]) == "CANCELLED"
    await world.work()
    assert await poisoned.status(orders[0]) == "CANCELLED"


async def test_a_cover_that_cannot_be_ended(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    (poisoned, healthy), orders = pair, [await who.order() for who in pair]
    await paid(world, *zip(pair, orders, strict=True))
    moved = len(await poisoned.reasons(orders[0]))
    async with refused(owner, NO_MOVE, seq=moved + 1, id=orders[0]["id"]):
        await time_passes(world, hours=26)
        assert await poisoned.status(orders[0]) == "ACTIVE"
        assert await healthy.status(orders[1]) == "EXPIRED"
    await world.work()
    assert await poisoned.status(orders[0]) == "EXPIRED"


async def test_a_transaction_that_is_not_found_and_whose_order_cannot_be_released(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    (poisoned, healthy), orders = pair, [await who.order() for who in pair]
    for who, order in zip(pair, orders, strict=True):
        await who.trader.submit(order["purchaseOrderId"], os.urandom(32))
    async with refused(owner, NO_MOVE, seq=3, id=orders[0]["id"]):
        await time_passes(world, minutes=4)
        assert await poisoned.status(orders[0]) == "PAID_PENDING_CONFIRM"
        assert await healthy.status(orders[1]) == "DRAFT"
    await world.work()
    assert await poisoned.status(orders[0]) == "DRAFT"


async def test_a_premium_of_which_nothing_can_be_earned(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    orders = [await who.order("LIQPASS_30D") for who in pair]
    await paid(world, *zip(pair, orders, strict=True))
    refs = [order["purchaseOrderId"][2:] for order in orders]
    earned = "select encode(ref, 'hex') from ledger_transfers where kind = 'EARNED'"
    async with refused(owner, NO_EARNING, ref=refs[0]):
        await time_passes(world, hours=50)
        assert [row[0] for row in await owner.fetch(earned)] == refs[1:]
    await world.work()
    assert {row[0] for row in await owner.fetch(earned)} == set(refs)


async def test_a_binding_that_nobody_ordered_and_that_cannot_be_given_up(
    world: TestWorld, owner: asyncpg.Connection, pair: tuple[Newcomer, Newcomer]
) -> None:
    bound = [(await who.bind())["bindId"] for who in pair]
    given_up = "select id::text from insured_bindings where status = 'CANCELLED'"
    async with refused(owner, NO_END, bindId=bound[0]):
        await time_passes(world, minutes=31)
        assert [row[0] for row in await owner.fetch(given_up)] == bound[1:]
    await world.work()
    assert {row[0] for row in await owner.fetch(given_up)} == set(bound)
