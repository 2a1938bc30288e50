"""An approved claim's payout: batched, paid on chain, booked, followed; and what reconciliation says when it
is not paid, paid twice, to somebody else, or by hand."""

import os
from typing import Any

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.ledger.book import Account
from liqpass.problems import Problem
from liqpass.treasury import adopting, disbursements
from liqpass.treasury.batch_file import file_of
from tests.claims.claimed import approve, cancel, covered, over, payable, settle, step
from tests.flows.newcomers import Newcomer
from tests.ledger.books import books, stands
from tests.reconcile.hands import by_hand, found, open_breaks
from tests.world import TestWorld


async def owed(world: TestWorld, alice: Newcomer, amount: int | None = None) -> tuple[dict[str, Any], Any]:
    """A cover and the payout that was approved for it."""
    order = await covered(world, alice)
    amount = amount or int(order["payoutAmount"])
    return order, await approve(world, await payable(world, order, amount, episode_over=True), amount)


async def batch(world: TestWorld, *, again: bool = False) -> disbursements.Batch:
    return await disbursements.make_batch(
        world.db, world.of.nodes, world.of.settings.chain, world.clock(), again=again
    )


async def pay(world: TestWorld, to: bytes, amount: int) -> bytes:
    """What the treasury's owners do, until it is final; the log's ref."""
    receipt = await world.chain.transfer(world.chain.treasury_wallet, to, amount)
    await world.chain.finalize()
    await step(world, "watch", "settle", "book transfers", "follow payouts")
    log = receipt["logs"][0]
    return bytes.fromhex(log["transactionHash"][2:]) + int(log["logIndex"], 16).to_bytes(4, "big")


async def claim(world: TestWorld) -> Any:
    return await world.db.pool.fetchrow("select status::text, pay_tx_hash, approved_amount from claims")


async def test_it_is_batched_paid_and_booked_and_the_claim_follows(world: TestWorld, alice: Newcomer) -> None:
    order, asked = await owed(world, alice)
    assert await found(world) == set()
    made = await batch(world)
    assert [due.id for due in made.included] == [asked.id]
    file = file_of(made.included, world.of.settings.chain, world.clock())
    assert file["meta"]["description"] == f"claim, payout {asked.id}"
    await step(world, "follow payouts")
    assert (await claim(world))["status"] == "BATCHED"
    ref = await pay(world, asked.recipient, asked.amount)
    assert (await claim(world))["status"] == "PAID"
    assert (await claim(world))["pay_tx_hash"] == ref[:32]
    assert await stands(world, "CLAIM_PAID", "0x" + ref.hex()) == asked.amount
    assert await stands(world, "CLAIM", order["purchaseOrderId"]) == asked.amount
    assert await settle(world) == 1
    balances = await books(world)
    assert (balances[Account.CLAIMS_PAYABLE], balances[Account.POOL_LOCKED]) == (0, 0)
    await over(world)
    assert await found(world) == set()


async def test_two_claims_of_one_wallet_and_one_amount_are_two_transfers(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    to = alice.trader.wallet.address
    for who in (alice, bob):
        order = await covered(world, who)
        await approve(world, await payable(world, order, 1_000_000), 1_000_000, to=to)
    await pay(world, to, 1_000_000)
    assert sorted(await statuses(world)) == ["APPROVED", "PAID"]
    await pay(world, to, 1_000_000)
    assert await statuses(world) == ["PAID", "PAID"]
    assert await found(world) == set()


async def statuses(world: TestWorld) -> list[str]:
    return [row[0] for row in await world.db.pool.fetch("select status::text from claims")]


async def test_what_is_approved_for_three_days_and_not_seen_on_chain_is_a_break(
    world: TestWorld, alice: Newcomer
) -> None:
    order, asked = await owed(world, alice)
    await batch(world)
    await over(world, days=2, hours=23)
    assert await found(world) == set()
    await over(world, hours=2)
    assert await found(world) == {("CLAIM_OVERDUE", order["purchaseOrderId"])}
    await pay(world, asked.recipient, asked.amount)
    assert await found(world) == set()


async def test_a_batch_that_was_signed_twice_has_paid_a_claim_twice(
    world: TestWorld, alice: Newcomer
) -> None:
    order, asked = await owed(world, alice)
    await pay(world, asked.recipient, asked.amount)
    ref = await pay(world, asked.recipient, asked.amount)
    told = {("CLAIM_PAID_TWICE", order["purchaseOrderId"]), ("MONEY_LEFT_UNEXPLAINED", "0x" + ref[:32].hex())}
    assert await found(world) == told
    (twice,) = [one for one in await open_breaks(world) if one["type"] == "CLAIM_PAID_TWICE"]
    assert (twice["expected"], twice["found"]) == (asked.amount, 2 * asked.amount)


HANDS = {
    "CLAIM_WITHOUT_PAYOUT": "delete from disbursements",
    "PAYOUT_WITHOUT_CLAIM": """insert into disbursements select gen_random_uuid(), chain_id, purpose, ref,
        recipient, 5, reason, asked_by, asked_at from disbursements""",
    "CLAIM_PAID_TO_ANOTHER": "update disbursements set recipient = '\\x" + "aa" * 20 + "'",
    "AMOUNT_DIFFERS": "delete from ledger_transfers where kind = 'CLAIM'",
}


@pytest.mark.parametrize(("kind", "hand"), HANDS.items(), ids=HANDS)
async def test_what_a_hand_does_to_a_payout_is_named(
    world: TestWorld, database_url: str, alice: Newcomer, kind: str, hand: str
) -> None:
    order, _ = await owed(world, alice)
    await by_hand(database_url, hand)
    assert (kind, order["purchaseOrderId"]) in await found(world)


async def test_a_recipient_whom_an_approval_names_is_no_break(world: TestWorld, alice: Newcomer) -> None:
    order = await covered(world, alice)
    await approve(world, await payable(world, order, 7), 7, to=b"\xaa" * 20)
    assert await found(world) == set()


@pytest.mark.parametrize("write_off", [False, True], ids=["the rest stays due", "the rest is written off"])
async def test_a_part_that_was_paid_by_hand_is_adopted(
    world: TestWorld, alice: Newcomer, write_off: bool
) -> None:
    order, asked = await owed(world, alice)
    assert await settle(world) == 0
    locked = (await books(world))[Account.POOL_LOCKED]
    ref = await pay(world, asked.recipient, asked.amount - 40)
    chain, now = world.of.settings.chain, world.clock()
    done = await world.db.run(
        lambda conn: adopting.adopt(
            conn, now, os.urandom(adopting.RANDOM), chain, ref, [str(asked.id)],
            by="Ada", reason="less a fee", write_off=write_off,
        )
    )  # fmt: skip
    assert [part.amount for part in done.paid] == [asked.amount - 40]
    await step(world, "follow payouts")
    left = asked.amount - 40 * write_off
    assert dict(await claim(world)) == {
        "status": "PAID" if write_off else "APPROVED",
        "pay_tx_hash": ref[:32] if write_off else None,
        "approved_amount": left,
    }
    balances = await books(world)
    assert balances[Account.CLAIMS_PAYABLE] == (0 if write_off else 40)
    assert balances[Account.POOL_LOCKED] == locked + 40 * write_off
    assert await stands(world, "CLAIM", order["purchaseOrderId"]) == left
    assert await settle(world) == write_off
    assert (await books(world))[Account.POOL_LOCKED] == (0 if write_off else locked)
    assert await found(world) == set()


async def test_a_cancelled_payout_brings_its_claim_back_to_the_operators(
    world: TestWorld, alice: Newcomer
) -> None:
    _, asked = await owed(world, alice)
    await batch(world)
    await cancel(world, asked)
    await step(world, "follow payouts")
    assert (await claim(world))["status"] == ClaimStatus.IN_REVIEW
    assert (await batch(world, again=True)).included == []
    assert await found(world) == set()


async def test_what_was_paid_is_not_cancelled(world: TestWorld, alice: Newcomer) -> None:
    _, asked = await owed(world, alice)
    await pay(world, asked.recipient, asked.amount)
    with pytest.raises(Problem, match="was paid by"):
        await cancel(world, asked)
