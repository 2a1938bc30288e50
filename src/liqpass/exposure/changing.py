"""What operators change: the limits, and whether a direction is sold. Each with a name and a reason, kept."""

from datetime import datetime

import msgspec

from liqpass.db import Connection
from liqpass.exposure import sql
from liqpass.exposure.limits import Direction, Scope
from liqpass.exposure.sql import StoredStop
from liqpass.ids import uuid7
from liqpass.problems import Problem


class Said(msgspec.Struct, frozen=True):
    """Who says so, and why."""

    by: str
    reason: str


async def set_limit(
    conn: Connection, now: datetime, random: bytes, scope: Scope, share_bps: int, said: Said
) -> int:
    """From now on the limit is this share of the pool, in basis points; what it was. Covers that are open
    stay, whatever they come to. `random`: 10 bytes."""
    was = await sql.lock_limit(conn, scope)
    await sql.set_limit(conn, uuid7(now, random), scope, was, share_bps, now, said.by, said.reason)
    return was


async def stop(
    conn: Connection, now: datetime, random: bytes, direction: Direction, until: datetime | None, said: Said
) -> None:
    """From now on no cover of the direction is sold: until then, or until `resume`. `random`: 10 bytes."""
    await sql.stop_by_hand(conn, uuid7(now, random), direction, now, until, said.by, said.reason)


async def resume(conn: Connection, now: datetime, direction: Direction, said: Said) -> list[StoredStop]:
    """Covers of the direction are sold again: every stop of it that holds ends. Claims up to now are known to
    whoever says so: only later ones stop it again. Raises NOT_FOUND where it is not stopped."""
    await sql.lock_limit(conn, Scope.CLAIMS)  # nobody stops it at the same moment
    ended = await sql.resume(conn, direction, now, said.by, said.reason)
    if not ended:
        raise Problem("NOT_FOUND", f"Covers of {direction}s are sold: there is nothing to resume.")
    return ended
