"""Queries of claims. Whatever moves one ends with `states.MOVE`."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.states import MOVE, ClaimStatus, Opener
from liqpass.db import Connection, query


class Claim(msgspec.Struct, frozen=True):
    """A claim as it stands. Money in micro-USDC; `amount` is what its newest verdict says is owed."""

    user_id: bytes
    id: UUID
    order_id: UUID
    purchase_order_id: bytes
    status: ClaimStatus
    event_seq: int
    opened_at: datetime
    opened_by: Opener
    ask_at: datetime | None
    asked: int
    asked_at: datetime | None
    trouble: str | None
    verdict_seq: int
    amount: int | None
    reason_code: str | None
    missing: list[str]
    liquidated_at: datetime | None
    trigger_px: str | None
    bundle_sha256: bytes | None
    episode_over: bool
    approved_amount: int
    recipient: bytes
    disbursement_id: UUID | None
    pay_tx_hash: bytes | None
    held_reason: str | None
    objection: str | None
    objected_at: datetime | None


CLAIM_COLUMNS = """c.user_id, c.id, c.order_id, c.purchase_order_id, c.status, c.event_seq, c.opened_at,
c.opened_by,
    c.ask_at, c.asked, c.asked_at, c.trouble, c.verdict_seq, c.amount, c.reason_code, c.missing,
    c.liquidated_at, c.trigger_px, c.bundle_sha256, c.episode_over, c.approved_amount, c.recipient,
    c.disbursement_id, c.pay_tx_hash, c.held_reason, c.objection, c.objected_at"""


class ClaimEvent(msgspec.Struct, frozen=True):
    """One move of a claim. `details` is JSON."""

    seq: int
    from_status: ClaimStatus | None
    to_status: ClaimStatus
    reason: str
    actor: str
    by_name: str | None
    details: str
    at: datetime


class Claimable(msgspec.Struct, frozen=True):
    """An order for which a claim may be opened: it is or was covered."""

    user_id: bytes
    order_id: UUID
    purchase_order_id: bytes
    coverage_end_at: datetime
    claims_policy: str
    claim_id: UUID | None


class CaseOrder(msgspec.Struct, frozen=True):
    """What an order promised, and what it was priced from (`priced_from`: JSON, orders.PricedFrom)."""

    purchase_order_id: bytes
    payout_amount: int
    coverage_start_at: datetime
    coverage_end_at: datetime
    claims_policy: str
    exchange_uid: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    pos_created_ms: int
    priced_from: str


class WatchedRow(msgspec.Struct, frozen=True):
    """One change that was seen of a covered position."""

    seq: int
    read_at: datetime
    clock_offset_ms: int
    what: list[str]
    row: str
    row_sha256: bytes


class EvidenceRow(msgspec.Struct, frozen=True):
    """One answer of the exchange, as it came."""

    seq: int
    api_account_id: UUID
    exchange_uid: str
    endpoint: str
    request: str
    http_status: int
    asked_at: datetime
    clock_offset_ms: int
    body: bytes
    body_sha256: bytes


class VerdictRow(msgspec.Struct, frozen=True):
    """A verdict as it was made: from the evidence and the changes up to these numbers. `verdict` is JSON."""

    seq: int
    evidence_upto: int
    watched_upto: int
    policy_version: str
    verdict: str
    bundle_sha256: bytes
    at: datetime


@query("""
    select o.user_id, o.id as order_id, o.purchase_order_id, o.coverage_end_at, o.claims_policy, c.id as
    claim_id from order_refs r
    join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where r.purchase_order_id = $1 and o.status in ('ACTIVE', 'EXPIRED')
""")
async def claimable(conn: Connection, purchase_order_id: bytes) -> Claimable | None:
    """The order of this public id, if it is or was covered; whose it is, is for the caller to look at."""
    ...


@query(f"""
    with covered as (
        select user_id, id, purchase_order_id, payout_amount from purchase_orders
        where user_id = $1 and id = $2 and status in ('ACTIVE', 'EXPIRED')
        for no key update
    ),
    opened as (
        insert into claims as c
            (user_id, id, order_id, purchase_order_id, status, event_seq, opened_at, opened_by, ask_at,
            recipient)
        select user_id, $3, id, purchase_order_id, 'OPEN', 1, $5, $4, $5, user_id from covered
        on conflict (user_id, order_id) do update set recipient = c.recipient
        returning {CLAIM_COLUMNS}
    ),
    told as (
        insert into claim_events
            (user_id, claim_id, seq, from_status, to_status, reason, actor, by_name, details, at)
        select user_id, id, 1, null, 'OPEN', $6, $4::text, $7, '{{}}', $5 from opened where id = $3
    ),
    weighed as (
        update order_risks r set claimed_at = $5, claimed = covered.payout_amount
        from covered where r.purchase_order_id = covered.purchase_order_id
          and exists (select from opened where id = $3)
    )
    select {CLAIM_COLUMNS} from opened c
""")
async def open_claim(
    conn: Connection,
    user_id: bytes,
    order_id: UUID,
    new_id: UUID,
    opened_by: Opener,
    now: datetime,
    reason: str,
    by_name: str | None,
) -> Claim | None:
    """Open the one claim of an order, or return the one that is there; None when the order is not covered."""
    ...


@query(f"select {CLAIM_COLUMNS} from claims c where c.user_id = $1 and c.id = $2")
async def find_claim(conn: Connection, user_id: bytes, claim_id: UUID) -> Claim | None:
    """The user's own claim."""
    ...


@query(f"select {CLAIM_COLUMNS} from claims c where c.id = $1")
async def claim_of_any(conn: Connection, claim_id: UUID) -> Claim | None:
    """For operators and the worker: the claim, whosever it is."""
    ...


@query(f"select {CLAIM_COLUMNS} from claims c where c.user_id = $1 and c.id = $2 for update")
async def lock_claim(conn: Connection, user_id: bytes, claim_id: UUID) -> Claim | None:
    """The claim, which nobody else changes until the transaction ends."""
    ...


@query(f"""
    with wanted as (
        select $1::bytea as user_id, $2::uuid as claim_id, $3::int as seq, $4::claim_status as from_status,
            $5::claim_status as to_status, $6::text as reason, $7::text as actor, $8::text as by_name,
            $9::text as details, $10::timestamptz as at
    ),
    {MOVE}
    select event_seq from moved
""")
async def move(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    seq: int,
    from_status: ClaimStatus,
    to_status: ClaimStatus,
    reason: str,
    actor: str,
    by_name: str | None,
    details: str,
    now: datetime,
) -> int | None:
    """One move by the one door. The claim's event_seq after it; None when it was not there any more."""
    ...


@query("""
    update claims set ask_at = least(ask_at, $3), asked = 0
    where user_id = $1 and id = $2
""")
async def ask_soon(conn: Connection, user_id: bytes, claim_id: UUID, now: datetime) -> None:
    """Something happened to its position: the exchange is asked at once, and the pauses begin anew."""
    ...


@query("""
    select seq, from_status, to_status, reason, actor, by_name, details, at
    from claim_events where user_id = $1 and claim_id = $2 order by seq
""")
async def history(conn: Connection, user_id: bytes, claim_id: UUID) -> list[ClaimEvent]:
    """The moves of one of the user's own claims."""
    ...


@query("""
    select o.purchase_order_id, o.payout_amount, o.coverage_start_at, o.coverage_end_at, o.claims_policy,
        b.exchange_uid, b.inst_id, b.mgn_mode, b.pos_side, b.pos_id, b.pos_created_ms, o.priced_from
    from purchase_orders o join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    where o.user_id = $1 and o.id = $2 and o.status in ('ACTIVE', 'EXPIRED')
""")
async def case_order(conn: Connection, user_id: bytes, order_id: UUID) -> CaseOrder | None:
    """What was promised of which position."""
    ...


@query("""
    select seq, read_at, clock_offset_ms, what, row, row_sha256
    from watched_changes where user_id = $1 and order_id = $2 and seq <= $3 order by seq
""")
async def watched(conn: Connection, user_id: bytes, order_id: UUID, upto: int) -> list[WatchedRow]:
    """What changed of the position, up to a number."""
    ...


@query("""
    select seq, api_account_id, exchange_uid, endpoint, request, http_status, asked_at, clock_offset_ms, body,
        body_sha256
    from claim_evidence where user_id = $1 and claim_id = $2 and seq <= $3 order by seq
""")
async def evidence(conn: Connection, user_id: bytes, claim_id: UUID, upto: int) -> list[EvidenceRow]:
    """The exchange's answers, up to a number."""
    ...


@query("""
    select seq, evidence_upto, watched_upto, policy_version, verdict, bundle_sha256, at
    from claim_verdicts where user_id = $1 and claim_id = $2 order by seq desc limit 1
""")
async def newest_verdict(conn: Connection, user_id: bytes, claim_id: UUID) -> VerdictRow | None:
    """The newest verdict of a claim."""
    ...


@query("""
    select seq, evidence_upto, watched_upto, policy_version, verdict, bundle_sha256, at
    from claim_verdicts where user_id = $1 and claim_id = $2 and bundle_sha256 = $3
    order by seq desc limit 1
""")
async def verdict_of_bundle(
    conn: Connection, user_id: bytes, claim_id: UUID, bundle_sha256: bytes
) -> VerdictRow | None:
    """The verdict whose bundle has this hash."""
    ...


@query("select user_id from order_refs where purchase_order_id = $1")
async def owner_of(conn: Connection, purchase_order_id: bytes) -> bytes | None:
    """Whose order it is, covered or not."""
    ...
