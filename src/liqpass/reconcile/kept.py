"""Runs and breaks as they were kept, read back page by page."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from liqpass.db import Connection
from liqpass.problems import Problem
from liqpass.reconcile import sql
from liqpass.reconcile.breaks import sql as breaks_sql
from liqpass.reconcile.documents import digest
from liqpass.reconcile.views import told

PAGE = 1000
NEWEST = 2**63 - 1
Page = list[dict[str, Any]]
"""Breaks as `views.told` shows them."""


class Kept(msgspec.Struct, frozen=True):
    """A run and its document."""

    row: sql.Run
    document: dict[str, Any]


async def kept(conn: Connection, run_id: int) -> Kept:
    """A run. Raises Problem RUN_NOT_FOUND, also when it is no longer what it was."""
    row, document = await sql.run(conn, run_id), await sql.run_document(conn, run_id)
    if row is None or document is None:
        raise Problem("RUN_NOT_FOUND", f"There is no run {run_id}: liqpass reconcile runs lists them.")
    if digest(document) != row.sha256:
        raise Problem(
            "RUN_NOT_FOUND",
            f"Run {run_id} was changed after it was made: liqpass reconcile verify says more.",
        )
    return Kept(row, msgspec.json.decode(document))


async def pages(conn: Connection, run_id: int) -> AsyncIterator[Page]:
    """The breaks that were open after a run."""
    number = 1
    while (text := await sql.run_page(conn, run_id, number)) is not None:
        yield msgspec.json.decode(text)
        number += 1


async def open_pages(conn: Connection) -> AsyncIterator[Page]:
    """The breaks that are open now."""
    after = 0
    while page := await breaks_sql.open_breaks(conn, after, None, None, PAGE):
        after = page[-1].id
        yield msgspec.json.decode(msgspec.json.encode([told(one) for one in page]))


async def newest_whole(conn: Connection) -> sql.Run | None:
    """The newest run over everything: one of a period says nothing of the rest."""
    return await sql.last_whole(conn)


async def newest_measured(conn: Connection, chain_id: int) -> sql.Run | None:
    """The newest run over everything at which the chain said what the treasury holds."""
    return await sql.last_measured(conn, chain_id)


async def newest(conn: Connection, at_most: int) -> list[sql.Run]:
    """The newest runs."""
    return await sql.runs_before(conn, NEWEST, at_most)
