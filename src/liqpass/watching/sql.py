"""Queries of watching."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection, query


class Due(msgspec.Struct, frozen=True):
    """An account of the exchange that is to be read, and until when nobody else takes it."""

    user_id: bytes
    exchange_uid: str
    failures: int
    due_at: datetime


class Cover(msgspec.Struct, frozen=True):
    """A watched order with its position's slot, what was last kept of it, and its claim. `priced_from`: JSON,
    orders.PricedFrom."""

    order_id: UUID
    penalty: str | None
    seen_at: datetime | None
    seen: str | None
    change_seq: int
    gone_at: datetime | None
    coverage_start_at: datetime
    coverage_end_at: datetime
    claims_policy: str
    priced_from: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    pos_created_ms: int
    claim_id: UUID | None
    claim_status: ClaimStatus | None
    claim_missing: list[str] | None


# Of a cover's claim `l`, left joined: what is owed is decided, and how the position ended is known. Such a
# cover waits for its payout, and there is nothing left to see of it.
_NOTHING_TO_SEE = "coalesce(l.episode_over and l.status in ('APPROVED', 'BATCHED', 'PAID'), false)"

# What is watched of an account: covers until they are settled, or seen alive after their end. One that is
# suspended, because its payment left the chain, is none.
WATCHED = f"""
    from watched_covers c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    left join claims l on l.user_id = c.user_id and l.order_id = c.order_id
    where c.user_id = $1 and c.exchange_uid = $2 and c.settled_at is null and c.alive_after_end_at is null
        and o.status in ('ACTIVE', 'EXPIRED') and not {_NOTHING_TO_SEE}
"""


@query("""
    with due as (
        select user_id, exchange_uid from watched_accounts where due_at <= $1
        order by due_at limit $3
        for update skip locked
    )
    update watched_accounts w set due_at = $2 from due
    where w.user_id = due.user_id and w.exchange_uid = due.exchange_uid
    returning w.user_id, w.exchange_uid, w.failures, w.due_at
""")
async def take_due(conn: Connection, now: datetime, until: datetime, at_most: int) -> list[Due]:
    """Accounts of all users that are due, longest first, each taken until then: whoever takes one and dies
    leaves it to the next."""
    ...


@query(f"select b.api_account_id {WATCHED} group by b.api_account_id order by min(o.coverage_end_at)")
async def bound_keys(conn: Connection, user_id: bytes, exchange_uid: str) -> list[UUID]:
    """The keys with which the account's watched positions were bound; none when nothing is watched."""
    ...


@query(f"""
    select c.order_id, c.penalty, c.seen_at, c.seen, c.change_seq, c.gone_at, o.coverage_start_at,
        o.coverage_end_at, o.claims_policy, o.priced_from, b.inst_id, b.mgn_mode, b.pos_side, b.pos_id,
        b.pos_created_ms, l.id as claim_id, l.status as claim_status, l.missing as claim_missing
    {WATCHED} order by c.order_id for update of c
""")
async def lock_covers(conn: Connection, user_id: bytes, exchange_uid: str) -> list[Cover]:
    """All that is watched of an account; nobody else notes anything of it until the transaction ends."""
    ...


@query("update watched_covers set seen_at = $3 where user_id = $1 and order_id = any($2)")
async def note_unchanged(conn: Connection, user_id: bytes, order_ids: list[UUID], read_at: datetime) -> None:
    """A reading showed these as they were."""
    ...


@query("""
    with changed as (
        update watched_covers
        set seen_at = $3, change_seq = change_seq + 1, seen = coalesce($4, seen), gone_at = $5,
            alive_after_end_at = $6
        where user_id = $1 and order_id = $2
        returning user_id, order_id, change_seq
    )
    insert into watched_changes (user_id, order_id, seq, read_at, clock_offset_ms, what, row, row_sha256)
    select user_id, order_id, change_seq, $3, $7, $8, $9, $10 from changed
""")
async def keep_change(
    conn: Connection,
    user_id: bytes,
    order_id: UUID,
    read_at: datetime,
    seen: str | None,
    gone_at: datetime | None,
    alive_after_end_at: datetime | None,
    clock_offset_ms: int,
    what: list[str],
    row: str,
    row_sha256: bytes,
) -> None:
    """What a reading showed otherwise than what was kept before."""
    ...


# Whoever moved an order meanwhile, and so wants its account read, is not overruled.
DUE = "due_at = case when due_at = $3 then $4 else least(due_at, $4) end"


@query(f"""
    update watched_accounts set {DUE}, failures = 0, read_at = greatest(read_at, $5), trouble = $6
    where user_id = $1 and exchange_uid = $2
""")
async def note_read(
    conn: Connection,
    user_id: bytes,
    exchange_uid: str,
    taken_until: datetime,
    due_at: datetime | None,
    read_at: datetime | None,
    trouble: str | None,
) -> None:
    """The account was read, or has nothing that is watched; `due_at` None: not before something happens."""
    ...


@query(f"""
    update watched_accounts set {DUE}, failures = failures + $6, trouble = $5
    where user_id = $1 and exchange_uid = $2
""")
async def note_failed(
    conn: Connection,
    user_id: bytes,
    exchange_uid: str,
    taken_until: datetime,
    due_at: datetime,
    trouble: str,
    failed: int,
) -> None:
    """The account could not be read; it keeps its place in time."""
    ...


# Of one order, for its owner --------------------------------------------------------------------------------


class OwnCover(msgspec.Struct, frozen=True):
    """The rules that an order was sold under, whether its position is watched and was there, when it was seen
    last, and why its account cannot be read."""

    claims_policy: str
    coverage_start_at: datetime | None
    watched: bool
    seen_at: datetime | None
    trouble: str | None


@query("""
    select o.claims_policy, o.coverage_start_at,
        o.status in ('ACTIVE', 'EXPIRED') and c.order_id is not null and c.settled_at is null
            and c.alive_after_end_at is null and c.gone_at is null as watched,
        c.seen_at, a.trouble
    from purchase_orders o
    left join watched_covers c on c.user_id = o.user_id and c.order_id = o.id
    left join watched_accounts a on a.user_id = c.user_id and a.exchange_uid = c.exchange_uid
    where o.user_id = $1 and o.purchase_order_id = $2
""")
async def own_cover(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> OwnCover | None:
    """Of the user's own order."""
    ...


# Of all users, for metrics and alarms -----------------------------------------------------------------------


class Sight(msgspec.Struct, frozen=True):
    """How many covers are watched, how many of them were not seen since a moment, since when the one that was
    not seen for longest, and when any was seen last."""

    watched: int
    unseen: int
    oldest: datetime | None
    newest: datetime | None


class Trouble(msgspec.Struct, frozen=True):
    """Why accounts cannot be read, and how many."""

    trouble: str
    accounts: int


class Standing(msgspec.Struct, frozen=True):
    """How many claims are in a state, and which of them is in it for longest, since when."""

    status: ClaimStatus
    claims: int
    oldest_id: UUID
    oldest_since: datetime


class Closing(msgspec.Struct, frozen=True):
    """A claim that still waits for evidence, until when the exchange can be asked for it, and why not now."""

    id: UUID
    closes_at: datetime
    trouble: str | None


@query(f"""
    select count(*) as watched,
        count(*) filter (where coalesce(c.seen_at, o.coverage_start_at) < $1) as unseen,
        min(coalesce(c.seen_at, o.coverage_start_at)) as oldest, max(c.seen_at) as newest
    from watched_covers c join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    left join claims l on l.user_id = c.user_id and l.order_id = c.order_id
    where c.settled_at is null and c.alive_after_end_at is null and o.status in ('ACTIVE', 'EXPIRED')
        and not {_NOTHING_TO_SEE}
""")
async def sight(conn: Connection, since: datetime) -> Sight:
    """How much of what is covered is seen."""
    ...


@query("""
    select trouble, count(*) as accounts from watched_accounts
    where trouble is not null and due_at is not null
    group by trouble order by accounts desc, trouble limit 20
""")
async def troubles(conn: Connection) -> list[Trouble]:
    """Why accounts cannot be read, the commonest first."""
    ...


@query("""
    select distinct on (c.status) c.status, count(*) over (partition by c.status) as claims,
        c.id as oldest_id, e.at as oldest_since
    from claims c
    join claim_events e on e.user_id = c.user_id and e.claim_id = c.id and e.seq = c.event_seq
    order by c.status, e.at, c.id
""")
async def claims_by_status(conn: Connection) -> list[Standing]:
    """Claims of all users by their state."""
    ...


@query("""
    select c.id, least(b.read_at + make_interval(days => $3),
        o.coverage_end_at + make_interval(secs => p.window_sec)) as closes_at, c.trouble
    from claims c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    join unnest($1::text[], $2::int[]) p (version, window_sec) on p.version = o.claims_policy
    where c.status in ('OPEN', 'GATHERING')
        and least(b.read_at + make_interval(days => $3),
            o.coverage_end_at + make_interval(secs => p.window_sec)) < $4
    order by closes_at, c.id limit 1000
""")
async def closing(
    conn: Connection, policies: list[str], windows_sec: list[int], reach_days: int, before: datetime
) -> list[Closing]:
    """Claims of all users that wait for evidence which cannot come any more from a time before then."""
    ...
