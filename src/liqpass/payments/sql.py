"""Queries of submitted hashes and of settling. Whatever moves an order ends with `states.MOVE`, or with
its beginning, `MOVED`."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, many_rows, one_row, query
from liqpass.orders.states import MOVE, MOVED, OrderStatus
from liqpass.payments.matching import Outcome, PayableOrder, Payment
from liqpass.signin.living import LIVING_SESSION

# The planner need not know which: where the chain has no orders yet, and others have millions, it would take
# those that are due for so few that it reads all that are open instead of looking them up by their time.
_CHAIN = "(select {}::bigint)"


class Submitted(msgspec.Struct, frozen=True):
    """What came of a submitted hash: the order's status and hash before (None: the user has no such order),
    and who holds the hash now."""

    user_id: bytes
    status: OrderStatus | None
    pay_tx_hash: bytes | None
    claimed: bool | None
    moved_to: OrderStatus | None


class SubmittedAt(Submitted, frozen=True):
    """One of several: which, counted from 1."""

    place: int


class PendingTx(msgspec.Struct, frozen=True):
    """An order that waits for a submitted transaction of which the chain has shown no payment."""

    user_id: bytes
    order_id: UUID
    purchase_order_id: bytes
    event_seq: int
    pay_tx_hash: bytes
    submitted_at: datetime


class Hash(msgspec.Struct, frozen=True):
    """What is told of an order: the parameters of `submit`. `details`: what its history is to say, JSON."""

    token_sha256: bytes
    purchase_order_id: bytes
    tx_hash: bytes
    payer: bytes | None
    now: datetime
    details: str


# The same as columns, with their types.
_ASKED = {
    "token_sha256": "bytea",
    "purchase_order_id": "bytea",
    "tx_hash": "bytea",
    "payer": "bytea",
    "at": "timestamptz",
    "details": "text",
}
_SUBMIT = f"""
    who as (
        select a.*, s.user_id
        from asked a join sessions s on {LIVING_SESSION.format("a.token_sha256", "a.at")}
    ),
    found as (
        select w.*, o.id, o.status, o.event_seq, o.pay_tx_hash
        from who w join purchase_orders o
            on o.user_id = w.user_id and o.purchase_order_id = w.purchase_order_id
        order by o.user_id, o.id
        for update of o
    ),
    claim as (
        insert into submitted_txs (tx_hash, user_id, order_id)
        select tx_hash, user_id, id from found where status = 'DRAFT' order by tx_hash
        on conflict (tx_hash) do update set order_id = submitted_txs.order_id
        returning tx_hash, user_id, order_id
    ),
    wanted as (
        select f.user_id, f.id as order_id, f.event_seq as seq, f.status as from_status,
            'PAID_PENDING_CONFIRM'::order_status as to_status, 'HASH_SUBMITTED' as reason, 'USER' as actor,
            f.details, f.at, f.tx_hash as pay_tx_hash, f.payer, f.at as submitted_at,
            null::timestamptz as paid_at,
            null::timestamptz as coverage_start_at, null::timestamptz as coverage_end_at
        from found f join claim c on c.user_id = f.user_id and c.order_id = f.id and c.tx_hash = f.tx_hash
    ),
    {MOVED}
    select w.user_id, f.status, f.pay_tx_hash, c.user_id = f.user_id and c.order_id = f.id as claimed,
        m.to_status as moved_to
"""
_SUBMITTED = """
    from who w
    left join found f on f.token_sha256 = w.token_sha256 and f.purchase_order_id = w.purchase_order_id
    left join claim c on c.tx_hash = f.tx_hash
    left join moved m on m.user_id = f.user_id and m.id = f.id
"""


@query(f"with asked as ({one_row(_ASKED)}), {_SUBMIT} {_SUBMITTED}")
async def submit(conn: Connection, told: Hash) -> Submitted | None:
    """Store the hash of a draft of the session's user and move it on, in one guarded statement that says why
    it did not.

    The row lock comes first, so of many callers each sees what the one before it did. None: no session.
    """
    ...


@query(f"with asked as ({many_rows(_ASKED)}), {_SUBMIT}, w.place {_SUBMITTED}")
async def submit_many(conn: Connection, told: list[Hash]) -> list[SubmittedAt]:
    """The same for several, of as many orders and hashes, each told with its place."""
    ...


class Queued(msgspec.Struct, frozen=True):
    """A changed payment that waits to be settled."""

    tx_hash: bytes
    log_index: int
    purchase_order_id: bytes


@query("""
    select q.tx_hash, q.log_index, p.purchase_order_id
    from settle_queue q join premium_payments p using (chain_id, tx_hash, log_index)
    where q.chain_id = $1
    order by q.tx_hash, q.log_index
    limit $2 offset $3
    for update of q skip locked
""")
async def take_queue(conn: Connection, chain_id: int, at_most: int, passing_over: int) -> list[Queued]:
    """Payments to settle, locked: a change that comes meanwhile waits and queues itself again."""
    ...


@query("""
    select o.user_id, o.id, o.purchase_order_id, o.status, o.event_seq, o.premium_amount,
        o.coverage_delay_sec, o.duration_sec, o.pay_before, o.pay_tx_hash, o.payer, o.submitted_at,
        o.paid_at, o.coverage_start_at, o.coverage_end_at
    from order_refs r join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
    where r.purchase_order_id = any($1)
    order by o.user_id, o.id
    for update of o
""")
async def lock_orders(conn: Connection, purchase_order_ids: list[bytes]) -> list[PayableOrder]:
    """The orders that payments name, locked in one order everywhere."""
    ...


@query("""
    select tx_hash, log_index, block_number, block_hash, block_time, purchase_order_id, payer, amount, stage
    from premium_payments where chain_id = $1 and purchase_order_id = any($2)
""")
async def payments_of(conn: Connection, chain_id: int, purchase_order_ids: list[bytes]) -> list[Payment]:
    """All payments that name these orders, dropped ones among them."""
    ...


@query(f"""
    with wanted as (
        select * from unnest($1::bytea[], $2::uuid[], $3::int[], $4::order_status[], $5::order_status[],
            $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::timestamptz[],
            $12::timestamptz[], $13::timestamptz[], $14::timestamptz[])
            as w (user_id, order_id, seq, from_status, to_status, reason, actor, details, pay_tx_hash, payer,
                submitted_at, paid_at, coverage_start_at, coverage_end_at),
            (select $15::timestamptz as at) as clock
    ),
    {MOVE}
    select id from moved
""")
async def move_orders(
    conn: Connection,
    user_ids: list[bytes],
    order_ids: list[UUID],
    seqs: list[int],
    from_statuses: list[str],
    to_statuses: list[str],
    reasons: list[str],
    actors: list[str],
    details: list[str],
    pay_tx_hashes: list[bytes | None],
    payers: list[bytes | None],
    submitted_ats: list[datetime | None],
    paid_ats: list[datetime | None],
    coverage_starts: list[datetime | None],
    coverage_ends: list[datetime | None],
    now: datetime,
) -> list[UUID]:
    """Make many moves, at most one per order. The orders that moved."""
    ...


@query("""
    with settled as (
        insert into payment_settlements
            (chain_id, tx_hash, log_index, stage, block_hash, outcome, settled_at)
        select $1, p.tx_hash, p.log_index, p.stage, p.block_hash, s.outcome, $5
        from unnest($2::bytea[], $3::int[], $4::settle_outcome[]) as s (tx_hash, log_index, outcome)
        join premium_payments p on p.chain_id = $1 and p.tx_hash = s.tx_hash and p.log_index = s.log_index
        on conflict (chain_id, tx_hash, log_index) do update
        set stage = excluded.stage, block_hash = excluded.block_hash, outcome = excluded.outcome,
            settled_at = excluded.settled_at
    )
    delete from settle_queue q
    using unnest($2::bytea[], $3::int[]) as s (tx_hash, log_index)
    where q.chain_id = $1 and q.tx_hash = s.tx_hash and q.log_index = s.log_index
""")
async def mark_settled(
    conn: Connection,
    chain_id: int,
    tx_hashes: list[bytes],
    log_indexes: list[int],
    outcomes: list[Outcome],
    now: datetime,
) -> None:
    """Keep what each payment was found to be, and take it from the queue."""
    ...


@query("""
    insert into submitted_txs (tx_hash, user_id, order_id)
    select * from unnest($1::bytea[], $2::bytea[], $3::uuid[])
    on conflict (tx_hash) do update set user_id = excluded.user_id, order_id = excluded.order_id
""")
async def claim_by_event(
    conn: Connection, tx_hashes: list[bytes], user_ids: list[bytes], order_ids: list[UUID]
) -> None:
    """The chain shows whom these transactions pay: false claims on them are removed."""
    ...


@query(f"""
    select o.user_id, o.id as order_id, o.purchase_order_id, o.event_seq, o.pay_tx_hash, o.submitted_at
    from purchase_orders o
    where o.status = 'PAID_PENDING_CONFIRM' and o.submitted_at < $2 and o.chain_id = {_CHAIN.format("$1")}
      and not exists (select from premium_payments p
                      where p.chain_id = $1 and p.purchase_order_id = o.purchase_order_id
                        and p.stage <> 'DROPPED')
    order by o.submitted_at
    limit $3
""")
async def pending_without_payment(
    conn: Connection, chain_id: int, submitted_before: datetime, at_most: int
) -> list[PendingTx]:
    """Orders whose submitted transaction has to be asked for."""
    ...


@query(f"""
    with found as (
        select user_id, id, event_seq, pay_tx_hash from purchase_orders
        where user_id = $1 and id = $2 and event_seq = $3 and status = 'PAID_PENDING_CONFIRM'
        for update
    ),
    unclaimed as (
        delete from submitted_txs t using found f
        where t.tx_hash = f.pay_tx_hash and t.user_id = f.user_id and t.order_id = f.id
    ),
    wanted as (
        select user_id, id as order_id, event_seq as seq, 'PAID_PENDING_CONFIRM'::order_status as from_status,
            'DRAFT'::order_status as to_status, $4 as reason, 'CHAIN' as actor, $5 as details,
            $6::timestamptz as at, null::bytea as pay_tx_hash, null::bytea as payer,
            null::timestamptz as submitted_at, null::timestamptz as paid_at,
            null::timestamptz as coverage_start_at, null::timestamptz as coverage_end_at
        from found
    ),
    {MOVE}
    select count(*) from moved
""")
async def back_to_draft(
    conn: Connection, user_id: bytes, order_id: UUID, seq: int, reason: str, details: str, now: datetime
) -> int:
    """Release an order from a transaction that does not pay it; another hash may then be submitted."""
    ...


@query(f"""
    with late as (
        select o.user_id, o.id, o.event_seq, o.status, o.pay_tx_hash, o.payer, o.submitted_at
        from purchase_orders o
        where o.status in ('DRAFT', 'PAID_PENDING_CONFIRM') and o.chain_id = {_CHAIN.format("$1")}
          and o.pay_before < (select safe_time from chain_cursors where chain_id = $1)
          and not exists (select from premium_payments p
                          where p.chain_id = $1 and p.purchase_order_id = o.purchase_order_id
                            and p.stage <> 'DROPPED'
                            and p.amount = o.premium_amount and p.block_time <= o.pay_before)
        order by o.pay_before, o.id
        limit $3 offset $4
        for update of o skip locked
    ),
    wanted as (
        select user_id, id as order_id, event_seq as seq, status as from_status,
            'CANCELLED'::order_status as to_status, 'NOT_PAID_IN_TIME' as reason, 'CLOCK' as actor,
            '{{}}' as details, $2::timestamptz as at, pay_tx_hash, payer, submitted_at,
            null::timestamptz as paid_at, null::timestamptz as coverage_start_at,
            null::timestamptz as coverage_end_at
        from late
    ),
    {MOVE}
    select count(*) from moved
""")
async def cancel_late(conn: Connection, chain_id: int, now: datetime, at_most: int, passing_over: int) -> int:
    """Cancel what was not paid in time: only once the safe head's own time is past pay_before, so that no
    payment which was in time can still be under way. Another amount, or one that came late, pays nothing."""
    ...


@query(f"""
    with over as (
        select user_id, id, event_seq, pay_tx_hash, payer, submitted_at, paid_at,
            coverage_start_at, coverage_end_at
        from purchase_orders
        where status = 'ACTIVE' and chain_id = {_CHAIN.format("$4")}
          and coverage_end_at <= least($1, (select latest_time from chain_cursors where chain_id = $4))
        order by coverage_end_at, id
        limit $2 offset $3
        for update skip locked
    ),
    wanted as (
        select user_id, id as order_id, event_seq as seq, 'ACTIVE'::order_status as from_status,
            'EXPIRED'::order_status as to_status, 'COVER_OVER' as reason, 'CLOCK' as actor,
            '{{}}' as details, $1::timestamptz as at, pay_tx_hash, payer, submitted_at, paid_at,
            coverage_start_at, coverage_end_at
        from over
    ),
    {MOVE}
    select count(*) from moved
""")
async def expire_over(conn: Connection, now: datetime, at_most: int, passing_over: int, chain_id: int) -> int:
    """End covers whose time is over."""
    ...
