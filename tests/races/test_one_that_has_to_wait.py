"""Somebody holds a row that one request needs: those of other people do not wait for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.flows.newcomers import Newcomer
from tests.races.crowd import told
from tests.races.test_deadlocks import WAITING
from tests.world import TestWorld

HELD = {
    "bind": ("insured_positions", "insert into insured_positions"),
    "order": ("insured_bindings", "insert into purchase_orders"),
    "submit": ("purchase_orders", "HASH_SUBMITTED"),
}


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Who holds rows."""
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Who sees what others wait for: anew each time, for want of a transaction."""
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


async def asked(who: Newcomer, bound: dict[str, Any], order: dict[str, Any] | None, step: str) -> Any:
    """One step of the order loop, or the code of its refusal."""
    if step == "bind":
        return await told(who.bind())
    if step == "order":
        return await told(who.trader.create_order(bound["bindId"]))
    assert order is not None
    return await told(
        who.trader.submit(order["purchaseOrderId"], bytes.fromhex(order["purchaseOrderId"][2:]))
    )


@pytest.mark.parametrize("step", HELD)
async def test_who_needs_a_row_that_is_held_waits_alone(
    world: TestWorld,
    alice: Newcomer,
    bob: Newcomer,
    holder: asyncpg.Connection,
    owner: asyncpg.Connection,
    step: str,
) -> None:
    both = [(who, await who.bind()) for who in (alice, bob)]
    orders = [await who.order() if step == "submit" else None for who, _ in both]
    table, words = HELD[step]
    transaction = holder.transaction()
    await transaction.start()
    hers = alice.trader.wallet.address
    assert await holder.fetch(f"select from {table} where user_id = $1 for update", hers)
    waiting = asyncio.create_task(asked(alice, both[0][1], orders[0], step))
    while not await owner.fetchval(WAITING, words):  # noqa: ASYNC110, it tells nobody
        await asyncio.sleep(0.01)
    answer = await asked(bob, both[1][1], orders[1], step)
    assert isinstance(answer, dict)
    assert not waiting.done()
    await transaction.rollback()
    assert isinstance(await waiting, dict)
