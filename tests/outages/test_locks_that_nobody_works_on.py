"""Somebody idle has the locks of all tasks, and whoever took them is gone: workers say who stands there."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import structlog

from liqpass.worker import LOCK_CLASS, run_worker, tasks_of
from tests.world import TestWorld

SPARE_SEC = 60


@pytest.fixture
async def left_behind(world: TestWorld, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that has every task's lock and does nothing."""
    named = {"application_name": "somebody's pooler"}
    conn = await asyncpg.connect(database_url, server_settings=named)
    for task in tasks_of(world.of):
        await conn.execute(f"select pg_advisory_lock({LOCK_CLASS}, {task.number})")
    yield conn
    await conn.close()


async def test_a_worker_that_owns_nothing_says_who_does_and_works_when_that_is_gone(
    world: TestWorld, left_behind: asyncpg.Connection
) -> None:
    pid = await left_behind.fetchval("select pg_backend_pid()")
    with structlog.testing.capture_logs() as logs:
        worker = asyncio.create_task(run_worker(world.of, idle_sec=0.01))
        try:
            await _heard(logs, "owns_no_task", 1)
            await left_behind.close()
            await _heard(logs, "task_owned", len(tasks_of(world.of)))
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    (told, *more) = [entry for entry in logs if entry["event"] == "owns_no_task"]
    assert told["owners"] == [
        f'{task.name}: pid {pid}, "somebody\'s pooler" from its own machine'
        for task in sorted(tasks_of(world.of), key=lambda task: task.number)
    ]
    assert told["log_level"] == "warning"
    assert "pg_terminate_backend" in told["action"]
    assert all(entry["owners"] != told["owners"] for entry in more)  # once, until it is somebody else


async def _heard(logs: list[structlog.typing.EventDict], event: str, times: int) -> None:
    for _ in range(SPARE_SEC * 50):
        if sum(entry["event"] == event for entry in logs) >= times:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"in vain: {event} {logs}")
