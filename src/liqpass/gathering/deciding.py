"""What was answered becomes evidence, the evidence a verdict, and the verdict the state of the claim: in one
transaction, under the claim's lock, and only where something is new."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from liqpass.claims import bundle, verdict
from liqpass.claims import sql as claims_sql
from liqpass.claims.bundling import case_upto
from liqpass.claims.case import Case, Missing, Outcome, Verdict
from liqpass.claims.policy import policy_of
from liqpass.claims.sql import CaseOrder, Claim
from liqpass.claims.states import Actor, ClaimStatus
from liqpass.db import Connection
from liqpass.gathering import sql
from liqpass.gathering.asking import Gathered, Taken, wanted_of
from liqpass.gathering.pauses import ask_again_at, closes_at, pause
from liqpass.gathering.troubles import Trouble
from liqpass.hexes import to_hex

log = structlog.get_logger()

_S = ClaimStatus
_NOT_JUDGED = (_S.APPROVED, _S.BATCHED)
_EVERYTHING = 2**31 - 1


async def note(conn: Connection, now: datetime, seen: Claim, order: CaseOrder, gathered: Gathered) -> bool:
    """Keep what was answered, decide, move. False, and nothing is kept, when somebody else did so since the
    claim was taken (`seen`). Raises LookupError for a policy that is not known, and what deciding may."""
    claim = await _still_as(conn, seen)
    if claim is None:
        return False
    evidence = await _keep(conn, claim, order, gathered.answers, ends_at(order))
    if claim.status is _S.OPEN:
        claim = await _move(conn, now, claim, _S.GATHERING, "ASKED", "EXCHANGE", "{}")
    before = await claims_sql.newest_verdict(conn, claim.user_id, claim.id)
    found = None if before is None else msgspec.json.decode(before.verdict, type=Verdict)
    asked, watched = claim.asked, await sql.watched_upto(conn, claim.user_id, claim.order_id)
    news = before is None or (before.evidence_upto, before.watched_upto) != (evidence, watched)
    if news and claim.status not in _NOT_JUDGED:
        case = await _case(conn, claim)
        judged = verdict.decide(case)
        # What an operator refused goes by what is certain: it is compared with what was refused.
        certain = judged.outcome is not Outcome.NOT_YET_KNOWN or claim.status is not _S.REFUSED
        if judged != found and certain:
            claim = await _say(conn, now, claim, case, judged)
            found, asked = judged, 0
    await _look_ahead(conn, now, claim, seen, order, found, asked, gathered.trouble)
    return True


async def note_fault(conn: Connection, now: datetime, seen: Claim, order: CaseOrder, got: Gathered) -> None:
    """Deciding failed, by a fault of ours: what was answered is kept all the same, and the claim says so."""
    claim = await _still_as(conn, seen)
    if claim is not None:
        await _keep(conn, claim, order, got.answers, order.coverage_end_at)
        ask_at = now + pause(claim.asked, Trouble.FAULT, claim.status)
        await sql.note_asked(conn, claim.user_id, claim.id, claim.asked + 1, now, ask_at, Trouble.FAULT)


async def _still_as(conn: Connection, seen: Claim) -> Claim | None:
    """The claim, locked, unless it was asked about since. One that was moved, or is to be asked about sooner,
    is taken as it is now."""
    claim = await claims_sql.lock_claim(conn, seen.user_id, seen.id)
    if claim is None or claim.asked_at != seen.asked_at or claim.asked > seen.asked:
        return None
    return claim


async def _keep(
    conn: Connection, claim: Claim, order: CaseOrder, answers: list[Taken], ended_at: datetime
) -> int:
    """How many there are now. What says the same as the newest answer to its request is not kept again, but
    for the first one after the cover's end: that it says so even then is news."""
    stored = await sql.stored_answers(conn, claim.user_id, claim.id)
    newest = {
        one.request: (one.body_sha256, _theirs(one.asked_at, one.clock_offset_ms) >= ended_at)
        for one in stored
    }
    seq = max((one.seq for one in stored), default=0)
    for account, answer in answers:
        after_end = _theirs(answer.asked_at, answer.clock_offset_ms) >= ended_at
        said = (hashlib.sha256(answer.raw).digest(), after_end)
        if newest.get(answer.target) == said:
            continue
        newest[answer.target] = said
        seq += 1
        await sql.add_evidence(
            conn,
            claim.user_id,
            claim.id,
            seq,
            account,
            order.exchange_uid,
            answer.path,
            answer.target,
            answer.http_status,
            answer.asked_at,
            answer.clock_offset_ms,
            answer.raw,
            said[0],
        )
    return seq


async def _case(conn: Connection, claim: Claim) -> Case:
    upto = {"evidence": _EVERYTHING, "watched": _EVERYTHING}
    return await case_upto(conn, claim.user_id, claim.order_id, claim.id, **upto)


async def _say(conn: Connection, now: datetime, claim: Claim, case: Case, judged: Verdict) -> Claim:
    """Write a new verdict, and let the claim say and be what it says."""
    sha256 = bundle.sha256_of(bundle.document(case, judged))
    details = _details(case, judged, sha256)
    way = _way(claim, judged)
    if way[:1] == [_S.GATHERING]:
        claim = await _move(conn, now, claim, way.pop(0), "NEW_EVIDENCE", "EXCHANGE", details)
    seq = claim.verdict_seq + 1
    await sql.add_verdict(
        conn,
        claim.user_id,
        claim.id,
        seq,
        case.evidence[-1].seq if case.evidence else 0,
        case.watched[-1].seq if case.watched else 0,
        case.policy.version,
        msgspec.json.encode(judged, order="sorted").decode(),
        sha256,
        now,
    )
    await sql.say_verdict(
        conn,
        claim.user_id,
        claim.id,
        seq,
        judged.amount,
        judged.reason,
        [str(each) for each in judged.missing],
        None if judged.liquidated_at_ms is None else _moment(judged.liquidated_at_ms),
        judged.trigger_px,
        sha256,
        judged.episode_over,
    )
    if judged.outcome is not Outcome.NOT_YET_KNOWN and judged.penalty is not None:
        await sql.know_penalty(conn, claim.user_id, claim.order_id, judged.penalty)
    for status in way:
        why = "NOTHING_MORE_OWED" if status is _S.PAID else judged.reason or "LIQUIDATED"
        claim = await _move(conn, now, claim, status, why, "EXCHANGE", details)
    return claim


def _way(claim: Claim, judged: Verdict) -> list[ClaimStatus]:
    """The moves that a new verdict makes: through GATHERING, which says that something is new, to where it
    leads. What was paid or refused stays so while no more is owed; what an operator has to answer, while
    nothing is."""
    leads_to, paid = _S.GATHERING, claim.pay_tx_hash is not None
    if judged.outcome is not Outcome.NOT_YET_KNOWN:
        owed = judged.amount or 0
        more = owed > (claim.approved_amount if paid else 0)
        leads_to = _S.PAYABLE if more else _S.PAID if paid else _S.NOT_COVERED
    elif judged.missing == [Missing.EPISODE_RUNS] and claim.status is _S.PAID:
        leads_to = _S.PAID
    if claim.status is _S.REFUSED and (judged.amount or 0) <= max(claim.amount or 0, claim.approved_amount):
        return []
    if claim.status is _S.IN_REVIEW and (leads_to is _S.GATHERING or _answers_nothing(claim, leads_to)):
        return []
    if claim.status is leads_to and leads_to in (_S.PAID, _S.GATHERING):
        return []
    first = [] if claim.status is _S.GATHERING else [_S.GATHERING]
    return first + ([] if leads_to is _S.GATHERING else [leads_to])


def _answers_nothing(claim: Claim, leads_to: ClaimStatus) -> bool:
    """An objection is answered by an operator, or by evidence that something is owed."""
    return leads_to is not _S.PAYABLE and claim.objected_at is not None


def _details(case: Case, judged: Verdict, sha256: bytes) -> str:
    said = {
        "amount": None if judged.amount is None else str(judged.amount),
        "bundleSha256": to_hex(sha256),
        "missing": judged.missing,
        "outcome": judged.outcome,
        "policyVersion": case.policy.version,
        "reason": judged.reason,
    }
    return msgspec.json.encode(said, order="sorted").decode()


async def _look_ahead(
    conn: Connection,
    now: datetime,
    claim: Claim,
    seen: Claim,
    order: CaseOrder,
    found: Verdict | None,
    asked: int,
    trouble: str | None,
) -> None:
    """When it is asked about again; past the windows of the exchange, an operator decides. Whoever wants it
    sooner, and said so meanwhile, gets it."""
    policy = policy_of(order.claims_policy)
    closes = closes_at(order, policy, claim.opened_at, wanted_of(order).priced_ms)
    if claim.status is _S.GATHERING and now >= closes:
        claim = await _move(conn, now, claim, _S.IN_REVIEW, "WINDOW_CLOSED", "CLOCK", "{}")
    ask_at = ask_again_at(now, claim.status, found, asked, trouble, ended_at=ends_at(order), closes=closes)
    if claim.ask_at != seen.ask_at:
        asked, ask_at = claim.asked, claim.ask_at
    else:
        asked += 1
    await sql.note_asked(conn, claim.user_id, claim.id, asked, now, ask_at, trouble)


def ends_at(order: CaseOrder) -> datetime:
    """From when on a reading, by the exchange's clock, shows what happened before the cover's end."""
    return order.coverage_end_at + timedelta(seconds=policy_of(order.claims_policy).settle_after_end_sec)


async def _move(
    conn: Connection,
    now: datetime,
    claim: Claim,
    to: ClaimStatus,
    reason: str,
    actor: Actor,
    details: str,
) -> Claim:
    """One move of a claim that is locked."""
    seq = await claims_sql.move(
        conn, claim.user_id, claim.id, claim.event_seq, claim.status, to, reason, actor, None, details, now
    )
    if seq is None:
        raise RuntimeError("a claim that was locked did not move")
    log.info("claim_moved", claim=str(claim.id), to=to, reason=reason)
    return msgspec.structs.replace(claim, status=to, event_seq=seq)


def _theirs(asked_at: datetime, offset_ms: int) -> datetime:
    """By the exchange's clock."""
    return asked_at + timedelta(milliseconds=offset_ms)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
