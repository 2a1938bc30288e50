"""Queries of exposure. Who keeps the sums is the database itself: `keep_exposures`, migration 10."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, query
from liqpass.exposure.limits import Cause, Direction, Scope


class Pool(msgspec.Struct, frozen=True):
    """The pool in micro-USDC: what of it is free, and all of it."""

    free: int
    whole: int


class StoredLimit(msgspec.Struct, frozen=True):
    """A limit, and who changed it last; nobody: it is as it was to begin with."""

    scope: Scope
    share_bps: int
    changed_at: datetime | None
    changed_by: str | None
    reason: str | None


class Stored(msgspec.Struct, frozen=True):
    """What stands behind the covers of one key, in micro-USDC."""

    scope: Scope
    key: str
    open_sum: int


class StoredStop(msgspec.Struct, frozen=True):
    """A stop that holds. `until_at` None: until somebody resumes; `claimed` and `most`: what claims came to
    when it began, and what was the most then."""

    id: UUID
    direction: Direction
    cause: Cause
    from_at: datetime
    until_at: datetime | None
    claimed: int | None
    most: int | None
    stopped_by: str
    reason: str


class Claimed(msgspec.Struct, frozen=True):
    """Claims of the last 24 hours in a direction, in micro-USDC: all, and those that had no stop yet."""

    direction: Direction
    last_24h: int
    counted: int


@query("""
    select coalesce(max(balance) filter (where id = 'POOL_FREE'), 0)::bigint as free,
        coalesce(sum(balance), 0)::bigint as whole
    from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED')
""")
async def pool(conn: Connection) -> Pool:
    """The pool as it is now."""
    ...


@query("""
    select l.scope, l.share_bps, c.changed_at, c.changed_by, c.reason
    from exposure_limits l left join lateral (
        select changed_at, changed_by, reason from exposure_limit_changes c
        where c.scope = l.scope order by changed_at desc, id desc limit 1
    ) c on true
    order by l.scope
""")
async def limits(conn: Connection) -> list[StoredLimit]:
    """All limits."""
    ...


@query("""
    select s.scope, s.key, s.open_sum from (
        select scope, key, open_sum,
            row_number() over (partition by scope order by open_sum desc, key) as place
        from exposures where open_sum <> 0
    ) s
    where s.place <= $1 order by s.scope, s.place
""")
async def largest(conn: Connection, at_most: int) -> list[Stored]:
    """What covers add up to: of each scope the largest, at most so many."""
    ...


@query("""
    select id, direction, cause, from_at, until_at, claimed, most, stopped_by, reason
    from sale_stops where ended_at is null and (until_at is null or until_at > $1)
    order by direction, until_at desc nulls first, from_at
""")
async def stops(conn: Connection, now: datetime) -> list[StoredStop]:
    """The stops that hold; of a direction the one that holds longest first."""
    ...


@query("""
    select d.direction, coalesce((
            select sum(r.claimed)::bigint from order_risks r
            where r.direction = d.direction and r.claimed_at > $1::timestamptz - interval '24 hours'
        ), 0) as last_24h, claimed_lately(d.direction, $1) as counted
    from unnest(enum_range(null::cover_direction)) d (direction)
""")
async def claimed(conn: Connection, now: datetime) -> list[Claimed]:
    """Both directions."""
    ...
