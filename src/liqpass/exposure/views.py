"""How exposure looks to admins: amounts as strings of micro-USDC, shares in basis points, times in
ISO 8601."""

from datetime import datetime

import msgspec

from liqpass.exposure.limits import Cause, Direction, Scope
from liqpass.exposure.reading import Exposure


class LimitView(msgspec.Struct, frozen=True, rename="camel"):
    """A limit as a share of the pool, and what that makes now. `changedBy` null: as it was to begin with."""

    scope: Scope
    share_bps: int
    most: str
    changed_at: datetime | None
    changed_by: str | None
    reason: str | None


class SumView(msgspec.Struct, frozen=True, rename="camel"):
    """What stands behind the open covers of one key, and how much more may."""

    scope: Scope
    key: str
    open_sum: str
    most: str
    room: str


class StopView(msgspec.Struct, frozen=True, rename="camel"):
    """A stop that holds. `untilAt` null: until somebody resumes. `claimed` and `most`: what claims came to
    when it began, and what was the most then; null for one that somebody made."""

    direction: Direction
    cause: Cause
    from_at: datetime
    until_at: datetime | None
    claimed: str | None
    most: str | None
    stopped_by: str
    reason: str


class ClaimedView(msgspec.Struct, frozen=True, rename="camel"):
    """What claims take or may take: of the last 24 hours, and of it what counts towards the next stop."""

    direction: Direction
    last_24h: str = msgspec.field(name="last24h")
    counted: str


class ExposureView(msgspec.Struct, frozen=True, rename="camel"):
    """As it stands: both directions, and of instruments, accounts and wallets those with most."""

    pool: str
    free: str
    limits: list[LimitView]
    sums: list[SumView]
    stops: list[StopView]
    claimed: list[ClaimedView]


def exposure_view(of: Exposure) -> ExposureView:
    """All of it."""
    return ExposureView(
        pool=str(of.pool),
        free=str(of.free),
        limits=[
            LimitView(one.scope, one.share_bps, str(one.most), one.changed_at, one.changed_by, one.reason)
            for one in of.limits
        ],
        sums=[
            SumView(one.scope, one.key, str(one.open_sum), str(one.most), str(one.room)) for one in of.sums
        ],
        stops=[
            StopView(
                one.direction,
                one.cause,
                one.from_at,
                one.until_at,
                None if one.claimed is None else str(one.claimed),
                None if one.most is None else str(one.most),
                one.stopped_by,
                one.reason,
            )
            for one in of.stops
        ],
        claimed=[
            ClaimedView(direction=one.direction, last_24h=str(one.last_24h), counted=str(one.counted))
            for one in of.claimed_24h
        ],
    )
