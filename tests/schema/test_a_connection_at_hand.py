"""The connection that was used last stays at hand for the next request, and is in nobody's way."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from liqpass.db import Connection, Database, open_database

PID = "select pg_backend_pid()"


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Database]:
    """A pool of a single connection: whoever keeps it keeps everybody out."""
    database = await open_database(database_url, name="test", size=1)
    yield database
    await database.close()


async def pid(conn: Connection) -> int:
    found: int = await conn.fetchval(PID)
    return found


def is_taken(db: Database) -> bool:
    """The only connection, from the pool."""
    return db.pool.get_idle_size() == 0


async def test_it_stays_taken_for_who_comes_next_and_goes_back_when_nobody_does(one: Database) -> None:
    first = await one.run(pid, one_statement=True)
    assert is_taken(one)
    assert await one.run(pid, one_statement=True) == first
    while is_taken(one):  # noqa: ASYNC110, the pool tells nobody
        await asyncio.sleep(0.01)
    assert await one.run(pid, one_statement=True) == first


async def test_one_that_was_given_back_is_no_end_of_it(one: Database) -> None:
    await one.run(pid, one_statement=True)
    await one.at_hand.give_back()
    assert not is_taken(one)
    await one.run(pid, one_statement=True)
    assert is_taken(one)
    async with one.transaction() as conn:
        assert await pid(conn)


async def test_who_is_to_connect_anew_does_not_get_it(one: Database) -> None:
    first = await one.run(pid, one_statement=True)
    await one.connect_anew()
    assert await one.run(pid, one_statement=True) != first


async def test_nor_does_it_stay_where_it_was_in_use_meanwhile(one: Database) -> None:
    async def work(conn: Connection) -> int:
        await one.connect_anew()
        return await pid(conn)

    assert await one.run(work, one_statement=True) != await one.run(pid, one_statement=True)


async def test_who_needs_it_for_something_else_gets_it(one: Database) -> None:
    first = await one.run(pid, one_statement=True)
    async with one.transaction() as conn:
        assert await pid(conn) == first


async def test_who_comes_while_it_is_in_use_gets_another_one(db: Database) -> None:
    both = asyncio.Barrier(2)

    async def met(conn: Connection) -> int:
        await both.wait()
        return await pid(conn)

    for _ in range(2):
        seen = await asyncio.gather(*(db.run(met, one_statement=True) for _ in range(2)))
        assert len(set(seen)) == 2
    assert db.pool.get_size() - db.pool.get_idle_size() == 1


async def test_one_that_was_cut_meanwhile_is_not_used(one: Database, database_url: str) -> None:
    cut = await one.run(pid, one_statement=True)
    owner = await asyncpg.connect(database_url)
    await owner.execute("select pg_terminate_backend($1, 10000)", cut)
    await owner.close()
    await asyncio.sleep(0.05)  # what the server said is read
    assert await one.run(pid, one_statement=True) != cut


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_one_on_which_something_failed_goes_back_at_once(one: Database, how: str) -> None:
    begun = asyncio.Event()

    async def work(conn: Connection) -> None:
        begun.set()
        await conn.execute("select 1 / 0" if how == "fails" else "select pg_sleep(60)")

    task = asyncio.create_task(one.run(work, one_statement=True))
    await begun.wait()
    if how == "is cancelled":
        task.cancel()
    with pytest.raises((asyncpg.DivisionByZeroError, asyncio.CancelledError)):
        await task
    async with one.transaction() as conn:
        assert await pid(conn)


@pytest.mark.parametrize("in_use", [False, True])
async def test_the_end_does_not_wait_for_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch, in_use: bool
) -> None:
    db = await open_database(database_url, name="test", size=1)
    forced: list[bool] = []
    monkeypatch.setattr(asyncpg.Pool, "terminate", lambda _: forced.append(True))
    goes_on = asyncio.Event()

    async def work(conn: Connection) -> int:
        await goes_on.wait()
        return await pid(conn)

    await db.run(pid, one_statement=True)
    assert is_taken(db)
    last = asyncio.create_task(db.run(work, one_statement=True)) if in_use else None
    await asyncio.sleep(0)
    closing = asyncio.create_task(db.close())
    while not db.pool.is_closing():  # noqa: ASYNC110, the pool tells nobody
        await asyncio.sleep(0)
    goes_on.set()
    await closing
    assert last is None or await last
    assert not forced
