"""What more may be sold: the free capital, and what the limits leave. The words of a refusal say which limit
it is and how much room it has. The statement that makes an order decides; this says what it would decide."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from liqpass.db import Connection
from liqpass.exposure import sql
from liqpass.exposure.limits import CAPITAL, Cause, Direction, Scope, most_of, percent
from liqpass.exposure.sql import ROOMS_AS_JSON
from liqpass.money import usd
from liqpass.positions.refusals import Refusal, WhyNot
from liqpass.pricing.premium import CENT

__all__ = ["ROOMS_AS_JSON", "Room", "Rooms", "beyond_limits", "read", "rooms"]

# What `keep_exposures` refuses by.
HELD_BY = ("within_exposure_limits", "sale_not_stopped")
STOP = timedelta(hours=24)  # how long claims stop the sale of a direction


class Stopped(msgspec.Struct, frozen=True):
    """A direction that is not sold. `until_at` None: until somebody resumes."""

    direction: Direction
    cause: Cause
    until_at: datetime | None


class Rooms(msgspec.Struct, frozen=True):
    """What is free and what the pool is, in micro-USDC, the shares of it that are the most, and what stands
    behind covers: of each direction, of some instruments, of one account and one wallet (`sums`, by the
    scope's name, and where there are several a space and the key)."""

    free: int
    whole: int
    shares: dict[Scope, int]
    sums: dict[str, int]
    claimed: dict[Direction, int]
    stops: list[Stopped]

    def of(self, direction: Direction, inst_id: str, now: datetime) -> "Room":
        """What they leave for one more cover of this direction in this instrument."""
        found = [(CAPITAL, self.free)]
        for scope, name in (
            (Scope.DIRECTION, f"DIRECTION {direction}"),
            (Scope.INSTRUMENT, f"INSTRUMENT {inst_id}"),
            (Scope.ACCOUNT, "ACCOUNT"),
            (Scope.WALLET, "WALLET"),
        ):
            most = most_of(self.whole, self.shares[scope])
            found.append((scope, max(0, most - self.sums.get(name, 0))))
        limit, room = min(found, key=lambda one: one[1])
        stopped = self.stopped(direction, now)
        return Room(
            direction=direction,
            inst_id=inst_id,
            limit=limit,
            share_bps=None if limit == CAPITAL else self.shares[Scope(limit)],
            room=room // CENT * CENT,
            not_sold=_not_sold(stopped) if stopped else None,
        )

    def stopped(self, direction: Direction, now: datetime) -> Stopped | None:
        """Whether the direction is not sold now, and until when. What claims stop without anybody having
        written it down yet is stopped all the same."""
        for stop in self.stops:
            if stop.direction is direction:
                return stop
        if self.claimed[direction] > most_of(self.whole, self.shares[Scope.CLAIMS]):
            return Stopped(direction, Cause.CLAIMS, now + STOP)
        return None


class Room(msgspec.Struct, frozen=True):
    """What one more cover may pay at most: of all that limits it what leaves least (`limit`: CAPITAL, or a
    scope's name, with its share of the pool), in whole cents of micro-USDC, as payouts are; and why none of
    its direction is sold, if so."""

    direction: Direction
    inst_id: str
    limit: str
    share_bps: int | None
    room: int
    not_sold: Refusal | None

    def refusal(self, payout: int) -> Refusal | None:
        """Why a cover that pays so much is not sold now; None when it is."""
        if self.not_sold is not None or payout <= self.room:
            return self.not_sold
        words = f"This cover pays {usd(payout)} USDC, and at present {self._left()}."
        values = {"limit": str(self.limit), "roomUsd": usd(self.room), "freeUsd": usd(self.room)}
        return Refusal(WhyNot.CAPACITY_EXHAUSTED, words, dict(values))

    def _left(self) -> str:
        if self.share_bps is None:
            return f"there is capital for {usd(self.room)} USDC"
        covers = _COVERS[Scope(self.limit)].format(direction=self.direction, inst_id=self.inst_id)
        share = percent(self.share_bps)
        return f"{covers} have room for {usd(self.room)} USDC: together they may take {share} of the pool"


_COVERS = {
    Scope.DIRECTION: "covers of {direction}s",
    Scope.INSTRUMENT: "covers of {inst_id}",
    Scope.ACCOUNT: "covers of this exchange account, with its sub-accounts,",
    Scope.WALLET: "covers of this wallet",
}


def _not_sold(stopped: Stopped) -> Refusal:
    until = stopped.until_at.astimezone(UTC).isoformat(timespec="seconds") if stopped.until_at else ""
    when = f"until {until[:10]} {until[11:16]} UTC" if until else "until further notice"
    why = "claims of the last day are many" if stopped.cause is Cause.CLAIMS else "the operator stopped it"
    words = f"No cover of {stopped.direction}s is sold {when}: {why}."
    return Refusal(WhyNot.SALE_STOPPED, words, {"direction": str(stopped.direction), "until": until})


def beyond_limits(error: Exception) -> bool:
    """Whether the database refused an order because of a limit of exposure, or of a stop."""
    return isinstance(error, asyncpg.CheckViolationError) and error.constraint_name in HELD_BY


def read(found: str) -> Rooms:
    """What ROOMS_AS_JSON gave."""
    return msgspec.json.decode(found, type=Rooms)


async def rooms(
    conn: Connection, now: datetime, user: bytes, api_account_id: UUID, inst_ids: list[str]
) -> Rooms:
    """What more may be sold to this wallet of positions of this account of its own in these instruments."""
    return read(await sql.rooms(conn, user, api_account_id, inst_ids, now))
