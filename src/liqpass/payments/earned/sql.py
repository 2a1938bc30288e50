"""Queries of what running covers have earned."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, query
from liqpass.ledger.book import POST, STANDING


class Running(msgspec.Struct, frozen=True):
    """A cover that is running."""

    user_id: bytes
    order_id: UUID


# Running covers `o` of more than a day that have given whole days which are not earned yet; and what is
# earned after that. $1 is our time, $2 the chain.
_DUE = f"""
    running as (
        select o.user_id, o.id, o.purchase_order_id as ref, o.duration_sec,
            div(extract(epoch from least($1, c.latest_time) - o.coverage_start_at), 86400) as days
        from {{covers}} join chain_cursors c on c.chain_id = o.chain_id
        where o.status = 'ACTIVE' and o.chain_id = $2 and o.duration_sec > 86400
          and o.coverage_start_at <= $1 - interval '1 day' and o.coverage_end_at > $1
    ),
    paid as (
        select e.user_id, e.id, e.ref, div(was.stands * e.days * 86400, e.duration_sec)::bigint as stands
        from (select 'PREMIUM'::ledger_kind as kind, * from running) e cross join lateral ({STANDING}) was
    ),
    due as (
        select e.* from (select 'EARNED'::ledger_kind as kind, * from paid) e
        cross join lateral ({STANDING}) was
        where e.stands > was.stands
    )
"""


@query(
    f"""
    with {_DUE.format(covers="purchase_orders o")}
    select user_id, id as order_id from due order by user_id, id
    """,
    patience_sec=300,
)
async def covers_to_earn(conn: Connection, now: datetime, chain_id: int) -> list[Running]:
    """Running covers that have given days which are not earned yet. Reads all that are running."""
    ...


_AMONG = """unnest($3::bytea[], $4::uuid[]) a (user_id, order_id)
        join purchase_orders o on o.user_id = a.user_id and o.id = a.order_id"""


@query(f"""
    with {_DUE.format(covers=_AMONG)},
    locked as (
        select o.user_id, o.id from purchase_orders o
        join (select * from due order by user_id, id limit $5 offset $6) d using (user_id, id)
        where o.status = 'ACTIVE'
        order by o.user_id, o.id
        for update of o skip locked
    ),
    entries as (
        select due.kind, due.ref, due.stands, $1 as at from due join locked using (user_id, id)
    ),
    {POST}
    select count(*) from posted
""")
async def earn_daily(
    conn: Connection,
    now: datetime,
    chain_id: int,
    user_ids: list[bytes],
    order_ids: list[UUID],
    at_most: int,
    passing_over: int,
) -> int:
    """Earn whole days of these running covers, if they last longer than one: what was paid × days ÷ days of
    the cover, rounded down; the rest comes when the cover ends. By our clock and the chain's, whichever is
    behind."""
    ...
