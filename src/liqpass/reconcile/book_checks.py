"""Checking the books again and again: what came of it is kept for the processes that tell of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.reconcile import sql
from liqpass.reconcile.invariant import Invariant
from liqpass.reconcile.invariants import TOLD, Verdict, verdict_of
from liqpass.reconcile.rules import INVARIANTS

log = structlog.get_logger()

EVERY = timedelta(minutes=10)
WHILE_BROKEN = timedelta(minutes=1)  # what was put right opens the sale again soon
LATE = 3 * EVERY
DELAYS = {invariant.name: invariant.broken for invariant in INVARIANTS if invariant.delay}


class Books(msgspec.Struct, frozen=True):
    """How many rows break each rule (None: not answered), and when the oldest of these was found out;
    empty where no worker has checked yet."""

    broken: dict[str, int | None]
    checked_at: datetime | None


async def check_due(db: Database, clock: Clock) -> int:
    """Check what was not checked for ten minutes, or is broken and was not checked for one. How many."""
    async with db.pool.acquire() as conn:
        due = _due(await sql.kept_checks(conn), clock())
        verdicts = [await verdict_of(conn, clock(), invariant) for invariant in due]
    if verdicts:
        await db.run(lambda conn: _keep(conn, clock(), verdicts))
    for verdict in verdicts:
        if not verdict.holds:
            first = verdict.found[:1]
            name, why = verdict.invariant.name, verdict.unread
            log.error("books_broken", check=name, rows=verdict.count, first=first, unread=why)
    return len(verdicts)


def _due(kept: Sequence[sql.KeptCheck], now: datetime) -> list[Invariant]:
    fresh = {
        check.name for check in kept if now - check.checked_at < (WHILE_BROKEN if check.broken else EVERY)
    }
    return [invariant for invariant in INVARIANTS if invariant.name not in fresh]


async def _keep(conn: Connection, now: datetime, verdicts: Sequence[Verdict]) -> None:
    await sql.keep_checks(
        conn,
        [verdict.invariant.name for verdict in verdicts],
        [None if verdict.unread else verdict.count for verdict in verdicts],
        [msgspec.json.encode(verdict.found[:TOLD]).decode() for verdict in verdicts],
        now,
        [invariant.name for invariant in INVARIANTS],
    )


async def books(conn: Connection) -> Books:
    """What came of the last check of each rule."""
    kept = await sql.kept_checks(conn)
    oldest = min((check.checked_at for check in kept), default=None)
    return Books({check.name: check.broken for check in kept}, oldest)


def trouble(books: Books) -> str:
    """ "ok", or which rules are broken. On broken books nothing is sold; a delay is only remarked on."""
    names = ", ".join(name for name, rows in books.broken.items() if rows and name not in DELAYS)
    return f"broken: {names}. liqpass check --books shows it" if names else "ok"


def remarks(books: Books, now: datetime) -> list[str]:
    """What is not known of the books, and what does not get on, a sentence each."""
    if books.checked_at is None:
        return ["The books have not been checked yet."]
    said = [f"{name} was not answered." for name, rows in books.broken.items() if rows is None]
    said += [
        f"{name}: {rows}. {DELAYS[name]}" for name, rows in books.broken.items() if rows and name in DELAYS
    ]
    late = now - books.checked_at
    if late > LATE:
        said.append(f"The books were last checked {late // timedelta(minutes=1)} minutes ago.")
    return said
