"""How soon an account is read again: the nearer a mark price is to a liquidation price, the sooner. Pure."""

import math
from datetime import datetime, timedelta

import msgspec

from liqpass.exchange.records import Position

LATEST = timedelta(minutes=5)
SOONEST = timedelta(seconds=3)
UNCLEAR = timedelta(minutes=1)
GONE_SOONEST = timedelta(seconds=15)
# So many times what the price usually moves in a time may it move in it: rarer than once in a thousand.
MOVES = 3.0
# Basis points in a minute, of an instrument that was not seen twice yet: about that of a lively coin.
UNKNOWN_BPS = 25.0
FORGETS = timedelta(minutes=10)
FAILED_SOONEST = timedelta(seconds=5)
REGION_LATEST = timedelta(minutes=1)
REGION_FAILS = 3


class Moved(msgspec.Struct):
    """The mark price of an instrument when it was last seen, and the mean square of what it moves in a
    minute, in basis points."""

    at: datetime
    px: float
    square: float | None = None


class Silence(msgspec.Struct):
    """How often in a row a region of the exchange gave no answer, and until when it is not asked again."""

    fails: int = 0
    until: datetime | None = None


class Memory:
    """What a watcher knows from its own last steps. Without it readings come at the usual pace."""

    def __init__(self) -> None:
        self.moved: dict[str, Moved] = {}
        self.silent: dict[str, Silence] = {}

    def saw(self, inst_id: str, px: float, at: datetime) -> None:
        """A mark price; times may come in any order, those that are too near each other say nothing."""
        last = self.moved.get(inst_id)
        if last is None:
            self.moved[inst_id] = Moved(at, px)
            return
        passed = at - last.at
        if passed < timedelta(seconds=1) or last.px <= 0:
            return
        moved = (px / last.px - 1) * 10_000
        in_a_minute = moved * moved / (passed / timedelta(minutes=1))
        weight = 1 - math.exp(-(passed / FORGETS))
        known = UNKNOWN_BPS**2 if last.square is None else last.square
        self.moved[inst_id] = Moved(at, px, known + weight * (in_a_minute - known))

    def bps_in_a_minute(self, inst_id: str) -> float:
        """What the mark price of an instrument usually moves in a minute, in basis points."""
        last = self.moved.get(inst_id)
        return UNKNOWN_BPS if last is None or last.square is None else math.sqrt(last.square)

    def asks_from(self, region: str, now: datetime) -> datetime | None:
        """None when a region may be asked now, else from when on."""
        silence = self.silent.get(region)
        return silence.until if silence and silence.until and silence.until > now else None

    def answered(self, region: str) -> None:
        """It gave an answer, whatever it was."""
        self.silent.pop(region, None)

    def unanswered(self, region: str, now: datetime) -> None:
        """It gave none. From the third in a row on it is left alone, for longer each time."""
        silence = self.silent.setdefault(region, Silence())
        silence.fails += 1
        if silence.fails >= REGION_FAILS:
            silence.until = now + pause(silence.fails - REGION_FAILS + 1, REGION_LATEST)


def pause(failures: int, latest: timedelta = LATEST) -> timedelta:
    """After so many failures in a row."""
    return min(latest, FAILED_SOONEST * 2.0 ** min(failures - 1, 16))


def until_near(position: Position, bps_in_a_minute: float) -> timedelta:
    """In how long the mark price may be at the liquidation price, between SOONEST and LATEST. What it moves
    grows with the square root of the time."""
    away = position.distance_bps
    if away is None:
        return LATEST
    reach = max(0.0, away / (MOVES * max(bps_in_a_minute, 0.1)))
    return min(LATEST, max(SOONEST, timedelta(minutes=min(reach * reach, 60.0))))


def after_gone(gone_at: datetime, now: datetime) -> timedelta:
    """One that is gone is looked for again, in case an answer was wrong: less and less often."""
    return min(LATEST, max(GONE_SOONEST, now - gone_at))
