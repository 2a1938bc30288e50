"""Covers and claims that tests bring where they want them, without an exchange that is asked: through the
same doors as the product, claims by `sql.move`."""

import os
from datetime import timedelta
from typing import Any

from liqpass.claims import sql
from liqpass.claims.opening import open_for
from liqpass.claims.settling import settle_covers
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.db import Connection
from liqpass.ids import RANDOM_BYTES
from liqpass.treasury import disbursements
from liqpass.worker import tasks_of
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

GATHERED = (ClaimStatus.GATHERING, ClaimStatus.PAYABLE)


def ref_of(order: dict[str, Any]) -> bytes:
    """The public id of an order as the books have it."""
    return bytes.fromhex(order["purchaseOrderId"][2:])


async def step(world: TestWorld, *names: str) -> None:
    """One step of each of these background tasks."""
    tasks = {task.name: task for task in tasks_of(world.of)}
    for name in names:
        await tasks[name].step()


async def covered(world: TestWorld, somebody: Newcomer) -> dict[str, Any]:
    """An order that is paid for."""
    order = await somebody.order()
    await somebody.trader.pay(world.chain, order)
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await step(world, "watch", "settle", "book transfers")
    assert await somebody.status(order) == "ACTIVE"
    return order


async def over(world: TestWorld, **after: float) -> None:
    """Time passes, two days unless `after` says so, and covers end; nobody has read a position since."""
    await world.pass_time(**(after or {"days": 2}))
    await step(world, "watch", "ended covers")


async def settle(world: TestWorld) -> int:
    """How many covers are settled now."""
    chain_id = world.chain.chain_id
    return await world.db.run(lambda conn: settle_covers(conn, world.clock(), chain_id))


async def alive(world: TestWorld, order: dict[str, Any]) -> None:
    """As if watching had read the position after the cover's end."""
    say = "update watched_covers set alive_after_end_at = $1 where purchase_order_id = $2"
    await world.db.pool.execute(say, world.clock() + timedelta(seconds=1), ref_of(order))


async def claim_of(world: TestWorld, order: dict[str, Any]) -> sql.Claim:
    """The claim of an order; nobody asks the exchange for it."""

    async def opened(conn: Connection) -> sql.Claim:
        random = os.urandom(RANDOM_BYTES)
        return await open_for(conn, world.clock(), random, ref_of(order), by=Opener.OPERATOR)

    claim = await world.db.run(opened)
    await world.db.pool.execute("update claims set ask_at = null where id = $1", claim.id)
    return claim


async def move(world: TestWorld, claim: sql.Claim, *steps: ClaimStatus, **columns: object) -> sql.Claim:
    """Write what the claim says, then let it make these moves."""
    return await world.db.run(lambda conn: moved(conn, world, claim, *steps, **columns))


async def moved(
    conn: Connection, world: TestWorld, claim: sql.Claim, *steps: ClaimStatus, **columns: object
) -> sql.Claim:
    """The same in a transaction of the caller."""
    for name, value in columns.items():
        await conn.execute(f"update claims set {name} = $1 where id = $2", value, claim.id)
    for to in steps:
        now = await sql.lock_claim(conn, claim.user_id, claim.id)
        assert now is not None
        assert await sql.move(
            conn, now.user_id, now.id, now.event_seq, now.status, to, "A_TEST", "OPERATOR", "Ada", "{}",
            world.clock(),
        )  # fmt: skip
    now = await sql.lock_claim(conn, claim.user_id, claim.id)
    assert now is not None
    return now


async def payable(world: TestWorld, order: dict[str, Any], amount: int, **columns: object) -> sql.Claim:
    """A claim that is shown to be owed this much."""
    claim = await claim_of(world, order)
    if claim.status == ClaimStatus.PAYABLE:
        return await move(world, claim, amount=amount, **columns)
    return await move(world, claim, *GATHERED, amount=amount, **columns)


async def approve(
    world: TestWorld, claim: sql.Claim, amount: int, *, to: bytes | None = None
) -> disbursements.Asked:
    """So much more of it is approved."""
    return await world.db.run(lambda conn: approved(conn, world, claim, amount, to=to))


async def approved(
    conn: Connection, world: TestWorld, claim: sql.Claim, amount: int, *, to: bytes | None = None
) -> disbursements.Asked:
    """The same in a transaction of the caller."""
    locked = await sql.lock_claim(conn, claim.user_id, claim.id)
    assert locked is not None
    total, recipient = locked.approved_amount + amount, to or locked.recipient
    await conn.execute(
        """insert into claim_approvals (user_id, claim_id, seq, round, by_name, amount, recipient, reason, at)
           select $1, $2, 1 + count(*), $6, 'Ada', $3, $4, 'shown', $5
           from claim_approvals where user_id = $1 and claim_id = $2""",
        claim.user_id, claim.id, amount, recipient, world.clock(), locked.event_seq,
    )  # fmt: skip
    asked = await disbursements.owe_claim(
        conn, world.clock(), os.urandom(RANDOM_BYTES), world.of.settings.chain, claim.purchase_order_id,
        to=recipient, amount=amount, total=total, by="Ada", reason="shown",
    )  # fmt: skip
    await moved(conn, world, claim, ClaimStatus.APPROVED, approved_amount=total, disbursement_id=asked.id)
    return asked


async def cancel(world: TestWorld, asked: disbursements.Asked) -> None:
    """It is not to be paid after all."""
    chain = world.of.settings.chain
    await world.db.run(
        lambda conn: disbursements.cancel(
            conn, world.clock(), chain, str(asked.id), by="Ada", reason="a mistake"
        )
    )
