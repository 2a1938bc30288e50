"""An operator approves or refuses a claim, by name; above a limit two different ones approve the same."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn
from uuid import UUID

import msgspec

from liqpass.claims import sql as claims
from liqpass.claims.states import Actor, ClaimStatus
from liqpass.db import Connection, Database
from liqpass.hexes import checksum, to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.money import usd
from liqpass.orders.states import OrderStatus
from liqpass.problems import Problem
from liqpass.review import sql
from liqpass.review.held import told
from liqpass.review.reading import WAITING, claim_not_found, names_needed, one_name, standing
from liqpass.review.sql import Approval, ListedClaim
from liqpass.settings import ChainSettings, ClaimLimits
from liqpass.treasury.disbursements import owe_claim, words
from liqpass.treasury.holding import NOT_KNOWN, Held, Nodes
from liqpass.treasury.suspense import may_receive

REASON_MOST = 500
NAME_MOST = 80  # two of them stand on a payout
PAYOUT_REASON_MOST = 150  # of the words on a payout; all of them are kept with the approval


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of a claim. `by`: an EIP-55 address, or a name from the command line. `amount` in
    micro-USDC, None: what the verdict says. `to`: None: the order's owner."""

    by: str
    reason: str
    amount: int | None = None
    to: bytes | None = None


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an approval: `names_needed` different names have to approve `amount` to `recipient`, and
    `agreed` have. `said_before`: the same name had approved the same."""

    amount: int
    recipient: bytes
    agreed: list[str]
    names_needed: int
    said_before: bool

    @property
    def said(self) -> str:
        """What is to be done next, in words."""
        what = f"{usd(self.amount)} USDC to {checksum(self.recipient)}"
        if self.complete:
            return f"Approved: {what}. It is owed now, and goes into the next batch for the Safe."
        again = "You had approved the same before. " if self.said_before else ""
        wanted = "another operator has to approve the same amount and recipient"
        return f"{again}{what} is approved by {' and '.join(self.agreed)}: {wanted}."

    @property
    def complete(self) -> bool:
        """Whether it is owed now."""
        return len(self.agreed) >= self.names_needed


async def approve_told(
    db: Database,
    nodes: Nodes,
    now: datetime,
    chain: ChainSettings,
    limits: ClaimLimits,
    claim_id: UUID,
    said: Said,
) -> tuple[Approved, Held | None]:
    """`approve`, and why the token would not pay it now: a payout that it refuses waits until it does not.
    No transaction may be open."""
    async with db.pool.acquire() as conn:
        claim = await sql.any_claim(conn, claim_id)
    held = None
    if claim is not None:
        held = await told(nodes, chain, said.to or claim.user_id, said.amount or claim.amount or 1)
    random = os.urandom(RANDOM_BYTES)
    done = await db.run(lambda conn: approve(conn, now, random, chain, limits, claim_id, said, held=held))
    return done, held


async def approve(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    limits: ClaimLimits,
    claim_id: UUID,
    said: Said,
    *,
    held: Held | None = None,
) -> Approved:
    """Approve a payout, which is owed as soon as enough names have approved the same. `held`: why the token
    would not pay it now. `random`: 10 bytes. Raises Problem: CLAIM_NOT_FOUND, CLAIM_NOT_OPEN, OWN_CLAIM,
    ORDER_NOT_COVERED, CAPITAL_SHORT, INVALID_FIELD."""
    by, reason = words(said.by, "--by", NAME_MOST), words(said.reason, "reason", REASON_MOST)
    claim = await _decidable(conn, claim_id)
    amount, to = _payout(claim, said.amount), said.to or claim.user_id
    _refuse_oneself(claim, to, by)
    if not may_receive(to, chain):
        who = f"{checksum(to)} is the treasury itself, a contract of the product, or nobody"
        _refuse(f"recipient {who}: money sent there would be lost.", "recipient")
    approvals = await sql.approvals(conn, claim.user_id, claim.id)
    before = _agreeing(approvals, claim.event_seq, amount, to)
    if (said_before := one_name(by) in map(one_name, before)) is False:
        seq = len(approvals) + 1
        await sql.keep_approval(
            conn, claim.user_id, claim.id, seq, claim.event_seq, by, amount, to, reason, now
        )
    needed = names_needed(claim.approved_amount + amount, limits)
    agreed = before if said_before else [*before, by]
    done = Approved(amount=amount, recipient=to, agreed=agreed, names_needed=needed, said_before=said_before)
    if done.complete:
        names = " and ".join(agreed)
        await _owe(conn, now, random, chain, claim, done, "OPERATOR", names, reason, held)
    return done


async def refuse(conn: Connection, now: datetime, claim_id: UUID, said: Said) -> None:
    """Nothing is paid, and its owner is told why. Raises Problem: CLAIM_NOT_FOUND, CLAIM_NOT_OPEN,
    INVALID_FIELD."""
    by, reason = words(said.by, "--by", NAME_MOST), words(said.reason, "reason", REASON_MOST)
    claim = await _decidable(conn, claim_id)
    await _move(conn, now, claim, ClaimStatus.REFUSED, "REFUSED", "OPERATOR", by, {"reason": reason})


async def approve_by_policy(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    limits: ClaimLimits,
    *,
    at_most: int = 1,
    passing_over: int = 0,
) -> int:
    """What verdicts say is owed, up to the limit for that, without anybody's word. How many were approved: at
    most one in a transaction, since each posts. `random`: 10 bytes. Raises CAPITAL_SHORT."""
    most = limits.auto_up_to
    reason = f"by the verdict alone, up to {usd(most)} USDC"
    found = await sql.lock_payable(conn, most, chain.chain_id, at_most, passing_over) if most else []
    for claim in found:
        amount, name = _payout(claim, None), f"policy {claim.policy_version}"
        done = Approved(
            amount=amount, recipient=claim.user_id, agreed=[name], names_needed=1, said_before=False
        )
        await _owe(conn, now, random, chain, claim, done, "POLICY", name, reason, None)
    return len(found)


def capital_short(error: Exception) -> bool:
    """Whether it is that: nobody's fault, and it passes when capital is deposited."""
    return isinstance(error, Problem) and error.code == "CAPITAL_SHORT"


async def _decidable(conn: Connection, claim_id: UUID) -> ListedClaim:
    """The claim, locked until the transaction ends, and waiting for an operator."""
    found = await sql.any_claim(conn, claim_id)
    if found is None:
        raise claim_not_found()
    await claims.lock_claim(conn, found.user_id, claim_id)
    claim = await sql.any_claim(conn, claim_id)
    if claim is None or claim.status not in WAITING:
        stands = claim.status if claim else "gone"
        raise Problem("CLAIM_NOT_OPEN", f"The claim is {stands}: nobody has to decide about it now.")
    return claim


def _payout(claim: ListedClaim, named: int | None) -> int:
    """How much is paid this time."""
    if claim.order_status not in (OrderStatus.ACTIVE, OrderStatus.EXPIRED):
        raise Problem(
            "ORDER_NOT_COVERED",
            f"The order is {claim.order_status}: its payment left the chain, and there is no cover.",
        )
    by_verdict = claim.status == ClaimStatus.PAYABLE
    most = ((claim.amount or 0) if by_verdict else claim.payout_amount) - claim.approved_amount
    if most <= 0:
        raise Problem("CLAIM_NOT_OPEN", "All that may be paid for this order was approved before.")
    if named is None and not by_verdict:
        _refuse("amount is needed: no verdict says how much is owed.", "amount")
    if named is not None and not 0 < named <= most:
        _refuse(f"amount is at most {usd(most)} USDC: that is what may still be paid.", "amount")
    return most if named is None else named


def _refuse_oneself(claim: ListedClaim, to: bytes, by: str) -> None:
    if one_name(by) in {one_name(checksum(claim.user_id)), one_name(checksum(to))}:
        raise Problem("OWN_CLAIM", "Nobody approves a payout to themselves: another operator has to.")


def _agreeing(approvals: Sequence[Approval], round_: int, amount: int, to: bytes) -> list[str]:
    """Who approved the very same of what stands now."""
    return [one.by_name for one in standing(approvals, round_) if (one.amount, one.recipient) == (amount, to)]


async def _owe(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    claim: ListedClaim,
    done: Approved,
    actor: Actor,
    names: str,
    reason: str,
    held: Held | None,
) -> None:
    """The books owe it from now on, and it waits for a batch."""
    total = claim.approved_amount + done.amount
    asked = await owe_claim(
        conn,
        now,
        random,
        chain,
        claim.purchase_order_id,
        to=done.recipient,
        amount=done.amount,
        total=total,
        by=names,
        reason=f"claim {claim.id}: {reason[:PAYOUT_REASON_MOST]}",
    )
    known = held if held != NOT_KNOWN else None
    await sql.keep_owed(
        conn, claim.user_id, claim.id, total, done.recipient, asked.id, known.code if known else None
    )
    sha256 = to_hex(claim.bundle_sha256) if claim.bundle_sha256 else None
    details = {"amount": str(done.amount), "recipient": checksum(done.recipient), "bundleSha256": sha256}
    await _move(conn, now, claim, ClaimStatus.APPROVED, "APPROVED", actor, names, details)


async def _move(
    conn: Connection,
    now: datetime,
    claim: ListedClaim,
    to: ClaimStatus,
    reason: str,
    actor: Actor,
    by: str,
    details: Mapping[str, str | None],
) -> None:
    said = msgspec.json.encode(details).decode()
    moved = await claims.move(
        conn, claim.user_id, claim.id, claim.event_seq, claim.status, to, reason, actor, by, said, now
    )
    if moved is None:
        raise LookupError("a claim moved although it is locked")


def _refuse(detail: str, field: str) -> NoReturn:
    raise Problem("INVALID_FIELD", detail, field=field)
