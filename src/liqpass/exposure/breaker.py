"""The breaker: claims that pass their share of the pool within 24 hours stop the sale of their direction for
a day. What is not decided yet counts with its whole payout; where it turns out to be nothing, sales go on.

The statement that makes an order counts claims by itself: nothing is sold in the second until this is run.
"""

import os
from datetime import datetime

import structlog

from liqpass.db import Connection
from liqpass.exposure import sql
from liqpass.exposure.limits import Direction, Scope, most_of
from liqpass.exposure.rooms import STOP
from liqpass.exposure.sql import StoredStop
from liqpass.ids import RANDOM_BYTES, uuid7
from liqpass.money import usd

log = structlog.get_logger()

BY = "liqpass work"


async def watch_claims(conn: Connection, now: datetime) -> list[StoredStop]:
    """Write down which directions their claims have stopped, and end what nothing is left of. What began."""
    if not await sql.breaker_has_to_act(conn, now):
        return []
    await sql.lock_limit(conn, Scope.CLAIMS)  # two who look at once stop it once
    for ended in await sql.end_dissolved(conn, now, BY):
        log.warning("sale_resumed", direction=ended.direction, stopped_at=ended.from_at.isoformat())
    began = [await _stop(conn, now, direction) for direction in Direction]
    return [stop for stop in began if stop is not None]


async def _stop(conn: Connection, now: datetime, direction: Direction) -> StoredStop | None:
    pool, limits = await sql.pool(conn), await sql.limits(conn)
    share = next(one.share_bps for one in limits if one.scope is Scope.CLAIMS)
    most = most_of(pool.whole, share)
    claimed = next(one.counted for one in await sql.claimed(conn, now) if one.direction is direction)
    if claimed <= most:
        return None
    reason = f"claims of 24 hours come to {usd(claimed)} USDC, and {usd(most)} USDC are the most"
    name = uuid7(now, os.urandom(RANDOM_BYTES))
    stop = await sql.stop_by_claims(conn, name, direction, now, now + STOP, claimed, most, BY, reason)
    log.error(
        "sale_stopped", direction=direction, claimed=usd(claimed), most=usd(most), until=str(stop.until_at)
    )
    return stop
