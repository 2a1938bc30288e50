"""The ledger by itself: what the database holds, whoever writes."""

from datetime import UTC, datetime

import asyncpg
import pytest

from liqpass.db import Connection, Database
from liqpass.ledger.book import DEBIT_SIDE, LEGAL_TRANSFERS, Account, Entry, Kind, log_ref
from liqpass.ledger.posting import balance, balances, post

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = b"\x0a" * 32
CAME_IN = log_ref(b"\x0b" * 32, 7)


async def stand(db: Database, *entries: tuple[Kind, bytes, int]) -> int:
    """Post in a transaction of its own."""
    return await db.run(lambda conn: post(conn, NOW, [Entry(*entry) for entry in entries]))


async def legs(db: Database, kind: Kind) -> list[tuple[int, str, str, int]]:
    """Leg, debit, credit, amount of all transfers of a kind."""
    async with db.pool.acquire() as conn:
        rows = await conn.fetch(
            "select leg, debit, credit, amount from ledger_transfers where kind = $1 order by seq", kind
        )
    return [tuple(row) for row in rows]


async def test_what_is_posted_shows_in_both_accounts(db: Database) -> None:
    assert await stand(db, (Kind.PREMIUM, ORDER, 3_000_000)) == 1
    found = await db.run(balances)
    assert {account for account, amount in found.items() if amount} == {
        Account.TREASURY,
        Account.UNEARNED_PREMIUM,
    }
    assert found[Account.TREASURY] == found[Account.UNEARNED_PREMIUM] == 3_000_000


async def test_posting_the_same_again_changes_nothing(db: Database) -> None:
    await stand(db, (Kind.PREMIUM, ORDER, 3_000_000))
    assert await stand(db, (Kind.PREMIUM, ORDER, 3_000_000)) == 0
    assert await legs(db, Kind.PREMIUM) == [(1, "TREASURY", "UNEARNED_PREMIUM", 3_000_000)]


async def test_a_correction_is_a_reversal(db: Database) -> None:
    for stands in (3_000_000, 0, 3_000_000, 2_000_000):
        await stand(db, (Kind.PREMIUM, ORDER, stands))
    assert await legs(db, Kind.PREMIUM) == [
        (1, "TREASURY", "UNEARNED_PREMIUM", 3_000_000),
        (2, "UNEARNED_PREMIUM", "TREASURY", 3_000_000),
        (3, "TREASURY", "UNEARNED_PREMIUM", 3_000_000),
        (4, "UNEARNED_PREMIUM", "TREASURY", 1_000_000),
    ]
    async with db.pool.acquire() as conn:
        assert await balance(conn, Account.TREASURY) == 2_000_000


async def test_one_statement_may_move_money_on_at_once(db: Database) -> None:
    """What is checked is the balance after the whole of it."""
    await stand(db, (Kind.CAPITAL, CAME_IN, 5), (Kind.RECEIVED, CAME_IN, 5), (Kind.HELD, ORDER, 5))
    found = await db.run(balances)
    assert (found[Account.SUSPENSE], found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (0, 0, 5)


async def test_no_account_falls_below_zero(db: Database) -> None:
    await stand(db, (Kind.RECEIVED, CAME_IN, 5), (Kind.CAPITAL, CAME_IN, 5))
    with pytest.raises(asyncpg.CheckViolationError, match="never_overdrawn"):
        await stand(db, (Kind.HELD, ORDER, 6))
    assert await legs(db, Kind.HELD) == []
    async with db.pool.acquire() as conn:
        assert await balance(conn, Account.POOL_FREE) == 5


@pytest.mark.parametrize(
    "change",
    [
        "update ledger_transfers set amount = amount + 1",
        "delete from ledger_transfers",
        "truncate ledger_transfers",
    ],
)
async def test_the_database_refuses_every_change(db: Database, database_url: str, change: str) -> None:
    await stand(db, (Kind.RECEIVED, CAME_IN, 5))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run(lambda conn: execute(conn, change))
    owner = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(change)
    finally:
        await owner.close()
    assert await legs(db, Kind.RECEIVED) == [(1, "TREASURY", "SUSPENSE", 5)]


@pytest.mark.parametrize(
    "change",
    [
        "update ledger_accounts set balance = 1 where id = 'POOL_FREE'",
        "delete from ledger_accounts where id = 'CLAIMS_PAYABLE'",
        "update ledger_kinds set forward = not forward",
    ],
)
async def test_the_application_may_not_touch_balances_or_rules(db: Database, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run(lambda conn: execute(conn, change))


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ("'PREMIUM', 1, 'TREASURY', 'POOL_FREE', 5", asyncpg.ForeignKeyViolationError),
        ("'PREMIUM', 1, 'TREASURY', 'UNEARNED_PREMIUM', 0", asyncpg.CheckViolationError),
        ("'PREMIUM', 1, 'TREASURY', 'UNEARNED_PREMIUM', -5", asyncpg.CheckViolationError),
        ("'PREMIUM', 0, 'TREASURY', 'UNEARNED_PREMIUM', 5", asyncpg.CheckViolationError),
    ],
)
async def test_an_illegal_transfer_cannot_be_stored(
    db: Database, columns: str, refusal: type[asyncpg.PostgresError]
) -> None:
    insert = "insert into ledger_transfers (kind, leg, debit, credit, amount, ref, at) select"
    with pytest.raises(refusal):
        await db.run(lambda conn: execute(conn, f"{insert} {columns}, '\\x00', now()"))


async def test_one_leg_is_stored_once(db: Database) -> None:
    await stand(db, (Kind.RECEIVED, CAME_IN, 5))
    again = (
        "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) "
        "select kind, ref, leg, debit, credit, amount, at from ledger_transfers"
    )
    async with db.pool.acquire() as conn:
        with pytest.raises(asyncpg.UniqueViolationError, match="one_leg_once"):
            await conn.execute(again)


async def test_python_and_the_database_hold_the_same_rules(db: Database) -> None:
    async with db.pool.acquire() as conn:
        kinds = await conn.fetch("select kind, debit, credit, forward from ledger_kinds")
        sides = await conn.fetch("select id, side from ledger_accounts")
    forward = {Kind(k["kind"]): (k["debit"], k["credit"]) for k in kinds if k["forward"]}
    back = {Kind(k["kind"]): (k["credit"], k["debit"]) for k in kinds if not k["forward"]}
    assert forward == back == LEGAL_TRANSFERS
    assert {Account(s["id"]) for s in sides} == set(Account)
    assert {Account(s["id"]) for s in sides if s["side"] == "DEBIT"} == DEBIT_SIDE


async def execute(conn: Connection, statement: str) -> None:
    """As the application's role."""
    await conn.execute(statement)
