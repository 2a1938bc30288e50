"""How a claim looks from outside: amounts as strings of micro-USDC, times in ISO 8601, hashes in lower-case
hexadecimal, addresses in EIP-55."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from liqpass.claims.sql import WatchedRow
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.hexes import checksum, to_hex
from liqpass.review.reading import Moves, Receipt, ShownClaim, receipts
from liqpass.review.sql import Approval, EvidenceSummary, ListedClaim, MoveOf
from liqpass.review.words import held_in_words, missing_in_words, reason_in_words
from liqpass.settings import ClaimLimits

OWED = (ClaimStatus.APPROVED, ClaimStatus.BATCHED, ClaimStatus.PAID)


class MoveView(msgspec.Struct, frozen=True, rename="camel"):
    """One move of a claim. `reason` is a code; `byName` is for operators only."""

    seq: int
    from_status: ClaimStatus | None
    to_status: ClaimStatus
    reason: str
    actor: str
    at: datetime
    details: dict[str, Any]
    by_name: str | None = None


class ReceiptView(msgspec.Struct, frozen=True, rename="camel"):
    """A payout that the chain shows."""

    amount: str
    recipient: str
    tx_hash: str
    block_time: datetime
    bundle_sha256: str | None


class ClaimView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A claim for its owner. `amount` is all that is owed for the order, null while unknown; `reason` says
    `reasonCode` in words, `missingWords` the codes of `missing`. `trouble`: why the exchange could not be
    asked; `heldReason`: why USDC would not pay it now. `receipts` only where a claim stands by itself."""

    claim_id: UUID
    purchase_order_id: str
    status: ClaimStatus
    amount: str | None
    reason_code: str | None
    reason: str | None
    missing: list[str]
    missing_words: list[str]
    policy_version: str
    opened_at: datetime
    opened_by: Opener
    liquidated_at: datetime | None
    trigger_px: str | None
    pay_tx_hash: str | None
    bundle_sha256: str | None
    inst_id: str
    mgn_mode: str
    pos_side: str
    payout_amount: str
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    trouble: str | None
    held_code: str | None
    held_reason: str | None
    objection: str | None
    objected_at: datetime | None
    history: list[MoveView]
    receipts: list[ReceiptView] = []


class ClaimList(msgspec.Struct, frozen=True):
    """Claims, newest first; `next` continues the list where there is more."""

    claims: list[ClaimView]
    next: UUID | None


class ApprovalView(msgspec.Struct, frozen=True, rename="camel"):
    """Who approved how much to whom, and why."""

    by_name: str
    amount: str
    recipient: str
    reason: str
    at: datetime


class EvidenceView(msgspec.Struct, frozen=True, rename="camel"):
    """One answer of the exchange; its bytes are in the bundle."""

    seq: int
    exchange_uid: str
    endpoint: str
    request: str
    http_status: int
    asked_at: datetime
    clock_offset_ms: int
    sha256: str
    size: int


class ChangeView(msgspec.Struct, frozen=True, rename="camel"):
    """What was seen to have changed of the position, and the row of the exchange ("" where it was gone)."""

    seq: int
    read_at: datetime
    what: list[str]
    row: str


class QueuedClaim(ClaimView, frozen=True, kw_only=True):
    """A claim for operators. `approvedAmount`: all that was ever approved for it. `approvals` of what stands
    now, of which `namesNeeded` different ones are wanted; by itself also what was gathered."""

    owner: str
    recipient: str
    approved_amount: str
    approvals: list[ApprovalView] = []
    names_needed: int | None = None
    verdict: dict[str, Any] | None = None
    evidence: list[EvidenceView] = []
    changes: list[ChangeView] = []


class Queue(msgspec.Struct, frozen=True):
    """Claims of everybody, newest first; `next` continues the list where there is more."""

    claims: list[QueuedClaim]
    next: UUID | None


def amount_of(claim: ListedClaim) -> int | None:
    """What is owed for the order: what was approved, and before that what its newest verdict says."""
    return claim.approved_amount if claim.status in OWED else claim.amount


def code_and_words(claim: ListedClaim, moves: Sequence[MoveOf]) -> tuple[str | None, str | None]:
    """Why nothing is paid: of a refused claim the operator's words, else what its verdict says."""
    if claim.status == ClaimStatus.REFUSED:
        refusal = next((move for move in reversed(moves) if move.to_status == ClaimStatus.REFUSED), None)
        return "REFUSED", json.loads(refusal.details).get("reason") if refusal else None
    return claim.reason_code, reason_in_words(claim.reason_code)


def claim_view(claim: ListedClaim, moves: Sequence[MoveOf]) -> ClaimView:
    """A claim in its owner's list."""
    return ClaimView(**_common(claim, moves, by_name=False))


def shown_view(shown: ShownClaim) -> ClaimView:
    """A claim by itself, for its owner."""
    common = _common(shown.claim, shown.events, by_name=False)
    return ClaimView(**common, receipts=[receipt_view(one) for one in receipts(shown)])


def list_view(found: Sequence[ListedClaim], moves: Moves, limit: int) -> ClaimList:
    """A page for their owner."""
    return ClaimList([claim_view(claim, moves[claim.id]) for claim in found], _next(found, limit))


def queue_view(found: Sequence[ListedClaim], moves: Moves, limit: int) -> Queue:
    """A page for operators."""
    claims = [QueuedClaim(**_for_operators(claim, moves[claim.id])) for claim in found]
    return Queue(claims, _next(found, limit))


def queued_view(shown: ShownClaim, limits: ClaimLimits) -> QueuedClaim:
    """A claim by itself, for operators."""
    return QueuedClaim(
        **_for_operators(shown.claim, shown.events),
        receipts=[receipt_view(one) for one in receipts(shown)],
        approvals=[approval_view(one) for one in shown.approved_by],
        names_needed=shown.names_needed(limits),
        verdict=msgspec.to_builtins(shown.verdict),
        evidence=[evidence_view(one) for one in shown.evidence],
        changes=[change_view(one) for one in shown.changes],
    )


def _common(claim: ListedClaim, moves: Sequence[MoveOf], *, by_name: bool) -> dict[str, Any]:
    code, words = code_and_words(claim, moves)
    amount = amount_of(claim)
    return {
        "claim_id": claim.id,
        "purchase_order_id": to_hex(claim.purchase_order_id),
        "status": claim.status,
        "amount": None if amount is None else str(amount),
        "reason_code": code,
        "reason": words,
        "missing": claim.missing,
        "missing_words": missing_in_words(claim.missing),
        "policy_version": claim.policy_version,
        "opened_at": claim.opened_at,
        "opened_by": claim.opened_by,
        "liquidated_at": claim.liquidated_at,
        "trigger_px": claim.trigger_px,
        "pay_tx_hash": to_hex(claim.pay_tx_hash) if claim.pay_tx_hash else None,
        "bundle_sha256": to_hex(claim.bundle_sha256) if claim.bundle_sha256 else None,
        "inst_id": claim.inst_id,
        "mgn_mode": claim.mgn_mode,
        "pos_side": claim.pos_side,
        "payout_amount": str(claim.payout_amount),
        "coverage_start_at": claim.coverage_start_at,
        "coverage_end_at": claim.coverage_end_at,
        "trouble": claim.trouble,
        "held_code": claim.held_reason,
        "held_reason": held_in_words(claim.held_reason),
        "objection": claim.objection,
        "objected_at": claim.objected_at,
        "history": [move_view(move, by_name=by_name) for move in moves],
    }


def _for_operators(claim: ListedClaim, moves: Sequence[MoveOf]) -> dict[str, Any]:
    return _common(claim, moves, by_name=True) | {
        "owner": checksum(claim.user_id),
        "recipient": checksum(claim.recipient),
        "approved_amount": str(claim.approved_amount),
    }


def _next(found: Sequence[ListedClaim], limit: int) -> UUID | None:
    return found[-1].id if len(found) == limit else None


def move_view(move: MoveOf, *, by_name: bool = False) -> MoveView:
    """One move, its details as an object."""
    return MoveView(
        seq=move.seq,
        from_status=move.from_status,
        to_status=move.to_status,
        reason=move.reason,
        actor=move.actor,
        at=move.at,
        details=json.loads(move.details),
        by_name=move.by_name if by_name else None,
    )


def receipt_view(receipt: Receipt) -> ReceiptView:
    """A payout for its reader."""
    return ReceiptView(
        amount=str(receipt.amount),
        recipient=checksum(receipt.recipient),
        tx_hash=to_hex(receipt.tx_hash),
        block_time=receipt.block_time,
        bundle_sha256=to_hex(receipt.bundle_sha256) if receipt.bundle_sha256 else None,
    )


def approval_view(approval: Approval) -> ApprovalView:
    """An approval for its reader."""
    return ApprovalView(
        by_name=approval.by_name,
        amount=str(approval.amount),
        recipient=checksum(approval.recipient),
        reason=approval.reason,
        at=approval.at,
    )


def evidence_view(evidence: EvidenceSummary) -> EvidenceView:
    """An answer of the exchange for its reader."""
    return EvidenceView(
        seq=evidence.seq,
        exchange_uid=evidence.exchange_uid,
        endpoint=evidence.endpoint,
        request=evidence.request,
        http_status=evidence.http_status,
        asked_at=evidence.asked_at,
        clock_offset_ms=evidence.clock_offset_ms,
        sha256=to_hex(evidence.body_sha256),
        size=evidence.size,
    )


def change_view(change: WatchedRow) -> ChangeView:
    """A change for its reader."""
    return ChangeView(seq=change.seq, read_at=change.read_at, what=change.what, row=change.row)
