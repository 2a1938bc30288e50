"""A payment whose settling fails holds up nobody else."""

import asyncpg

from tests.flows.newcomers import newcomer
from tests.world import TestWorld

# Whatever the reason may be one day: here the database refuses this one order's move.
REFUSE = "alter table order_events add constraint refuse check (seq < 2 or order_id <> '{}') not valid"


async def test_one_payment_that_cannot_be_settled_holds_up_no_other(
    world: TestWorld, database_url: str
) -> None:
    owner = await asyncpg.connect(database_url)
    async with newcomer(world) as poisoned, newcomer(world) as healthy:
        orders = [(who, await who.order()) for who in (poisoned, healthy)]
        await owner.execute(REFUSE.format(orders[0][1]["id"]))
        for who, order in orders:
            await who.trader.pay(world.chain, order)
        await world.confirm()
        assert await poisoned.status(orders[0][1]) == "DRAFT"
        assert await healthy.status(orders[1][1]) == "ACTIVE"
        await owner.execute("alter table order_events drop constraint refuse")
        await world.work()
        assert await poisoned.status(orders[0][1]) == "ACTIVE"
    await owner.close()
