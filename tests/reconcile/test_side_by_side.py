"""Runs beside each other, and beside everything else that goes on: no false break, and one chain."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise

from tests.flows.newcomers import Newcomer, newcomer
from tests.reconcile.hands import by_hand, open_breaks, run_once
from tests.world import TestWorld


async def ever(world: TestWorld) -> list[str]:
    """All that was ever found."""
    rows = await world.db.pool.fetch("select said from reconciliation_breaks")
    return [row["said"] for row in rows]


async def test_runs_at_once_come_one_after_the_other_and_find_the_same(
    world: TestWorld, database_url: str
) -> None:
    await by_hand(database_url, "update ledger_accounts set balance = 7 where id = 'CLAIMS_PAYABLE'")
    assert sorted(await asyncio.gather(run_once(world), run_once(world), run_once(world))) == [1, 2, 3]
    (one,) = await open_breaks(world)
    assert (one["first_run"], one["last_run"]) == (1, 3)
    runs = await world.db.pool.fetch("select * from reconciliation_runs order by id")
    assert all(after["previous_sha256"] == before["sha256"] for before, after in pairwise(runs))


async def test_runs_while_orders_are_made_paid_and_cancelled_find_nothing(world: TestWorld) -> None:
    done = asyncio.Event()

    async def again_and_again() -> None:
        while not done.is_set():
            await run_once(world)

    async def trade(who: Newcomer, number: int) -> None:
        order = await who.order()
        if number % 3 == 0:
            body = {"purchaseOrderId": order["purchaseOrderId"]}
            await who.trader.call("POST", "/api/insurance/cancel", body)
        else:
            await who.trader.pay(world.chain, order)

    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(newcomer(world)) for _ in range(9)]
        runs = asyncio.create_task(again_and_again())
        try:
            await asyncio.gather(*(trade(who, number) for number, who in enumerate(people)))
            for _ in range(3):
                await world.confirm()
            await world.pass_time(hours=25)
            await world.work(2)
        finally:
            done.set()
            await runs
    assert await run_once(world) > 3
    assert await ever(world) == []
