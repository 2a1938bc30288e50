"""What each fact leaves in the books, seen after it happened through HTTP and on the chain."""

from datetime import timedelta
from typing import Any

import pytest

from liqpass.claims.policy import CURRENT
from liqpass.ledger.book import Account
from liqpass.sandbox.chain import USDC
from tests.flows.newcomers import Newcomer, new_wallet
from tests.ledger.books import books, stands
from tests.world import CAPITAL, TestWorld


async def paid(world: TestWorld, who: Newcomer, sku: str = "LIQPASS_24H") -> dict[str, Any]:
    """An order whose payment is at the safe head."""
    order = await who.order(sku)
    await who.trader.pay(world.chain, order)
    await world.confirm()
    assert await who.status(order) == "ACTIVE"
    return order


async def claim_window_over(world: TestWorld) -> None:
    """However a position ended, nobody has claimed anything."""
    await world.pass_time(seconds=CURRENT.claim_window_sec)
    await world.work(2)


def amounts(order: dict[str, Any]) -> tuple[int, int]:
    """Premium and payout in micro-USDC."""
    return int(order["premiumAmount"]), int(order["payoutAmount"])


async def test_an_order_holds_its_payout_until_it_is_cancelled(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    _, payout = amounts(order)
    found = await books(world)
    assert (found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (CAPITAL - payout, payout)
    await alice.order()  # the same one
    assert (await books(world))[Account.POOL_LOCKED] == payout
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
    found = await books(world)
    assert (found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (CAPITAL, 0)


async def test_a_quote_that_ran_out_gives_its_capital_back(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    await world.pass_time(minutes=16)
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await world.work()
    assert await alice.status(order) == "CANCELLED"
    assert (await books(world))[Account.POOL_LOCKED] == 0


async def test_a_premium_is_booked_when_its_payment_is_safe_and_not_before(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    premium, payout = amounts(order)
    await alice.trader.pay(world.chain, order)
    await world.work(2)
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    assert (await books(world))[Account.UNEARNED_PREMIUM] == 0
    await world.confirm()
    found = await books(world)
    assert found[Account.UNEARNED_PREMIUM] == await stands(world, "PREMIUM", order["purchaseOrderId"])
    assert (found[Account.UNEARNED_PREMIUM], found[Account.POOL_LOCKED]) == (premium, payout)
    assert found[Account.TREASURY] == CAPITAL + premium


async def test_a_short_cover_is_earned_at_its_end_and_frees_its_capital_when_no_claim_can_come_any_more(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await paid(world, alice)
    premium, payout = amounts(order)
    await world.pass_time(hours=24)
    await world.work()
    found = await books(world)
    assert (found[Account.EARNED_PREMIUM], found[Account.POOL_LOCKED]) == (0, payout)
    await world.pass_time(hours=1)
    await world.work(2)
    assert await alice.status(order) == "EXPIRED"
    found = await books(world)
    assert (found[Account.UNEARNED_PREMIUM], found[Account.EARNED_PREMIUM]) == (0, premium)
    await claim_window_over(world)
    found = await books(world)
    assert (found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (CAPITAL, 0)


async def test_a_cover_of_thirty_days_is_earned_day_by_day(world: TestWorld, alice: Newcomer) -> None:
    order = await paid(world, alice, "LIQPASS_30D")
    premium, _ = amounts(order)
    begins = timedelta(seconds=order["coverageDelaySec"])
    for day in range(1, 31):
        await world.pass_time(days=1, **({"seconds": begins.total_seconds() + 5} if day == 1 else {}))
        await world.work()
        earned = await stands(world, "EARNED", order["purchaseOrderId"])
        assert earned == premium * day // 30
        found = await books(world)
        assert (found[Account.EARNED_PREMIUM], found[Account.UNEARNED_PREMIUM]) == (earned, premium - earned)
        await world.work()
        assert await stands(world, "EARNED", order["purchaseOrderId"]) == earned
    await claim_window_over(world)
    assert (await books(world))[Account.POOL_LOCKED] == 0


async def test_a_day_that_the_chain_has_not_seen_yet_is_not_earned(world: TestWorld, alice: Newcomer) -> None:
    """A clock of ours that runs ahead earns nothing that a payment could still take back."""
    order = await paid(world, alice, "LIQPASS_30D")
    premium, _ = amounts(order)
    before = world.clock.now
    world.clock.advance(days=1, seconds=order["coverageDelaySec"] + 5)
    await world.work()
    assert await stands(world, "EARNED", order["purchaseOrderId"]) == 0
    await world.chain.warp(int((world.clock.now - before).total_seconds()))
    await world.work(2)
    assert await stands(world, "EARNED", order["purchaseOrderId"]) == premium // 30


async def test_days_that_passed_while_nobody_worked_are_earned_at_once(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await paid(world, alice, "LIQPASS_30D")
    await world.pass_time(days=11, minutes=11)
    await world.work(2)
    assert await stands(world, "EARNED", order["purchaseOrderId"]) == amounts(order)[0] * 11 // 30


async def test_a_payment_that_is_reorged_away_leaves_the_books_and_comes_back_with_it(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order("LIQPASS_30D")
    premium, payout = amounts(order)
    tx_hash = await alice.trader.pay(world.chain, order)
    raw = (await world.chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()]))[2:]
    await world.confirm()
    paid_in = int((await world.chain.wait(tx_hash))["blockNumber"], 16)
    await world.chain.reorg(await world.chain.block_number() - paid_in + 1)
    await world.work(2)
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    found = await books(world)
    assert (found[Account.UNEARNED_PREMIUM], found[Account.TREASURY]) == (0, CAPITAL)
    assert found[Account.POOL_LOCKED] == payout
    await world.chain.send_raw(bytes.fromhex(raw))
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"
    assert (await books(world))[Account.UNEARNED_PREMIUM] == premium


@pytest.mark.parametrize("known", [True, False])
async def test_what_pays_no_open_order_is_in_suspense(world: TestWorld, alice: Newcomer, known: bool) -> None:
    """A payment for a cancelled order, and one for an id that nobody knows; through the real checkout."""
    order = await alice.order()
    premium, _ = amounts(order)
    quote = order["purchaseOrderId"] if known else "0x" + "5e" * 32
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
    stranger = await new_wallet(world)
    deadline = int((world.clock.now + timedelta(minutes=10)).timestamp())
    await world.chain.pay(stranger, world.chain.quote_calls(bytes.fromhex(quote[2:]), premium, deadline))
    await world.confirm()
    found = await books(world)
    assert (found[Account.SUSPENSE], found[Account.UNEARNED_PREMIUM]) == (premium, 0)
    assert found[Account.TREASURY] == CAPITAL + premium


async def test_an_order_made_active_by_hand_earns_nothing(world: TestWorld, alice: Newcomer) -> None:
    """What was not paid is not earned: other traders' premiums do not pay for it."""
    order = await alice.order()
    await world.db.pool.execute(
        """
        update purchase_orders set status = 'ACTIVE', event_seq = 1, pay_tx_hash = '\\x00'::bytea || $2,
            payer = user_id, submitted_at = $1::timestamptz, paid_at = $1::timestamptz,
            coverage_start_at = $1::timestamptz + make_interval(secs => coverage_delay_sec),
            coverage_end_at = $1::timestamptz + make_interval(secs => coverage_delay_sec + duration_sec)
        """,
        world.clock.now,
        b"\x01" * 31,
    )
    await world.pass_time(days=2)
    await world.work(2)
    assert await alice.status(order) == "EXPIRED"
    assert await stands(world, "EARNED", order["purchaseOrderId"]) == 0
    await claim_window_over(world)
    found = await books(world)
    assert (found[Account.EARNED_PREMIUM], found[Account.POOL_LOCKED]) == (0, 0)


async def test_a_plain_transfer_never_pays_an_order(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    await world.chain.transfer(alice.trader.wallet, world.chain.treasury, 5 * USDC)
    await world.confirm()
    assert await alice.status(order) == "DRAFT"
    assert (await books(world))[Account.UNEARNED_PREMIUM] == 0
