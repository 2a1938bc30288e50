"""Where reconciliation stands: for the metrics, for the admins' calls, and for the operator's pages."""

from datetime import datetime

import msgspec

from liqpass.db import Connection
from liqpass.reconcile import sql
from liqpass.reconcile.views import BreakView, OpenType, Overview, break_view, rule_view, run_view


class Standing(msgspec.Struct, frozen=True):
    """How many breaks of each type are open, and when the last run ended (None before the first)."""

    open_breaks: dict[str, int]
    last_run: datetime | None


async def standing(conn: Connection) -> Standing:
    """As it is now."""
    counts = {count.type: count.breaks for count in await sql.open_counts(conn)}
    last = await sql.last_whole(conn)
    return Standing(counts, last.finished_at if last else None)


async def overview(conn: Connection) -> Overview:
    """The first thing to look at."""
    run = await sql.last_whole(conn)
    counts = await sql.open_counts(conn)
    checks = await sql.kept_checks(conn)
    return Overview(
        run=run_view(run) if run else None,
        open_breaks=[OpenType(c.type, c.breaks, c.oldest) for c in counts if c.breaks],
        books=[rule_view(check) for check in checks],
    )


async def breaks_by_type(
    conn: Connection, after: int, at_most: int, *, closed_too: bool = False
) -> list[BreakView]:
    """Breaks by type, then the oldest first, from behind the break of id `after` (0: from the beginning)."""
    found = await sql.breaks_by_type(conn, after, closed_too, at_most)
    return [break_view(one) for one in found]
