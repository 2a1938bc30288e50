"""PgBouncer is killed in the middle of the loop, and comes back: what was acknowledged is there, once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from liqpass.clock import system_clock
from liqpass.db import Database, open_database
from liqpass.hexes import to_hex
from liqpass.reconcile.invariants import broken
from liqpass.sandbox.trader import Refused
from tests.clock import SettableClock
from tests.commands.pgbouncer import (
    NEWER,
    PROGRAM,
    PgBouncer,
    example_logins,
    keeps_statements,
    running_pgbouncer,
)
from tests.flows.newcomers import Newcomer, newcomer
from tests.world import TestWorld, running_world

TRADERS, KILLED, BETWEEN = 6, 5, 12
SPARE_SEC = 120
MODES = {"session": ("session.ini", "liqpass_login"), "transaction": ("transaction.ini", "liqpass_pooled")}


@dataclass
class Told:
    """What traders were told: orders that were made, those cancelled, and how often that nothing is known."""

    made: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    unknown: int = 0
    odd: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return len(self.made) + len(self.cancelled)


@asynccontextmanager
async def behind_a_pooler(
    mode: str, database_url: str, clock: SettableClock, folder: Path
) -> AsyncIterator[tuple[TestWorld, PgBouncer]]:
    """The product, which reaches its database through the example of that mode."""
    example, login = MODES[mode]
    program = NEWER if mode == "transaction" else PROGRAM
    if program is None or (mode == "transaction" and not keeps_statements(program)):
        pytest.skip("there is no PgBouncer here, or none that can do it")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(example_logins(database_url))
        running = running_pgbouncer(database_url, login=login, example=example, program=program)
        pooler = await stack.enter_async_context(running)
        through = await open_database(pooler.url, name="test")
        stack.push_async_callback(through.close)
        assert through.way.shared == (mode == "transaction")
        yield await stack.enter_async_context(running_world(through, clock, folder)), pooler


async def buy_and_cancel(who: Newcomer, told: Told, enough: asyncio.Event) -> None:
    """Again and again; a refusal that says that nothing is known is one to begin again after."""
    while not enough.is_set():
        try:
            order = await who.order()
            if order["purchaseOrderId"] not in told.made:
                told.made.append(order["purchaseOrderId"])
            cancelled = {"purchaseOrderId": order["purchaseOrderId"]}
            await who.trader.call("POST", "/api/insurance/cancel", cancelled)
            told.cancelled.add(order["purchaseOrderId"])
        except Refused as refused:
            told.unknown += 1
            if refused.code != "DATABASE_UNAVAILABLE":
                told.odd.append(str(refused))
            await asyncio.sleep(0.01)


async def more_than(least: int, count: Callable[[], int]) -> None:
    for _ in range(SPARE_SEC * 100):
        if count() > least:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"in vain: no more than {count()}")


@pytest.mark.parametrize("mode", MODES)
async def test_every_order_that_was_acknowledged_is_there_once(
    mode: str, database_url: str, clock: SettableClock, tmp_path: Path
) -> None:
    told, enough = Told(), asyncio.Event()
    async with AsyncExitStack() as stack:
        world, pooler = await stack.enter_async_context(behind_a_pooler(mode, database_url, clock, tmp_path))
        traders = [await stack.enter_async_context(newcomer(world)) for _ in range(TRADERS)]
        buying = [asyncio.create_task(buy_and_cancel(who, told, enough)) for who in traders]
        for _ in range(KILLED):
            await more_than(told.acknowledged + BETWEEN, lambda: told.acknowledged)
            unknown = told.unknown
            await pooler.kill()
            await more_than(unknown, lambda: told.unknown)
            await pooler.start()
        await more_than(told.acknowledged + BETWEEN, lambda: told.acknowledged)
        enough.set()
        await asyncio.gather(*buying)
        assert told.odd == []

        order = await traders[0].order()
        await traders[0].trader.pay(world.chain, order)
        await world.confirm()
        assert await traders[0].status(order) == "ACTIVE"
        told.made.append(order["purchaseOrderId"])

        straight = await open_database(database_url, name="test")
        stack.push_async_callback(straight.close)
        kept = await orders_kept(straight)
        async with straight.transaction() as conn:
            assert await broken(conn, system_clock()) == []
    assert len(set(told.made)) == len(told.made)
    lost = [id_ for id_ in told.made if id_ not in kept]
    assert lost == [], f"{len(lost)} of {len(told.made)}"
    assert {kept[id_] for id_ in told.cancelled} == {"CANCELLED"}


async def orders_kept(db: Database) -> dict[str, str]:
    """Public id and status of every order."""
    rows = await db.pool.fetch("select purchase_order_id, status::text from purchase_orders")
    assert len({row[0] for row in rows}) == len(rows)
    return {to_hex(row[0]): row[1] for row in rows}
