"""What comes into the treasury and leaves it is in the books one step after it is safe, once, and undone when
the chain undoes it."""

import asyncio

import asyncpg
import pytest

from liqpass.hexes import to_hex
from liqpass.ledger.book import Account
from liqpass.treasury import booking
from liqpass.treasury.suspense import said
from tests.treasury.conftest import CAPITAL, Desk

TO = b"\x5b" * 20
WAITS = "select exists (select from pg_locks where not granted)"


async def raw_of(desk: Desk, tx_hash: bytes) -> bytes:
    """A transaction as it was sent."""
    return bytes.fromhex((await desk.chain.rpc("eth_getRawTransactionByHash", [to_hex(tx_hash)]))[2:])


async def made(desk: Desk) -> list[bytes]:
    """The transactions that made disbursements."""
    return [row["tx_hash"] for row in await desk.db.pool.fetch("select tx_hash from disbursements_made")]


async def test_a_stray_transfer_is_in_suspense_once_it_is_safe_with_its_sender(desk: Desk) -> None:
    ref = await desk.send(70, desk.chain.wallets[3])
    await desk.work()
    assert await desk.in_suspense() == []
    await desk.confirm()
    (item,) = await desk.in_suspense()
    assert (item.ref, item.sender, item.remaining) == (ref, desk.chain.wallets[3].address, 70)
    assert await desk.books() == {"TREASURY": CAPITAL + 70, "SUSPENSE": CAPITAL + 70}


async def test_a_payment_for_no_order_of_ours_is_in_suspense_once_and_not_twice(desk: Desk) -> None:
    ref = await desk.pay_unknown_order(7, 300)
    await desk.confirm()
    (item,) = await desk.in_suspense()
    assert (item.ref, item.sender, item.remaining) == (ref, desk.chain.wallets[0].address, 300)
    assert said(item, desk.settings) == f"paid through the checkout for order 0x{7:064x}, which is not ours"
    assert await desk.balance(Account.TREASURY) == CAPITAL + 300


async def test_a_reorg_takes_it_out_of_the_books_and_the_next_block_brings_it_back(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.confirm()
    raw = await raw_of(desk, ref[:32])
    await desk.chain.reorg(5)
    await desk.work()
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}
    assert await desk.in_suspense() == []
    await desk.chain.send_raw(raw)
    await desk.confirm()
    assert [item.remaining for item in await desk.in_suspense()] == [70]


async def test_booking_all_of_it_again_changes_nothing(desk: Desk) -> None:
    await desk.send(70)
    await desk.pay_unknown_order(7, 300)
    await desk.finalize()
    await desk.refund((await desk.in_suspense())[0].ref)
    await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.pay_out(TO, 5)
    await desk.finalize()
    books, legs = await desk.books(), await desk.legs()
    assert books == {
        "TREASURY": CAPITAL + 295,
        "SUSPENSE": CAPITAL + 300,
        "OUTFLOW_UNEXPLAINED": 5,
    }
    for _ in range(2):
        await desk.queue_everything()
        await desk.book()
        assert (await desk.books(), await desk.legs(), await desk.waiting()) == (books, legs, 0)


async def test_what_left_for_no_known_reason_is_named_so(desk: Desk) -> None:
    await desk.pay_out(TO, 5)
    await desk.confirm()
    assert await desk.books() == {
        "TREASURY": CAPITAL - 5,
        "OUTFLOW_UNEXPLAINED": 5,
        "SUSPENSE": CAPITAL,
    }


async def test_a_refunds_transfer_is_found_and_posted_by_itself(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    await desk.refund(ref)
    assert await desk.balance(Account.REFUNDS_DUE) == 70
    tx_hash = await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.confirm()
    assert await made(desk) == [tx_hash]
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


async def test_a_withdrawals_transfer_is_found_and_posted_by_itself(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    await desk.withdraw(100, TO)
    assert await desk.books() == {
        "TREASURY": CAPITAL,
        "POOL_FREE": CAPITAL - 100,
        "WITHDRAWALS_DUE": 100,
    }
    await desk.pay_out(TO, 100)
    await desk.confirm()
    assert await desk.books() == {"TREASURY": CAPITAL - 100, "POOL_FREE": CAPITAL - 100}


@pytest.mark.parametrize("amount", [69, 71])
async def test_a_transfer_of_another_amount_is_no_refund(desk: Desk, amount: int) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    await desk.refund(ref)
    await desk.pay_out(desk.chain.wallets[0].address, amount)
    await desk.confirm()
    assert await made(desk) == []
    assert await desk.balance(Account.OUTFLOW_UNEXPLAINED) == amount


async def test_a_transfer_made_by_hand_before_its_refund_was_asked_for_becomes_the_refund(
    desk: Desk,
) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    tx_hash = await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.finalize()
    assert await desk.balance(Account.OUTFLOW_UNEXPLAINED) == 70
    assert (await desk.refund(ref)).shown == tx_hash
    await desk.book()
    assert await made(desk) == [tx_hash]
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


async def test_of_two_refunds_that_are_alike_one_transfer_makes_the_older(desk: Desk) -> None:
    refs = [await desk.send(70), await desk.send(70)]
    await desk.finalize()
    asked = [(await desk.refund(ref)).id for ref in refs]
    await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.confirm()
    rows = await desk.db.pool.fetch("select disbursement_id from disbursements_made")
    assert [row["disbursement_id"] for row in rows] == asked[:1]
    assert await desk.balance(Account.REFUNDS_DUE) == 70
    await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.confirm()
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


async def test_a_reorg_of_a_refund_opens_it_again_and_its_next_block_makes_it(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    await desk.refund(ref)
    tx_hash = await desk.pay_out(desk.chain.wallets[0].address, 70)
    await desk.confirm()
    raw = await raw_of(desk, tx_hash)
    await desk.chain.reorg(5)
    await desk.work()
    assert await made(desk) == []
    assert await desk.balance(Account.REFUNDS_DUE) == 70
    await desk.chain.send_raw(raw)
    await desk.confirm()
    assert await made(desk) == [tx_hash]
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


# What no chain of ours shows by itself is written into the database as the watcher would.

SEEN_BY_HAND = """
    insert into usdc_transfers (chain_id, tx_hash, log_index, block_number, block_hash, block_time, sender,
        recipient, amount, stage, changed_at)
    values ($1, $2, $3, 5, $4, now(), $5, $6, $7, $8, now())
    on conflict (chain_id, tx_hash, log_index) do update set stage = excluded.stage
"""
PAID_BY_HAND = """
    insert into premium_payments (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
        purchase_order_id, payer, amount, stage, changed_at)
    values ($1, $2, $3, 5, $4, now(), $5, $6, $7, $8, now())
    on conflict (chain_id, tx_hash, log_index) do update set stage = excluded.stage
"""
TX, BLOCK, SENDER, ORDER = b"\x0a" * 32, b"\xbb" * 32, b"\xad" * 20, b"\x07" * 32


async def seen(
    desk: Desk,
    log_index: int,
    amount: int,
    *,
    tx: bytes = TX,
    to: bytes | None = None,
    stage: str = "SAFE",
) -> None:
    args = (desk.chain.chain_id, tx, log_index, BLOCK, SENDER, to, amount, stage)
    await desk.db.pool.execute(SEEN_BY_HAND, *args)


async def paid(desk: Desk, log_index: int, amount: int, *, stage: str = "SAFE") -> None:
    args = (desk.chain.chain_id, TX, log_index, BLOCK, ORDER, SENDER, amount, stage)
    await desk.db.pool.execute(PAID_BY_HAND, *args)


async def test_a_payment_that_shows_up_later_takes_its_transfer_out_of_suspense(desk: Desk) -> None:
    await seen(desk, 1, 70)
    await desk.book()
    assert await desk.balance(Account.SUSPENSE) == CAPITAL + 70
    await paid(desk, 2, 70)
    await desk.settle()
    await desk.book()
    (item,) = await desk.in_suspense()
    assert (item.log_index, item.remaining) == (2, 70)
    assert await desk.balance(Account.TREASURY) == CAPITAL + 70


async def test_a_payment_is_settled_before_its_transfers_are_booked(desk: Desk) -> None:
    """After a reorg the place of one log may hold the other: what came in there is said by both."""
    await seen(desk, 1, 70)
    await paid(desk, 2, 70)
    await desk.settle()
    await desk.book()
    await seen(desk, 1, 70, stage="DROPPED")
    await paid(desk, 2, 70, stage="DROPPED")
    await seen(desk, 2, 70)
    await paid(desk, 3, 70)
    await desk.book()
    assert await desk.waiting() == 1
    await desk.settle()
    await desk.book()
    assert await desk.waiting() == 0
    (item,) = await desk.in_suspense()
    assert (item.log_index, item.remaining) == (3, 70)
    await paid(desk, 3, 70, stage="DROPPED")
    await desk.settle()
    await desk.book()
    (item,) = await desk.in_suspense()
    assert (item.log_index, item.remaining, item.purchase_order_id) == (2, 70, None)


async def test_a_transfer_that_cannot_be_booked_yet_holds_up_no_other(desk: Desk) -> None:
    await seen(desk, 0, 3 * CAPITAL, tx=b"\x01" * 32, to=TO)
    await seen(desk, 0, 70, tx=b"\x02" * 32)
    await desk.book()
    assert (await desk.waiting(), await desk.balance(Account.SUSPENSE)) == (1, CAPITAL + 70)
    await seen(desk, 0, 2 * CAPITAL, tx=b"\x03" * 32)
    await desk.book()
    assert (await desk.waiting(), await desk.balance(Account.TREASURY)) == (0, 70)


async def test_one_step_books_more_than_one_batch(desk: Desk) -> None:
    for number in range(booking.BATCH + 5):
        await seen(desk, 0, 1, tx=number.to_bytes(32, "big"))
    await desk.book()
    assert (await desk.waiting(), await desk.balance(Account.SUSPENSE)) == (0, CAPITAL + booking.BATCH + 5)


async def test_workers_that_book_at_once_post_everything_once(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    await desk.refund(ref)
    for number in range(40):
        await seen(desk, 0, 70, tx=number.to_bytes(32, "big"), to=desk.chain.wallets[0].address)
    await asyncio.gather(*(desk.book() for _ in range(8)))
    await desk.book()
    assert len(await made(desk)) == 1
    assert await desk.books() == {
        "TREASURY": CAPITAL + 70 - 40 * 70,
        "OUTFLOW_UNEXPLAINED": 39 * 70,
        "SUSPENSE": CAPITAL,
    }


async def test_a_change_that_comes_while_a_transfer_is_booked_is_booked_after_it(desk: Desk) -> None:
    await seen(desk, 0, 70)
    async with desk.db.transaction() as conn:
        assert await booking.book(conn, desk.clock(), desk.chain.chain_id) == 1
        gone = asyncio.create_task(seen(desk, 0, 70, stage="DROPPED"))
        while not await desk.db.pool.fetchval(WAITS):  # noqa: ASYNC110, nobody tells
            await asyncio.sleep(0.01)
    await gone
    assert await desk.balance(Account.SUSPENSE) == CAPITAL + 70
    await desk.book()
    assert await desk.balance(Account.SUSPENSE) == CAPITAL


async def test_when_the_transfer_of_a_refund_is_gone_another_that_waits_makes_it(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    await desk.refund(ref)
    for number in range(2):
        await seen(desk, 0, 70, tx=bytes([number]) * 32, to=desk.chain.wallets[0].address)
    await desk.book()
    assert await made(desk) == [bytes(32)]
    assert await desk.balance(Account.OUTFLOW_UNEXPLAINED) == 70
    await seen(desk, 0, 70, tx=bytes(32), to=desk.chain.wallets[0].address, stage="DROPPED")
    await desk.book()
    await desk.book()
    assert await made(desk) == [b"\x01" * 32]
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


async def test_no_worker_can_write_that_one_disbursement_was_made_twice(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.finalize()
    asked = await desk.refund(ref)
    for number in range(2):
        await seen(desk, 0, 70, tx=number.to_bytes(32, "big"), to=TO)
    twice = (
        "insert into disbursements_made (chain_id, tx_hash, log_index, disbursement_id, made_at) "
        "select chain_id, tx_hash, log_index, $1, now() from usdc_transfers where recipient = $2"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.db.pool.execute(twice, asked.id, TO)
