"""Queries of readings and bindings."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from liqpass.db import Connection, query


class BindingStatus(StrEnum):
    """The states of a binding."""

    DRAFT = "DRAFT"
    """Bound, not covered."""
    ACTIVE = "ACTIVE"
    """Covered by its order."""
    EXPIRED = "EXPIRED"
    """Its cover is over."""
    CANCELLED = "CANCELLED"
    """Given up before it was covered."""


class StoredReading(msgspec.Struct, frozen=True):
    """A living account of the user with its last positions answer, if there is one."""

    exchange: str
    uid: str
    demo: bool
    held_reason: str | None
    read_at: datetime | None
    body: bytes | None


class Bound(msgspec.Struct, frozen=True):
    """The living binding of a slot; None fields where another account's binding holds the position."""

    mine: bool
    id: UUID | None
    sku: str | None
    status: BindingStatus | None
    order_id: UUID | None
    pos_id: str | None
    pos_created_ms: int | None


@query("""
    select a.exchange, a.uid, a.demo, a.held_reason, r.read_at, r.body
    from api_accounts a
    left join position_readings r on r.user_id = a.user_id and r.api_account_id = a.id
    where a.user_id = $1 and a.id = $2 and a.revoked_at is null
""")
async def find_reading(conn: Connection, user_id: bytes, api_account_id: UUID) -> StoredReading | None:
    """The user's own account and what was last read of it."""
    ...


@query("""
    insert into position_readings (user_id, api_account_id, read_at, body, body_sha256, inst_ids)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (user_id, api_account_id) do update
    set read_at = excluded.read_at, body = excluded.body, body_sha256 = excluded.body_sha256,
        inst_ids = excluded.inst_ids
    where position_readings.read_at < excluded.read_at
""")
async def keep_reading(
    conn: Connection,
    user_id: bytes,
    api_account_id: UUID,
    read_at: datetime,
    body: bytes,
    sha256: bytes,
    inst_ids: list[str],
) -> None:
    """Keep an answer, with the instruments of its open positions, unless a later one is there already."""
    ...


@query("""
    with held as (
        insert into insured_positions
            (exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id, binding_id)
        values ($4, $5, $6, $7, $8, $1, $3, $2)
        on conflict (exchange, exchange_uid, inst_id, mgn_mode, pos_side)
        do update set binding_id = insured_positions.binding_id
        returning user_id = $1 and api_account_id = $3 as mine
    ),
    bound as (
        insert into insured_bindings as b
            (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku, status,
             pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at)
        select $1, $2, $3, $5, $6, $7, $8, $9, 'DRAFT', $10, $11, $12, $13, $14, $15
        from held where mine
        on conflict (user_id, api_account_id, inst_id, mgn_mode, pos_side) where status in ('DRAFT', 'ACTIVE')
        do update set
            sku = case when b.order_id is null then excluded.sku else b.sku end,
            pos_id = case when b.order_id is null then excluded.pos_id else b.pos_id end,
            pos_created_ms =
                case when b.order_id is null then excluded.pos_created_ms else b.pos_created_ms end,
            position_as_read =
                case when b.order_id is null then excluded.position_as_read else b.position_as_read end,
            position_sha256 =
                case when b.order_id is null then excluded.position_sha256 else b.position_sha256 end,
            read_at = case when b.order_id is null then excluded.read_at else b.read_at end
        returning b.id, b.sku, b.status, b.order_id, b.pos_id, b.pos_created_ms
    )
    select held.mine, bound.id, bound.sku, bound.status, bound.order_id, bound.pos_id, bound.pos_created_ms
    from held left join bound on true
""")
async def bind(
    conn: Connection,
    user_id: bytes,
    new_id: UUID,
    api_account_id: UUID,
    exchange: str,
    exchange_uid: str,
    inst_id: str,
    mgn_mode: str,
    pos_side: str,
    sku: str,
    pos_id: str,
    pos_created_ms: int,
    position_as_read: str,
    position_sha256: bytes,
    read_at: datetime,
    now: datetime,
) -> Bound:
    """Insert or return the living binding of a slot, and hold the position over all wallets.

    A binding without an order takes the new product and the new reading; one with an order stays as it is.
    """
    ...


@query("""
    with stale as (
        select user_id, id from insured_bindings
        where status = 'DRAFT' and order_id is null and created_at < $1
        order by created_at, id
        limit $2 offset $3
        for update skip locked
    ),
    given_up as (
        update insured_bindings b set status = 'CANCELLED' from stale
        where b.user_id = stale.user_id and b.id = stale.id
        returning b.user_id, b.id
    ),
    freed as (
        delete from insured_positions p using given_up g
        where p.user_id = g.user_id and p.binding_id = g.id
    )
    select count(*) from given_up
""")
async def give_up_unordered(
    conn: Connection, created_before: datetime, at_most: int, passing_over: int
) -> int:
    """Cancel bindings that nobody ordered cover for, and free their positions."""
    ...
