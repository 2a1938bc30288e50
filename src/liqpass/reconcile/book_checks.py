"""Checking the books again and again: what came of it is kept for the processes that tell of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.reconcile import sql
from liqpass.reconcile.invariants import TOLD, Verdict, verdict_of
from liqpass.reconcile.rules import INVARIANTS, Invariant
from liqpass.reconcile.sql import KeptCheck

log = structlog.get_logger()

EVERY = timedelta(minutes=10)
WHILE_BROKEN = timedelta(minutes=1)  # what was put right opens the sale again soon


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
            log.error("books_broken", check=verdict.invariant.name, rows=verdict.count, first=first)
    return len(verdicts)


def _due(kept: Sequence[KeptCheck], now: datetime) -> list[Invariant]:
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


async def kept(conn: Connection) -> list[KeptCheck]:
    """What came of the last check of each rule; nothing where no worker has checked yet."""
    return await sql.kept_checks(conn)


def trouble(checks: Sequence[KeptCheck]) -> str:
    """ "ok", or which rules are broken."""
    names = ", ".join(check.name for check in checks if check.broken)
    return f"broken: {names}. liqpass check --books shows it" if names else "ok"


def remarks(checks: Sequence[KeptCheck], now: datetime) -> list[str]:
    """What is not known of the books, a sentence each."""
    if not checks:
        return ["The books have not been checked yet."]
    said = [f"{check.name} was not answered in time." for check in checks if check.broken is None]
    late = now - min(check.checked_at for check in checks)
    if late > 3 * EVERY:
        said.append(f"The books were checked {late // timedelta(minutes=1)} minutes ago.")
    return said
