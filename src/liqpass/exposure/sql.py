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


# For a statement of another slice that reads more in the same round trip: what more may be sold to the wallet
# {user} of positions in the instruments {instruments} of its account {account}, as JSON for `rooms.read`.
# That nothing was claimed for a day is found in an index, without the function.
ROOMS_AS_JSON = """(select json_build_object(
    'free', (select balance from ledger_accounts where id = 'POOL_FREE'),
    'whole', (select sum(balance) from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED')),
    'shares', (select json_object_agg(scope, share_bps) from exposure_limits),
    'sums', (select json_object_agg(name, coalesce(open_sum, 0)) from (
            select 'DIRECTION'::exposure_scope, d::text, 'DIRECTION ' || d
                from unnest(enum_range(null::cover_direction)) d
            union all select 'INSTRUMENT', i, 'INSTRUMENT ' || i from unnest({instruments}::text[]) i
            union all select 'WALLET', '0x' || encode({user}, 'hex'), 'WALLET'
            union all select 'ACCOUNT', main_uid, 'ACCOUNT' from api_accounts
                where user_id = {user} and id = {account}
        ) wanted (scope, key, name) left join exposures using (scope, key)),
    'claimed', (select json_object_agg(d, case when exists (
            select from order_risks where direction = d and claimed_at > {now} - interval '24 hours'
        ) then claimed_lately(d, {now}) else 0 end)
        from unnest(enum_range(null::cover_direction)) d),
    'stops', (select coalesce(json_agg(s), '[]') from (
        select distinct on (direction) direction, cause, until_at from sale_stops
        where ended_at is null and (until_at is null or until_at > {now})
        order by direction, until_at desc nulls first) s)
)::text)"""


@query(
    f"select {ROOMS_AS_JSON.format(user='$1::bytea', account='$2', instruments='$3', now='$4::timestamptz')}"
)
async def rooms(
    conn: Connection, user_id: bytes, api_account_id: UUID, inst_ids: list[str], now: datetime
) -> str:
    """What more may be sold to this wallet of positions of this account, as JSON."""
    ...


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


@query("select share_bps from exposure_limits where scope = $1 for no key update")
async def lock_limit(conn: Connection, scope: Scope) -> int:
    """The share of a limit, which nobody else changes until the transaction ends."""
    ...


@query("""
    with changed as (update exposure_limits set share_bps = $4 where scope = $2)
    insert into exposure_limit_changes (id, scope, was_bps, share_bps, changed_at, changed_by, reason)
    values ($1, $2, $3, $4, $5, $6, $7)
""")
async def set_limit(
    conn: Connection,
    new_id: UUID,
    scope: Scope,
    was_bps: int,
    share_bps: int,
    now: datetime,
    by: str,
    reason: str,
) -> None:
    """Change a limit, and keep who did so."""
    ...


@query("""
    insert into sale_stops (id, direction, cause, from_at, until_at, stopped_by, reason)
    values ($1, $2, 'OPERATOR', $3, $4, $5, $6)
""")
async def stop_by_hand(
    conn: Connection,
    new_id: UUID,
    direction: Direction,
    now: datetime,
    until: datetime | None,
    by: str,
    reason: str,
) -> None:
    """Begin a stop."""
    ...


_STOP = "id, direction, cause, from_at, until_at, claimed, most, stopped_by, reason"
_HOLDS = "ended_at is null and (until_at is null or until_at > $1::timestamptz)"
# Claims that made a stop `s`, as far as they still take anything.
_LEFT = """(select coalesce(sum(r.claimed), 0) from order_risks r where r.direction = s.direction
    and r.claimed_at > s.counted_from and r.claimed_at <= s.counted_upto)"""


@query(f"""
    update sale_stops set ended_at = $2, ended_by = $3, end_reason = $4, counted_upto = $2
    where direction = $1 and ended_at is null and (until_at is null or until_at > $2)
    returning {_STOP}
""")
async def resume(
    conn: Connection, direction: Direction, now: datetime, by: str, reason: str
) -> list[StoredStop]:
    """End all stops of a direction that hold; which."""
    ...


@query(f"""
    select exists (
        select from unnest(enum_range(null::cover_direction)) d
        where claimed_lately(d, $1) * 10000.0
            > (select sum(balance) from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED'))
                * (select share_bps from exposure_limits where scope = 'CLAIMS')
    ) or exists (
        select from sale_stops s where cause = 'CLAIMS' and {_HOLDS} and {_LEFT} <= most
    )
""")
async def breaker_has_to_act(conn: Connection, now: datetime) -> bool:
    """Whether claims have passed their share, or those that did come to less by now."""
    ...


@query(f"""
    update sale_stops s
    set ended_at = $1, ended_by = $2, counted_upto = null,
        end_reason = 'of what stopped it, ' || {_LEFT} / 1000000 || ' USDC are left: the rest was not owed'
    where cause = 'CLAIMS' and {_HOLDS} and {_LEFT} <= most
    returning {_STOP}
""")
async def end_dissolved(conn: Connection, now: datetime, by: str) -> list[StoredStop]:
    """End the stops whose claims come to no more than what was the most then. What they still come to counts
    again."""
    ...


@query(f"""
    insert into sale_stops
        (id, direction, cause, from_at, until_at, counted_from, counted_upto, claimed, most, stopped_by,
        reason)
    select $1, $2, 'CLAIMS', $3, $4, greatest($3::timestamptz - interval '24 hours', max(s.counted_upto)),
        greatest($3, (select max(claimed_at) from order_risks where direction = $2)), $5, $6, $7, $8
    from sale_stops s where s.direction = $2
    returning {_STOP}
""")
async def stop_by_claims(
    conn: Connection,
    new_id: UUID,
    direction: Direction,
    now: datetime,
    until: datetime,
    claimed: int,
    most: int,
    by: str,
    reason: str,
) -> StoredStop:
    """Begin a stop; the claims that made it are those after the ones of the stop before."""
    ...
