"""Queries of settling."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, query
from liqpass.ledger.book import POST, STANDING


class Settleable(msgspec.Struct, frozen=True):
    """A cover that may be settled."""

    user_id: bytes
    order_id: UUID


# By what a cover `w` of order `o` with claim `c`, if any, and policy `p` is settled; null while it is not.
# What is approved and not paid for good can still be cancelled, also after a reorg took its payment away, and
# is undecided again: it must then be there.
_SETTLED_BY = """case
    when c.status in ('OPEN', 'GATHERING', 'PAYABLE', 'IN_REVIEW', 'APPROVED', 'BATCHED') then null
    when c.status = 'PAID' and not c.pay_final then null
    when o.status = 'EXPIRED' and w.alive_after_end_at is not null then 'ALIVE_AFTER_END'
    when o.status in ('ACTIVE', 'EXPIRED') and c.episode_over then 'ENDED'
    when o.status = 'EXPIRED' and o.coverage_end_at + make_interval(secs => p.window_sec) <= {now}
        then 'WINDOW_OVER' end"""


@query(f"""
    with looked_at as (
        select user_id, order_id from watched_covers
        where settled_at is null and alive_after_end_at is not null
        union
        select user_id, order_id from watched_covers where settled_at is null and ends_at <= $5
        union
        select c.user_id, c.order_id from claims c join watched_covers w using (user_id, order_id)
        where c.episode_over and w.settled_at is null
    )
    select o.user_id, o.id as order_id
    -- as arrays: of rows it would be guessed that they are many (old ends are rare among what is not settled,
    -- and PostgreSQL does not know that), and all open covers would be read, every second
    from unnest(array(select user_id from looked_at), array(select order_id from looked_at))
        l (user_id, order_id)
    join purchase_orders o on o.user_id = l.user_id and o.id = l.order_id
    join watched_covers w on w.user_id = l.user_id and w.order_id = l.order_id
    join unnest($3::text[], $4::int[]) p (version, window_sec) on p.version = o.claims_policy
    left join claims c on c.user_id = l.user_id and c.order_id = l.order_id
    where o.chain_id = $1 and w.settled_at is null and {_SETTLED_BY.format(now="$2")} is not null
    order by o.coverage_end_at, o.id
    limit $6 offset $7
    for no key update of o, w skip locked
""")
async def lock_settleable(
    conn: Connection,
    chain_id: int,
    now: datetime,
    policies: list[str],
    windows_sec: list[int],
    ended_before: datetime,
    at_most: int,
    passing_over: int,
) -> list[Settleable]:
    """Covers of which no claim can come or change any more, as far as this moment shows; nobody opens one of
    these until the transaction ends. `ended_before`: now less the shortest claim window."""
    ...


@query("""
    select c.id from claims c
    join unnest($1::bytea[], $2::uuid[]) l (user_id, order_id) using (user_id, order_id)
    order by c.user_id, c.id
    for update of c
""")
async def lock_claims_of(conn: Connection, user_ids: list[bytes], order_ids: list[UUID]) -> list[UUID]:
    """The claims of these orders, which nobody else moves until the transaction ends."""
    ...


@query(f"""
    with settled as (
        update watched_covers w set settled_at = $3, settled_by = by.settled_by::settled_by
        from (
            select o.user_id, o.id, {_SETTLED_BY.format(now="$3")} as settled_by
            from unnest($1::bytea[], $2::uuid[]) l (user_id, order_id)
            join purchase_orders o on o.user_id = l.user_id and o.id = l.order_id
            join watched_covers w on w.user_id = l.user_id and w.order_id = l.order_id
            join unnest($4::text[], $5::int[]) p (version, window_sec) on p.version = o.claims_policy
            left join claims c on c.user_id = l.user_id and c.order_id = l.order_id
        ) by
        where w.user_id = by.user_id and w.order_id = by.id and w.settled_at is null
          and by.settled_by is not null
        returning w.user_id, w.order_id, w.purchase_order_id
    ),
    entries as (
        select 'HELD'::ledger_kind as kind, e.ref, claimed.stands, $3::timestamptz as at
        from (select 'CLAIM'::ledger_kind as kind, purchase_order_id as ref from settled) e
        cross join lateral ({STANDING}) claimed
    ),
    {POST}
    select order_id from settled
""")
async def settle(
    conn: Connection,
    user_ids: list[bytes],
    order_ids: list[UUID],
    now: datetime,
    policies: list[str],
    windows_sec: list[int],
) -> list[UUID]:
    """Settle those of these that can be: what their claims do not take of their capital is free."""
    ...
