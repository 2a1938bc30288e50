"""The states of an order, the table of legal moves, and the one door through which an order moves.

DRAFT ──▶ PAID_PENDING_CONFIRM ──▶ ACTIVE ──▶ EXPIRED; CANCELLED from DRAFT and PAID_PENDING_CONFIRM.
Pure: nothing here touches the world. The database holds the same table (`order_moves`).
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from liqpass.ledger.book import POST, STANDING


class OrderStatus(StrEnum):
    """The states of an order."""

    DRAFT = "DRAFT"
    """Priced and signed, not paid."""
    PAID_PENDING_CONFIRM = "PAID_PENDING_CONFIRM"
    """A hash was submitted or a payment was seen; it is not yet safe."""
    ACTIVE = "ACTIVE"
    """The exact payment is safe: covered from coverage_start_at to coverage_end_at."""
    EXPIRED = "EXPIRED"
    """The cover is over."""
    CANCELLED = "CANCELLED"
    """Never paid in time, or withdrawn before it was paid."""


CLOSED = (OrderStatus.EXPIRED, OrderStatus.CANCELLED)
_D, _P, _A = OrderStatus.DRAFT, OrderStatus.PAID_PENDING_CONFIRM, OrderStatus.ACTIVE
LEGAL_MOVES: frozenset[tuple[OrderStatus, OrderStatus]] = frozenset(
    {
        (_D, _P),  # a hash was submitted, or the payment was seen
        (_D, OrderStatus.CANCELLED),  # cancelled by the user, or the quote expired
        (_P, _A),  # the exact payment is at the safe head
        (_P, _D),  # the transaction reverted, vanished or does not pay this order
        (_P, OrderStatus.CANCELLED),  # the same, after pay_before
        (_A, _P),  # the payment was reorged away: suspended
        (_A, OrderStatus.EXPIRED),  # the cover is over
    }
)

Actor = Literal["USER", "CHAIN", "CLOCK", "OPERATOR"]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One move, and all that the order says of its payment and cover after it.

    `seq` is the order's event_seq before the move: a move decided on an older state does not happen.
    """

    user_id: bytes
    order_id: UUID
    seq: int
    from_status: OrderStatus
    to_status: OrderStatus
    reason: str
    actor: Actor
    details: str
    pay_tx_hash: bytes | None
    payer: bytes | None
    submitted_at: datetime | None
    paid_at: datetime | None = None
    coverage_start_at: datetime | None = None
    coverage_end_at: datetime | None = None


# Whether an order `o` with its cover `w`, left joined, is settled: no claim of it can come, or change any
# more, and it holds nothing but what its claim takes. One that was never watched ended before anything was.
SETTLED = """coalesce(case when w.order_id is null then o.status in ('EXPIRED', 'CANCELLED')
    else w.settled_at is not null end, true)"""

# The door: the end of every statement that moves orders. Before it stands `with wanted as (…)`, with the
# columns of Move; after it a select. Whatever moves an order thereby writes its event, takes its binding
# along, frees the position when it is over, has it watched while it is covered, and posts: the premium of a
# cover that ended is earned, all of it that was paid; the capital of an order that will never be covered is
# free again. That of a cover is freed when it is settled (claims/settling.py): until then a liquidation
# inside it may be unknown. order_events (from, to) refers to the table of legal moves, so an illegal move
# cannot be stored.
#
# MOVED is the part of it by which an order moves and nothing else follows: from DRAFT to
# PAID_PENDING_CONFIRM, where its binding, its position and its capital stay as they are. Whoever buys waits
# for that one, and making ready what has nothing to do was a quarter of it.
MOVED = """
    moved as (
        update purchase_orders o
        set status = w.to_status, event_seq = o.event_seq + 1,
            pay_tx_hash = w.pay_tx_hash, payer = w.payer, submitted_at = w.submitted_at,
            paid_at = w.paid_at, coverage_start_at = w.coverage_start_at, coverage_end_at = w.coverage_end_at
        from wanted w
        where o.user_id = w.user_id and o.id = w.order_id
          and o.status = w.from_status and o.event_seq = w.seq
        returning o.user_id, o.id, o.purchase_order_id, o.binding_id, o.event_seq, w.from_status, w.to_status,
            w.reason, w.actor, w.details, w.at, o.coverage_start_at, o.coverage_end_at, o.priced_from
    ),
    told as (
        insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
        select user_id, id, event_seq, from_status, to_status, reason, actor, details, at from moved
    )
"""
MOVE = f"""{MOVED},
    followed as (
        update insured_bindings b
        set status = m.status, coverage_start_at = m.coverage_start_at, coverage_end_at = m.coverage_end_at
        from (
            select user_id, binding_id, coverage_start_at, coverage_end_at,
                case when to_status in ('ACTIVE', 'EXPIRED', 'CANCELLED') then to_status::text
                    else 'DRAFT' end::binding_status as status
            from moved
        ) m
        where b.user_id = m.user_id and b.id = m.binding_id
            and (b.status, b.coverage_start_at, b.coverage_end_at)
                is distinct from (m.status, m.coverage_start_at, m.coverage_end_at)
    ),
    freed as (
        delete from insured_positions p using moved m
        where m.to_status in ('EXPIRED', 'CANCELLED')
          and p.user_id = m.user_id and p.binding_id = m.binding_id
    ),
    watched as (
        insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at, penalty)
        select m.user_id, m.id, m.purchase_order_id, b.exchange_uid, m.coverage_end_at,
            (m.priced_from::jsonb ->> 'position')::jsonb ->> 'liqPenalty'
        from moved m join insured_bindings b on b.user_id = m.user_id and b.id = m.binding_id
        where m.to_status in ('ACTIVE', 'EXPIRED')
        on conflict (user_id, order_id) do update set ends_at = excluded.ends_at
    ),
    looked_at as (
        insert into watched_accounts as w (user_id, exchange_uid, due_at)
        select distinct on (m.user_id, b.exchange_uid) m.user_id, b.exchange_uid, m.at
        from moved m join insured_bindings b on b.user_id = m.user_id and b.id = m.binding_id
        where m.to_status in ('ACTIVE', 'EXPIRED')
        order by m.user_id, b.exchange_uid
        on conflict (user_id, exchange_uid) do update set due_at = least(w.due_at, excluded.due_at)
    ),
    dropped as (
        update watched_covers c set settled_at = m.at, settled_by = 'CANCELLED' from moved m
        where m.to_status = 'CANCELLED' and c.user_id = m.user_id and c.order_id = m.id
          and c.settled_at is null
    ),
    entries as (
        select 'HELD'::ledger_kind as kind, purchase_order_id as ref, owed.stands, at
        from (select 'CLAIM'::ledger_kind as kind, purchase_order_id as ref, * from moved) e
        cross join lateral ({STANDING}) owed
        where to_status = 'CANCELLED'
        union all
        select 'EARNED', e.ref, case when e.to_status = 'EXPIRED' then paid.stands else 0 end, e.at
        from (
            select 'PREMIUM'::ledger_kind as kind, purchase_order_id as ref, to_status, at
            from moved where from_status = 'ACTIVE'
        ) e
        cross join lateral ({STANDING}) paid
    ),
    {POST}
"""
