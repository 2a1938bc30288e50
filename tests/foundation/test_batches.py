"""Work that is due, when all of it fails."""

import asyncio

import pytest

from liqpass import batches
from liqpass.db import Connection, Database

FAILS = 250


async def test_where_nothing_can_be_done_it_is_tried_again_ever_more_slowly_until_it_can(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is missing fails for each piece, whichever comes next: tried without a pause, that takes a
    processor and writes hundreds of tracebacks a second into the log."""
    waited: list[float] = []
    tried = 0

    async def step(conn: Connection, *, at_most: int, passing_over: int) -> int:
        nonlocal tried
        tried += 1
        if tried <= FAILS:
            await conn.execute("select 1 from a_table_that_is_missing")
        return 0

    real_sleep, own = asyncio.sleep, asyncio.current_task()

    async def sleep(seconds: float) -> None:
        if asyncio.current_task() is not own:  # the database's own task waits, too
            return await real_sleep(seconds)
        waited.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await batches.in_batches(db, step, 100)
    assert len(waited) == FAILS - 1  # each of them alone, after all together
    assert waited == sorted(waited)
    assert (waited[0] <= 0.01, waited[-1]) == (True, 1.0)
