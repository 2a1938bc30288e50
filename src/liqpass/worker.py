"""Everything that goes on in the background: one table of tasks, each with its period and its lock.

Any number of workers may run. Each task has one owner at a time: the one whose connection holds the
task's advisory lock. When the owner dies, its connection ends, the lock with it, and another worker takes
over within a second. The locks only spare work: each step is correct whoever runs it, however often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog

from liqpass.app import Clients
from liqpass.batches import Step, in_batches
from liqpass.chain import watcher
from liqpass.db import DATABASE_AWAY, SESSION, WAKE_CHANNEL
from liqpass.payments import settle
from liqpass.positions import bindings
from liqpass.reconcile import book_checks
from liqpass.reconcile.runs import reconcile_due
from liqpass.signin import sessions
from liqpass.treasury import booking
from liqpass.vault import api_accounts

log = structlog.get_logger()

LOCK_CLASS = 0x6C71  # "lq": the first half of the two-part advisory locks
TRY_LOCK = "select pg_try_advisory_lock($1, $2)"
# What a connection ends with that the server, or the way to it, gave up. The last is asyncpg's own state that
# was confused by it.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
RETRY_SEC = 1.0
ANSWER_SEC = 10.0


@dataclass(frozen=True)
class Task:
    """One background task: a step that is run every `period_sec`, or sooner when woken."""

    number: int
    name: str
    period_sec: float
    woken: bool
    step: Callable[[], Awaitable[object]]


def tasks_of(of: Clients) -> list[Task]:
    """The table of tasks. Numbers name locks: never use one again for something else."""
    chain = of.settings.chain
    return [
        Task(1, "watch", 1.0, True, partial(_watch, of)),
        Task(2, "settle", 0.5, True, partial(_all, of, settle.settle_changed)),
        Task(9, "book transfers", 0.5, True, partial(booking.step, of.db, of.nodes, chain, of.clock)),
        Task(3, "ask pending", 5.0, False, partial(settle.ask_pending, of.db, of.nodes, chain, of.clock)),
        Task(4, "late orders", 1.0, False, partial(_all, of, settle.cancel_late)),
        Task(7, "ended covers", 1.0, False, partial(_all, of, settle.expire_over)),
        Task(10, "earn", 600.0, False, partial(_all, of, settle.earn_daily)),
        Task(8, "unordered bindings", 10.0, False, partial(_unordered, of)),
        Task(5, "recheck keys", 300.0, False, partial(_recheck, of)),
        Task(6, "purge", 60.0, False, partial(_purge, of)),
        Task(11, "reconcile", 60.0, False, partial(reconcile_due, of.db, of.nodes, chain, of.clock)),
        Task(12, "check books", 30.0, False, partial(book_checks.check_due, of.db, of.clock)),
    ]


async def _watch(of: Clients) -> None:
    """One view of the chain; while it catches up, one after the other."""
    while True:
        report = await watcher.step(of.db, of.nodes, of.settings.chain, of.clock)
        if report.detail is not None:  # of a good view too: an endpoint that does not agree holds up payments
            log.warning("chain_view", outcome=report.outcome, detail=report.detail)
        if report.outcome != watcher.Outcome.GOOD or not report.blocks_left:
            return
        log.info("chain_catching_up", blocks_left=report.blocks_left)


async def _all(of: Clients, step: Step) -> None:
    """Until nothing is left to do for it on this chain."""
    chain_id = of.settings.chain.chain_id
    await in_batches(of.db, lambda conn, **part: step(conn, of.clock(), chain_id, **part), settle.BATCH)


async def _unordered(of: Clients) -> None:
    give_up = bindings.give_up_unordered
    await in_batches(of.db, lambda conn, **part: give_up(conn, of.clock(), **part), bindings.BATCH)


async def _recheck(of: Clients) -> None:
    await api_accounts.recheck_due(of.db, of.gateway, of.keyring, of.clock)


async def _purge(of: Clients) -> None:
    await of.db.run(lambda conn: sessions.purge(conn, of.clock()))


async def run_worker(of: Clients, url: str) -> None:
    """Run all tasks until cancelled. `url` is the database's: each task holds a connection of its own."""
    async with asyncio.TaskGroup() as group:
        for task in tasks_of(of):
            group.create_task(_own_and_run(task, url), name=task.name)


async def _own_and_run(task: Task, url: str) -> None:
    """Wait for the task's lock, run the task while the lock is held, begin again when it is lost."""
    while True:
        try:
            conn = await _connection(task, url)
        except LOST as error:
            log.warning("database_unavailable", task=task.name, error=type(error).__name__)
            await asyncio.sleep(RETRY_SEC)
            continue
        try:
            # Asked again and again, not waited for: a waiting statement would hold back vacuum for days.
            while not await conn.fetchval(TRY_LOCK, LOCK_CLASS, task.number):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_SEC)
            log.info("task_owned", task=task.name)
            await _run_while_owned(task, conn)
        except LOST as error:
            log.warning("task_lost", task=task.name, error=type(error).__name__)
            await asyncio.sleep(RETRY_SEC)
        finally:
            with suppress(*LOST):
                await conn.close(timeout=2)


async def _connection(task: Task, url: str) -> asyncpg.Connection:
    """The connection that holds the task's lock. One that does not answer in time counts as lost."""
    named = {**SESSION, "application_name": f"liqpass work: {task.name}"}
    return await asyncpg.connect(url, timeout=ANSWER_SEC, command_timeout=ANSWER_SEC, server_settings=named)


async def _run_while_owned(task: Task, conn: asyncpg.Connection) -> None:
    woken = asyncio.Event()
    conn.add_termination_listener(lambda _: woken.set())  # else a lost lock would show only after the period
    if task.woken:
        await conn.add_listener(WAKE_CHANNEL, lambda *_: woken.set())
    while True:
        woken.clear()
        await _step(task)
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), task.period_sec)
        await conn.execute("select 1")  # raises when the connection, and so the lock, is gone


async def _step(task: Task) -> None:
    """One step. What goes wrong is told and tried again: a task never ends by an error."""
    structlog.contextvars.bind_contextvars(task=task.name)
    try:
        await task.step()
    except DATABASE_AWAY as error:
        log.warning("step_failed", error=type(error).__name__)
    except Exception:
        log.exception("step_failed")
