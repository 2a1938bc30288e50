"""Many claims and many workers: each gets its turn, nothing is lost, and nothing is done twice."""

import asyncio

import asyncpg
import pytest

from liqpass.claims import sql as claims_sql
from liqpass.claims.states import ClaimStatus
from liqpass.db import DATABASE_AWAY
from liqpass.gathering import sql
from liqpass.gathering.asking import Gathered
from liqpass.gathering.deciding import note
from liqpass.gathering.step import gather_due
from liqpass.gathering.troubles import Trouble
from tests.gathering.desk import BTC, ETH, Cover, Desk

# Whoever waits for a lock.
CUT_OFF = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
"""
FOUND = ["OPEN", "GATHERING", "PAYABLE"]


async def liquidated(desk: Desk) -> Cover:
    """Wholly; its claim is open."""
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.open(cover)
    return cover


async def taken(desk: Desk, cover: Cover) -> None:
    """Until somebody asks about it."""
    while (await desk.claim(cover)).ask_at == desk.clock():  # noqa: ASYNC110, another task's row
        await asyncio.sleep(0.01)


async def test_two_workers_at_once_ask_once(desk: Desk) -> None:
    cover = await liquidated(desk)
    assert sum(await asyncio.gather(*(desk.gather() for _ in range(4)))) == 1
    assert await desk.moves(cover) == FOUND
    assert len(await desk.evidence(cover)) == 8


async def test_whoever_dies_while_asking_leaves_it_to_the_next(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.exchange.faults.lag(30, count=1)
    asking = asyncio.create_task(desk.gather())
    await taken(desk, cover)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await desk.gather() == 0, "for a while it is taken"
    assert (await desk.status(cover), await desk.evidence(cover)) == (ClaimStatus.OPEN, [])
    desk.clock.advance(minutes=6)
    assert await desk.gather() == 1
    assert await desk.moves(cover) == FOUND


async def test_answers_that_cannot_be_kept_are_asked_for_again_soon(desk: Desk, database_url: str) -> None:
    cover = await liquidated(desk)
    owner = await asyncpg.connect(database_url)
    async with owner.transaction():
        await owner.execute("lock table claim_evidence in exclusive mode")
        asking = asyncio.create_task(desk.gather())
        while not await owner.fetchval(CUT_OFF):  # noqa: ASYNC110, another connection
            await asyncio.sleep(0.01)
        with pytest.raises(DATABASE_AWAY):
            await asking
    await owner.close()
    assert (await desk.status(cover), await desk.evidence(cover)) == (ClaimStatus.OPEN, [])
    desk.clock.advance(seconds=2)
    assert await desk.gather() == 1
    assert await desk.moves(cover) == FOUND


async def test_what_happens_while_the_exchange_is_asked_is_asked_about_again(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    desk.exchange.faults.lag(0.3, path="public/instruments", count=1)
    asking = asyncio.create_task(desk.gather())
    await taken(desk, cover)
    await desk.ask_soon(cover)
    await asking
    claim = await desk.claim(cover)
    assert (claim.status, claim.ask_at) == (ClaimStatus.GATHERING, desk.clock())


async def test_an_answer_that_comes_after_another_workers_is_dropped(desk: Desk) -> None:
    cover = await liquidated(desk)
    seen = await desk.claim(cover)
    await desk.gather()
    async with desk.db.transaction() as conn:
        order = await claims_sql.case_order(conn, cover.user, cover.order_id)
        assert order is not None
        assert not await note(conn, desk.clock(), seen, order, Gathered(trouble=Trouble.UNANSWERED))
    assert (await desk.claim(cover)).trouble is None


async def test_the_claims_of_one_account_leave_turns_to_others(desk: Desk) -> None:
    first = [await desk.cover("reads one", inst) for inst in (BTC, ETH)]
    other = await desk.cover("reads three", owner=2)
    for cover in (*first, other):
        await desk.open(cover)
        desk.clock.advance(seconds=1)
    async with desk.db.pool.acquire() as conn:
        due = await sql.due_claims(conn, desk.clock(), [], 2)
    assert [each.user_id for each in due] == [first[0].user, other.user]


async def test_all_of_them_are_gathered_in_one_step(desk: Desk) -> None:
    covers = [
        await desk.cover(label, inst, owner=owner)
        for owner, label in enumerate(("reads one", "reads three", "reads four"), 1)
        for inst in (BTC, ETH)
    ]
    for cover in covers:
        desk.exchange.books.liquidate(cover.uid, cover.position.inst_id)
        await desk.open(cover)
    assert await desk.gather() == 6
    assert [await desk.moves(cover) for cover in covers] == [FOUND] * 6


async def test_a_region_that_is_down_takes_no_turns_from_another(desk: Desk) -> None:
    down = [await desk.cover(label, inst) for label in ("reads one", "reads three") for inst in (BTC, ETH)]
    other = await desk.cover("reads EEA", owner=2)
    for cover in down:
        await desk.open(cover)
    desk.clock.advance(seconds=1)
    desk.exchange.books.liquidate(other.uid, BTC)
    await desk.open(other)
    desk.exchange.faults.outage(3600, region="global")
    for _ in range(3):
        await gather_due(desk.db, desk.gateway, desk.keyring, desk.clock, at_most=2, at_once=1)
    assert await desk.moves(other) == FOUND
    await desk.gather_for(minutes=2)
    assert {(await desk.claim(cover)).trouble for cover in down} == {Trouble.UNANSWERED}
