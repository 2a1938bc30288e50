"""What a measured loop needs before it begins: users with a session, an account and a fresh reading.

Everything of user n follows from n, so the load generator and pgbench know it without asking.
"""

import base64
import json
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg

INSTRUMENTS = ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP", "DOGE-USDT-SWAP")

# The same facts for PostgreSQL; {n} is a bigint expression.
USER_SQL = "substr(sha256(int8send({n})), 1, 20)"
ACCOUNT_SQL = "encode(substr(sha256(int8send({n})), 1, 16), 'hex')::uuid"
TOKEN_SHA256_SQL = "sha256(int8send(0) || int8send(0) || int8send(0) || int8send({n}))"  # noqa: S105
INSTRUMENT_SQL = f"(array{list(INSTRUMENTS)})[{{k}} + 1]"

WRITTEN = (
    "sessions, api_accounts, position_readings, insured_bindings, insured_positions, purchase_orders, "
    "order_refs, submitted_txs, order_events"
)


def cookie_of(n: int) -> str:
    """The session cookie of user n."""
    return base64.urlsafe_b64encode(n.to_bytes(32, "big")).decode()


def account_of(n: int) -> str:
    """The id of user n's exchange account."""
    return str(UUID(bytes=sha256(n.to_bytes(8, "big")).digest()[:16]))


def many_positions(body: bytes) -> bytes:
    """A positions answer with a position in each instrument, made of the first isolated long of `body`."""
    rows = json.loads(body)["data"]
    row = next(row for row in rows if (row["mgnMode"], row["posSide"]) == ("isolated", "long"))
    rows = [
        {**row, "instId": name, "posId": str(int(row["posId"]) + k)} for k, name in enumerate(INSTRUMENTS)
    ]
    return json.dumps({"code": "0", "data": rows, "msg": ""}).encode()


async def seed(owner: asyncpg.Connection, users: int, body: bytes, read_at: datetime) -> None:
    """Forget all former rounds and make `users` new ones. `read_at`: the time of their readings."""
    user, account = USER_SQL.format(n="n"), ACCOUNT_SQL.format(n="n")
    await owner.execute(f"truncate {WRITTEN} cascade")
    await owner.execute(
        f"""
        insert into sessions (token_sha256, user_id, created_at, expires_at)
        select {TOKEN_SHA256_SQL.format(n="n")}, {user}, now(), now() + interval '7 days'
        from generate_series(0, $1::bigint - 1) n
        """,
        users,
    )
    await owner.execute(
        f"""
        insert into api_accounts (user_id, id, exchange, region, demo, uid, main_uid, api_key, secret_enc,
            passphrase_enc, label, permissions, ip_bound, checked_at, created_at)
        select {user}, {account}, 'okx', 'global', false, n::text, n::text, {account}::text,
            repeat('s', 96), repeat('p', 80), 'bench', array['read_only'], false, now(), now()
        from generate_series(0, $1::bigint - 1) n
        """,
        users,
    )
    await owner.execute(
        f"""
        insert into position_readings (user_id, api_account_id, read_at, body, body_sha256, inst_ids)
        select {user}, {account}, $2, $3, sha256($3), $4 from generate_series(0, $1::bigint - 1) n
        """,
        users,
        read_at,
        body,
        sorted(INSTRUMENTS),
    )
    await owner.execute("analyze sessions, api_accounts, position_readings")
    await owner.execute("checkpoint")
