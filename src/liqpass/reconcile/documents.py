"""The canonical form of a run, its hash, and the chain of hashes.

Canonical JSON: keys sorted, no spaces, no floats, amounts as decimal strings of micro-USDC, times in UTC. A
run's document names the SHA-256 of the run before and of each page of open breaks: who holds the last hash
can tell whether anything before it was changed.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from liqpass.chain.view import Cursor
from liqpass.db import Connection
from liqpass.hexes import to_hex
from liqpass.ledger.book import Account
from liqpass.reconcile import sql
from liqpass.reconcile.breaks.sql import OfRun, OpenBreak
from liqpass.reconcile.money_checks import Balance
from liqpass.reconcile.periods import Period
from liqpass.reconcile.sums.sql import LedgerSum, OrdersSum, PaymentsSum, TransfersSum
from liqpass.reconcile.views import camel, told

FORMAT = 1


class Compared(msgspec.Struct, frozen=True):
    """What a run has added up, in its snapshot."""

    orders: Sequence[OrdersSum]
    payments: Sequence[PaymentsSum]
    transfers: Sequence[TransfersSum]
    ledger: Sequence[LedgerSum]
    ledger_seq: int
    accounts: dict[Account, int]
    balance: Balance


def canonical(value: object) -> str:
    """One text for one value."""
    return msgspec.json.encode(value, order="sorted").decode()


def digest(text: str) -> bytes:
    """Its SHA-256, 32 bytes."""
    return sha256(text.encode()).digest()


def page_of(breaks: Sequence[OpenBreak]) -> str:
    """A page of open breaks."""
    return canonical([told(one) for one in breaks])


def document_of(
    *,
    run_id: int,
    previous: bytes | None,
    times: tuple[datetime, datetime],
    period: Period,
    chain_id: int,
    from_block: int,
    cursor: Cursor | None,
    compared: Compared,
    breaks: Sequence[OfRun],
    pages: Sequence[bytes],
) -> str:
    """All that a run was made from and what it found."""
    block = {"number": cursor.finalized_number, "hash": to_hex(cursor.finalized_hash)} if cursor else None
    return canonical(
        {
            "format": FORMAT,
            "run": run_id,
            "previousSha256": to_hex(previous) if previous else None,
            "startedAt": times[0],
            "finishedAt": times[1],
            "period": {"from": period.first, "to": period.until},
            "chain": {"id": chain_id, "fromBlock": from_block, "toBlock": block},
            "balance": _balance(compared.balance),
            "accounts": {account: str(balance) for account, balance in compared.accounts.items()},
            "orders": [_row(row, "premium", "payout") for row in compared.orders],
            "payments": [_row(row, "amount") for row in compared.payments],
            "transfers": [_row(row, "amount", "upto") for row in compared.transfers],
            "ledger": {
                "seq": compared.ledger_seq,
                "sums": [_row(row, "amount", "amount_in") for row in compared.ledger],
            },
            "breaks": {
                "types": [_row(row) for row in breaks],
                "pages": [to_hex(page) for page in pages],
            },
        }
    )


def _balance(balance: Balance) -> dict[str, Any]:
    amounts = {
        "ledger": balance.ledger,
        "transfers": balance.transfers,
        "chain": balance.chain,
        "difference": balance.difference,
    }
    shown = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
    return {**shown, "unknown": balance.unknown, "waiting": balance.waiting}


def _row(row: msgspec.Struct, *amounts: str) -> dict[str, Any]:
    values = msgspec.structs.asdict(row)
    return {camel(name): str(value) if name in amounts else value for name, value in values.items()}


async def verify(conn: Connection) -> AsyncIterator[str]:
    """Where the chain of runs is broken, a sentence each; in a transaction of the caller's (`one_moment`)."""
    before: sql.Link | None = None
    async for links in sql.chain_of_runs(conn):
        for link in links:
            for fault in await _faults(conn, link, before):
                yield fault
            before = link


async def _faults(conn: Connection, link: sql.Link, before: sql.Link | None) -> list[str]:
    named = _named(link.document)
    found = []
    if link.id != (before.id + 1 if before else 1):
        found.append(f"Run {link.id} follows run {before.id if before else 0}: a run is missing between.")
    if digest(link.document) != link.sha256:
        found.append(f"Run {link.id}: its document is not the one that was hashed.")
    if link.previous_sha256 != (before.sha256 if before else None):
        found.append(f"Run {link.id} does not follow the run that stands before it.")
    if named is None:
        return [*found, f"Run {link.id}: its document cannot be read."]
    previous = to_hex(link.previous_sha256) if link.previous_sha256 else None
    if (named.run, named.previous_sha256) != (link.id, previous):
        found.append(f"Run {link.id}: its document is of another run.")
    if (row := await sql.run(conn, link.id)) and not _same(row, named):
        found.append(f"Run {link.id}: its row says something else than its document.")
    pages = await sql.pages_of(conn, link.id)
    if [to_hex(page.sha256) for page in pages] != named.breaks.pages:
        found.append(f"Run {link.id}: its document names other pages than there are.")
    return found + [
        f"Run {link.id}: page {page.page} is not the one that was hashed."
        for page in pages
        if digest(page.breaks) != page.sha256
    ]


class _Breaks(msgspec.Struct):
    types: list[dict[str, Any]]
    pages: list[str]


class _Period(msgspec.Struct, rename={"first": "from", "until": "to"}):
    first: datetime | None
    until: datetime | None


class _Block(msgspec.Struct):
    number: int
    hash: str


class _Chain(msgspec.Struct, rename="camel"):
    id: int
    from_block: int
    to_block: _Block | None


class _Sides(msgspec.Struct):
    ledger: str
    chain: str | None
    unknown: str | None


class _Ledger(msgspec.Struct):
    seq: int
    sums: list[dict[str, Any]]


class _Named(msgspec.Struct, rename="camel"):
    """A document, as far as its parts stand in its row, or elsewhere, too."""

    run: int
    previous_sha256: str | None
    started_at: datetime
    finished_at: datetime
    period: _Period
    chain: _Chain
    balance: _Sides
    orders: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    transfers: list[dict[str, Any]]
    ledger: _Ledger
    breaks: _Breaks


def _named(document: str) -> _Named | None:
    try:
        return msgspec.json.decode(document, type=_Named)
    except msgspec.DecodeError:
        return None


def _same(row: sql.Run, named: _Named) -> bool:
    """Whether each column of the row, but the hashes and the run's own number, is what the document says."""
    block, balance = named.chain.to_block, named.balance
    said = {
        "started_at": named.started_at,
        "finished_at": named.finished_at,
        "period_from": named.period.first,
        "period_to": named.period.until,
        "chain_id": named.chain.id,
        "from_block": named.chain.from_block,
        "to_block": block.number if block else None,
        "block_hash": block.hash if block else None,
        "ledger_seq": named.ledger.seq,
        "ledger_rows": _sum(named.ledger.sums, "rows"),
        "ledger_balance": balance.ledger,
        "chain_balance": balance.chain,
        "chain_unknown": balance.unknown,
        "orders": _sum(named.orders, "orders"),
        "payments": _sum(named.payments, "payments"),
        "transfers": _sum(named.transfers, "transfers"),
        "breaks_found": _sum(named.breaks.types, "found"),
        "breaks_open": _sum(named.breaks.types, "open"),
    }
    kept = told(row)
    return all(kept[camel(name)] == value for name, value in said.items())


def _sum(rows: Sequence[dict[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)
