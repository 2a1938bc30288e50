"""Queries of the operator's pages: sums over all users. A trader's pages read through the slices."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query
from liqpass.orders.states import OrderStatus


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
    """Orders that are ACTIVE, what they may cost together (micro-USDC), and when the first of them ends."""

    covers: int
    payout: int
    soonest_end: datetime | None


@query("""
    select count(*) as covers, coalesce(sum(payout_amount), 0)::bigint as payout,
        min(coverage_end_at) as soonest_end
    from purchase_orders where status = 'ACTIVE'
""")
async def open_cover(conn: Connection) -> OpenCover:
    """All cover that is sold and not over."""
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
