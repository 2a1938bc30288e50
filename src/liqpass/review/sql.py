"""Queries of review: claims as they are shown, to whom they belong and to operators."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.sql import CLAIM_COLUMNS, Claim
from liqpass.claims.states import MOVE, ClaimStatus
from liqpass.db import Connection, query
from liqpass.orders.states import OrderStatus


class ListedClaim(Claim, frozen=True):
    """A claim with the slot and the cover of its order. Money in micro-USDC. The cover's times are None when
    the payment left the chain."""

    inst_id: str
    mgn_mode: str
    pos_side: str
    sku: str
    order_status: OrderStatus
    payout_amount: int
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    policy_version: str


_LISTED = f"""{CLAIM_COLUMNS}, b.inst_id, b.mgn_mode, b.pos_side, o.sku, o.status as order_status,
    o.payout_amount, o.coverage_start_at, o.coverage_end_at, o.claims_policy as policy_version
    from claims c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id"""


class Cover(msgspec.Struct, frozen=True):
    """What the order of a claim covers. `priced_from`: JSON, orders.PricedFrom. `seen_at`: when the account
    was last read; `settled_at`: from when on no claim can come, or change."""

    chain_id: int
    exchange_uid: str
    pos_id: str
    pos_created_ms: int
    priced_from: str
    seen_at: datetime | None
    settled_at: datetime | None


class MoveOf(msgspec.Struct, frozen=True):
    """One move of the claim `claim_id`. `details` is JSON."""

    claim_id: UUID
    seq: int
    from_status: ClaimStatus | None
    to_status: ClaimStatus
    reason: str
    actor: str
    by_name: str | None
    details: str
    at: datetime


class EvidenceSummary(msgspec.Struct, frozen=True):
    """One answer of the exchange without its body, of which `size` is the length in bytes."""

    seq: int
    exchange_uid: str
    endpoint: str
    request: str
    http_status: int
    asked_at: datetime
    clock_offset_ms: int
    body_sha256: bytes
    size: int


class Approval(msgspec.Struct, frozen=True):
    """Who approved how much to whom. `round`: the claim's event_seq then."""

    seq: int
    round: int
    by_name: str
    amount: int
    recipient: bytes
    reason: str
    at: datetime


class Payout(msgspec.Struct, frozen=True):
    """A disbursement of a claim; `tx_hash` and `block_time` of the transfer that made it."""

    id: UUID
    amount: int
    recipient: bytes
    asked_at: datetime
    batched_at: datetime | None
    cancelled_at: datetime | None
    tx_hash: bytes | None
    log_index: int | None
    block_time: datetime | None


@query(f"select {_LISTED} where c.user_id = $1 and c.id < $2 order by c.id desc limit $3")
async def own_claims(conn: Connection, user_id: bytes, before: UUID, at_most: int) -> list[ListedClaim]:
    """The user's own claims, newest first (ids are sorted by time), below `before`."""
    ...


@query(f"select {_LISTED} where c.user_id = $1 and c.id = $2")
async def own_claim(conn: Connection, user_id: bytes, claim_id: UUID) -> ListedClaim | None:
    """The user's own claim."""
    ...


@query(f"select {_LISTED} where c.user_id = $1 and c.purchase_order_id = $2")
async def claim_of_order(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> ListedClaim | None:
    """The claim of the user's own order."""
    ...


@query(f"select {_LISTED} where c.id = $1")
async def any_claim(conn: Connection, claim_id: UUID) -> ListedClaim | None:
    """For operators: the claim, whosever it is."""
    ...


@query(f"select {_LISTED} where c.id < $1 and c.status = any($2) order by c.id desc limit $3")
async def queue(
    conn: Connection, before: UUID, statuses: list[ClaimStatus], at_most: int
) -> list[ListedClaim]:
    """For operators: all claims in these states, newest first, below `before`."""
    ...


@query("""
    select o.chain_id, b.exchange_uid, b.pos_id, b.pos_created_ms, o.priced_from, w.seen_at, w.settled_at
    from purchase_orders o
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    where o.user_id = $1 and o.id = $2
""")
async def cover_of(conn: Connection, user_id: bytes, order_id: UUID) -> Cover:
    """What an order promised."""
    ...


@query("""
    with named as (select * from unnest($1::bytea[], $2::uuid[]) as n (user_id, claim_id))
    select e.claim_id, e.seq, e.from_status, e.to_status, e.reason, e.actor, e.by_name, e.details, e.at
    from named n join claim_events e on e.user_id = n.user_id and e.claim_id = n.claim_id
    order by e.claim_id, e.seq
""")
async def moves_of(conn: Connection, user_ids: list[bytes], claim_ids: list[UUID]) -> list[MoveOf]:
    """The moves of these claims, each named with its user."""
    ...


@query("""
    select seq, exchange_uid, endpoint, request, http_status, asked_at, clock_offset_ms, body_sha256,
        length(body) as size
    from claim_evidence where user_id = $1 and claim_id = $2 order by seq
""")
async def evidence_summaries(conn: Connection, user_id: bytes, claim_id: UUID) -> list[EvidenceSummary]:
    """All answers of the exchange, without their bodies."""
    ...


@query("""
    select seq, round, by_name, amount, recipient, reason, at
    from claim_approvals where user_id = $1 and claim_id = $2 order by seq
""")
async def approvals(conn: Connection, user_id: bytes, claim_id: UUID) -> list[Approval]:
    """Who approved it, of all rounds."""
    ...


@query("""
    select d.id, d.amount, d.recipient, d.asked_at, d.batched_at, d.cancelled_at, m.tx_hash, m.log_index,
        t.block_time
    from disbursements d
    left join disbursements_made m on m.disbursement_id = d.id
    left join usdc_transfers t
        on t.chain_id = m.chain_id and t.tx_hash = m.tx_hash and t.log_index = m.log_index
    where d.ref = $1 and d.purpose = 'CLAIM' and d.chain_id = $2
    order by d.asked_at, d.id
""")
async def payouts(conn: Connection, purchase_order_id: bytes, chain_id: int) -> list[Payout]:
    """What was asked to be paid out for an order."""
    ...


@query("update claims set objection = $3, objected_at = $4 where user_id = $1 and id = $2")
async def keep_objection(conn: Connection, user_id: bytes, claim_id: UUID, text: str, now: datetime) -> None:
    """What the owner of a claim objects; it is locked."""
    ...


@query("""
    insert into claim_approvals (user_id, claim_id, seq, round, by_name, amount, recipient, reason, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
""")
async def keep_approval(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    seq: int,
    round_: int,
    by_name: str,
    amount: int,
    recipient: bytes,
    reason: str,
    now: datetime,
) -> None:
    """Who approved how much to whom; the claim is locked."""
    ...


@query("""
    update claims set approved_amount = $3, recipient = $4, disbursement_id = $5, held_reason = $6
    where user_id = $1 and id = $2
""")
async def keep_owed(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    approved_amount: int,
    recipient: bytes,
    disbursement_id: UUID,
    held_reason: str | None,
) -> None:
    """What the books owe for a claim; it is locked."""
    ...


class Followed(msgspec.Struct, frozen=True):
    """A claim whose payouts are elsewhere than it says: `stands` is where they are. `payout`: the one that it
    waits for, or where that was cancelled by `cancelled_by`, the one before; `tx_hash`: the transaction that
    paid last; `said_paid`: the one that was said to have."""

    user_id: bytes
    claim_id: UUID
    seq: int
    from_status: ClaimStatus
    said_paid: bytes | None
    stands: ClaimStatus
    payout: UUID | None
    tx_hash: bytes | None
    cancelled_by: str | None


@query("""
    select c.user_id, c.id as claim_id, c.event_seq as seq, c.status as from_status,
        c.pay_tx_hash as said_paid, now_at.stands, coalesce(p.waits, p.last) as payout,
        p.tx_hash, asked.cancelled_by
    from claims c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id and o.chain_id = $1
    join disbursements asked on asked.id = c.disbursement_id
    cross join lateral (
        select (array_agg(d.id order by m.tx_hash is null desc, d.asked_at desc, d.id desc)
                filter (where asked.cancelled_at is null or d.asked_at >= asked.cancelled_at))[1] as waits,
            (array_agg(d.id order by d.asked_at desc, d.id desc))[1] as last,
            (array_agg(m.tx_hash order by t.block_number desc, t.log_index desc)
                filter (where m.tx_hash is not null))[1] as tx_hash,
            bool_and(m.tx_hash is not null) as made,
            bool_and(m.tx_hash is not null or d.batched_at is not null) as batched
        from disbursements d
        left join disbursements_made m on m.disbursement_id = d.id
        left join usdc_transfers t
            on t.chain_id = m.chain_id and t.tx_hash = m.tx_hash and t.log_index = m.log_index
        where d.ref = c.purchase_order_id and d.purpose = 'CLAIM' and d.chain_id = $1
          and d.cancelled_at is null
    ) p
    cross join lateral (
        select (case when p.waits is null then 'IN_REVIEW' when p.made then 'PAID'
            when p.batched then 'BATCHED' else 'APPROVED' end)::claim_status as stands
    ) now_at
    where (c.status in ('APPROVED', 'BATCHED') or (c.status = 'PAID' and not c.pay_final))
      and now_at.stands <> c.status
    order by c.opened_at, c.id
    limit $2 offset $3
    for update of c
""")
async def lock_followed(conn: Connection, chain_id: int, at_most: int, passing_over: int) -> list[Followed]:
    """Claims that are to be moved, the oldest first. A payout that was parted when a transfer was adopted is
    followed by its parts."""
    ...


@query("""
    update claims c set disbursement_id = coalesce(w.payout, c.disbursement_id),
        pay_tx_hash = coalesce(w.tx_hash, c.pay_tx_hash), pay_final = false,
        held_reason = case when w.to_status in ('APPROVED', 'BATCHED') then c.held_reason end
    from unnest($1::bytea[], $2::uuid[], $3::uuid[], $4::bytea[], $5::claim_status[])
        as w (user_id, claim_id, payout, tx_hash, to_status)
    where c.user_id = w.user_id and c.id = w.claim_id
""")
async def keep_followed(
    conn: Connection,
    user_ids: list[bytes],
    claim_ids: list[UUID],
    payouts: list[UUID | None],
    tx_hashes: list[bytes | None],
    to: list[ClaimStatus],
) -> None:
    """What is true of these claims after the moves that follow; they are locked."""
    ...


@query("""
    update claims c set pay_final = true
    where c.status = 'PAID' and not c.pay_final and not exists (
        select from disbursements d
        left join disbursements_made m on m.disbursement_id = d.id
        left join usdc_transfers t
            on t.chain_id = m.chain_id and t.tx_hash = m.tx_hash and t.log_index = m.log_index
        where d.ref = c.purchase_order_id and d.purpose = 'CLAIM' and d.cancelled_at is null
          and t.stage is distinct from 'FINAL'
    )
""")
async def note_final(conn: Connection) -> None:
    """Claims whose payouts can leave the chain no more need not be followed."""
    ...


@query("""
    update claims c set pay_tx_hash = null from unnest($1::bytea[], $2::uuid[]) as w (user_id, claim_id)
    where c.user_id = w.user_id and c.id = w.claim_id
""")
async def forget_transactions(conn: Connection, user_ids: list[bytes], claim_ids: list[UUID]) -> None:
    """Of claims that are PAID no more; they are locked."""
    ...


@query(f"""
    with wanted as (
        select * from unnest($1::bytea[], $2::uuid[], $3::int[], $4::claim_status[], $5::claim_status[],
            $6::text[], $7::text[], $8::text[], $9::text[])
            as w (user_id, claim_id, seq, from_status, to_status, reason, actor, by_name, details),
            (select $10::timestamptz as at) as clock
    ),
    {MOVE}
    select count(*) from moved
""")
async def move_followed(
    conn: Connection,
    user_ids: list[bytes],
    claim_ids: list[UUID],
    seqs: list[int],
    from_statuses: list[ClaimStatus],
    to: list[ClaimStatus],
    reasons: list[str],
    actors: list[str],
    by_names: list[str | None],
    details: list[str],
    now: datetime,
) -> int:
    """All of them by the one door; how many."""
    ...


@query(f"""
    select {_LISTED}
    where c.status = 'PAYABLE' and c.amount <= $1 and c.amount > c.approved_amount
      and o.status in ('ACTIVE', 'EXPIRED') and o.chain_id = $2
    order by c.opened_at, c.id
    limit $3 offset $4
    for update of c
""")
async def lock_payable(
    conn: Connection, amount_most: int, chain_id: int, at_most: int, passing_over: int
) -> list[ListedClaim]:
    """Claims that owe no more than that, the oldest first."""
    ...


@query("""
    update claims c set held_reason = w.code
    from unnest($1::uuid[], $2::text[]) as w (disbursement_id, code)
    where c.disbursement_id = w.disbursement_id and c.status in ('APPROVED', 'BATCHED')
      and c.held_reason is distinct from w.code
""")
async def note_held(conn: Connection, disbursement_ids: list[UUID], codes: list[str | None]) -> None:
    """Why the payouts of claims are held, None where they are not."""
    ...
