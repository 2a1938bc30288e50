"""Opening a claim: by the watcher, by its owner, by an operator; opening again returns the one that is
there."""

from datetime import datetime, timedelta
from uuid import UUID

from liqpass.claims import sql
from liqpass.claims.policy import policy_of
from liqpass.claims.states import Opener
from liqpass.db import Connection
from liqpass.ids import uuid7
from liqpass.problems import Problem


async def open_for(
    conn: Connection,
    now: datetime,
    random: bytes,
    purchase_order_id: bytes,
    *,
    by: Opener,
    user: bytes | None = None,
    by_name: str | None = None,
    reason: str = "ASKED_FOR",
) -> sql.Claim:
    """The claim of the order of this public id. `user`: it has to be this one's. `random`: 10 bytes.

    Raises ORDER_NOT_FOUND for somebody else's order and ORDER_NOT_COVERED when it never was ACTIVE, or when
    the claim window is over and none was opened in it.
    """
    found = await sql.claimable(conn, purchase_order_id)
    if found is None:
        raise await _why_not(conn, user, purchase_order_id)
    if user not in (None, found.user_id):
        raise _not_there()
    window = timedelta(seconds=policy_of(found.claims_policy).claim_window_sec)
    if found.claim_id is None and now >= found.coverage_end_at + window:
        raise not_covered("The time in which a claim could be opened for this order is over.")
    opened = await opened_for(
        conn, now, random, found.user_id, found.order_id, by=by, by_name=by_name, reason=reason
    )
    if opened is None:
        raise not_covered("This order is not covered any more.")
    return opened


async def opened_for(
    conn: Connection,
    now: datetime,
    random: bytes,
    user: bytes,
    order_id: UUID,
    *,
    by: Opener,
    by_name: str | None = None,
    reason: str,
) -> sql.Claim | None:
    """The same of a covered order that is known; None when it is covered no more."""
    return await sql.open_claim(conn, user, order_id, uuid7(now, random), by, now, reason, by_name)


async def _why_not(conn: Connection, user: bytes | None, purchase_order_id: bytes) -> Problem:
    owner = await sql.owner_of(conn, purchase_order_id)
    if owner is None and user is None:
        return Problem("ORDER_NOT_FOUND", "There is no such order.", field="ORDER")
    if owner is None or user not in (None, owner):
        return _not_there()
    return not_covered("This order was never covered: its premium was not paid.")


def _not_there() -> Problem:
    return Problem("ORDER_NOT_FOUND", "You have no such order.", field="purchaseOrderId")


def not_covered(words: str) -> Problem:
    """ORDER_NOT_COVERED."""
    return Problem("ORDER_NOT_COVERED", words, field="purchaseOrderId")
