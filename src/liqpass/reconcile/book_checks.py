"""Checking the books again and again: what came of it is kept for the processes that tell of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.reconcile import sql
from liqpass.reconcile.invariants import TOLD, Verdict, verdict_of
from liqpass.reconcile.rules import INVARIANTS

log = structlog.get_logger()

EVERY = timedelta(minutes=10)
WHILE_BROKEN = timedelta(minutes=1)  # what was put right opens the sale again soon
# A rule reads all there is. Of millions of orders that takes a minute: it may take a hundredth of the time.
# But what breaks is seen within an hour, however slow the database was for once and wherever a clock stepped.
REST = 100
REST_AT_MOST = timedelta(hours=1)
LATE = 2 * EVERY  # after it was due
DELAYS = {invariant.name: invariant.broken for invariant in INVARIANTS if invariant.delay}


class Books(msgspec.Struct, frozen=True):
    """How many rows break each rule (None: not answered), when the oldest of these was found out, and since
    when one is due; empty where no worker has checked yet."""

    broken: dict[str, int | None]
    checked_at: datetime | None
    due_at: datetime | None


async def check_due(db: Database, clock: Clock) -> int:
    """Check what is due: ten minutes after the last time, or up to an hour if it took long; what is broken
    after one minute. How many."""
    async with db.pool.acquire() as conn:
        now = clock()
        due = {check.name: check.due_at for check in await sql.kept_checks(conn)}
        verdicts = list[tuple[Verdict, timedelta]]()
        for invariant in INVARIANTS:
            if due.get(invariant.name, now) <= now:
                began = clock()
                verdict = await verdict_of(conn, began, invariant)
                verdicts.append((verdict, clock() - began))
    if verdicts:
        await db.run(lambda conn: _keep(conn, clock(), verdicts))
    for verdict, _ in verdicts:
        if not verdict.holds:
            first = verdict.found[:1]
            name, why = verdict.invariant.name, verdict.unread
            log.error("books_broken", check=name, rows=verdict.count, first=first, unread=why)
    return len(verdicts)


def _pause(verdict: Verdict, took: timedelta) -> timedelta:
    """Until it is asked again. One that was not answered is unknown, and rests no longer for that."""
    if verdict.count:
        return WHILE_BROKEN
    return EVERY if verdict.unread else min(max(EVERY, REST * took), REST_AT_MOST)


async def _keep(conn: Connection, now: datetime, verdicts: Sequence[tuple[Verdict, timedelta]]) -> None:
    await sql.keep_checks(
        conn,
        [verdict.invariant.name for verdict, _ in verdicts],
        [None if verdict.unread else verdict.count for verdict, _ in verdicts],
        [msgspec.json.encode(verdict.found[:TOLD]).decode() for verdict, _ in verdicts],
        now,
        [invariant.name for invariant in INVARIANTS],
        [now + _pause(verdict, took) for verdict, took in verdicts],
    )


async def books(conn: Connection) -> Books:
    """What came of the last check of each rule."""
    kept = await sql.kept_checks(conn)
    oldest = min((check.checked_at for check in kept), default=None)
    due_at = min((check.due_at for check in kept), default=None)
    return Books({check.name: check.broken for check in kept}, oldest, due_at)


def trouble(books: Books) -> str:
    """ "ok", or which rules are broken. On broken books nothing is sold; a delay is only remarked on."""
    names = ", ".join(name for name, rows in books.broken.items() if rows and name not in DELAYS)
    return f"broken: {names}. liqpass check --books shows it" if names else "ok"


def remarks(books: Books, now: datetime) -> list[str]:
    """What is not known of the books, and what does not get on, a sentence each."""
    if books.checked_at is None or books.due_at is None:
        return ["The books have not been checked yet."]
    said = [f"{name} was not answered." for name, rows in books.broken.items() if rows is None]
    said += [
        f"{name}: {rows}. {DELAYS[name]}" for name, rows in books.broken.items() if rows and name in DELAYS
    ]
    if now - books.due_at > LATE:
        minutes = (now - books.checked_at) // timedelta(minutes=1)
        said.append(f"The books were last checked {minutes} minutes ago.")
    return said
