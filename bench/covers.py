"""Open covers of any number, each of an account of its own; the first of them have a position at the sandbox
exchange and a key that reads it."""

from datetime import datetime
from uuid import UUID

import asyncpg

from bench.slots import ACCOUNT_SQL, USER_SQL
from liqpass.exchange.fields import canonical_json
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_rows import position_row
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.api_accounts import PASSPHRASE, SECRET, context_of
from liqpass.vault.cipher import KeyRing

INST = "BTC-USDT-SWAP"
_USER, _ACCOUNT = USER_SQL.format(n="n"), ACCOUNT_SQL.format(n="n")
_GIVEN = """
    create temp table given as
    select $1::bigint as number, $2::text[] as uids, $3::text[] as rows, $4::timestamptz as at
"""
_SEED = f"""
    create temp table made as
    select n, at, {_USER} as user_id, {_ACCOUNT} as account, sha256(int8send(n)) as poid,
        {ACCOUNT_SQL.format(n="(n + 1000000000)")} as order_id,
        {ACCOUNT_SQL.format(n="(n + 2000000000)")} as binding_id,
        coalesce(uids[n + 1], 'u' || n) as uid, coalesce(rows[n + 1], rows[1]) as shown
    from given, generate_series(0, number - 1) n;
    insert into api_accounts (user_id, id, exchange, region, demo, uid, main_uid, api_key, secret_enc,
        passphrase_enc, label, permissions, ip_bound, checked_at, created_at)
    select user_id, account, 'okx', 'global', false, uid, uid, account::text, 'sealed', 'sealed', 'bench',
        array['read_only'], false, at, at from made;
    insert into insured_bindings (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku,
        status, pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at, order_id,
        coverage_start_at, coverage_end_at)
    select user_id, binding_id, account, uid, '{INST}', 'isolated', 'long', 'LIQPASS_30D', 'ACTIVE',
        shown::json ->> 'posId', (shown::json ->> 'cTime')::bigint, shown,
        sha256(convert_to(shown, 'UTF8')), at, at, order_id, at, at + interval '30 days' from made;
    insert into purchase_orders (user_id, id, purchase_order_id, binding_id, sku, premium_amount,
        payout_amount, priced_from, status, event_seq, coverage_delay_sec, duration_sec, pay_before, chain_id,
        checkout, pay_tx_hash, payer, submitted_at, paid_at, coverage_start_at, coverage_end_at, created_at)
    select user_id, order_id, poid, binding_id, 'LIQPASS_30D', 1000000, 150000000,
        json_build_object('version', 'bench', 'sku', 'LIQPASS_30D', 'position', shown,
            'position_sha256', '', 'read_at', at)::text,
        'ACTIVE', 3, 0, 2592000, at + interval '15 min', 31337, substr(poid, 1, 20), poid, user_id, at, at,
        at, at + interval '30 days', at from made;
    insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at, penalty, seen_at)
    select user_id, order_id, poid, uid, at + interval '30 days', '0', at from made;
    insert into watched_accounts (user_id, exchange_uid, due_at)
    select user_id, uid, at + n * interval '1 ms' from made;
    drop table made, given;
"""
TABLES = "api_accounts, insured_bindings, purchase_orders, watched_covers, watched_accounts"


def open_accounts(exchange: SandboxExchange, number: int) -> list[Key]:
    """So many accounts at the exchange, each with a position and a key that reads it."""
    keys = []
    for _ in range(number):
        okx = exchange.books.add_account()
        exchange.books.open_position(okx.uid, INST, contracts=5, lever=10)
        keys.append(exchange.books.add_key(okx.uid))
    return keys


async def write_covers(
    owner: asyncpg.Connection,
    exchange: SandboxExchange,
    keys: list[Key],
    keyring: KeyRing,
    number: int,
    at: datetime,
) -> None:
    """So many open covers, all due; the first of them are those of the keys. What was there is forgotten."""
    shown = [_row(exchange, key) for key in keys]
    async with owner.transaction():
        await owner.execute(
            "set local session_replication_role = replica; set local synchronous_commit = off"
        )
        await owner.execute(f"truncate {TABLES}, watched_changes, claims, claim_events cascade")
        await owner.execute(_GIVEN, number, [key.uid for key in keys], shown, at)
        await owner.execute(_SEED)
        await owner.executemany(
            "update api_accounts set api_key = $2, secret_enc = $3, passphrase_enc = $4 where uid = $1",
            [
                (key.uid, key.api_key, *_sealed(keyring, user, account, key))
                for key, user, account in await _owners(owner, keys)
            ],
        )
    await owner.execute(f"vacuum analyze {TABLES}")


async def _owners(owner: asyncpg.Connection, keys: list[Key]) -> list[tuple[Key, bytes, UUID]]:
    of = {key.uid: key for key in keys}
    rows = await owner.fetch("select user_id, id, uid from api_accounts where uid = any($1)", list(of))
    return [(of[row["uid"]], row["user_id"], row["id"]) for row in rows]


def _sealed(keyring: KeyRing, user: bytes, account: UUID, key: Key) -> tuple[str, str]:
    return (
        keyring.seal(key.secret, context_of(user, account, SECRET)),
        keyring.seal(key.passphrase, context_of(user, account, PASSPHRASE)),
    )


def _row(exchange: SandboxExchange, key: Key) -> str:
    account = exchange.books.accounts[key.uid]
    return canonical_json(position_row(account, account.slots[INST, "isolated", "long"]))
