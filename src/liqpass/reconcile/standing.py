"""Where reconciliation stands, for the metrics."""

from datetime import datetime

import msgspec

from liqpass.db import Connection
from liqpass.reconcile import sql


class Standing(msgspec.Struct, frozen=True):
    """How many breaks of each type are open, and when the last run ended (None before the first)."""

    open_breaks: dict[str, int]
    last_run: datetime | None


async def standing(conn: Connection) -> Standing:
    """As it is now."""
    counts = {count.type: count.breaks for count in await sql.open_counts(conn)}
    return Standing(counts, await sql.last_finished(conn))
