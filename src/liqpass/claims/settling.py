"""Settling a cover: no claim of it can come any more, so what is left of its capital is free again.

A cover ends on time by the clock, whatever the exchange shows; its capital waits. It is free when a reading
made after the end shows the position alive, when evidence shows how it ended, or when the claim window is
over, and only while no claim of it is undecided: unknown is no refusal.
"""

from datetime import datetime, timedelta

from liqpass.claims.covers import sql
from liqpass.claims.policy import POLICIES
from liqpass.db import Connection

BATCH = 200


async def settle_covers(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Settle what can be. How many were. To be the last of a transaction: it posts."""
    versions, windows = list(POLICIES), [policy.claim_window_sec for policy in POLICIES.values()]
    shortest = timedelta(seconds=min(windows))
    found = await sql.lock_settleable(
        conn, chain_id, now, versions, windows, now - shortest, at_most, passing_over
    )
    if not found:
        return 0
    users, orders = [one.user_id for one in found], [one.order_id for one in found]
    # Nobody opens a claim of these now, and nobody moves one: what they say is asked again under the locks.
    await sql.lock_claims_of(conn, users, orders)
    return len(await sql.settle(conn, users, orders, now, versions, windows))
