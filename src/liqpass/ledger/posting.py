"""Posting and reading the books from outside: what other slices call."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from liqpass.db import Connection
from liqpass.ledger import sql
from liqpass.ledger.book import NEVER_OVERDRAWN, Account, Entry


async def post(conn: Connection, now: datetime, entries: Sequence[Entry]) -> int:
    """Bring each kind and ref to what it shall stand at; how many transfers that took. To be called once in a
    transaction, as its last statement but one: the accounts stay locked until it ends.

    Raises asyncpg.CheckViolationError (`overdrawn`) when an account would fall below zero.
    """
    if not entries:
        return 0
    kinds, refs, stands = [e.kind for e in entries], [e.ref for e in entries], [e.stands for e in entries]
    return await sql.post(conn, kinds, refs, stands, now)


def overdrawn(error: Exception) -> bool:
    """Whether the database refused a posting because an account would have fallen below zero."""
    return isinstance(error, asyncpg.CheckViolationError) and error.constraint_name == NEVER_OVERDRAWN


async def balances(conn: Connection) -> dict[Account, int]:
    """All accounts in micro-USDC, each on the side on which it grows."""
    return {row.account: row.balance for row in await sql.balances(conn)}


async def balance(conn: Connection, account: Account) -> int:
    """One account in micro-USDC."""
    return await sql.balance(conn, account)


async def last_seq(conn: Connection) -> int:
    """The number of the last transfer; 0 before the first."""
    return await sql.last_seq(conn)
