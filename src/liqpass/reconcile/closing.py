"""Closing a break by name: it is accepted as it is, until its amounts change."""

from datetime import datetime

from liqpass.db import Connection
from liqpass.problems import Problem
from liqpass.reconcile import sql
from liqpass.reconcile.breaks import sql as breaks_sql
from liqpass.treasury.disbursements import words

REASON_MOST = 1000
OURS = "reconciliation"


async def close(conn: Connection, now: datetime, break_id: int, *, by: str, reason: str) -> sql.StoredBreak:
    """Close an open break. Waits for a run that goes on.

    Raises BREAK_NOT_FOUND, BREAK_CLOSED, and INVALID_FIELD for a name or a reason that says nothing.
    """
    who, why = words(by, "--by"), words(reason, "--reason", REASON_MOST)
    if who.lower() == OURS:
        raise Problem("INVALID_FIELD", f"--by is your name: {OURS} closes by itself.", field="--by")
    closed = await breaks_sql.close(conn, break_id, now, who, why)
    found = await sql.stored_break(conn, break_id)
    if found is None:
        raise Problem(
            "BREAK_NOT_FOUND", f"There is no break {break_id}: liqpass reconcile breaks lists them."
        )
    if not closed:
        raise Problem("BREAK_CLOSED", f"Break {break_id} was closed by {found.closed_by} already.")
    return found
