"""Queries that write breaks, and count them by run."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query
from liqpass.reconcile.checks import SAME_AMOUNTS, BreakType

PATIENCE_SEC = 3600.0

# An accepted break stays closed as long as its amounts are those that were accepted; one without amounts, as
# long as the same is said of it.
_STILL_ACCEPTED = f"""(b.accepted and {SAME_AMOUNTS.format("f")}
    and (b.found is not null or b.said = f.said))"""
_STAYS = f"(b.closed_at is null or {_STILL_ACCEPTED})"


@query(
    f"""
    with f as materialized (
        select type, subject, purchase_order_id, tx_hash, log_index, wallet,
            string_to_array(accounts, ',')::ledger_account[] as accounts, expected, found, said, since
        from unnest($3::break_type[], $4::text[], $5::bytea[], $6::bytea[], $7::int[], $8::bytea[],
                $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[])
            as f (type, subject, purchase_order_id, tx_hash, log_index, wallet, accounts, expected, found,
                said, since)
    ),
    again as (
        update reconciliation_breaks b
        set purchase_order_id = f.purchase_order_id, tx_hash = f.tx_hash, log_index = f.log_index,
            wallet = f.wallet, accounts = f.accounts, expected = f.expected, found = f.found, said = f.said,
            since = f.since, last_run = $1,
            first_run = case when {_STAYS} then b.first_run else $1 end,
            opened_at = case when {_STAYS} then b.opened_at else $2 end,
            closed_at = case when {_STILL_ACCEPTED} then b.closed_at end,
            closed_by = case when {_STILL_ACCEPTED} then b.closed_by end,
            close_reason = case when {_STILL_ACCEPTED} then b.close_reason end,
            accepted = {_STILL_ACCEPTED}
        from f where b.type = f.type and b.subject = f.subject
        returning b.type, b.subject
    )
    insert into reconciliation_breaks (type, subject, purchase_order_id, tx_hash, log_index, wallet, accounts,
        expected, found, said, since, first_run, last_run, opened_at)
    select f.*, $1, $1, $2 from f
    where not exists (select from again a where a.type = f.type and a.subject = f.subject)
    """,
    patience_sec=PATIENCE_SEC,
)
async def keep_found(
    conn: Connection,
    run_id: int,
    now: datetime,
    types: list[BreakType],
    subjects: list[str],
    purchase_order_ids: list[bytes | None],
    tx_hashes: list[bytes | None],
    log_indexes: list[int | None],
    wallets: list[bytes | None],
    accounts: list[str],
    expected: list[int | None],
    found: list[int | None],
    said: list[str],
    since: list[datetime | None],
) -> None:
    """What a run found; no pair of type and subject may be named twice. Known breaks keep their row."""
    ...


_OF_PERIOD = """(since is null
    or ({0}::timestamptz is null or since >= {0}) and ({1}::timestamptz is null or since < {1}))"""
_NOT_FOUND = f"""last_run < $1 and {_OF_PERIOD.format("$3", "$4")} and type::text <> all($5)"""


@query(
    f"""
    with gone as (
        update reconciliation_breaks
        set closed_at = $2, closed_by = 'reconciliation', close_reason = $6
        where closed_at is null and {_NOT_FOUND}
        returning id, first_run, expected, found
    ),
    lapsed as (
        update reconciliation_breaks set accepted = false where accepted and {_NOT_FOUND}
    )
    insert into reconciliation_closings (break_id, first_run, closed_at, closed_by, reason, expected, found)
    select id, first_run, $2, 'reconciliation', $6, expected, found from gone
    """,
    patience_sec=PATIENCE_SEC,
)
async def close_gone(
    conn: Connection,
    run_id: int,
    now: datetime,
    first: datetime | None,
    until: datetime | None,
    unchecked: list[str],
    reason: str,
) -> None:
    """Close what belongs to the period and the run did not find any more; not what it could not check."""
    ...


@query(
    """
    with closed as (
        update reconciliation_breaks
        set closed_at = $2, closed_by = $3, close_reason = $4, accepted = true
        where id = $1 and closed_at is null
        returning id, first_run, expected, found
    ),
    told as (
        insert into reconciliation_closings
            (break_id, first_run, closed_at, closed_by, reason, expected, found)
        select id, first_run, $2, $3, $4, expected, found from closed
    )
    select count(*) from closed
    """,
    patience_sec=PATIENCE_SEC,
)
async def close(conn: Connection, break_id: int, now: datetime, by: str, reason: str) -> int:
    """Accept an open break as it is. How many were closed: 0 or 1."""
    ...


class OfRun(msgspec.Struct, frozen=True):
    """The breaks of one type: how many a run found, and how many are open."""

    type: BreakType
    found: int
    open: int


@query(
    f"""
    select type, count(*) filter (where last_run = $1) as found,
        count(*) filter (where closed_at is null) as open
    from reconciliation_breaks
    where {_OF_PERIOD.format("$2", "$3")} and (last_run = $1 or closed_at is null)
    group by type order by type
    """,
    patience_sec=PATIENCE_SEC,
)
async def counts_of_run(
    conn: Connection, run_id: int, first: datetime | None, until: datetime | None
) -> list[OfRun]:
    """Types of which something was found or is open in the period."""
    ...


class OpenBreak(msgspec.Struct, frozen=True):
    """An open break as a run keeps it."""

    id: int
    type: BreakType
    subject: str
    purchase_order_id: bytes | None
    tx_hash: bytes | None
    log_index: int | None
    wallet: bytes | None
    accounts: list[str]
    expected: int | None
    found: int | None
    said: str
    since: datetime | None
    first_run: int
    opened_at: datetime


@query(
    f"""
    select id, type, subject, purchase_order_id, tx_hash, log_index, wallet, accounts, expected, found, said,
        since, first_run, opened_at
    from reconciliation_breaks
    where closed_at is null and id > $1 and {_OF_PERIOD.format("$2", "$3")}
    order by id limit $4
    """,
    patience_sec=PATIENCE_SEC,
)
async def open_breaks(
    conn: Connection, after: int, first: datetime | None, until: datetime | None, at_most: int
) -> list[OpenBreak]:
    """The next open breaks of the period."""
    ...
