"""Approved claims follow their payouts: into a batch, onto the chain, and back where the chain or an operator
takes one back. Convergent: each step says where a claim stands by what its payouts are now."""

from datetime import datetime

import msgspec

from liqpass.claims.states import Actor, ClaimStatus
from liqpass.db import Connection
from liqpass.hexes import to_hex
from liqpass.review import sql
from liqpass.review.sql import Followed

BATCH = 200

S = ClaimStatus
# Why a claim came where it is, and who moved it.
_WHY: dict[ClaimStatus, tuple[str, Actor]] = {
    S.BATCHED: ("BATCHED", "OPERATOR"),
    S.PAID: ("PAYOUT_SAFE", "CHAIN"),
    S.APPROVED: ("OUT_OF_BATCH", "OPERATOR"),
    S.IN_REVIEW: ("PAYOUT_CANCELLED", "OPERATOR"),
}


class _Move(msgspec.Struct, frozen=True):
    one: Followed
    to: ClaimStatus
    reason: str
    actor: Actor
    by_name: str | None
    details: dict[str, str]


async def follow_payouts(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Move the claims whose payouts are elsewhere than they say. How many were."""
    moves = [_move_of(one) for one in await sql.lock_followed(conn, chain_id, at_most, passing_over)]
    if not moves:
        await sql.note_final(conn)
        return 0
    users, ids = [m.one.user_id for m in moves], [m.one.claim_id for m in moves]
    to = [m.to for m in moves]
    paid_by = [m.one.tx_hash if m.to == S.PAID else None for m in moves]
    await sql.keep_followed(conn, users, ids, [m.one.payout for m in moves], paid_by, to)
    moved = await sql.move_followed(
        conn,
        users,
        ids,
        [m.one.seq for m in moves],
        [m.one.from_status for m in moves],
        to,
        [m.reason for m in moves],
        [m.actor for m in moves],
        [m.by_name for m in moves],
        [msgspec.json.encode(m.details).decode() for m in moves],
        now,
    )
    gone = [m.one for m in moves if m.one.from_status == S.PAID]
    await sql.forget_transactions(conn, [one.user_id for one in gone], [one.claim_id for one in gone])
    return moved


def _move_of(one: Followed) -> _Move:
    """One legal move towards where its payouts are."""
    if one.from_status == S.PAID:  # the next step says the rest
        gone = {"txHash": to_hex(one.said_paid)} if one.said_paid else {}
        return _Move(one, S.BATCHED, "PAYOUT_LEFT_CHAIN", "CHAIN", None, gone)
    reason, actor = _WHY[one.stands]
    by_name = one.cancelled_by if one.stands == S.IN_REVIEW else None
    paid = {"txHash": to_hex(one.tx_hash)} if one.stands == S.PAID and one.tx_hash else {}
    return _Move(one, one.stands, reason, actor, by_name, paid)
