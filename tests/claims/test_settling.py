"""The capital of a cover waits until no claim of it can come any more."""

import pytest

from liqpass.claims.policy import CURRENT
from liqpass.claims.states import ClaimStatus
from liqpass.ledger.book import Account
from liqpass.problems import Problem
from liqpass.treasury import pool
from liqpass.web import sql as pages
from tests.claims.claimed import (
    GATHERED,
    alive,
    approve,
    cancel,
    claim_of,
    covered,
    move,
    over,
    payable,
    settle,
    step,
)
from tests.flows.newcomers import Newcomer
from tests.ledger.books import books, stands
from tests.ledger.test_capacity import leave_free
from tests.world import TestWorld

WINDOW_DAYS = CURRENT.claim_window_sec / 86_400
S = ClaimStatus


async def settled_by(world: TestWorld) -> list[str | None]:
    return [row[0] for row in await world.db.pool.fetch("select settled_by::text from watched_covers")]


async def held(world: TestWorld, order: dict[str, str]) -> int:
    return await stands(world, "HELD", order["purchaseOrderId"])


async def open_cover(world: TestWorld) -> tuple[int, int]:
    """How many covers are open, and for how much: the operator's page and the command say the same."""
    page = await world.db.run(pages.open_cover)
    shown = (await world.db.run(lambda conn: pool.show(conn, world.of.settings.chain))).open_cover
    assert (page.covers, page.payout) == (sum(o.orders for o in shown), sum(o.payout for o in shown))
    return page.covers, page.payout


async def test_the_end_of_a_cover_frees_nothing_and_a_reading_after_it_frees_all(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout = int(order["payoutAmount"])
    await over(world)
    assert await alice.status(order) == "EXPIRED"
    assert (await settle(world), await held(world, order)) == (0, payout)
    await alive(world, order)
    assert (await settle(world), await held(world, order)) == (1, 0)
    assert await settled_by(world) == ["ALIVE_AFTER_END"]
    assert (await books(world))[Account.POOL_LOCKED] == 0
    assert await settle(world) == 0


async def test_without_any_reading_it_is_held_for_the_claim_window_and_not_a_second_less(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    await over(world)
    end = await world.db.pool.fetchval("select ends_at from watched_covers")
    world.clock.now = end.replace(microsecond=0)
    world.clock.advance(days=WINDOW_DAYS, seconds=-1)
    assert await settle(world) == 0
    world.clock.advance(seconds=1)
    assert (await settle(world), await held(world, order)) == (1, 0)
    assert await settled_by(world) == ["WINDOW_OVER"]


@pytest.mark.parametrize(
    "undecided",
    [[], [S.GATHERING], [*GATHERED], [S.GATHERING, S.IN_REVIEW], [S.GATHERING, S.NOT_COVERED, S.IN_REVIEW]],
    ids=["OPEN", "GATHERING", "PAYABLE", "IN_REVIEW", "objected to"],
)
async def test_an_undecided_claim_holds_all_of_it_however_long_it_takes(
    world: TestWorld, alice: Newcomer, undecided: list[ClaimStatus]
) -> None:
    order = await covered(world, alice)
    claim = await claim_of(world, order)
    await move(world, claim, *undecided, amount=1_000_000, episode_over=True)
    await over(world)
    await alive(world, order)
    world.clock.advance(days=3 * WINDOW_DAYS)
    assert (await settle(world), await held(world, order)) == (0, int(order["payoutAmount"]))


async def test_evidence_of_how_the_position_ended_frees_it_before_the_covers_end(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    await move(world, await claim_of(world, order), S.GATHERING, S.NOT_COVERED, reason_code="CLOSED_BY_OWNER")
    assert await settle(world) == 0
    await world.db.pool.execute("update claims set episode_over = true")
    assert (await settle(world), await held(world, order)) == (1, 0)
    assert (await settled_by(world), await alice.status(order)) == (["ENDED"], "ACTIVE")
    await over(world)
    assert (await alice.status(order), await settle(world), await held(world, order)) == ("EXPIRED", 0, 0)


async def test_what_a_claim_takes_goes_from_locked_to_payable_and_the_rest_is_freed_when_it_is_settled(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout, part = int(order["payoutAmount"]), int(order["payoutAmount"]) // 3
    free = (await books(world))[Account.POOL_FREE]
    asked = await approve(world, await payable(world, order, part), part)
    assert (asked.amount, asked.left, asked.recipient) == (part, payout - part, alice.trader.wallet.address)
    found = await books(world)
    assert (found[Account.POOL_LOCKED], found[Account.CLAIMS_PAYABLE]) == (payout - part, part)
    await over(world)
    assert await settle(world) == 0  # another part of it may have been liquidated
    await alive(world, order)
    assert await settle(world) == 0  # it is not paid, and may be cancelled
    await move(world, await claim_of(world, order), S.BATCHED, S.PAID, pay_tx_hash=b"\7" * 32, pay_final=True)
    assert await settle(world) == 1
    found = await books(world)
    assert (found[Account.POOL_LOCKED], found[Account.CLAIMS_PAYABLE]) == (0, part)
    assert found[Account.POOL_FREE] == free + payout - part


async def test_a_cancelled_payout_is_locked_again_however_its_position_ended(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout = int(order["payoutAmount"])
    claim = await payable(world, order, payout, episode_over=True)
    for _ in range(2):
        asked = await approve(world, claim, payout)
        assert await settle(world) == 0
        await cancel(world, asked)
        found = await books(world)
        assert (found[Account.POOL_LOCKED], found[Account.CLAIMS_PAYABLE]) == (payout, 0)
        assert await world.db.pool.fetchval("select approved_amount from claims") == 0
        await move(world, claim, S.IN_REVIEW)


async def test_a_claim_whose_payout_was_cancelled_holds_all_of_it_before_anybody_moves_it_back(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout = int(order["payoutAmount"])
    claim = await payable(world, order, payout, episode_over=True)
    await over(world, days=2 + WINDOW_DAYS)
    await cancel(world, await approve(world, claim, payout))
    assert (await settle(world), await held(world, order)) == (0, payout)
    await step(world, "follow payouts")
    assert (await claim_of(world, order)).status == S.IN_REVIEW
    assert (await settle(world), await held(world, order)) == (0, payout)
    await approve(world, claim, payout)
    assert (await settle(world), await held(world, order)) == (0, payout)
    await move(world, claim, S.BATCHED, S.PAID, pay_tx_hash=b"\7" * 32, pay_final=True)
    assert (await settle(world), await held(world, order)) == (1, payout)


async def test_an_approval_after_settling_takes_free_capital_or_says_that_it_is_short(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout = int(order["payoutAmount"])
    claim = await claim_of(world, order)
    await move(world, claim, S.GATHERING, S.NOT_COVERED, episode_over=True, amount=None)
    assert await settle(world) == 1
    await move(world, claim, S.IN_REVIEW, amount=payout)
    await leave_free(world, payout - 1)
    with pytest.raises(Problem) as refused:
        await approve(world, claim, payout)
    assert (refused.value.code, refused.value.status) == ("CAPITAL_SHORT", 409)
    assert refused.value.extra == {"freeAmount": str(payout - 1), "neededAmount": str(payout)}
    assert await world.db.pool.fetchval("select count(*) from disbursements where purpose = 'CLAIM'") == 0
    await leave_free(world, payout)
    await approve(world, claim, payout)
    found = await books(world)
    assert (found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (0, 0)
    assert (found[Account.CLAIMS_PAYABLE], await held(world, order)) == (payout, payout)


async def test_no_more_than_the_payout_is_ever_approved(world: TestWorld, alice: Newcomer) -> None:
    order = await covered(world, alice)
    claim = await payable(world, order, int(order["payoutAmount"]))
    with pytest.raises(Problem) as refused:
        await approve(world, claim, int(order["payoutAmount"]) + 1)
    assert refused.value.code == "INVALID_FIELD"
    assert "at most" in refused.value.detail


async def test_the_pool_tells_what_waits_to_be_settled(world: TestWorld, alice: Newcomer) -> None:
    order = await covered(world, alice)
    payout, part = int(order["payoutAmount"]), 1_000_000
    claim = await payable(world, order, part)
    await approve(world, claim, part)
    await over(world)
    shown = await world.db.run(lambda conn: pool.show(conn, world.of.settings.chain))
    assert (shown.open_cover, shown.waiting.covers) == ([], 1)
    assert shown.waiting.locked == shown.balances[Account.POOL_LOCKED] == payout - part
    assert shown.balances[Account.CLAIMS_PAYABLE] == part


async def test_open_cover_is_what_may_still_be_paid_also_while_the_cover_runs(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await covered(world, alice)
    payout, part = int(order["payoutAmount"]), 1_000_000
    claim = await payable(world, order, part)
    await approve(world, claim, part)
    assert await open_cover(world) == (1, payout - part) == (1, (await books(world))[Account.POOL_LOCKED])
    await move(world, claim, S.BATCHED, S.PAID, pay_tx_hash=bytes(32), pay_final=True, episode_over=True)
    assert (await settle(world), await alice.status(order)) == (1, "ACTIVE")
    assert await open_cover(world) == (0, 0) == (0, (await books(world))[Account.POOL_LOCKED])
