"""What happens to money and orders without anybody's hand in the database, and what a run says of it."""

import os
from datetime import timedelta
from typing import Any

import pytest

from liqpass.chain.balances import BALANCE_OF
from liqpass.ledger.book import log_ref
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import USDC
from liqpass.treasury.pool import deposit
from tests.flows.newcomers import Newcomer, new_wallet
from tests.reconcile.hands import by_hand, covered, found, last_run, open_breaks, run_once
from tests.world import TestWorld


async def finalized(world: TestWorld) -> None:
    """What is on the chain now is final, and the workers have seen it."""
    await world.confirm()
    await world.chain.mine(2 * world.chain.slots_in_an_epoch)
    await world.work(2)


async def pay_for(world: TestWorld, order_id: str, amount: int) -> str:
    """Somebody pays a quote of this id through the real checkout; the transaction."""
    deadline = int((world.clock.now + timedelta(minutes=10)).timestamp())
    quote = world.chain.quote_calls(bytes.fromhex(order_id[2:]), amount, deadline)
    return "0x" + (await world.chain.pay(await new_wallet(world), quote)).hex()


async def test_the_life_of_an_order_leaves_no_break(world: TestWorld, alice: Newcomer, bob: Newcomer) -> None:
    """A run at every station, a cover that ends and one that earns day by day beside it."""
    assert await found(world) == set()
    order = await alice.order()
    assert await found(world) == set()
    await alice.trader.pay(world.chain, order)
    assert await found(world) == set()
    await world.work()
    assert await found(world) == set()
    await world.confirm()
    await covered(world, bob, "LIQPASS_30D")
    assert await found(world) == set()
    for _ in range(3):
        await world.pass_time(hours=23)
        await world.work(2)
        assert await found(world) == set()
    assert await alice.status(order) == "EXPIRED"


async def test_a_payment_that_is_reorged_away_and_comes_back_leaves_no_break(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    tx_hash = await alice.trader.pay(world.chain, order)
    raw = (await world.chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()]))[2:]
    await world.confirm()
    paid_in = int((await world.chain.wait(tx_hash))["blockNumber"], 16)
    await world.chain.reorg(await world.chain.block_number() - paid_in + 1)
    await world.work(2)
    assert await found(world) == set()
    await world.chain.send_raw(bytes.fromhex(raw))
    await finalized(world)
    assert await found(world) == set()


async def test_a_payment_for_an_unknown_order_names_the_order_that_is_not_there(world: TestWorld) -> None:
    unknown = "0x" + "5e" * 32
    await pay_for(world, unknown, 5 * USDC)
    await finalized(world)
    assert await found(world) == {("EVENT_WITHOUT_ORDER", unknown)}
    (one,) = await open_breaks(world)
    assert (one["expected"], one["found"]) == (0, 5 * USDC)


async def test_a_payment_for_a_cancelled_order_is_in_suspense_and_says_for_which(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
    await pay_for(world, order["purchaseOrderId"], int(order["premiumAmount"]))
    await finalized(world)
    assert await found(world) == {("MONEY_IN_SUSPENSE", order["purchaseOrderId"])}
    (one,) = await open_breaks(world)
    assert "paid for an order that was cancelled" in one["said"]


async def test_a_stray_transfer_is_a_break_until_somebody_says_whose_it_is(world: TestWorld) -> None:
    sender = await new_wallet(world)
    receipt = await world.chain.transfer(sender, world.chain.treasury, 12 * USDC)
    await finalized(world)
    assert await found(world) == {("MONEY_IN_SUSPENSE", receipt["transactionHash"])}
    (one,) = await open_breaks(world)
    assert (one["wallet"], one["found"]) == (sender.address, 12 * USDC)
    ref = log_ref(one["tx_hash"], one["log_index"])
    chain = world.of.settings.chain

    async def give(conn: Any) -> None:
        await deposit(conn, world.clock.now, os.urandom(10), chain, by="the tests", ref=ref)

    await world.db.run(give)
    assert await found(world) == set()


async def test_money_that_left_for_no_reason_is_a_break(world: TestWorld) -> None:
    data = encode_call("transfer(address,uint256)", world.chain.wallets[0].address, 3 * USDC)
    receipt = await world.chain.transact(world.chain.treasury_wallet, world.chain.usdc, data)
    await finalized(world)
    assert await found(world) == {("MONEY_LEFT_UNEXPLAINED", receipt["transactionHash"])}


async def test_what_moved_above_the_final_block_is_no_difference(world: TestWorld) -> None:
    """The balance is compared at a final block; what is only safe is in the ledger already."""
    came = await world.chain.transfer(world.chain.wallets[0], world.chain.treasury, 5 * USDC)
    left = await world.chain.transfer(world.chain.treasury_wallet, world.chain.wallets[0].address, 3 * USDC)
    await world.confirm()
    assert await found(world) == {
        ("MONEY_IN_SUSPENSE", came["transactionHash"]),
        ("MONEY_LEFT_UNEXPLAINED", left["transactionHash"]),
    }
    assert (await last_run(world))["chain_balance"] == (await last_run(world))["ledger_balance"]


async def test_orders_that_nobody_moves_on_are_stuck(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    """No worker runs: a cover does not end, a quote does not run out."""
    order = await covered(world, alice)
    draft = await bob.order()
    await world.pass_time(days=2)
    assert await found(world) == {
        ("ORDER_STUCK", order["purchaseOrderId"]),
        ("ORDER_STUCK", draft["purchaseOrderId"]),
    }
    await finalized(world)
    assert await found(world) == set()


async def test_a_balance_that_the_chain_shows_otherwise_is_a_break(world: TestWorld) -> None:
    world.node.rewrite = _one_unit_less
    assert await found(world) == {("BALANCE_DIFFERS", "treasury")}
    (one,) = await open_breaks(world)
    assert one["found"] - one["expected"] == -1


def _one_unit_less(method: str, params: list[Any], result: Any) -> Any:
    asked = method == "eth_call" and str(params[0].get("data", "")).startswith("0x" + BALANCE_OF.hex())
    return f"0x{int(result, 16) - 1:064x}" if asked else result


async def test_a_balance_that_is_not_known_is_no_break_and_leaves_an_open_one_open(world: TestWorld) -> None:
    world.node.unavailable = True
    assert await found(world) == set()
    run = await last_run(world)
    assert run["chain_balance"] is None
    assert "503" in run["chain_unknown"]
    world.node.unavailable, world.node.rewrite = False, _one_unit_less
    assert await found(world) == {("BALANCE_DIFFERS", "treasury")}
    world.node.unavailable = True
    assert await found(world) == {("BALANCE_DIFFERS", "treasury")}
    world.node.unavailable, world.node.rewrite = False, None
    assert await found(world) == set()


@pytest.mark.parametrize("minutes", [9, 11])
async def test_what_waits_to_be_settled_is_a_break_only_after_ten_minutes(
    world: TestWorld, alice: Newcomer, database_url: str, minutes: int
) -> None:
    """A payment is safe, and the settling stands still."""
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    ledger, states = "ledger_transfers where kind = 'PREMIUM'", "('ACTIVE', 'PAID_PENDING_CONFIRM')"
    await by_hand(
        database_url,
        f"delete from {ledger}",
        "update ledger_accounts set balance = 0 where id = 'UNEARNED_PREMIUM'",
        "update ledger_accounts set balance = (select opening from ledger_openings) where id = 'TREASURY'",
        "insert into settle_queue select chain_id, tx_hash, log_index from premium_payments",
        f"select 1 from purchase_orders where status in {states}",
    )
    world.clock.advance(minutes=minutes)
    wanted = {("EVENT_WITHOUT_LEDGER", order["purchaseOrderId"])} if minutes > 10 else set()
    assert await found(world) == wanted
    await world.work(2)
    assert await found(world) == set()


async def test_a_run_before_the_chain_was_read_says_so(world: TestWorld, database_url: str) -> None:
    await by_hand(database_url, "delete from chain_cursors")
    await run_once(world)
    run = await last_run(world)
    assert (run["to_block"], run["chain_unknown"]) == (None, "the watcher has not read the chain yet")
