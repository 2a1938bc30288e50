"""Asking whether the books hold together: every invariant, within a limit of time, changing nothing."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import asyncpg
import msgspec

from liqpass.db import DATABASE_AWAY, Connection
from liqpass.reconcile.invariant import Invariant
from liqpass.reconcile.rules import INVARIANTS

SHOWN = 100
TOLD = 5
PATIENCE_SEC = 120
LIMITS = f"""
    select set_config('statement_timeout', '{PATIENCE_SEC}s', true), set_config('work_mem', '32MB', true)
"""


class Finding(msgspec.Struct, frozen=True):
    """One row of a broken invariant; `of` is how many there are in all: at most SHOWN are handed out."""

    name: str
    subject: str
    said: str
    of: int


class Verdict(msgspec.Struct, frozen=True):
    """What came of asking one invariant; `unread`: why nothing is known."""

    invariant: Invariant
    found: list[Finding]
    unread: str | None = None

    @property
    def count(self) -> int:
        """How many rows break it."""
        return self.found[0].of if self.found else 0

    @property
    def holds(self) -> bool:
        return not self.found and self.unread is None


async def broken(
    conn: asyncpg.Connection | Connection, now: datetime, *, of: Iterable[Invariant] = INVARIANTS
) -> list[Finding]:
    """What is broken, in the transaction of the caller; at most SHOWN findings of each invariant."""
    return [finding for invariant in of for finding in await _ask(conn, now, invariant)]


async def each(conn: asyncpg.Connection | Connection, now: datetime, *, since: int) -> AsyncIterator[Verdict]:
    """What came of each invariant for which a schema of `since` migrations has the tables; one that takes too
    long hides none behind it."""
    for invariant in INVARIANTS:
        if invariant.since <= since:
            yield await verdict_of(conn, now, invariant)


async def verdict_of(conn: asyncpg.Connection | Connection, now: datetime, invariant: Invariant) -> Verdict:
    """What came of one, in a short transaction of its own which only reads."""
    try:
        async with conn.transaction(readonly=True):
            await conn.execute(LIMITS)
            return Verdict(invariant, await _ask(conn, now, invariant))
    except asyncpg.QueryCanceledError:
        return Verdict(invariant, [], f"not answered within {PATIENCE_SEC} s")
    except DATABASE_AWAY:
        raise
    except (
        asyncpg.PostgresError
    ) as error:  # of what a hand left in the tables: the other rules are asked still
        return Verdict(invariant, [], f"cannot be asked: {str(error).splitlines()[0]}")


async def _ask(conn: asyncpg.Connection | Connection, now: datetime, invariant: Invariant) -> list[Finding]:
    # asyncpg's own limit comes after the server's, whose refusal names what it is
    rows = await conn.fetch(statement(invariant), now, timeout=PATIENCE_SEC + 10)
    return [Finding(invariant.name, row["subject"], row["said"], row["of"]) for row in rows]


def statement(invariant: Invariant) -> str:
    """The whole statement, which takes the present moment: the first SHOWN rows, and how many there are."""
    return f"""
        with given as (select $1::timestamptz - interval '10 minutes' as long_ago)
        select subject, said, count(*) over () as of from ({invariant.sql}) as found
        order by subject, said limit {SHOWN}
    """


def told(verdict: Verdict) -> list[str]:
    """A verdict for people: one line, and the first subjects when it is broken."""
    name = verdict.invariant.name
    if verdict.holds:
        return [f"ok    {name}"]
    if verdict.unread:
        return [f"FAIL  {name}: {verdict.unread}"]
    lines = [f"FAIL  {name}: {verdict.invariant.broken} ({verdict.count})"]
    lines += [f"        {finding.subject}: {finding.said}" for finding in verdict.found[:TOLD]]
    more = verdict.count - min(TOLD, len(verdict.found))
    return [*lines, f"        and {more} more"] if more else lines
