"""Operators, the settling of covers and the treasury's desk at one claim in the same moment, each in a
session of its own."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection
from liqpass.ids import RANDOM_BYTES
from liqpass.ledger.book import Account
from liqpass.problems import Problem
from liqpass.reconcile.invariants import broken
from liqpass.review.approving import Approved, Said, approve
from liqpass.treasury import disbursements
from tests.claims import claimed
from tests.flows.newcomers import Newcomer
from tests.ledger.books import books, stands
from tests.world import TestWorld

S = ClaimStatus
ROUNDS = 4


async def said(call: Awaitable[Any]) -> Any:
    """The answer, or the code of the refusal."""
    try:
        return await call
    except Problem as problem:
        return problem.code


async def at_once(*calls: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*(said(call) for call in calls))


async def nothing_is_broken(world: TestWorld) -> None:
    async with world.db.transaction() as conn:
        assert await broken(conn, world.clock()) == []


def approving(world: TestWorld, claim_id: Any, name: str, amount: int) -> Awaitable[Approved]:
    """An operator of this name approves so much."""

    async def work(conn: Connection) -> Approved:
        settings, random = world.of.settings, os.urandom(RANDOM_BYTES)
        say = Said(by=name, reason="shown", amount=amount)
        return await approve(conn, world.clock(), random, settings.chain, settings.claims, claim_id, say)

    return world.db.run(work)


async def test_of_many_operators_who_approve_at_once_one_makes_it_owed(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await claimed.covered(world, alice)
    amount = int(order["payoutAmount"])
    claim = await claimed.payable(world, order, amount)
    answers = await at_once(*(approving(world, claim.id, f"Operator {n}", amount) for n in range(12)))
    done = Counter(a if isinstance(a, str) else a.complete for a in answers)
    assert done[True] == 1
    assert done[True] + done["CLAIM_NOT_OPEN"] == 12
    assert await stands(world, "CLAIM", order["purchaseOrderId"]) == amount
    assert await world.db.pool.fetchval("select count(*) from disbursements") == 1
    await nothing_is_broken(world)


async def test_a_cover_that_is_settled_while_its_claim_is_approved_holds_what_the_claim_takes(
    world: TestWorld, alice: Newcomer
) -> None:
    """The claim was not covered at first, so its cover may be settled before, between, or after."""
    locked = 0
    for _ in range(ROUNDS):
        order = await claimed.covered(world, alice)
        payout = int(order["payoutAmount"])
        claim = await claimed.claim_of(world, order)
        await claimed.move(world, claim, S.GATHERING, S.NOT_COVERED, episode_over=True)

        async def objected_and_approved(conn: Connection, claim: Any = claim, payout: int = payout) -> None:
            await claimed.moved(conn, world, claim, S.IN_REVIEW)
            await claimed.approved(conn, world, claim, payout // 2)

        await at_once(world.db.run(objected_and_approved), *(claimed.settle(world) for _ in range(3)))
        await claimed.settle(world)
        settled = await world.db.pool.fetchval(
            "select settled_at is not null from watched_covers where purchase_order_id = $1",
            claimed.ref_of(order),
        )
        assert await stands(world, "CLAIM", order["purchaseOrderId"]) == payout // 2
        held = await stands(world, "HELD", order["purchaseOrderId"])
        assert held == (payout // 2 if settled else payout)
        locked += held - payout // 2
        await nothing_is_broken(world)
        await claimed.over(world)
    found = await books(world)
    assert (found[Account.POOL_LOCKED], found[Account.CLAIMS_PAYABLE]) == (locked, ROUNDS * (payout // 2))


async def test_a_claim_that_is_opened_while_its_cover_is_settled_holds_all_or_comes_after(
    world: TestWorld, alice: Newcomer
) -> None:
    for _ in range(ROUNDS):
        order = await claimed.covered(world, alice)
        await claimed.over(world)
        await claimed.alive(world, order)
        await at_once(claimed.claim_of(world, order), claimed.settle(world), claimed.settle(world))
        await claimed.settle(world)
        ref = claimed.ref_of(order)
        settled = await world.db.pool.fetchval(
            "select settled_at is not null from watched_covers where purchase_order_id = $1", ref
        )
        held = await stands(world, "HELD", order["purchaseOrderId"])
        assert held == (0 if settled else int(order["payoutAmount"]))
        await nothing_is_broken(world)


async def test_a_payout_that_is_cancelled_while_it_is_batched_is_in_no_file_or_told_to_be_in_one(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await claimed.covered(world, alice)
    chain = world.of.settings.chain
    claim = await claimed.payable(world, order, int(order["payoutAmount"]))
    for _ in range(ROUNDS):
        asked = await claimed.approve(world, claim, 5)

        async def cancelled(conn: Connection, name: str = str(asked.id)) -> Any:
            return await disbursements.cancel(conn, world.clock(), chain, name, by="Ada", reason="wrong")

        batches = disbursements.make_batch(world.db, world.of.nodes, chain, world.clock(), again=False)
        batch, *gone = await at_once(batches, *(world.db.run(cancelled) for _ in range(3)))
        (one,) = [answer for answer in gone if not isinstance(answer, str)]
        assert [answer for answer in gone if isinstance(answer, str)] == ["INVALID_FIELD"] * 2
        assert [due.id for due in batch.included] == ([asked.id] if one.batched_at else [])
        assert await stands(world, "CLAIM", order["purchaseOrderId"]) == 0
        await nothing_is_broken(world)
        await claimed.step(world, "follow payouts")
