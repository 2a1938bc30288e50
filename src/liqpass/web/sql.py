"""Queries of pages: sums over all users, and what no slice tells by itself."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection, query
from liqpass.orders.states import SETTLED, OrderStatus


class Today(msgspec.Struct, frozen=True):
    """What happened since a moment: orders made, paid (by their payment's block) and cancelled, and the
    premiums of those that were paid, in micro-USDC."""

    made: int
    paid: int
    cancelled: int
    premiums: int


@query("""
    select (select count(*) from purchase_orders where created_at >= $1) as made,
        p.paid,
        (select count(*) from order_events where to_status = 'CANCELLED' and at >= $1) as cancelled,
        p.premiums
    from (
        select count(*) as paid, coalesce(sum(premium_amount), 0)::bigint as premiums
        from purchase_orders where paid_at >= $1
    ) p
""")
async def since(conn: Connection, moment: datetime) -> Today:
    """Since this moment."""
    ...


class OpenCover(msgspec.Struct, frozen=True):
    """Covers that run and are not settled, what they may still cost together beyond what was approved of
    their claims (micro-USDC), and when the first of them ends."""

    covers: int
    payout: int
    soonest_end: datetime | None


@query(f"""
    select count(*) as covers,
        coalesce(sum(o.payout_amount - coalesce(c.approved_amount, 0)), 0)::bigint as payout,
        min(o.coverage_end_at) as soonest_end
    from purchase_orders o
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where o.status = 'ACTIVE' and not {SETTLED}
""")
async def open_cover(conn: Connection) -> OpenCover:
    """All cover that is sold and not over. What was decided for good is no longer among it."""
    ...


class DayCount(msgspec.Struct, frozen=True):
    """How many of the orders made on a day (UTC; its first moment) stand at a status now."""

    day: datetime
    status: OrderStatus
    orders: int


@query("""
    select date_trunc('day', created_at, 'UTC') as day, status, count(*) as orders
    from purchase_orders where created_at >= $1
    group by 1, 2
""")
async def by_day(conn: Connection, moment: datetime) -> list[DayCount]:
    """Orders made since this moment, by day and present status."""
    ...


class Keys(msgspec.Struct, frozen=True):
    """The exchange keys that are kept: how many, how many of them on hold, when the one that waits longest
    was checked, and when positions were last read with any."""

    living: int
    held: int
    oldest_check: datetime | None
    last_reading: datetime | None


@query("""
    select count(*) as living, count(held_at) as held, min(checked_at) as oldest_check,
        (select max(read_at) from position_readings) as last_reading
    from api_accounts where revoked_at is null
""")
async def keys(conn: Connection) -> Keys:
    """Of all users."""
    ...


class ClaimCount(msgspec.Struct, frozen=True):
    """How many claims stand at a status."""

    status: ClaimStatus
    claims: int


@query("select status, count(*) as claims from claims group by status")
async def claims_by_status(conn: Connection) -> list[ClaimCount]:
    """Of all users."""
    ...


class QueuedRow(msgspec.Struct, frozen=True):
    """A claim in the operator's queue. Money in micro-USDC; `amount` by its newest verdict, `since` when it
    came to stand as it does."""

    id: UUID
    purchase_order_id: bytes
    status: ClaimStatus
    inst_id: str
    pos_side: str
    payout_amount: int
    amount: int | None
    approved_amount: int
    reason_code: str | None
    missing: list[str]
    trouble: str | None
    held_reason: str | None
    objected: bool
    opened_at: datetime
    since: datetime
    asked_at: datetime | None
    names: int


@query("""
    select c.id, c.purchase_order_id, c.status, b.inst_id, b.pos_side, o.payout_amount, c.amount,
        c.approved_amount, c.reason_code, c.missing, c.trouble, c.held_reason,
        c.objected_at is not null as objected, c.opened_at, e.at as since, c.asked_at,
        (select count(distinct by_name) from claim_approvals a
            where a.user_id = c.user_id and a.claim_id = c.id and a.round = c.event_seq) as names
    from claims c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    join claim_events e on e.user_id = c.user_id and e.claim_id = c.id and e.seq = c.event_seq
    where c.id > $1 and c.status = any($2::claim_status[])
    order by c.id
    limit $3
""")
async def queued(conn: Connection, after: UUID, statuses: list[ClaimStatus], at_most: int) -> list[QueuedRow]:
    """Of all users, the oldest first (ids are sorted by time), above `after`."""
    ...
