"""Rows of one trader, written straight into the tables."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg

from liqpass.db import Connection

USER, OTHER_USER = b"\x01" * 20, b"\x02" * 20
ACCOUNT, BINDING, ORDER = UUID(int=1), UUID(int=2), UUID(int=3)
PUBLIC_ID, TX, BLOCK = b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 32
CHAIN = 8453
MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAID = MADE + timedelta(minutes=2)
DELAY_SEC, DURATION_SEC = 600, 28_800
START = PAID + timedelta(seconds=DELAY_SEC)
END = START + timedelta(seconds=DURATION_SEC)
PAYMENT = {"pay_tx_hash": TX, "payer": USER, "submitted_at": MADE}
COVER = {"paid_at": PAID, "coverage_start_at": START, "coverage_end_at": END}

Writer = asyncpg.Connection | Connection


async def insert(conn: Writer, table: str, **values: object) -> None:
    """One row."""
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await conn.execute(f"insert into {table} ({', '.join(values)}) values ({places})", *values.values())


async def account(conn: Writer, **changed: object) -> None:
    """A living account."""
    row: dict[str, object] = {"user_id": USER, "id": ACCOUNT, "exchange": "okx", "region": "global"}
    row |= {"demo": False, "uid": "1", "main_uid": "1", "api_key": "key", "label": "", "permissions": []}
    row |= {"secret_enc": "sealed", "passphrase_enc": "sealed", "ip_bound": False}
    await insert(conn, "api_accounts", **row | {"checked_at": MADE, "created_at": MADE} | changed)


async def session(conn: Writer, user: bytes, now: datetime) -> None:
    """A session of a day, whose token's hash is that of the wallet; the one that is there is renewed."""
    await conn.execute(
        """
        insert into sessions (token_sha256, user_id, created_at, expires_at) values ($1, $2, $3, $4)
        on conflict (token_sha256) do update set expires_at = excluded.expires_at
        """,
        sha256(user).digest(),
        user,
        now,
        now + timedelta(days=1),
    )


async def reading(conn: Writer, **changed: object) -> None:
    """What was read of the account: nothing."""
    row: dict[str, object] = {"user_id": USER, "api_account_id": ACCOUNT, "read_at": MADE, "body": b"{}"}
    await insert(conn, "position_readings", **row | {"body_sha256": BLOCK, "inst_ids": []} | changed)


async def binding(conn: Writer, **changed: object) -> None:
    """A draft binding of the account."""
    row: dict[str, object] = {"user_id": USER, "id": BINDING, "api_account_id": ACCOUNT, "exchange_uid": "1"}
    row |= {"inst_id": "BTC-USDT-SWAP", "mgn_mode": "isolated", "pos_side": "long", "sku": "LIQPASS_8H"}
    row |= {"status": "DRAFT", "pos_id": "1", "pos_created_ms": 1, "position_as_read": "{}"}
    row |= {"position_sha256": BLOCK, "read_at": MADE, "created_at": MADE}
    await insert(conn, "insured_bindings", **row | changed)


async def order(conn: Writer, **changed: object) -> None:
    """A draft order of the binding."""
    row: dict[str, object] = {"user_id": USER, "id": ORDER, "purchase_order_id": PUBLIC_ID}
    row |= {"binding_id": BINDING, "sku": "LIQPASS_8H", "premium_amount": 3_000_000}
    row |= {"payout_amount": 100_000_000, "priced_from": "{}", "status": "DRAFT", "event_seq": 1}
    row |= {"coverage_delay_sec": DELAY_SEC, "duration_sec": DURATION_SEC, "chain_id": CHAIN}
    row |= {"pay_before": MADE + timedelta(minutes=15), "checkout": USER, "created_at": MADE}
    await insert(conn, "purchase_orders", **row | changed)


async def event(conn: Writer, **changed: object) -> None:
    """The first event of the order."""
    row: dict[str, object] = {"user_id": USER, "order_id": ORDER, "seq": 1, "from_status": None}
    row |= {"to_status": "DRAFT", "reason": "ORDERED", "actor": "USER", "details": "{}", "at": MADE}
    await insert(conn, "order_events", **row | changed)


async def payment(conn: Writer, **changed: object) -> None:
    """A payment of the order, as just seen."""
    row: dict[str, object] = {"chain_id": CHAIN, "tx_hash": TX, "log_index": 0, "block_number": 7}
    row |= {"block_hash": BLOCK, "block_time": PAID, "purchase_order_id": PUBLIC_ID, "payer": USER}
    row |= {"amount": 3_000_000, "stage": "SEEN", "changed_at": PAID}
    await insert(conn, "premium_payments", **row | changed)


async def transfer(conn: Writer, **changed: object) -> None:
    """The transfer of that payment, as just seen."""
    row: dict[str, object] = {"chain_id": CHAIN, "tx_hash": TX, "log_index": 1, "block_number": 7}
    row |= {"block_hash": BLOCK, "block_time": PAID, "sender": USER, "amount": 3_000_000}
    await insert(conn, "usdc_transfers", **row | {"stage": "SEEN", "changed_at": PAID} | changed)
