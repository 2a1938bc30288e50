"""What of real orders' money is in suspense: none that pays its order, all that does not, with the reason."""

from typing import Any

from liqpass.hexes import to_hex
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balances
from liqpass.sandbox.trader import calls_of
from liqpass.treasury import pool, suspense
from liqpass.treasury.records import OpenCover, Suspended
from liqpass.treasury.suspense import Why
from tests.flows.newcomers import Newcomer
from tests.world import CAPITAL, TestWorld

CANCEL = "/api/insurance/cancel"


async def in_suspense(world: TestWorld) -> list[Suspended]:
    return await world.db.run(lambda conn: suspense.items(conn, world.of.settings.chain))


async def reasons(world: TestWorld) -> list[tuple[Why, int]]:
    """Why something is in suspense, and how much; what the treasury holds on chain is what it holds in the
    books."""
    held = (await world.db.run(balances))[Account.TREASURY]
    assert await world.chain.usdc_balance(world.chain.treasury) == held
    return [
        (suspense.why(item, world.of.settings.chain), item.remaining) for item in await in_suspense(world)
    ]


async def final(world: TestWorld) -> None:
    await world.chain.finalize()
    await world.work(2)


async def pay(world: TestWorld, who: Newcomer, order: dict[str, Any]) -> None:
    """With the order's own calls, whatever became of it."""
    await world.chain.pay(who.trader.wallet, calls_of(order))


async def test_a_premium_that_pays_its_order_is_not_in_suspense(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await final(world)
    assert await alice.status(order) == "ACTIVE"
    assert await reasons(world) == []
    assert await world.db.pool.fetchval("select count(*) from usdc_transfers where stage = 'FINAL'") == 1


async def test_a_premium_paid_after_its_order_was_cancelled_is_in_suspense(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    await pay(world, alice, order)
    await final(world)
    assert await reasons(world) == [(Why.ORDER_CLOSED, int(order["premiumAmount"]))]
    (item,) = await in_suspense(world)
    assert item.sender == alice.trader.wallet.address
    said = suspense.said(item, world.of.settings.chain)
    assert said == f"paid for order {order['purchaseOrderId']}, which was cancelled, over, or paid already"


async def test_a_premium_of_another_amount_is_in_suspense(world: TestWorld, alice: Newcomer) -> None:
    """Only we can sign such a quote; if we ever do, the money is not lost."""
    order = await alice.order()
    order_id = bytes.fromhex(order["purchaseOrderId"][2:])
    await world.chain.pay(alice.trader.wallet, world.chain.quote_calls(order_id, 5, 2**40))
    await final(world)
    assert await reasons(world) == [(Why.WRONG_AMOUNT, 5)]


async def test_a_premium_of_an_old_checkout_and_one_sent_by_hand_are_plain_transfers(
    world: TestWorld, alice: Newcomer
) -> None:
    chain, payer = world.chain, alice.trader.wallet
    old = await chain.deploy_checkout(chain.owner.address)
    ours = chain.checkout
    chain.checkout = old
    calls = chain.quote_calls(b"\x07" * 32, 3_000_000, 2**40)
    chain.checkout = ours
    assert calls[1].to == old
    await chain.pay(payer, calls)
    await chain.transfer(payer, chain.treasury, 40)
    await final(world)
    assert sorted(await reasons(world)) == [(Why.PLAIN_TRANSFER, 40), (Why.PLAIN_TRANSFER, 3_000_000)]
    assert {item.sender for item in await in_suspense(world)} == {payer.address}


async def test_a_premium_and_a_stray_transfer_of_the_same_amount_are_told_apart(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    premium = int(order["premiumAmount"])
    receipt = await world.chain.transfer(alice.trader.wallet, world.chain.treasury, premium)
    await alice.trader.pay(world.chain, order)
    await final(world)
    assert await reasons(world) == [(Why.PLAIN_TRANSFER, premium)]
    (item,) = await in_suspense(world)
    assert to_hex(item.tx_hash or b"") == receipt["transactionHash"]
    found = await world.db.run(balances)
    assert (found[Account.TREASURY], found[Account.UNEARNED_PREMIUM]) == (CAPITAL + 2 * premium, premium)


async def test_the_pool_shows_what_open_orders_of_each_product_hold(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order("LIQPASS_8H")
    shown = await world.db.run(lambda conn: pool.show(conn, world.of.settings.chain))
    payout = int(order["payoutAmount"])
    assert shown.open_cover == [OpenCover("LIQPASS_8H", 1, payout)]
    assert shown.balances[Account.POOL_LOCKED] == payout
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    assert (await world.db.run(lambda conn: pool.show(conn, world.of.settings.chain))).open_cover == []
