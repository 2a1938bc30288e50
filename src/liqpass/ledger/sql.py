"""Queries of the ledger."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query
from liqpass.ledger.book import POST, Account, Kind


class Balance(msgspec.Struct, frozen=True):
    """An account's balance in micro-USDC, on the side on which it grows."""

    account: Account
    balance: int


@query(f"""
    with entries as (
        select kind, ref, stands, $4::timestamptz as at
        from unnest($1::ledger_kind[], $2::bytea[], $3::bigint[]) as e (kind, ref, stands)
    ),
    {POST}
    select count(*) from posted
""")
async def post(
    conn: Connection, kinds: list[Kind], refs: list[bytes], stands: list[int], now: datetime
) -> int:
    """Bring each kind and ref to what it shall stand at; no pair may be named twice. How many were posted.

    Raises asyncpg.CheckViolationError (never_overdrawn) when an account would fall below zero.
    """
    ...


@query("select id as account, balance from ledger_accounts order by id")
async def balances(conn: Connection) -> list[Balance]:
    """All accounts."""
    ...


@query("select coalesce(max(seq), 0) from ledger_transfers")
async def last_seq(conn: Connection) -> int:
    """The number of the last transfer."""
    ...


@query("select balance from ledger_accounts where id = $1")
async def balance(conn: Connection, account: Account) -> int:
    """One account."""
    ...
