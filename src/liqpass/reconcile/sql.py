"""Queries of reconciliation."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query

# The checks of the books against their own rules (the rules themselves are in `rules.py`) ----------------


class KeptCheck(msgspec.Struct, frozen=True):
    """What came of the last check of one rule; `broken` is None when it was not answered in time."""

    name: str
    broken: int | None
    findings: str
    checked_at: datetime


@query("select name, broken, findings, checked_at from book_checks order by name")
async def kept_checks(conn: Connection) -> list[KeptCheck]:
    """All of them."""
    ...


@query("""
    with unknown as (
        delete from book_checks where name <> all($5)
    )
    insert into book_checks (name, broken, findings, checked_at)
    select c.name, c.broken, c.findings, $4
    from unnest($1::text[], $2::bigint[], $3::text[]) as c (name, broken, findings)
    on conflict (name) do update
    set broken = excluded.broken, findings = excluded.findings, checked_at = excluded.checked_at
""")
async def keep_checks(
    conn: Connection,
    names: list[str],
    broken: list[int | None],
    findings: list[str],
    now: datetime,
    known: list[str],
) -> None:
    """Keep what came of these, and nothing of rules that are not `known` any more."""
    ...
