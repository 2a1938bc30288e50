"""A world with real orders, hands that reach into its database, and what the next run says of it."""

from typing import Any

import asyncpg

from bench.books import SET_BALANCES
from liqpass.reconcile.periods import ALWAYS, Period
from liqpass.reconcile.runs import reconcile
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

BALANCES = SET_BALANCES  # what the trigger would have kept, had it not slept

Found = set[tuple[str, str]]
"""Types of breaks, each with what they name: order, transaction or subject."""


async def by_hand(url: str, *statements: str) -> None:
    """What a superuser does whom no trigger and no foreign key holds back."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("set session_replication_role = replica")
        for statement in statements:
            await owner.execute(statement)
    finally:
        await owner.close()


async def run_once(world: TestWorld, period: Period = ALWAYS) -> int:
    """What the worker does every hour, and nothing else of what it does; the run."""
    of = world.of
    return await reconcile(of.db, of.nodes, of.settings.chain, of.clock, period)


async def row(world: TestWorld, query: str) -> asyncpg.Record:
    """The first row."""
    found = await world.db.pool.fetchrow(query)
    assert found is not None
    return found


async def last_run(world: TestWorld) -> asyncpg.Record:
    """The last run as it was kept."""
    return await row(world, "select * from reconciliation_runs order by id desc limit 1")


async def open_breaks(world: TestWorld) -> list[asyncpg.Record]:
    """The breaks that are open, with their columns."""
    query = "select * from reconciliation_breaks where closed_at is null order by id"
    return list(await world.db.pool.fetch(query))


async def found(world: TestWorld) -> Found:
    """What a run leaves open."""
    await run_once(world)
    return {
        (one["type"], _hex(one["purchase_order_id"] or one["tx_hash"]) or one["subject"])
        for one in await open_breaks(world)
    }


def _hex(value: bytes | None) -> str:
    return "0x" + value.hex() if value else ""


async def covered(world: TestWorld, who: Newcomer, sku: str = "LIQPASS_24H") -> dict[str, Any]:
    """An order whose payment is final."""
    order = await who.order(sku)
    order["tx"] = "0x" + (await who.trader.pay(world.chain, order)).hex()
    await world.confirm()
    await world.chain.mine(2 * world.chain.slots_in_an_epoch)
    await world.work(2)
    assert await who.status(order) == "ACTIVE"
    return order


def sql(value: str) -> str:
    """0x… as bytea."""
    return f"'\\x{value[2:]}'::bytea"
