"""Queries of reconciliation."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from liqpass.db import Connection, query

# The checks of the books against their own rules (the rules themselves are in `rules.py`) ----------------


class KeptCheck(msgspec.Struct, frozen=True):
    """What came of the last check of one rule; `broken` is None when it was not answered. `due_at`: when it
    is asked again."""

    name: str
    broken: int | None
    findings: str
    checked_at: datetime
    due_at: datetime


@query("""
    select name, broken, findings, checked_at, coalesce(due_at, checked_at + interval '10 minutes') as due_at
    from book_checks order by name
""")
async def kept_checks(conn: Connection) -> list[KeptCheck]:
    """All of them."""
    ...


@query("""
    with unknown as (
        delete from book_checks where name <> all($5)
    )
    insert into book_checks (name, broken, findings, checked_at, due_at)
    select c.name, c.broken, c.findings, $4, c.due_at
    from unnest($1::text[], $2::bigint[], $3::text[], $6::timestamptz[]) as c (name, broken, findings, due_at)
    on conflict (name) do update
    set broken = excluded.broken, findings = excluded.findings, checked_at = excluded.checked_at,
        due_at = excluded.due_at
""")
async def keep_checks(
    conn: Connection,
    names: list[str],
    broken: list[int | None],
    findings: list[str],
    now: datetime,
    known: list[str],
    due_at: list[datetime],
) -> None:
    """Keep what came of these, and nothing of rules that are not `known` any more."""
    ...


# What the admins' pages show ----------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True):
    """A run without its document. Balances in micro-USDC."""

    id: int
    started_at: datetime
    finished_at: datetime
    period_from: datetime | None
    period_to: datetime | None
    chain_id: int
    from_block: int
    to_block: int | None
    block_hash: bytes | None
    ledger_seq: int
    ledger_rows: int
    ledger_balance: int
    chain_balance: int | None
    chain_unknown: str | None
    orders: int
    payments: int
    transfers: int
    breaks_found: int
    breaks_open: int
    sha256: bytes
    previous_sha256: bytes | None


_RUN = """id, started_at, finished_at, period_from, period_to, chain_id, from_block, to_block, block_hash,
    ledger_seq, ledger_rows, ledger_balance, chain_balance, chain_unknown, orders, payments, transfers,
    breaks_found, breaks_open, sha256, previous_sha256"""


@query(f"select {_RUN} from reconciliation_runs where id < $1 order by id desc limit $2")
async def runs_before(conn: Connection, before: int, at_most: int) -> list[Run]:
    """The newest runs below this id."""
    ...


@query("select document from reconciliation_runs where id = $1")
async def run_document(conn: Connection, run_id: int) -> str | None:
    """The canonical JSON of a run."""
    ...


@query("select breaks from reconciliation_pages where run_id = $1 and page = $2")
async def run_page(conn: Connection, run_id: int, page: int) -> str | None:
    """One page of the breaks that were open after a run, canonical JSON."""
    ...


class OpenCount(msgspec.Struct, frozen=True):
    """How many breaks of one type are open, and since when the oldest is."""

    type: str
    breaks: int
    oldest: datetime | None


@query("""
    select t.type, count(b.id) as breaks, min(b.opened_at) as oldest
    from unnest(enum_range(null::break_type)) as t (type)
    left join reconciliation_breaks b on b.type = t.type and b.closed_at is null
    group by t.type order by t.type
""")
async def open_counts(conn: Connection) -> list[OpenCount]:
    """All types, those too of which none is open."""
    ...


@query(f"""
    select {_RUN} from reconciliation_runs where num_nonnulls(period_from, period_to) = 0
    order by id desc limit 1
""")
async def last_whole(conn: Connection) -> Run | None:
    """The newest run over everything: one of a period says nothing of the rest."""
    ...


@query(f"""
    select {_RUN} from reconciliation_runs
    where num_nonnulls(period_from, period_to) = 0 and chain_id = $1 and chain_balance is not null
    order by id desc limit 1
""")
async def last_measured(conn: Connection, chain_id: int) -> Run | None:
    """The newest run over everything at which the chain said what the treasury holds."""
    ...


class StoredBreak(msgspec.Struct, frozen=True):
    """What is or was broken. Amounts in micro-USDC."""

    id: int
    type: str
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
    last_run: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
    accepted: bool


_BREAK = """id, type, subject, purchase_order_id, tx_hash, log_index, wallet, accounts, expected, found, said,
    since, first_run, last_run, opened_at, closed_at, closed_by, close_reason, accepted"""


@query(f"""
    select {_BREAK} from reconciliation_breaks
    where id < $1 and ($2 or closed_at is null) order by id desc limit $3
""")
async def breaks_before(conn: Connection, before: int, closed_too: bool, at_most: int) -> list[StoredBreak]:
    """The newest breaks below this id."""
    ...


@query(f"""
    select {_BREAK} from reconciliation_breaks
    where ($2 or closed_at is null)
      and ($1 = 0 or (type, opened_at, id) > (
        select last.type, last.opened_at, last.id from reconciliation_breaks last where last.id = $1))
    order by type, opened_at, id limit $3
""")
async def breaks_by_type(conn: Connection, after: int, closed_too: bool, at_most: int) -> list[StoredBreak]:
    """By type, then the oldest first, behind the break of this id; 0 is before all of them."""
    ...


@query(f"select {_BREAK} from reconciliation_breaks where id = $1")
async def stored_break(conn: Connection, break_id: int) -> StoredBreak | None:
    """One break."""
    ...


class Closing(msgspec.Struct, frozen=True):
    """That a break was closed: by whom and why, and how it stood then."""

    first_run: int
    closed_at: datetime
    closed_by: str
    reason: str
    expected: int | None
    found: int | None


@query("""
    select first_run, closed_at, closed_by, reason, expected, found
    from reconciliation_closings where break_id = $1 order by first_run
""")
async def closings_of(conn: Connection, break_id: int) -> list[Closing]:
    """How often it was closed before, the first time first."""
    ...


# Runs ---------------------------------------------------------------------------------------------------

PATIENCE_SEC = 3600.0
# Before the first query of a run: the snapshot of whoever waited here shows what the other has written.
# Readers do not wait; who closes a break does.
TAKE_TURN = "lock table reconciliation_breaks in share row exclusive mode"


class Head(msgspec.Struct, frozen=True):
    """The last run, as the next one names it."""

    id: int
    sha256: bytes


@query("select id, sha256 from reconciliation_runs order by id desc limit 1")
async def last_run(conn: Connection) -> Head | None:
    """The end of the chain of runs."""
    ...


@query(f"select {_RUN} from reconciliation_runs where id = $1")
async def run(conn: Connection, run_id: int) -> Run | None:
    """One run."""
    ...


@query(f"""
    insert into reconciliation_runs ({_RUN.replace("sha256, prev", "document, sha256, prev")})
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
        $22)
""")
async def keep_run(
    conn: Connection,
    run_id: int,
    started_at: datetime,
    finished_at: datetime,
    period_from: datetime | None,
    period_to: datetime | None,
    chain_id: int,
    from_block: int,
    to_block: int | None,
    block_hash: bytes | None,
    ledger_seq: int,
    ledger_rows: int,
    ledger_balance: int,
    chain_balance: int | None,
    chain_unknown: str | None,
    orders: int,
    payments: int,
    transfers: int,
    breaks_found: int,
    breaks_open: int,
    document: str,
    sha256: bytes,
    previous_sha256: bytes | None,
) -> None:
    """Add a run to the chain. Raises asyncpg.UniqueViolationError when another run follows the same one."""
    ...


@query("insert into reconciliation_pages (run_id, page, breaks, sha256) values ($1, $2, $3, $4)")
async def keep_page(conn: Connection, run_id: int, page: int, breaks: str, sha256: bytes) -> None:
    """Add a page of the breaks that a run leaves open."""
    ...


class Link(msgspec.Struct, frozen=True):
    """A run as its hashes see it."""

    id: int
    document: str
    sha256: bytes
    previous_sha256: bytes | None


@query("select id, document, sha256, previous_sha256 from reconciliation_runs order by id")
def chain_of_runs(conn: Connection) -> AsyncIterator[list[Link]]:
    """All runs, the first one first."""
    ...


class Page(msgspec.Struct, frozen=True):
    """A page as its hash sees it."""

    page: int
    breaks: str
    sha256: bytes


@query("select page, breaks, sha256 from reconciliation_pages where run_id = $1 order by page")
async def pages_of(conn: Connection, run_id: int) -> list[Page]:
    """All pages of a run."""
    ...
