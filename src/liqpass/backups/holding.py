"""Whether a backup holds: restored, it is what its manifest says, the chain of reconciliation runs is whole,
and so are the books."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from liqpass.backups.dumping import contents_of
from liqpass.backups.manifest import Contents, Manifest
from liqpass.clock import system_clock
from liqpass.connecting import connect_as_owner
from liqpass.reconcile import documents
from liqpass.reconcile.invariants import each

RUNS, BOOKS = 3, 2  # the migrations that made them


class Finding(NamedTuple):
    """One line: what was looked at, whether it is in order, what was seen."""

    name: str
    ok: bool
    said: str


async def findings(url: str, found: Manifest) -> AsyncIterator[Finding]:
    """Of a database that was just restored from this backup."""
    conn = await connect_as_owner(url, name="liqpass restore")
    try:
        yield _same(found.contents, await contents_of(conn))
        if found.contents.schema >= RUNS:
            yield await _runs(conn, found)
        async for finding in _books(conn, found, system_clock()):
            yield finding
    finally:
        await conn.close()


def _same(then: Contents, now: Contents) -> Finding:
    names = ("migrations", "chains", "last_run", "key_ids", "secrets_of_no_key")
    other = [name for name in names if getattr(then, name) != getattr(now, name)]
    read = ", ".join(f"chain {one.chain_id} up to block {one.latest_block:,}" for one in now.chains)
    said = f"schema {now.schema:04d}; {read or 'no chain was read'}"
    return Finding("manifest", not other, f"other than restored: {', '.join(other)}" if other else said)


async def _runs(conn: Any, found: Manifest) -> Finding:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        faults = [fault async for fault in documents.verify(conn)]
    last = found.contents.last_run
    held = f"all {last.run} follow each other; the last is {last.sha256}" if last else "there was none yet"
    return Finding("reconciliation runs", not faults, " ".join(faults) or held)


async def _books(conn: asyncpg.Connection, found: Manifest, now: datetime) -> AsyncIterator[Finding]:
    if found.contents.schema < BOOKS:
        return
    asked, broken = 0, False
    async for verdict in each(conn, now, since=found.contents.schema):
        asked += 1
        if not verdict.holds:
            broken = True
            said = verdict.unread or f"{verdict.invariant.broken} ({verdict.count})"
            yield Finding(f"books: {verdict.invariant.name}", False, said)
    if not broken:
        yield Finding("books", True, f"all {asked} rules hold")
