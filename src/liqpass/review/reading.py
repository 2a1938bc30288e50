"""Claims as they are shown: to whom they belong, and to operators."""

import json
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims import bundling
from liqpass.claims import sql as claims
from liqpass.claims.case import Verdict
from liqpass.claims.sql import EvidenceRow, WatchedRow
from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection
from liqpass.hexes import bytes32
from liqpass.problems import Problem
from liqpass.review import sql
from liqpass.review.sql import Approval, Cover, EvidenceSummary, ListedClaim, MoveOf, Payout
from liqpass.settings import ClaimLimits

NEWEST = UUID(int=(1 << 128) - 1)
ALL = 2**31 - 1
WAITING = (ClaimStatus.PAYABLE, ClaimStatus.IN_REVIEW)
"""What an operator has to look at."""

Moves = dict[UUID, list[MoveOf]]


class ShownClaim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim with all that is known of it. `events` oldest first; `verdict` the newest one, made at
    `verdict_at`; `evidence` without bodies (`evidence_of` has them); `changes` what was seen of the position
    since it was priced; `approvals` of all rounds; `payouts` what was asked for, also what was cancelled."""

    claim: ListedClaim
    cover: Cover
    events: list[MoveOf]
    verdict: Verdict | None
    verdict_at: datetime | None
    evidence: list[EvidenceSummary]
    changes: list[WatchedRow]
    approvals: list[Approval]
    payouts: list[Payout]

    @property
    def approved_by(self) -> list[Approval]:
        """The approvals of what stands now: of each name the last one."""
        return standing(self.approvals, self.claim.event_seq)

    def names_needed(self, limits: ClaimLimits) -> int | None:
        """How many different names have to approve what stands now; None where nobody has to, or where that
        depends on the amount that the first of them names."""
        claim = self.claim
        if claim.status == ClaimStatus.PAYABLE and claim.amount is not None:
            return names_needed(claim.amount, limits)
        if claim.status == ClaimStatus.IN_REVIEW and self.approved_by:
            return names_needed(claim.approved_amount + self.approved_by[0].amount, limits)
        return None


class Receipt(msgspec.Struct, frozen=True):
    """One payout that the chain shows. Money in micro-USDC; `bundle_sha256` names the document from which
    anybody can compute again what was owed when it was approved."""

    claim_id: UUID
    purchase_order_id: bytes
    amount: int
    recipient: bytes
    tx_hash: bytes
    block_time: datetime
    bundle_sha256: bytes | None


async def own_claim(conn: Connection, user: bytes, claim_id: UUID) -> ShownClaim:
    """The user's own claim. Raises CLAIM_NOT_FOUND."""
    return await _shown(conn, await sql.own_claim(conn, user, claim_id))


async def claim_of_order(conn: Connection, user: bytes, purchase_order_id: bytes) -> ShownClaim | None:
    """The claim of the user's own order, if there is one."""
    found = await sql.claim_of_order(conn, user, purchase_order_id)
    return None if found is None else await _shown(conn, found)


async def own_claims(
    conn: Connection, user: bytes, before: UUID = NEWEST, limit: int = 50
) -> tuple[list[ListedClaim], Moves]:
    """A page of the user's own claims, newest first, and the moves of each by its id; `before` is the last
    id of the page before it."""
    found = await sql.own_claims(conn, user, before, limit)
    return found, await moves_of(conn, found)


async def any_claim(conn: Connection, claim_id: UUID) -> ShownClaim:
    """For operators: the claim, whosever it is. Raises CLAIM_NOT_FOUND."""
    return await _shown(conn, await sql.any_claim(conn, claim_id))


async def claim_called(conn: Connection, name: str) -> ShownClaim:
    """For operators: a claim by its id, or by the public id of its order. Raises CLAIM_NOT_FOUND."""
    if name[:2].lower() != "0x":
        return await any_claim(conn, claim_named(name))
    order_id = bytes32(name, "ID")
    user = await claims.owner_of(conn, order_id)
    return await _shown(conn, await sql.claim_of_order(conn, user or b"", order_id))


async def queue(
    conn: Connection,
    statuses: Sequence[ClaimStatus] = WAITING,
    before: UUID = NEWEST,
    limit: int = 50,
) -> tuple[list[ListedClaim], Moves]:
    """For operators: a page of all claims in these states, as `own_claims`."""
    found = await sql.queue(conn, before, list(statuses), limit)
    return found, await moves_of(conn, found)


async def moves_of(conn: Connection, found: Sequence[ListedClaim]) -> Moves:
    """The moves of each, by its id."""
    moves: Moves = defaultdict(list)
    named = [claim.user_id for claim in found], [claim.id for claim in found]
    for move in await sql.moves_of(conn, *named) if found else []:
        moves[move.claim_id].append(move)
    return moves


async def evidence_of(conn: Connection, claim: claims.Claim) -> list[EvidenceRow]:
    """The exchange's answers with their bodies."""
    return await claims.evidence(conn, claim.user_id, claim.id, ALL)


def names_needed(total: int, limits: ClaimLimits) -> int:
    """How many different names have to approve, by what the order's payouts make together."""
    return 1 if total <= limits.one_approves_up_to else 2


async def bundle_of(conn: Connection, claim: claims.Claim, sha256: bytes | None = None) -> bytes:
    """The document that names all from which the newest verdict was made, or the one of this hash: a receipt
    names the one that was approved. Raises BUNDLE_NOT_FOUND."""
    try:
        return await bundling.bundle_of(conn, claim.user_id, claim.id, sha256)
    except LookupError:
        what = "No verdict of this claim has that bundle."
        if sha256 is None:
            what = "Nothing was decided about this claim yet: there is no bundle."
        raise Problem("BUNDLE_NOT_FOUND", what, field="claimId") from None


def standing(approvals: Sequence[Approval], round_: int) -> list[Approval]:
    """Of one round: of each name what it said last, in the order in which the names came; Ada is ada."""
    return list({one_name(one.by_name): one for one in approvals if one.round == round_}.values())


def one_name(name: str) -> str:
    """The same for all spellings of a name: capitals, wide letters, accents of their own, signs that nobody
    sees."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
    return " ".join(seen.split())


def receipts(shown: ShownClaim) -> list[Receipt]:
    """The payouts of a claim that the chain shows, the oldest first."""
    claim = shown.claim
    return [
        Receipt(
            claim_id=claim.id,
            purchase_order_id=claim.purchase_order_id,
            amount=paid.amount,
            recipient=paid.recipient,
            tx_hash=paid.tx_hash,
            block_time=paid.block_time,
            bundle_sha256=_approved_from(shown, paid),
        )
        for paid in shown.payouts
        if paid.tx_hash is not None and paid.block_time is not None
    ]


def _approved_from(shown: ShownClaim, paid: Payout) -> bytes | None:
    """The hash of the bundle that stood when a payout was approved."""
    for move in reversed(shown.events):
        if (move.to_status, move.reason) == (ClaimStatus.APPROVED, "APPROVED") and move.at <= paid.asked_at:
            named = json.loads(move.details).get("bundleSha256")
            return bytes32(named, "bundleSha256") if named else None
    return shown.claim.bundle_sha256


def claim_named(text: str) -> UUID:
    """A claim's id from a path. Raises CLAIM_NOT_FOUND: what is no id names no claim."""
    try:
        return UUID(text)
    except ValueError:
        raise claim_not_found() from None


def claim_not_found() -> Problem:
    """Also for somebody else's claim: whether it exists is not told."""
    return Problem("CLAIM_NOT_FOUND", "There is no such claim.", field="claimId")


async def _shown(conn: Connection, claim: ListedClaim | None) -> ShownClaim:
    if claim is None:
        raise claim_not_found()
    user, claim_id = claim.user_id, claim.id
    cover = await sql.cover_of(conn, user, claim.order_id)
    decided = await claims.newest_verdict(conn, user, claim_id)
    moves = await moves_of(conn, [claim])
    return ShownClaim(
        claim=claim,
        cover=cover,
        # a move that its status does not know yet would be taken for shown by whoever follows it from here
        events=[move for move in moves[claim_id] if move.seq <= claim.event_seq],
        verdict=msgspec.json.decode(decided.verdict, type=Verdict) if decided else None,
        verdict_at=decided.at if decided else None,
        evidence=await sql.evidence_summaries(conn, user, claim_id),
        changes=await claims.watched(conn, user, claim.order_id, ALL),
        approvals=await sql.approvals(conn, user, claim_id),
        payouts=await sql.payouts(conn, claim.purchase_order_id, cover.chain_id),
    )
