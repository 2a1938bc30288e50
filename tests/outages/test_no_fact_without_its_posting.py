"""kill -9 at every boundary between a fact and its posting: after it each fact is posted, and once.

The worker is brought to stand still in the middle of a transaction (gate.py), killed there, and another one
takes over. What it had not committed is as if it had never been; what was committed is not done again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from liqpass.clock import system_clock
from liqpass.hexes import to_hex
from liqpass.sandbox.world import command
from tests.outages.gate import Gate, Place
from tests.outages.two_workers import STRAY, Legs, Ordered, Town, ref_of, until

CANCEL = "/api/insurance/cancel"


# The facts: each makes ready, shuts the gate, lets it happen, and says what has to be posted ----------------


async def a_payment(town: Town, gate: Gate) -> Legs:
    order = await town.order()
    await gate.shut()
    await town.pay(order)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    return {("HELD", order.ref): [order.payout], ("PREMIUM", order.ref): [order.premium]}


async def a_stray_transfer(town: Town, gate: Gate) -> Legs:
    await gate.shut()
    ref = await town.stray()
    await town.chain.mine(town.chain.slots_in_an_epoch)
    return {("RECEIVED", ref): [STRAY]}


async def a_cover_is_over(town: Town, gate: Gate) -> Legs:
    order = await town.active("LIQPASS_8H")
    await gate.shut()
    await town.chain.warp(9 * 3600)
    return {("PREMIUM", order.ref): [order.premium], ("EARNED", order.ref): [order.premium]}


async def a_cover_is_settled(town: Town, gate: Gate) -> Legs:
    order = await town.active("LIQPASS_8H")
    await gate.shut()
    await town.chain.warp(9 * 3600)
    read = "update watched_covers set alive_after_end_at = ends_at where purchase_order_id = $1"
    await town.owner.execute(read, order.ref)
    return {("HELD", order.ref): [order.payout, -order.payout]}


async def a_reorg(town: Town, gate: Gate) -> Legs:
    order = await town.active()
    await gate.shut()
    await town.chain.reorg(town.chain.slots_in_an_epoch + 1)
    return {("PREMIUM", order.ref): [order.premium, -order.premium], ("HELD", order.ref): [order.payout]}


async def a_refund_is_paid(town: Town, gate: Gate) -> Legs:
    ref = await town.final_stray()
    asked = await town.refund(ref)
    await gate.shut()
    receipt = await town.chain.transfer(town.chain.treasury_wallet, asked.recipient, asked.amount)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    return {("REFUND", ref): [asked.amount], ("REFUND_PAID", ref_of(receipt)): [asked.amount]}


# The boundaries -----------------------------------------------------------------------------------------

Fact = Callable[[Town, Gate], Awaitable[Legs]]
LEDGER = "ledger_transfers"
PAID, UNPAID = (
    "new.debit = 'TREASURY' and new.kind = 'PREMIUM'",
    "new.credit = 'TREASURY' and new.kind = 'PREMIUM'",
)
HELD, FREED = (
    "new.debit = 'POOL_FREE' and new.kind = 'HELD'",
    "new.credit = 'POOL_FREE' and new.kind = 'HELD'",
)
RECEIVED, EARNED, REFUND = "new.kind = 'RECEIVED'", "new.kind = 'EARNED'", "new.kind = 'REFUND'"
REFUND_PAID, CAPITAL = "new.kind = 'REFUND_PAID'", "new.kind = 'CAPITAL'"
SUSPENDED = "old.status = 'ACTIVE' and new.status = 'PAID_PENDING_CONFIRM'"
DROPPED = "new.stage = 'DROPPED'"
BOUNDARIES: list[tuple[str, Fact, Place]] = [
    ("read, not stored", a_payment, Place("insert", "premium_payments", committing=True)),
    ("stored, not settled", a_payment, Place("update", "purchase_orders", "new.status = 'ACTIVE'")),
    ("moved, not posted", a_payment, Place("insert", LEDGER, PAID)),
    ("posted, still queued", a_payment, Place("delete", "settle_queue")),
    ("posted, not committed", a_payment, Place("insert", LEDGER, PAID, committing=True)),
    ("read, not stored", a_stray_transfer, Place("insert", "usdc_transfers", committing=True)),
    ("stored, not booked", a_stray_transfer, Place("delete", "transfer_queue")),
    ("taken up, not posted", a_stray_transfer, Place("insert", LEDGER, RECEIVED)),
    ("moved, not earned", a_cover_is_over, Place("insert", LEDGER, EARNED)),
    ("posted, not committed", a_cover_is_over, Place("insert", LEDGER, EARNED, committing=True)),
    ("settled, not freed", a_cover_is_settled, Place("insert", LEDGER, FREED)),
    ("freed, not committed", a_cover_is_settled, Place("insert", LEDGER, FREED, committing=True)),
    ("seen, not stored", a_reorg, Place("update", "premium_payments", DROPPED, committing=True)),
    ("stored, not suspended", a_reorg, Place("update", "purchase_orders", SUSPENDED)),
    ("suspended, not reversed", a_reorg, Place("insert", LEDGER, UNPAID)),
    ("stored, not matched", a_refund_is_paid, Place("insert", "disbursements_made")),
    ("matched, not posted", a_refund_is_paid, Place("insert", LEDGER, REFUND_PAID)),
    ("posted, not committed", a_refund_is_paid, Place("insert", LEDGER, REFUND_PAID, committing=True)),
]


@pytest.mark.parametrize(
    ("fact", "place"),
    [pytest.param(fact, place, id=f"{fact.__name__}: {name}") for name, fact, place in BOUNDARIES],
)
async def test_a_worker_killed_there_leaves_no_fact_without_its_posting(
    town: Town, fact: Fact, place: Place
) -> None:
    gate = Gate(town.owner, place)
    legs = await fact(town, gate)
    await gate.somebody_stands()
    assert not await town.is_posted(legs)
    await town.kill_worker()
    await (gate.strike() if place.committing else gate.open())
    await town.posted(legs)
    await town.whole()


async def test_a_worker_killed_while_it_earns_a_day_of_cover_leaves_it_to_the_next_one(town: Town) -> None:
    """A worker earns when it takes over, and then every ten minutes: so it takes over three times here. The
    second one may come while the database still holds the order for the dead one, and pass it over."""
    order = await town.active("LIQPASS_30D")
    earned = f"{EARNED} and new.ref = '\\x{order.ref.hex()}'"
    gate = Gate(town.owner, Place("insert", LEDGER, earned, committing=True))
    legs = {("EARNED", order.ref): [order.premium // 30]}
    await gate.shut()
    await town.chain.warp(25 * 3600)
    seen = """select exists (select from chain_cursors, purchase_orders
        where purchase_order_id = $1 and latest_time > paid_at + interval '24.5 hours')"""
    await until(lambda: town.owner.fetchval(seen, order.ref), "the watcher has seen that time")
    await town.kill_worker()
    await gate.somebody_stands()
    assert not await town.is_posted(legs)
    await town.kill_worker()
    await gate.strike()
    await town.kill_worker()
    await town.posted(legs)
    await town.whole()


async def test_what_a_server_commits_for_a_worker_that_is_dead_is_not_done_again(town: Town) -> None:
    gate = Gate(town.owner, Place("insert", LEDGER, PAID, committing=True, to_its_end=True))
    legs = await a_payment(town, gate)
    await gate.somebody_stands()
    await town.kill_worker()
    await gate.open()
    assert await town.is_posted(legs)
    await town.whole()
    assert await town.is_posted(legs)


# Whoever asks the database for one statement and dies may have it finished by the server, or not: with it the
# order and the capital that it holds are both there, or neither.


@pytest.mark.parametrize("finished", [False, True], ids=["the server gives it up", "the server finishes it"])
async def test_the_api_killed_while_it_orders_leaves_an_order_with_its_capital_or_no_order(
    town: Town, finished: bool
) -> None:
    trader, bind_id = await town.bound("LIQPASS_24H")
    gate = Gate(town.owner, Place("insert", LEDGER, HELD, to_its_end=finished))
    await gate.shut()
    asking = asyncio.create_task(trader.create_order(bind_id))
    await gate.somebody_stands()
    await town.kill_api()
    await (gate.open() if finished else gate.strike())
    with pytest.raises(aiohttp.ClientError):
        await asking
    await town.start_api()
    listed = (await trader.call("GET", "/api/insurance/orders"))["orders"]
    assert len(listed) == finished
    order = Ordered(trader, bind_id, await trader.create_order(bind_id))
    assert not listed or listed[0]["purchaseOrderId"] == order.answer["purchaseOrderId"]
    await town.posted({("HELD", order.ref): [order.payout]})
    assert len((await trader.call("GET", "/api/insurance/orders"))["orders"]) == 1
    await town.whole()


async def test_the_api_killed_while_it_cancels_leaves_the_order_open_with_its_capital(town: Town) -> None:
    order = await town.order()
    gate = Gate(town.owner, Place("insert", LEDGER, FREED, committing=True))
    await gate.shut()
    body = {"purchaseOrderId": order.answer["purchaseOrderId"]}
    asking = asyncio.create_task(order.trader.call("POST", CANCEL, body))
    await gate.somebody_stands()
    await town.kill_api()
    await gate.strike()
    with pytest.raises(aiohttp.ClientError):
        await asking
    await town.start_api()
    assert (await order.trader.order(str(order.answer["purchaseOrderId"])))["status"] == "DRAFT"
    await town.posted({("HELD", order.ref): [order.payout]})
    assert (await order.trader.call("POST", CANCEL, body))["status"] == "CANCELLED"
    await town.posted({("HELD", order.ref): [order.payout, -order.payout]})
    await town.whole()


@pytest.mark.parametrize(
    ("words", "kind", "table"),
    [
        (("suspense", "refund", "{item}", "--by", "Ada", "--reason", "stray"), "REFUND", "disbursements"),
        (("pool", "deposit", "--from", "{item}", "--by", "Ada"), "CAPITAL", "pool_deposits"),
    ],
    ids=["a refund", "a deposit"],
)
async def test_a_command_killed_while_it_posts_has_decided_nothing(
    town: Town, words: tuple[str, ...], kind: str, table: str
) -> None:
    ref = await town.final_stray()
    item = f"{to_hex(ref[:32])}:{int.from_bytes(ref[32:], 'big')}"
    typed = [word.format(item=item) for word in words]
    gate = Gate(town.owner, Place("insert", LEDGER, f"new.kind = '{kind}'"))
    await gate.shut()
    async with command(town.env, town.folder, *typed) as process:
        await gate.somebody_stands()
        process.kill()
        await process.wait()
    await gate.open()
    assert await town.stands(kind, ref) == 0
    assert await town.owner.fetchval(f"select count(*) from {table} where ref = $1", ref) == 0
    async with command(town.env, town.folder, *typed) as process:
        assert await process.wait() == 0
    await town.posted({(kind, ref): [STRAY], ("RECEIVED", ref): [STRAY]})
    await town.whole()


async def test_a_worker_killed_while_it_cancels_what_ran_out_frees_the_capital_once(town: Town) -> None:
    """The last one here: after it the chain is ahead of us, and every quote has run out at once."""
    order = await town.order()
    gate = Gate(town.owner, Place("insert", LEDGER, FREED))
    await gate.shut()
    _, _, newest = await town.chain.block()
    await town.chain.warp(int(system_clock().timestamp()) + 90 - newest)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await gate.somebody_stands()
    await town.kill_worker()
    await gate.open()
    await town.posted({("HELD", order.ref): [order.payout, -order.payout]})
    await town.whole()
