"""Several people at the treasury's desk at the same moment, each with a database session of their own."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from liqpass.db import Connection
from liqpass.ledger.book import Account, chain_ref
from liqpass.problems import Problem
from liqpass.treasury import adopting, booking, disbursements, sql
from liqpass.treasury.adopting import RANDOM
from liqpass.treasury.holding import token_says_of
from tests.treasury.conftest import CAPITAL, Desk, ref_of_log
from tests.treasury.test_booking import seen

TO = b"\x5b" * 20
CROWD = 20
T = TypeVar("T")
Work = Callable[[Connection], Awaitable[object]]


WAITS = "select exists (select from pg_locks where not granted)"


async def overtaking(desk: Desk, first: Work, second: Awaitable[T]) -> T:
    """`second` begins when `first` has done everything but commit, and has to wait for it."""
    async with desk.db.transaction() as conn:
        await first(conn)
        waiting = asyncio.ensure_future(second)
        while not await desk.db.pool.fetchval(WAITS):
            assert not waiting.done(), "it did not wait"
            await asyncio.sleep(0.01)
    return await waiting


async def told(*calls: Awaitable[object]) -> Counter[str]:
    """All at once: what was done, and what refused. Anything else that goes wrong is raised."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Problem):
            raise answer
    return Counter("refused" if isinstance(answer, Problem) else "done" for answer in answers)


@pytest.fixture(params=["a transfer", "a payment", "the opening"])
async def item(request: pytest.FixtureRequest, desk: Desk) -> bytes:
    """60 micro-USDC, final in suspense."""
    if request.param == "the opening":
        opening = chain_ref(desk.chain.chain_id)
        await desk.deposit(CAPITAL - 60, opening)
        return opening
    send = desk.send(60) if request.param == "a transfer" else desk.pay_unknown_order(7, 60)
    ref = await send
    await desk.finalize()
    return ref


async def test_an_item_that_many_take_at_once_is_given_away_once(desk: Desk, item: bytes) -> None:
    before = await desk.books()
    calls: list[Awaitable[object]] = [desk.refund(item, to=TO) for _ in range(CROWD)]
    calls += [desk.deposit(60, item) for _ in range(CROWD)]
    assert await told(*calls) == {"done": 1, "refused": 2 * CROWD - 1}
    after = await desk.books()
    assert after["TREASURY"] == before["TREASURY"]
    assert before["SUSPENSE"] - after.get("SUSPENSE", 0) == 60


async def test_of_parts_that_are_taken_at_once_none_is_lost_and_none_is_too_much(
    desk: Desk, item: bytes
) -> None:
    free, due = await desk.balance(Account.POOL_FREE), await desk.balance(Account.REFUNDS_DUE)
    calls: list[Awaitable[object]] = [desk.refund(item, amount=7, to=TO) for _ in range(CROWD)]
    calls += [desk.deposit(7, item) for _ in range(CROWD)]
    assert await told(*calls) == {"done": 8, "refused": 2 * CROWD - 8}
    given = await desk.balance(Account.POOL_FREE) - free + await desk.balance(Account.REFUNDS_DUE) - due
    assert given == 56
    assert await told(desk.refund(item, amount=5, to=TO), desk.refund(item, amount=4, to=TO)) == {
        "done": 1,
        "refused": 1,
    }


async def test_refunds_taken_back_and_made_at_once_leave_what_is_due(desk: Desk, item: bytes) -> None:
    asked = [await desk.refund(item, amount=10, to=TO) for _ in range(6)]
    calls: list[Awaitable[object]] = [desk.cancel(str(one.id)) for one in asked for _ in range(3)]
    calls += [desk.refund(item, amount=10, to=TO) for _ in range(6)]
    ended = await told(*calls)
    open_now = await desk.db.pool.fetchval(
        "select count(*) from disbursements where cancelled_at is null and purpose = 'REFUND'"
    )
    assert ended["done"] == 6 + open_now
    assert await desk.balance(Account.REFUNDS_DUE) == 10 * open_now


async def test_a_refund_is_paid_or_taken_back_and_never_both(desk: Desk) -> None:
    ref = await desk.send(60)
    await desk.finalize()
    for _ in range(6):
        asked = await desk.refund(ref)
        # as the watcher would store it, in one statement with the queue
        paid = desk.db.pool.execute(
            """insert into usdc_transfers (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
                   sender, recipient, amount, stage, changed_at)
               values ($1, $2, 0, 5, $2, now(), $3, $4, 60, 'SAFE', now())""",
            desk.chain.chain_id,
            asked.id.bytes * 2,
            desk.chain.treasury,
            asked.recipient,
        )
        await told(paid, desk.cancel(str(asked.id)), desk.book())
        await desk.book()
        made, cancelled = await desk.db.pool.fetchval(
            """select array[exists (select from disbursements_made where disbursement_id = $1),
                   cancelled_at is not null] from disbursements where id = $1""",
            asked.id,
        )
        assert made != cancelled
        assert await desk.balance(Account.REFUNDS_DUE) == 0
        await desk.db.pool.execute(
            "update usdc_transfers set stage = 'DROPPED' where tx_hash = $1", asked.id.bytes * 2
        )
        await desk.book()
        if made:
            await desk.cancel(str(asked.id))


async def test_who_cancels_waits_for_the_booking_that_pays_it_and_is_refused(desk: Desk) -> None:
    asked = await desk.refund(chain_ref(desk.chain.chain_id), amount=60, to=TO)
    await seen(desk, 0, 60, to=TO)
    first = partial(booking.book, now=desk.clock(), chain_id=desk.chain.chain_id)
    with pytest.raises(Problem, match="was paid by"):
        await overtaking(desk, first, desk.cancel(str(asked.id)))
    assert await desk.balance(Account.REFUNDS_DUE) == 0


async def test_of_two_who_cancel_a_withdrawal_the_second_is_told(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    asked = await desk.withdraw(60, TO)
    first = partial(
        disbursements.cancel, now=desk.clock(), chain=desk.settings, text=str(asked.id), by="Bob", reason="b"
    )
    with pytest.raises(Problem, match="was cancelled already"):
        await overtaking(desk, first, desk.cancel(str(asked.id)))
    assert await desk.db.pool.fetchval("select cancelled_by from disbursements") == "Bob"


async def test_two_bookings_of_transfers_that_are_alike_give_one_of_them_the_refund(desk: Desk) -> None:
    await desk.refund(chain_ref(desk.chain.chain_id), amount=60, to=TO)
    for number in range(2):
        await seen(desk, 0, 60, tx=bytes([number]) * 32, to=TO)
    first = partial(booking.book, now=desk.clock(), chain_id=desk.chain.chain_id, at_most=1)
    second = desk.db.run(lambda conn: booking.book(conn, desk.clock(), desk.chain.chain_id))
    assert await overtaking(desk, first, second) == 1
    assert (await desk.balance(Account.REFUNDS_DUE), await desk.balance(Account.OUTFLOW_UNEXPLAINED)) == (
        0,
        60,
    )


async def test_a_transfer_that_many_adopt_at_once_pays_no_more_than_it_is(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    asked = [await desk.refund(opening, amount=50, to=TO) for _ in range(3)]
    receipt = await desk.chain.transfer(desk.chain.treasury_wallet, TO, 90)
    await desk.finalize()
    ref = ref_of_log(receipt["logs"][0])

    def adopt(due: disbursements.Asked) -> Awaitable[object]:
        return desk.db.run(
            lambda conn: adopting.adopt(
                conn,
                desk.clock(),
                os.urandom(RANDOM),
                desk.settings,
                ref,
                [str(due.id)],
                by="Ada",
                reason="both",
            )
        )

    assert await told(*map(adopt, asked)) == {"done": 2, "refused": 1}
    assert (await desk.balance(Account.REFUNDS_DUE), await desk.balance(Account.OUTFLOW_UNEXPLAINED)) == (
        60,
        0,
    )


async def test_what_booking_has_just_found_to_pay_another_due_is_not_adopted(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    receipt = await desk.chain.transfer(desk.chain.treasury_wallet, TO, 60)
    await desk.finalize()
    other, _ = await desk.refund(opening, amount=80, to=TO), await desk.refund(opening, amount=60, to=TO)
    await desk.db.run(lambda conn: sql.queue_what_may_be_due(conn, desk.chain.chain_id))
    first = partial(booking.book, now=desk.clock(), chain_id=desk.chain.chain_id)
    ref, name = ref_of_log(receipt["logs"][0]), str(other.id)
    second = desk.db.run(
        lambda conn: adopting.adopt(
            conn, desk.clock(), os.urandom(RANDOM), desk.settings, ref, [name], by="Ada", reason="both"
        )
    )
    with pytest.raises(Problem, match=f"is left for {other.id}"):
        await overtaking(desk, first, second)
    assert await desk.balance(Account.REFUNDS_DUE) == 80


async def test_two_batches_at_once_hold_every_refund_once(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    for _ in range(3):
        await desk.refund(opening, amount=5, to=TO)
    said = await token_says_of(desk.nodes, desk.settings, {TO: 5})
    first = partial(disbursements.batch, now=desk.clock(), chain=desk.settings, said=said, again=False)
    second = await overtaking(desk, first, desk.batch())
    assert (len(second.included), len(second.batched)) == (0, 3)


async def test_no_more_is_withdrawn_at_once_than_is_free(desk: Desk) -> None:
    await desk.deposit(60, chain_ref(desk.chain.chain_id))
    assert await told(*(desk.withdraw(7, TO) for _ in range(CROWD))) == {"done": 8, "refused": CROWD - 8}
    assert await desk.balance(Account.WITHDRAWALS_DUE) == 56
    assert await desk.db.pool.fetchval("select count(*) from disbursements") == 8
