"""One run: everything held against everything, in one moment of the database and one block of the chain.

The node is asked first, with no transaction open. Then one connection takes the turn (runs come one after the
other), and two more look at its snapshot, side by side: what they find goes into the table batch by batch, so
that nothing here grows with the number of orders. What comes of it is added to the chain of runs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

from liqpass.chain.balances import treasury_balance
from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node
from liqpass.chain.stored import cursor_of
from liqpass.chain.view import CONFIRMED, Cursor
from liqpass.clock import Clock
from liqpass.db import RETRIES, TRY_AGAIN, Connection, Database
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balances, last_seq
from liqpass.reconcile import sql
from liqpass.reconcile.breaks import sql as breaks_sql
from liqpass.reconcile.breaks.sql import OpenBreak
from liqpass.reconcile.checks import IN_FLIGHT, BreakType, Found
from liqpass.reconcile.documents import Compared, digest, document_of, page_of
from liqpass.reconcile.facts import sql as facts_sql
from liqpass.reconcile.money_checks import (
    Balance,
    judge_accounts,
    judge_balance,
    judge_odd,
    judge_opening,
    judge_pairs,
)
from liqpass.reconcile.periods import ALWAYS, Period
from liqpass.reconcile.search import Search, by_claims, by_history, by_money, by_positions, by_transactions
from liqpass.reconcile.sums import sql as sums_sql
from liqpass.settings import ChainSettings

log = structlog.get_logger()

EVERY = timedelta(hours=1)
PAGE = 1000
WORK_MEM = "32MB"
NOT_READ = "the watcher has not read the chain yet"

Progress = Callable[[str], None]
OVERTAKEN: tuple[type[Exception], ...] = (*TRY_AGAIN, asyncpg.UniqueViolationError)


@dataclass(frozen=True)
class Run:
    """What a run is made from."""

    db: Database
    chain: ChainSettings
    clock: Clock
    period: Period
    progress: Progress
    started_at: datetime
    cursor: Cursor | None
    held: int | None
    unknown: str | None


def _silent(_line: str) -> None:
    """Nobody listens."""


async def reconcile(
    db: Database,
    nodes: Sequence[Node],
    chain: ChainSettings,
    clock: Clock,
    period: Period = ALWAYS,
    progress: Progress = _silent,
) -> int:
    """Make a run; its id. Needs three connections of the pool at once.

    Begun anew when somebody else wrote what it was about to write.
    """
    for attempt in range(RETRIES):
        run = await _begun(db, nodes, chain, clock, period, progress)
        try:
            run_id = await _made(run)
        except OVERTAKEN:
            if attempt == RETRIES - 1:
                raise
            progress("somebody else wrote to the breaks meanwhile: once more")
            continue
        log.info("reconciled", run=run_id)
        return run_id
    raise AssertionError("the loop returns or raises")


async def reconcile_due(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> None:
    """A run over everything, if the last such one is an hour old: however often workers begin anew."""
    async with db.pool.acquire() as conn:
        last = await sql.last_whole(conn)
    if last is None or clock() - last.finished_at >= EVERY:
        await reconcile(db, nodes, chain, clock)


async def _begun(
    db: Database,
    nodes: Sequence[Node],
    chain: ChainSettings,
    clock: Clock,
    period: Period,
    progress: Progress,
) -> Run:
    """Which block the books are compared with, and what the treasury held there: unknown is no difference."""
    started_at = clock()
    async with db.pool.acquire() as conn:
        cursor = await cursor_of(conn, chain.chain_id)
    held, unknown = None, None
    if cursor is None:
        unknown = NOT_READ
    else:
        progress(f"asking what the treasury held at block {cursor.finalized_number:,} …")
        try:
            held = await treasury_balance(nodes, chain, cursor.finalized_hash)
        except NodeError as error:
            unknown = error.detail
    return Run(db, chain, clock, period, progress, started_at, cursor, held, unknown)


async def _made(run: Run) -> int:
    async with run.db.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        # The snapshot is taken by the first query: after the lock.
        await conn.execute(sql.TAKE_TURN, timeout=sql.PATIENCE_SEC)
        await conn.execute("set local idle_in_transaction_session_timeout = '1h'")
        previous = await sql.last_run(conn)
        writing = _Writing(conn, run, previous.id + 1 if previous else 1)
        compared = await _compared(run, writing)
        await writing.keep(_judged(compared, await _odd(conn, run.chain)))
        await _close_gone(writing, compared.balance)
        return await _keep(writing, compared, previous)


class _Writing:
    """The one connection that writes: readers take turns on it."""

    def __init__(self, conn: Connection, run: Run, run_id: int) -> None:
        self.conn, self.run, self.run_id = conn, run, run_id
        self._turn = asyncio.Lock()

    async def keep(self, found: Iterable[Found]) -> None:
        """Write what belongs to the period."""
        by_name = {(one.type, one.subject): one for one in found if self.run.period.has(one.at)}
        batch = list(by_name.values())
        if not batch:
            return
        async with self._turn:
            await breaks_sql.keep_found(
                self.conn,
                self.run_id,
                self.run.started_at,
                [one.type for one in batch],
                [one.subject for one in batch],
                [one.purchase_order_id for one in batch],
                [one.tx_hash for one in batch],
                [one.log_index for one in batch],
                [one.wallet for one in batch],
                [",".join(one.accounts) for one in batch],
                [one.expected for one in batch],
                [one.found for one in batch],
                [one.said for one in batch],
                [one.at for one in batch],
            )


# Comparing -----------------------------------------------------------------------------------------------


async def _compared(run: Run, writing: _Writing) -> Compared:
    """Search from two connections that see the writer's snapshot; what the second one adds up."""
    snapshot = await writing.conn.fetchval("select pg_export_snapshot()")

    async def money() -> None:
        async with _reader(run.db, snapshot) as conn:
            run.progress("orders, payments and ledger …")
            await _each(by_money(_search(run, conn)), writing)

    async def all_else() -> Compared:
        async with _reader(run.db, snapshot) as conn:
            search = _search(run, conn)
            run.progress("histories and bindings …")
            await _each(by_history(search), writing)
            await _each(by_positions(search), writing)
            run.progress("claims …")
            await _each(by_claims(search), writing)
            run.progress("transactions …")
            await _each(by_transactions(search), writing)
            run.progress("sums …")
            return await _added_up(run, conn)

    tasks = asyncio.create_task(money()), asyncio.create_task(all_else())
    try:
        _, compared = await asyncio.gather(*tasks)
        return compared
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _reader(db: Database, snapshot: str) -> AsyncIterator[Connection]:
    """A connection that sees what the exporting one sees."""
    async with db.one_moment() as conn:
        await conn.execute(f"set transaction snapshot '{snapshot}'")
        await conn.execute(f"set local work_mem = '{WORK_MEM}'")
        await conn.execute("set local idle_in_transaction_session_timeout = '1h'")
        yield conn


def _search(run: Run, conn: Connection) -> Search:
    chain_time = run.cursor.latest_time if run.cursor else run.started_at
    return Search(conn, run.chain.chain_id, run.started_at, chain_time)


async def _each(batches: AsyncIterator[list[Found]], writing: _Writing) -> None:
    async for batch in batches:
        await writing.keep(batch)


async def _added_up(run: Run, conn: Connection) -> Compared:
    chain_id, first, until = run.chain.chain_id, run.period.first, run.period.until
    block = run.cursor.finalized_number if run.cursor else -1
    transfers = await sums_sql.transfers(conn, chain_id, block, first, until)
    accounts = await balances(conn)
    opening = await facts_sql.opening_facts(conn, chain_id)
    above = await sums_sql.posted_above(conn, chain_id, block) if run.cursor else 0
    balance = Balance(
        ledger=accounts[Account.TREASURY] - above,
        transfers=(opening.measured or 0)
        + sum(-row.upto if row.out else row.upto for row in transfers if row.stage in CONFIRMED),
        chain=run.held,
        unknown=run.unknown,
        waiting=await sums_sql.waiting(conn, chain_id, run.started_at - IN_FLIGHT),
    )
    return Compared(
        orders=await sums_sql.orders(conn, chain_id, first, until),
        payments=await sums_sql.payments(conn, chain_id, first, until),
        transfers=transfers,
        ledger=await sums_sql.ledger(conn, first, until),
        ledger_seq=await last_seq(conn),
        accounts=accounts,
        balance=balance,
    )


async def _odd(conn: Connection, chain: ChainSettings) -> list[Found]:
    found = [judge_odd(odd) for odd in await facts_sql.odd_refs(conn, chain.chain_id)]
    return found + judge_opening(await facts_sql.opening_facts(conn, chain.chain_id))


def _judged(compared: Compared, odd: Sequence[Found]) -> list[Found]:
    debits = dict.fromkeys(Account, 0)
    for row in compared.ledger:
        debits[row.debit] += row.amount
        debits[row.credit] -= row.amount
    moved = {(row.kind, row.debit, row.credit): row.amount for row in compared.ledger}
    accounts = judge_accounts(compared.accounts, debits)
    return [*odd, *judge_balance(compared.balance), *accounts, *judge_pairs(moved)]


# Writing -------------------------------------------------------------------------------------------------


async def _close_gone(writing: _Writing, balance: Balance) -> None:
    run = writing.run
    await breaks_sql.close_gone(
        writing.conn,
        writing.run_id,
        run.started_at,
        run.period.first,
        run.period.until,
        [] if balance.checked else [BreakType.BALANCE_DIFFERS],
        f"run {writing.run_id} did not find it any more",
    )


async def _keep(writing: _Writing, compared: Compared, previous: sql.Head | None) -> int:
    """Add the run to the chain: its pages, its document, its row."""
    conn, run, run_id = writing.conn, writing.run, writing.run_id
    of_run = await breaks_sql.counts_of_run(conn, run_id, run.period.first, run.period.until)
    pages = [page async for page in _pages(writing)]
    finished_at = max(run.started_at, run.clock())
    document = document_of(
        run_id=run_id,
        previous=previous.sha256 if previous else None,
        times=(run.started_at, finished_at),
        period=run.period,
        chain_id=run.chain.chain_id,
        from_block=run.chain.start_block,
        cursor=run.cursor,
        compared=compared,
        breaks=of_run,
        pages=pages,
    )
    await sql.keep_run(
        conn,
        run_id,
        run.started_at,
        finished_at,
        run.period.first,
        run.period.until,
        run.chain.chain_id,
        run.chain.start_block,
        run.cursor.finalized_number if run.cursor else None,
        run.cursor.finalized_hash if run.cursor else None,
        compared.ledger_seq,
        sum(row.rows for row in compared.ledger),
        compared.balance.ledger,
        compared.balance.chain,
        compared.balance.unknown,
        sum(row.orders for row in compared.orders),
        sum(row.payments for row in compared.payments),
        sum(row.transfers for row in compared.transfers),
        sum(row.found for row in of_run),
        sum(row.open for row in of_run),
        document,
        digest(document),
        previous.sha256 if previous else None,
    )
    return run_id


async def _pages(writing: _Writing) -> AsyncIterator[bytes]:
    """Keep the open breaks of the period, page by page; the pages' hashes."""
    run, after, number = writing.run, 0, 0
    while page := await breaks_sql.open_breaks(writing.conn, after, run.period.first, run.period.until, PAGE):
        after, number = page[-1].id, number + 1
        yield await _kept_page(writing, number, page)


async def _kept_page(writing: _Writing, number: int, page: Sequence[OpenBreak]) -> bytes:
    text = page_of(page)
    await sql.keep_page(writing.conn, writing.run_id, number, text, digest(text))
    return digest(text)
