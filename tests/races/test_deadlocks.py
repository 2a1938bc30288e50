"""Two statements that lock the same rows in opposite orders: PostgreSQL ends one, and it is tried again.

Ordering locks the binding, then an order that came in between; cancelling the order, then its binding.
Binding locks the position, then the binding; giving up an unordered one the binding, then its position.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from liqpass.worker import tasks_of
from tests.flows.newcomers import Newcomer
from tests.races.crowd import told
from tests.world import TestWorld

CANCEL = "/api/insurance/cancel"
GATE = """
    create function stand_at_the_gate() returns trigger language plpgsql as $$
    begin
        if pg_try_advisory_xact_lock(1) then perform pg_advisory_xact_lock(2); end if;
        return new;
    end $$
"""
WAITING = """
    select exists (select from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database() and query like '%' || $1 || '%')
"""
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"


class Gate:
    """Where the first statement that changes a row stands still, the row already locked."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self._owner = owner

    async def waiting(self, words: str) -> None:
        """Until a statement with these words in it waits for a lock."""
        while not await self._owner.fetchval(WAITING, words):  # noqa: ASYNC110, it tells nobody
            await asyncio.sleep(0.01)

    async def open(self) -> None:
        """Let it go on."""
        await self._owner.execute("select pg_advisory_unlock(2)")

    async def deadlocked(self) -> bool:
        """Whether PostgreSQL has ended somebody (it tells of it a little later)."""
        for _ in range(500):
            if await self._owner.fetchval(DEADLOCKS):
                return True
            await asyncio.sleep(0.01)
        return False


@asynccontextmanager
async def gate_at(url: str, table: str) -> AsyncIterator[Gate]:
    """A gate before every change of the table."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(GATE)
        await owner.execute(
            f"create trigger gate before update on {table} for each row execute function stand_at_the_gate()"
        )
        await owner.execute("select pg_advisory_lock(2)")
        yield Gate(owner)
    finally:
        await owner.close()


async def test_ordering_against_cancelling_an_order_that_came_in_between(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    bound = await alice.bind()
    reading = await asyncpg.connect(database_url)
    transaction = reading.transaction()
    await transaction.start()
    await reading.execute("select from position_readings for update")
    async with gate_at(database_url, "purchase_orders") as gate:
        world.clock.advance(seconds=61)  # what was read is too old: this one asks the exchange in between
        slow = asyncio.create_task(told(alice.trader.create_order(bound["bindId"])))
        await gate.waiting("insert into position_readings")
        world.clock.advance(seconds=-61)
        order = await alice.trader.create_order(bound["bindId"])
        body = {"purchaseOrderId": order["purchaseOrderId"]}
        cancelling = asyncio.create_task(told(alice.trader.call("POST", CANCEL, body)))
        await gate.waiting("CANCELLED_BY_USER")
        await transaction.rollback()
        await gate.waiting("insert into purchase_orders")
        await gate.open()
        said = await asyncio.gather(cancelling, slow)
        assert await gate.deadlocked()
    await reading.close()
    assert said[0] == {"ok": True, "status": "CANCELLED"}
    # whoever of the two was ended first and tried again
    assert said[1] in ("BINDING_NOT_OPEN", order)


async def test_binding_against_giving_up(world: TestWorld, alice: Newcomer, database_url: str) -> None:
    await alice.bind()
    await world.pass_time(minutes=31)
    await alice.trader.positions(alice.account)
    step = next(task for task in tasks_of(world.of) if task.name == "unordered bindings")
    async with gate_at(database_url, "insured_bindings") as gate:
        giving_up = asyncio.ensure_future(step.step())
        await gate.waiting("given_up")
        binding = asyncio.create_task(told(alice.bind()))
        await gate.waiting("insert into insured_positions")
        await gate.open()
        await giving_up
        said = await binding
        assert await gate.deadlocked()
    assert isinstance(said, dict)
