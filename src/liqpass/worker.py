"""Everything that goes on in the background: one table of tasks, each with its period and its lock.

Any number of workers may run. Each task has one owner at a time: the one whose connection holds the
task's advisory lock. When the owner dies, its connection ends, the lock with it, and another worker takes
over within a second. The locks only spare work: each step is correct whoever runs it, however often.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog
from prometheus_client import Gauge

from liqpass.app import Clients
from liqpass.batches import Step, failures, in_batches
from liqpass.chain import watcher
from liqpass.claims import settling
from liqpass.connecting import LOST, Way, WrongSession, connect
from liqpass.db import DATABASE_AWAY, WAKE_CHANNEL, end_if_told
from liqpass.disclosure.figures import publish_due
from liqpass.exposure import breaker
from liqpass.gathering.step import gather_due
from liqpass.ids import RANDOM_BYTES
from liqpass.market.standing import forget
from liqpass.market.step import read_due
from liqpass.payments import settle
from liqpass.positions import bindings
from liqpass.reconcile import book_checks
from liqpass.reconcile.runs import reconcile_due
from liqpass.review import approving, following, held
from liqpass.signin import sessions
from liqpass.treasury import booking
from liqpass.vault import api_accounts
from liqpass.watching.pace import Memory
from liqpass.watching.step import watch_due

log = structlog.get_logger()

LOCK_CLASS = 0x6C71  # "lq": the first half of the two-part advisory locks
TRY_LOCK = "select pg_try_advisory_lock($1, $2)"
RETRY_SEC = 1.0
ANSWER_SEC = 10.0
IDLE_SEC = 60.0
# Asked as whoever logged in: the application's role is not shown the names and addresses of its own
# connections.
OWNERS = """
select l.objid::int, l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'its own machine')
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.classid::int = $1 and l.objsubid = 2 and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
order by 1
"""
owned_gauge = Gauge("liqpass_task_owned", "1 while this process owns the task.", ("task",))
TO_FREE = "nothing where another worker lives; else select pg_terminate_backend(pid)"


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
        Task(15, "settle covers", 1.0, False, partial(_all, of, settling.settle_covers)),
        Task(16, "follow payouts", 1.0, False, partial(_all, of, following.follow_payouts)),
        Task(17, "approve by policy", 10.0, False, partial(_approve, of)),
        Task(18, "note what is held", 60.0, False, partial(held.note_held, of.db, of.nodes, chain)),
        Task(10, "earn", 600.0, False, partial(_earn, of)),
        Task(8, "unordered bindings", 10.0, False, partial(_unordered, of)),
        Task(5, "recheck keys", 300.0, False, partial(_recheck, of)),
        Task(6, "purge", 60.0, False, partial(_purge, of)),
        Task(11, "reconcile", 60.0, False, partial(reconcile_due, of.db, of.nodes, chain, of.clock)),
        Task(14, "gather evidence", 1.0, False, partial(gather_due, of.db, of.gateway, of.keyring, of.clock)),
        Task(21, "publish figures", 60.0, False, partial(publish_due, of.db, of.clock, chain.chain_id)),
        Task(12, "check books", 30.0, False, partial(book_checks.check_due, of.db, of.clock)),
        Task(20, "watch claims", 1.0, True, partial(_watch_claims, of)),
        Task(13, "watch positions", 1.0, False, partial(_watch_positions, of, Memory())),
        Task(19, "read the market", 1.0, True, partial(read_due, of.db, of.gateway, of.clock)),
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


async def _earn(of: Clients) -> None:
    await settle.earn_daily(of.db, of.clock(), of.settings.chain.chain_id)


async def _unordered(of: Clients) -> None:
    give_up = bindings.give_up_unordered
    await in_batches(of.db, lambda conn, **part: give_up(conn, of.clock(), **part), bindings.BATCH)


async def _approve(of: Clients) -> None:
    chain, limits = of.settings.chain, of.settings.claims
    approve = approving.approve_by_policy
    await in_batches(
        of.db,
        lambda conn, **part: approve(conn, of.clock(), os.urandom(RANDOM_BYTES), chain, limits, **part),
        1,
        passes=approving.capital_short,
    )


async def _recheck(of: Clients) -> None:
    await api_accounts.recheck_due(of.db, of.gateway, of.keyring, of.clock)


async def _watch_claims(of: Clients) -> None:
    await of.db.run(lambda conn: breaker.watch_claims(conn, of.clock()))


async def _watch_positions(of: Clients, memory: Memory) -> None:
    await watch_due(of.db, of.gateway, of.keyring, of.clock, memory=memory)


async def _purge(of: Clients) -> None:
    await of.db.run(lambda conn: sessions.purge(conn, of.clock()))
    await of.db.run(lambda conn: forget(conn, of.clock()))


async def run_worker(of: Clients, *, idle_sec: float = IDLE_SEC) -> None:
    """Run all tasks until cancelled. Each holds a connection of its own. Who owns nothing for `idle_sec`
    says who does."""
    tasks, owned = tasks_of(of), set[str]()
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(_own_and_run(task, of.db.way, owned), name=task.name)
        group.create_task(_tell_owners(of.db.way, tasks, owned, idle_sec))


async def _tell_owners(way: Way, tasks: list[Task], owned: set[str], idle_sec: float) -> None:
    """While nothing is owned: who has it, whenever that is somebody else."""
    idle, told = True, list[str]()
    while True:
        end_if_told()
        await asyncio.sleep(idle_sec)
        idle, was_idle = not owned, idle
        if not (idle and was_idle):
            told = []
            continue
        with suppress(*LOST):
            found = await _owners(way, tasks)
            if found and found != told:
                log.warning("owns_no_task", owners=found, action=TO_FREE)
                told = found


async def _owners(way: Way, tasks: list[Task]) -> list[str]:
    """Who owns which task: the process of the server, its client's name, and where that is."""
    conn = await connect(way, name="liqpass work, asking who owns", role=None, command_timeout=ANSWER_SEC)
    try:
        rows = await conn.fetch(OWNERS, LOCK_CLASS)
    finally:
        await conn.close(timeout=2)
    names = {task.number: task.name for task in tasks}
    return [f"{names.get(number)}: pid {pid}, {name!r} from {where}" for number, pid, name, where in rows]


def _named(error: Exception) -> str:
    """What of an error may stand in the log: our own words, else its type."""
    return str(error) if isinstance(error, WrongSession) else type(error).__name__


async def _own_and_run(task: Task, way: Way, owned: set[str]) -> None:
    """Wait for the task's lock, run the task while the lock is held, begin again when it is lost."""
    away = False
    owned_gauge.labels(task.name).set(0)
    failures.labels(task.name)
    while True:
        end_if_told()
        try:
            conn = await connect(way, name=f"liqpass work: {task.name}", command_timeout=ANSWER_SEC)
        except LOST as error:
            if not away:  # said once: it may last
                log.warning("database_unavailable", task=task.name, error=_named(error))
            away = True
            await asyncio.sleep(RETRY_SEC)
            continue
        away = False
        try:
            # Asked again and again, not waited for: a waiting statement would hold back vacuum for days.
            while not await conn.fetchval(TRY_LOCK, LOCK_CLASS, task.number):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_SEC)
            log.info("task_owned", task=task.name)
            owned.add(task.name)
            owned_gauge.labels(task.name).set(1)
            await _run_while_owned(task, conn)
        except LOST as error:
            log.warning("task_lost", task=task.name, error=type(error).__name__)
            await asyncio.sleep(RETRY_SEC)
        finally:
            owned.discard(task.name)
            owned_gauge.labels(task.name).set(0)
            with suppress(*LOST):
                await conn.close(timeout=2)


async def _run_while_owned(task: Task, conn: asyncpg.Connection) -> None:
    woken = asyncio.Event()
    conn.add_termination_listener(lambda _: woken.set())  # else a lost lock would show only after the period
    if task.woken:
        await conn.add_listener(WAKE_CHANNEL, lambda *_: woken.set())
    while True:
        woken.clear()
        await _step(task)
        end_if_told()
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), task.period_sec)
        await conn.execute("select 1")  # raises when the connection, and so the lock, is gone


async def _step(task: Task) -> None:
    """One step. What goes wrong is told and tried again: a task never ends by an error."""
    structlog.contextvars.bind_contextvars(task=task.name)
    try:
        await task.step()
    except DATABASE_AWAY as error:
        failures.labels(task.name).inc()
        log.warning("step_failed", error=type(error).__name__)
    except Exception:
        failures.labels(task.name).inc()
        log.exception("step_failed")
