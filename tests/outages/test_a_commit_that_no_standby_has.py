"""Where commits wait for a standby and there is none, nobody is shown what may still be lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from liqpass.connecting import connect_as_owner
from liqpass.db import open_database
from liqpass.embedded import embedded_postgres

WAITS = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
SPARE_SEC = 60


@pytest.fixture
async def alone() -> AsyncIterator[str]:
    """The address of a server that waits for a standby, of which there is none."""
    with TemporaryDirectory(prefix="liqpass-tests-") as data, embedded_postgres(Path(data)) as server:
        owner = await asyncpg.connect(server.url)
        await owner.execute("create table told (number int)")
        await owner.execute("alter system set synchronous_standby_names = 'standby'")
        await owner.execute("select pg_reload_conf()")
        yield server.url
        await owner.execute("alter system reset synchronous_standby_names")
        await owner.execute("select pg_reload_conf()")
        await owner.close()


async def test_who_waits_no_longer_for_a_commit_makes_nobody_see_it(alone: str) -> None:
    writer, reader = [await connect_as_owner(alone, name="test") for _ in range(2)]
    writing = asyncio.create_task(writer.execute("insert into told values (1)"))
    for _ in range(SPARE_SEC * 20):
        if await reader.fetchval(WAITS):
            break
        await asyncio.sleep(0.05)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        await writer.close(timeout=5)
    assert await reader.fetchval("select count(*) from told") == 0
    assert await reader.fetchval(WAITS) == 1
    await reader.close()


async def test_who_hangs_up_amid_a_statement_ends_it(alone: str) -> None:
    looker, reader = [await connect_as_owner(alone, name="test") for _ in range(2)]
    pid = looker.get_server_pid()
    looking = asyncio.create_task(looker.execute("select pg_sleep(3600)"))
    runs = f"select count(*) from pg_stat_activity where pid = {pid} and wait_event = 'PgSleep'"
    while not await reader.fetchval(runs):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    for _ in range(SPARE_SEC * 20):
        if not await reader.fetchval(runs):
            break
        await asyncio.sleep(0.05)
    assert not await reader.fetchval(runs)
    await reader.close()


@pytest.mark.parametrize("one_statement", [True, False])
async def test_who_hangs_up_is_told_nothing_else(database_url: str, one_statement: bool) -> None:
    db = await open_database(database_url, name="test", size=3)
    for turn in range(200):
        work = asyncio.create_task(
            db.run(lambda conn: conn.execute("select pg_sleep(0.05)"), one_statement=one_statement)
        )
        for _ in range(turn % 20):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert await db.run(lambda conn: conn.fetchval("select 1")) == 1
    await db.close()
