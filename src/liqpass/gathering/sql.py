"""Queries of gathering. Evidence and verdicts are only ever added to; all of it under the claim's lock."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.sql import CLAIM_COLUMNS, Claim
from liqpass.db import Connection, query


class DueClaim(msgspec.Struct, frozen=True):
    """A claim about which the exchange is to be asked now."""

    user_id: bytes
    id: UUID
    order_id: UUID
    exchange_uid: str
    api_account_id: UUID
    ask_at: datetime


class Stored(msgspec.Struct, frozen=True):
    """The newest answer to one request."""

    seq: int
    endpoint: str
    request: str
    asked_at: datetime
    clock_offset_ms: int
    body_sha256: bytes


@query("""
    with due as (
        select c.user_id, c.id, c.order_id, b.exchange_uid, b.api_account_id, c.ask_at,
            row_number() over (partition by c.user_id, b.exchange_uid order by c.ask_at, c.id) as turn
        from claims c
        join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
        join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
        where c.ask_at is not null and o.status in ('ACTIVE', 'EXPIRED') and (
            c.ask_at <= $1
            or c.trouble = any($2) and exists (
                select from api_accounts a
                where a.user_id = c.user_id and a.uid = b.exchange_uid and a.revoked_at is null
                    and a.held_reason is null and a.checked_at > c.asked_at
            )
        )
    )
    select user_id, id, order_id, exchange_uid, api_account_id, ask_at
    from due order by turn, ask_at, id limit $3
""")
async def due_claims(conn: Connection, now: datetime, without_key: list[str], at_most: int) -> list[DueClaim]:
    """Over all users, one of each account before the second of any. Those that lacked a key are due when one
    was given, or looked at again, since."""
    ...


@query(f"""
    update claims c set ask_at = $4
    where c.user_id = $1 and c.id = $2 and c.ask_at = $3
    returning {CLAIM_COLUMNS}
""")
async def take(
    conn: Connection, user_id: bytes, claim_id: UUID, ask_at: datetime, until: datetime
) -> Claim | None:
    """The claim, whose turn it is for whoever asks about it first; whoever dies over it has it until then."""
    ...


@query("""
    update claims set ask_at = $4, trouble = $5 where user_id = $1 and id = $2 and ask_at = $3
""")
async def put_off(
    conn: Connection, user_id: bytes, claim_id: UUID, ask_at: datetime, until: datetime, trouble: str | None
) -> None:
    """It is not even tried now."""
    ...


@query("""
    select distinct on (request) seq, endpoint, request, asked_at, clock_offset_ms, body_sha256
    from claim_evidence where user_id = $1 and claim_id = $2 order by request, seq desc
""")
async def stored_answers(conn: Connection, user_id: bytes, claim_id: UUID) -> list[Stored]:
    """The newest answer to each request."""
    ...


@query("""
    insert into claim_evidence
        (user_id, claim_id, seq, api_account_id, exchange_uid, endpoint, request, http_status, asked_at,
        clock_offset_ms, body, body_sha256)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
""")
async def add_evidence(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    seq: int,
    api_account_id: UUID,
    exchange_uid: str,
    endpoint: str,
    request: str,
    http_status: int,
    asked_at: datetime,
    clock_offset_ms: int,
    body: bytes,
    body_sha256: bytes,
) -> None:
    """One answer as it came."""
    ...


@query("""
    select coalesce(max(seq), 0) from watched_changes where user_id = $1 and order_id = $2
""")
async def watched_upto(conn: Connection, user_id: bytes, order_id: UUID) -> int:
    """How many changes were seen of a cover."""
    ...


@query("""
    insert into claim_verdicts
        (user_id, claim_id, seq, evidence_upto, watched_upto, policy_version, verdict, bundle_sha256, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
""")
async def add_verdict(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    seq: int,
    evidence_upto: int,
    watched_upto: int,
    policy_version: str,
    verdict: str,
    bundle_sha256: bytes,
    now: datetime,
) -> None:
    """What was decided, and from how much."""
    ...


@query("""
    update claims
    set verdict_seq = $3, amount = $4, reason_code = $5, missing = $6, liquidated_at = $7, trigger_px = $8,
        bundle_sha256 = $9, episode_over = $10
    where user_id = $1 and id = $2
""")
async def say_verdict(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    verdict_seq: int,
    amount: int | None,
    reason_code: str | None,
    missing: list[str],
    liquidated_at: datetime | None,
    trigger_px: str | None,
    bundle_sha256: bytes,
    episode_over: bool,
) -> None:
    """The claim says what its newest verdict does."""
    ...


@query("update watched_covers set penalty = $3 where user_id = $1 and order_id = $2")
async def know_penalty(conn: Connection, user_id: bytes, order_id: UUID, penalty: str) -> None:
    """The penalty that a verdict has decided on: no change any more."""
    ...


@query("""
    update claims set asked = $3, asked_at = $4, ask_at = $5, trouble = $6 where user_id = $1 and id = $2
""")
async def note_asked(
    conn: Connection,
    user_id: bytes,
    claim_id: UUID,
    asked: int,
    now: datetime,
    ask_at: datetime | None,
    trouble: str | None,
) -> None:
    """The exchange was asked; when it is again, and what stood in the way."""
    ...
