"""What open covers add up to, beside what is the most: for operators."""

from datetime import datetime

import msgspec

from liqpass.db import Connection
from liqpass.exposure import sql
from liqpass.exposure.limits import Direction, Scope, most_of
from liqpass.exposure.sql import Claimed, StoredStop

LARGEST = 20  # of each scope; there may be as many wallets as there are traders


class Limit(msgspec.Struct, frozen=True):
    """A limit: its share of the pool, and what that makes now, in micro-USDC. Nobody changed it: as it was to
    begin with."""

    scope: Scope
    share_bps: int
    most: int
    changed_at: datetime | None
    changed_by: str | None
    reason: str | None


class Sum(msgspec.Struct, frozen=True):
    """What stands behind the covers of one key, and how much more may, in micro-USDC."""

    scope: Scope
    key: str
    open_sum: int
    most: int
    room: int


class Exposure(msgspec.Struct, frozen=True):
    """As it stands. `sums`: both directions, and of instruments, accounts and wallets the largest; `stops`:
    those that hold; `claimed_24h`: both directions."""

    pool: int
    free: int
    limits: list[Limit]
    sums: list[Sum]
    stops: list[StoredStop]
    claimed_24h: list[Claimed]

    def limit(self, scope: Scope) -> Limit:
        """The limit of that scope."""
        return next(limit for limit in self.limits if limit.scope is scope)


async def shown(conn: Connection, now: datetime, *, largest: int = LARGEST) -> Exposure:
    """As it stands; in one moment where the caller's transaction is of one."""
    pool = await sql.pool(conn)
    limits = [
        Limit(
            one.scope,
            one.share_bps,
            most_of(pool.whole, one.share_bps),
            one.changed_at,
            one.changed_by,
            one.reason,
        )
        for one in await sql.limits(conn)
    ]
    most = {limit.scope: limit.most for limit in limits}
    stored = {(one.scope, one.key): one.open_sum for one in await sql.largest(conn, largest)}
    directions = {(Scope.DIRECTION, str(one)): 0 for one in Direction}
    sums = [
        Sum(scope, key, open_sum, most[scope], max(0, most[scope] - open_sum))
        for (scope, key), open_sum in {**directions, **stored}.items()
    ]
    return Exposure(
        pool.whole, pool.free, limits, sums, await sql.stops(conn, now), await sql.claimed(conn, now)
    )
