"""Books of any size in which everything agrees: orders in every state, their payments, the ledger, and strays
that were put right. What is wrong in them comes from `bench.faults`."""

from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from liqpass.clock import system_clock
from liqpass.exchange.fields import canonical_json
from liqpass.sandbox.okx_rows import position_row
from liqpass.sandbox.okx_server import SandboxExchange

ORDERS_PER_USER = 50
DAYS = 120
QUIET_SEC = 6 * 3600
"""How long after their last moment nothing falls due in the books."""
TABLES = """
    api_accounts, insured_bindings, insured_positions, purchase_orders, order_refs, submitted_txs,
    order_events, premium_payments, payment_settlements, usdc_transfers, disbursements, disbursements_made,
    pool_deposits, ledger_openings, ledger_transfers, ledger_accounts, watched_covers, order_risks, exposures
"""
# A position that says which instrument it is in, and no more.
LEAN = '{"instId":"BTC-USDT-SWAP"}'
_GIVEN = """
    create temp table given as
    select $1::text as seed, $2::int as orders, $3::int as users, $4::int as days, $5::int as quiet,
        $6::timestamptz as at, $7::int as tip, $8::bigint as chain_id, $9::bytea as checkout,
        $10::bytea as treasury, $11::bigint as capital, $12::text as position,
        $6::timestamptz - make_interval(days => $4 + 1) as began
"""
SET_BALANCES = """
    update ledger_accounts a set balance = s.balance
    from (
        select a.id, coalesce(sum(case t.debit when a.id then t.amount else -t.amount end), 0)
            * case a.side when 'DEBIT' then 1 else -1 end as balance
        from ledger_accounts a left join ledger_transfers t on a.id in (t.debit, t.credit)
        group by a.id, a.side
    ) s
    where s.id = a.id
"""
_CURSOR = """
    insert into chain_cursors (chain_id, finalized_number, finalized_hash, safe_number, safe_time,
        latest_number, latest_time, read_at)
    values ($1, $2, $3, $2, $4, $2, $4, $4)
"""


class Chain(msgspec.Struct, frozen=True):
    """Where the books are. `tip`: the last block that anything in them may be in."""

    chain_id: int
    checkout: bytes
    treasury: bytes
    tip: int


async def write_books(
    owner: asyncpg.Connection,
    chain: Chain,
    at: datetime,
    orders: int,
    *,
    seed: str = "books",
    lean: bool = False,
) -> int:
    """Fill a fresh, migrated database with the books of so many orders up to the moment `at` (whole seconds);
    what the treasury holds in the end, in micro-USDC. The same arguments make the same books.

    `owner` has to be a superuser. The cursor is not written: see `end_at`. `lean`: without what is on the
    chain, and of each position but its name; for a database that would else be too large.
    """
    users = max(1, orders // ORDERS_PER_USER)
    capital = orders * 200_000_000
    async with owner.transaction():
        await owner.execute("set local session_replication_role = replica; set local work_mem = '256MB'")
        await owner.execute("set local synchronous_commit = off")
        await owner.execute(
            _GIVEN, seed, orders, users, DAYS, QUIET_SEC, at, chain.tip, chain.chain_id, chain.checkout,
            chain.treasury, capital, LEAN if lean else position(),
        )  # fmt: skip
        for name in ("books.sql", *(() if lean else ("books_chain.sql",))):
            await owner.execute((Path(__file__).parent / name).read_text(encoding="utf-8"))
        await owner.execute(SET_BALANCES)
        await owner.execute("drop table made, came, withdrawn, earned, given")
    await owner.execute(f"vacuum analyze {TABLES}")
    held: int = await owner.fetchval("select balance from ledger_accounts where id = 'TREASURY'")
    return held


async def end_at(
    owner: asyncpg.Connection, chain_id: int, number: int, block_hash: bytes, at: datetime
) -> None:
    """The chain was read and is final up to this block of this moment."""
    await owner.execute(_CURSOR, chain_id, number, block_hash, at)
    await owner.execute("vacuum analyze chain_cursors")


def position() -> str:
    """An isolated position in BTC-USDT-SWAP as the exchange shows it, in the form in which it is stored."""
    accounts = SandboxExchange(system_clock).books.accounts.values()
    found = ((account, p) for account in accounts for p in account.slots.values() if p.mgn_mode == "isolated")
    return canonical_json(position_row(*next(found)))
