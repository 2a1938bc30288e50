"""What the watcher stores while the same row is being taken from its queue: it waits, and is queued again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from liqpass.chain import sql as chain
from liqpass.db import Connection, Database
from liqpass.payments import sql as payments
from liqpass.treasury import sql as treasury

CHAIN = 31337
NOW = datetime(2026, 11, 22, tzinfo=UTC)
WAITING = """
    select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
"""
HASHES = [bytes([n]) * 32 for n in (3, 1, 2)]


async def store(conn: Connection, what: str, stage: str) -> None:
    """Payments, or transfers, in one statement, as the watcher does."""
    where: list[Any] = [HASHES, [0] * 3, [7] * 3, [bytes(32)] * 3, [NOW] * 3]
    wallets, amounts, stages = [bytes([9]) * 20] * 3, [5] * 3, [stage] * 3
    if what == "payment":
        await chain.put_payments(conn, CHAIN, NOW, *[*where, HASHES, wallets, amounts, stages])
    else:
        await chain.put_transfers(conn, CHAIN, NOW, *[*where, wallets, [None] * 3, amounts, stages])


async def take_payments(conn: Connection, at_most: int) -> list[bytes]:
    return [one.tx_hash for one in await payments.take_queue(conn, CHAIN, at_most, 0)]


async def take_transactions(conn: Connection, at_most: int) -> list[bytes]:
    return await treasury.take_queue(conn, CHAIN, at_most, 0)


async def leave_payments(conn: Connection, taken: list[bytes]) -> None:
    outcomes: Any = ["UNKNOWN_ORDER"] * len(taken)
    await payments.mark_settled(conn, CHAIN, taken, [0] * len(taken), outcomes, NOW)


async def leave_transactions(conn: Connection, taken: list[bytes]) -> None:
    await treasury.leave_queue(conn, CHAIN, taken)


WAYS = pytest.mark.parametrize(
    ("what", "take", "leave"),
    [
        pytest.param("payment", take_payments, leave_payments, id="payments to settle"),
        pytest.param("transfer", take_transactions, leave_transactions, id="transactions to book"),
    ],
)
Take = Callable[[Connection, int], Any]
Leave = Callable[[Connection, list[bytes]], Any]


async def until_it_waits(url: str) -> None:
    """Until somebody in this database waits for a lock: asked as the owner, who sees what everybody does."""
    owner = await asyncpg.connect(url)
    while not await owner.fetchval(WAITING):  # noqa: ASYNC110, the server tells nobody
        await asyncio.sleep(0.01)
    await owner.close()


@WAYS
async def test_a_change_waits_for_who_takes_the_row_and_is_queued_again(
    db: Database, database_url: str, what: str, take: Take, leave: Leave
) -> None:
    await db.run(lambda conn: store(conn, what, "SEEN"))
    async with db.transaction() as taker:
        taken = await take(taker, 2)
        assert taken == sorted(HASHES)[:2]
        change = asyncio.create_task(db.run(lambda conn: store(conn, what, "SAFE")))
        await asyncio.wait_for(until_it_waits(database_url), 10)
        await leave(taker, taken)
    await change
    assert await db.run(lambda conn: take(conn, 9)) == sorted(HASHES)


@WAYS
async def test_what_changes_is_passed_over_until_the_change_is_there(
    db: Database, what: str, take: Take, leave: Leave
) -> None:
    await db.run(lambda conn: store(conn, what, "SEEN"))
    async with db.transaction() as watcher:
        await store(watcher, what, "SAFE")
        assert await db.run(lambda conn: take(conn, 9)) == []
    assert await db.run(lambda conn: take(conn, 9)) == sorted(HASHES)
