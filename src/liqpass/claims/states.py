"""The states of a claim, the table of legal moves, and the one door through which a claim moves."""

from enum import StrEnum
from typing import Literal


class ClaimStatus(StrEnum):
    """The states of a claim."""

    OPEN = "OPEN"
    """Noticed, or asked for; nothing was asked of the exchange yet."""
    GATHERING = "GATHERING"
    """The exchange is asked until its answers decide."""
    NOT_COVERED = "NOT_COVERED"
    """Shown: it is not what was insured."""
    PAYABLE = "PAYABLE"
    """Shown: an amount is owed; nobody has approved it yet."""
    IN_REVIEW = "IN_REVIEW"
    """An operator decides: an objection, or the exchange shows no more."""
    APPROVED = "APPROVED"
    """Owed in the books; waits for a batch of the treasury's Safe."""
    BATCHED = "BATCHED"
    """In a batch file; not yet seen on chain."""
    PAID = "PAID"
    """The transfer is safe."""
    REFUSED = "REFUSED"
    """An operator refused it, with a reason."""


class Opener(StrEnum):
    """Who opened a claim."""

    WATCHER = "WATCHER"
    """Its position is gone, another one, or shows a penalty."""
    TRADER = "TRADER"
    """Its owner asked."""
    OPERATOR = "OPERATOR"
    """liqpass claims open."""


_S = ClaimStatus
LEGAL_MOVES: frozenset[tuple[ClaimStatus, ClaimStatus]] = frozenset(
    {
        (_S.OPEN, _S.GATHERING),  # the exchange is being asked
        (_S.GATHERING, _S.PAYABLE),  # the evidence shows a liquidation that is covered
        (_S.GATHERING, _S.NOT_COVERED),  # the evidence shows that nothing is owed
        (_S.GATHERING, _S.IN_REVIEW),  # the exchange shows no more: an operator decides
        (_S.GATHERING, _S.PAID),  # nothing more is owed than was paid
        (_S.PAYABLE, _S.GATHERING),  # more has happened, or more evidence has come
        (_S.NOT_COVERED, _S.GATHERING),
        (_S.IN_REVIEW, _S.GATHERING),
        (_S.PAID, _S.GATHERING),  # another part was liquidated after the first was paid
        (_S.REFUSED, _S.GATHERING),  # another part was liquidated after the first was refused
        (_S.NOT_COVERED, _S.IN_REVIEW),  # its owner objects
        (_S.REFUSED, _S.IN_REVIEW),
        (_S.PAYABLE, _S.APPROVED),
        (_S.PAYABLE, _S.REFUSED),
        (_S.IN_REVIEW, _S.APPROVED),
        (_S.IN_REVIEW, _S.REFUSED),
        (_S.APPROVED, _S.BATCHED),  # written into a batch file
        (_S.APPROVED, _S.PAID),  # the transfer is safe
        (_S.BATCHED, _S.PAID),
        (_S.BATCHED, _S.APPROVED),  # to be written into a batch once more
        (_S.PAID, _S.BATCHED),  # the transfer left the chain
        (_S.APPROVED, _S.IN_REVIEW),  # its payout was cancelled: an operator decides again
        (_S.BATCHED, _S.IN_REVIEW),
    }
)

Actor = Literal["WATCHER", "TRADER", "OPERATOR", "POLICY", "EXCHANGE", "CHAIN", "CLOCK"]

# The door: the end of every statement that moves claims. Before it stands `with wanted as (…)` with user_id,
# claim_id, seq, from_status, to_status, reason, actor, by_name, details, at; after it a select. What else the
# claim says after the move is written before it, in the same transaction, under the claim's lock: CHECKs
# want a PAYABLE one to have an amount, an APPROVED one a payout, a PAID one a transaction. What it weighs in
# the sale of its direction (exposure/breaker.py): its whole payout while nobody knows, then what it takes. An
# objection makes nothing more likely; what happens after an answer weighs from then on.
MOVE = """
    moved as (
        update claims c
        set status = w.to_status, event_seq = c.event_seq + 1
        from wanted w
        where c.user_id = w.user_id and c.id = w.claim_id and c.status = w.from_status and c.event_seq = w.seq
        returning c.user_id, c.id, c.event_seq, w.from_status, w.to_status, w.reason, w.actor, w.by_name,
            w.details, w.at, c.order_id, c.purchase_order_id, c.amount, c.approved_amount
    ),
    weighed as (
        update order_risks r
        set claimed = case
                when m.to_status = 'IN_REVIEW' and m.from_status in ('NOT_COVERED', 'REFUSED') then r.claimed
                when m.to_status in ('GATHERING', 'IN_REVIEW') then o.payout_amount
                when m.to_status = 'PAYABLE' then greatest(m.amount, m.approved_amount)
                else m.approved_amount end,
            claimed_at = case when m.from_status in ('NOT_COVERED', 'REFUSED', 'PAID')
                and m.to_status = 'GATHERING' then m.at else r.claimed_at end
        from moved m join purchase_orders o on o.user_id = m.user_id and o.id = m.order_id
        where r.purchase_order_id = m.purchase_order_id and r.claimed_at is not null
    ),
    told as (
        insert into claim_events
            (user_id, claim_id, seq, from_status, to_status, reason, actor, by_name, details, at)
        select user_id, id, event_seq, from_status, to_status, reason, actor, by_name, details, at from moved
    )
"""
