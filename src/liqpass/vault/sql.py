"""The queries of the vault. Those that a request runs name their user; the last five serve the operator."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, query


class ApiAccount(msgspec.Struct, frozen=True):
    """An account as its owner sees it: no secret in it."""

    id: UUID
    region: str
    demo: bool
    uid: str
    api_key: str
    label: str
    permissions: list[str]
    ip_bound: bool
    checked_at: datetime
    held_reason: str | None
    created_at: datetime


class SealedAccount(msgspec.Struct, frozen=True):
    """What is needed to use an account's key."""

    user_id: bytes
    id: UUID
    region: str
    demo: bool
    uid: str
    main_uid: str
    api_key: str
    secret_enc: str
    passphrase_enc: str
    held_reason: str | None
    checked_at: datetime


class DueAccount(msgspec.Struct, frozen=True):
    """An account whose key is to be asked about again."""

    user_id: bytes
    id: UUID
    region: str


class Ciphertexts(msgspec.Struct, frozen=True):
    """The two sealed columns of a row."""

    user_id: bytes
    id: UUID
    secret_enc: str
    passphrase_enc: str


@query(
    """
    insert into api_accounts (
        user_id, id, exchange, region, demo, uid, main_uid, api_key, secret_enc, passphrase_enc,
        label, permissions, ip_bound, checked_at, created_at
    ) values ($1, $2, 'okx', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
    on conflict (user_id, exchange, api_key) do update set checked_at = excluded.checked_at
    returning id, region, demo, uid, api_key, label, permissions, ip_bound, checked_at, held_reason,
        created_at
    """
)
async def add_account(
    conn: Connection,
    user: bytes,
    account_id: UUID,
    region: str,
    demo: bool,
    uid: str,
    main_uid: str,
    api_key: str,
    secret_enc: str,
    passphrase_enc: str,
    label: str,
    permissions: list[str],
    ip_bound: bool,
    now: datetime,
) -> ApiAccount:
    """Store a key, or find and lock the row that has it: then another id comes back than was given."""


@query(
    """
    update api_accounts
    set region = $3, demo = $4, uid = $5, main_uid = $6, secret_enc = $7, passphrase_enc = $8,
        label = coalesce($9, label), permissions = $10, ip_bound = $11, checked_at = $12,
        revoked_at = null, held_at = null, held_reason = null
    where user_id = $1 and id = $2
    returning id, region, demo, uid, api_key, label, permissions, ip_bound, checked_at, held_reason,
        created_at
    """
)
async def renew_account(
    conn: Connection,
    user: bytes,
    account_id: UUID,
    region: str,
    demo: bool,
    uid: str,
    main_uid: str,
    secret_enc: str,
    passphrase_enc: str,
    label: str | None,
    permissions: list[str],
    ip_bound: bool,
    now: datetime,
) -> ApiAccount:
    """A key that was given again and let in again: living, not held, sealed for its own row."""


@query(
    """
    select id, region, demo, uid, api_key, label, permissions, ip_bound, checked_at, held_reason, created_at
    from api_accounts
    where user_id = $1 and revoked_at is null
    order by created_at, id
    """
)
async def accounts_of(conn: Connection, user: bytes) -> list[ApiAccount]:
    """A user's living accounts."""


@query(
    """
    update api_accounts
    set revoked_at = coalesce(revoked_at, $3), secret_enc = null, passphrase_enc = null, held_at = null,
        held_reason = null
    where user_id = $1 and id = $2
    returning id
    """
)
async def revoke_account(conn: Connection, user: bytes, account_id: UUID, now: datetime) -> UUID | None:
    """Destroy both ciphertexts and keep the row; None when the user has no such row."""


@query(
    """
    select user_id, id, region, demo, uid, main_uid, api_key, secret_enc, passphrase_enc, held_reason,
        checked_at
    from api_accounts
    where user_id = $1 and id = $2 and revoked_at is null
    """
)
async def sealed_account(conn: Connection, user: bytes, account_id: UUID) -> SealedAccount | None:
    """A living account with its ciphertexts."""


@query(
    """
    select user_id, id, region, demo, uid, main_uid, api_key, secret_enc, passphrase_enc, held_reason,
        checked_at
    from api_accounts
    where user_id = $1 and uid = $2 and exchange = 'okx' and revoked_at is null and held_reason is null
    order by created_at, id
    """
)
async def sealed_of_uid(conn: Connection, user: bytes, uid: str) -> list[SealedAccount]:
    """The user's living keys of one account of the exchange that are not on hold, with their ciphertexts."""


@query(
    """
    update api_accounts
    set permissions = coalesce($4, permissions), ip_bound = coalesce($5, ip_bound), checked_at = $6,
        held_at = case when $7::text is null then null else coalesce(held_at, $6) end, held_reason = $7
    where user_id = $1 and id = $2 and checked_at = $3 and revoked_at is null
    returning id
    """
)
async def note_check(
    conn: Connection,
    user: bytes,
    account_id: UUID,
    checked_before: datetime,
    permissions: list[str] | None,
    ip_bound: bool | None,
    now: datetime,
    held_reason: str | None,
) -> UUID | None:
    """What a repeated check found: hold or release. None when the row was checked or revoked meanwhile."""


@query(
    """
    select user_id, id, region
    from api_accounts
    where checked_at < $1 and revoked_at is null and held_reason is distinct from $3
    order by random()
    limit $2
    """
)
async def accounts_due(
    conn: Connection, checked_before: datetime, at_most: int, but_held_for: str
) -> list[DueAccount]:
    """Accounts of all users whose last check is too old. In random order: an account that cannot be checked
    stays due, and must not keep the others from their turn."""


@query(
    """
    select user_id, id, secret_enc, passphrase_enc
    from api_accounts
    where (user_id, id) > ($1, $2) and revoked_at is null
    order by user_id, id
    limit $3
    """
)
async def ciphertexts_after(
    conn: Connection, user: bytes, account_id: UUID, at_most: int
) -> list[Ciphertexts]:
    """The next living accounts of all users in the order of their key."""


@query("select count(*) from api_accounts where revoked_at is null")
async def living_accounts(conn: Connection) -> int:
    """How many accounts of all users have ciphertexts."""


@query(
    """
    update api_accounts set secret_enc = $5, passphrase_enc = $6
    where user_id = $1 and id = $2 and secret_enc = $3 and passphrase_enc = $4
    returning id
    """
)
async def replace_ciphertexts(
    conn: Connection,
    user: bytes,
    account_id: UUID,
    old_secret_enc: str,
    old_passphrase_enc: str,
    secret_enc: str,
    passphrase_enc: str,
) -> UUID | None:
    """Write a row's secrets as they were sealed anew; None when somebody else has written them meanwhile."""
