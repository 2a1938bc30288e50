"""Which candles a variance may be made of, and what is odd about them. Pure.

What is missing or absurd never makes a price cheaper: such a bar counts as the widest of the others, and
where there are too many of them, or too few bars, there is no price.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import msgspec

from liqpass.exchange.candles import Bar, CandleRow
from liqpass.market.volatility import BARS, Candle

# A bar is complete, and the next one is there, at most so long after its time.
GRACE = timedelta(minutes=5)
MOST_ODD = 10
HUNDREDFOLD = 100.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Series(NamedTuple):
    """Bars of one length: at least so many must be there."""

    bar: Bar
    length: timedelta
    least: int
    name: str

    def start(self, at: datetime) -> datetime:
        """When the bar began in which `at` lies."""
        return _EPOCH + (at - _EPOCH) // self.length * self.length

    def first(self, now: datetime) -> datetime:
        """When the oldest bar begins that counts."""
        return self.start(now) - BARS * self.length


HOURS = Series("1H", timedelta(hours=1), 72, "hours")
DAYS = Series("1Dutc", timedelta(days=1), 14, "days")


class Told(msgspec.Struct, frozen=True):
    """One bar in the exchange's words: its prices are texts of any numbers."""

    start_at: datetime
    open: str
    high: str
    low: str
    close: str

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Open, high, low, close."""
        return Decimal(self.open), Decimal(self.high), Decimal(self.low), Decimal(self.close)


class Answered(msgspec.Struct, frozen=True):
    """What an answer adds to what is known: complete bars that are new, or not as they were; those that are
    not complete; what is odd about it, in words."""

    new: list[Told]
    running: list[Told]
    remarks: list[str]


class Judged(msgspec.Struct, frozen=True):
    """Bars, oldest first, the odd ones replaced; the same with those that are not complete; what is odd."""

    complete: list[Candle]
    with_running: list[Candle]
    remarks: list[str]


class Untrusted(Exception):  # noqa: N818
    """No price can be made of this; the text says why."""


def answered(
    rows: Sequence[CandleRow],
    known: Mapping[datetime, Told],
    of: Series,
    now: datetime,
    ran: Sequence[Told] = (),
) -> Answered:
    """Sort out one answer, newest first by right. `known`: complete bars by their start; `ran`: those that
    were not complete at the reading before. Such a bar only widens: what it was is held."""
    odd, complete, running = Counter[str](), dict[datetime, Told](), dict[datetime, Told]()
    for row in rows:
        start = _EPOCH + timedelta(milliseconds=row.start_ms)
        told = Told(start, row.open, row.high, row.low, row.close)
        over = start + of.length <= now + GRACE
        if start != of.start(start):
            odd["not beginning when one begins"] += 1
        elif start > now + GRACE:
            odd["of the future"] += 1
        elif start >= of.first(now):
            odd["said to be complete before their time is over"] += row.complete and not over
            bars = complete if row.complete and over else running
            before = bars.get(start)
            odd["told twice, and not alike"] += before is not None and before.prices != told.prices
            bars[start] = told if before is None else _wider(before, told)
    for was in ran:
        now_told = running.get(was.start_at)
        if now_told and _absurd(now_told) in (None, _STILL):
            running[was.start_at] = wider = _wider(now_told, was)
            odd["narrower than they were before"] += wider.prices != now_told.prices
    odd["out of order"] += sum(one.start_ms < after.start_ms for one, after in pairwise(rows))
    new = [told for start, told in complete.items() if start not in known]
    changed = [
        told for start, told in complete.items() if start in known and known[start].prices != told.prices
    ]
    odd["not as they were told before"] += len(changed)
    for start in complete.keys() & running.keys():
        del running[start]
    return Answered(new + changed, sorted(running.values(), key=_start), _said(odd, of))


def judged(complete: Mapping[datetime, Told], running: Sequence[Told], of: Series, now: datetime) -> Judged:
    """Raises Untrusted, in words that follow the instrument's name."""
    newest = max([*complete, *(told.start_at for told in running)], default=None)
    if newest is None:
        raise Untrusted("OKX shows no candles of it")
    if of is HOURS and newest < of.start(now - GRACE):
        raise Untrusted(f"the newest hour that OKX shows of it began at {newest:%Y-%m-%d %H:%M} UTC")
    last = max(of.start(now - GRACE) - of.length, max(complete, default=_EPOCH))
    slots, odd = _slots(complete, last, of), Counter[str]()
    bars = _candles(slots, complete, of, odd)
    live = {told.start_at: told for told in running if told.start_at >= slots[0]}
    for told in live.values():
        if (why := _absurd(told)) and why != _STILL:
            raise Untrusted(f"what OKX shows of this hour cannot be: a bar {why}")
    so_far = sorted(start for start, told in live.items() if start > last and not _absurd(told))
    with_running = _candles([*slots, *so_far], {**live, **complete}, of, Counter())
    return Judged(bars, with_running, _said(odd, of))


def today(hours: Sequence[Candle], now: datetime) -> Candle | None:
    """The day so far, of its hours."""
    midnight = DAYS.start(now)
    of_today = [bar for bar in hours if bar.start_at >= midnight]
    if not of_today:
        return None
    high, low = max(bar.high for bar in of_today), min(bar.low for bar in of_today)
    return Candle(midnight, of_today[0].open, high, low, of_today[-1].close)


def _slots(complete: Mapping[datetime, Told], last: datetime, of: Series) -> list[datetime]:
    """The times of the bars that count, oldest first: as far back as there are any, and not beyond a gap in
    which no instrument lives on (a name may be used again)."""
    counted, missing = list[datetime](), 0
    for number in range(BARS):
        slot = last - number * of.length
        missing = 0 if slot in complete else missing + 1
        counted.append(slot)
        if missing > MOST_ODD:
            break
    return counted[: len(counted) - missing][::-1]


_MISSING, _STILL = "missing", "standing still"


def _candles(
    slots: Sequence[datetime], told: Mapping[datetime, Told], of: Series, odd: Counter[str]
) -> list[Candle]:
    """In the place of each that is missing or absurd one as wide as the widest. Raises Untrusted."""
    sound = dict[datetime, Candle]()
    for slot in slots:
        why = _absurd(told[slot]) if slot in told else _MISSING
        if why:
            odd[why] += 1
        else:
            sound[slot] = Candle(slot, *map(float, told[slot].prices))
    if len(sound) < of.least:
        raise Untrusted(f"{len(sound)} {of.name} of its price can be used, and {of.least} are needed")
    if odd.total() > MOST_ODD:
        raise Untrusted(f"{odd.total()} of its last {len(slots)} {of.name} are missing, still or absurd")
    for one, after in pairwise(sound.values()):
        if max(one.close / after.open, after.open / one.close) > HUNDREDFOLD:
            raise Untrusted(f"its price jumped a hundredfold at {after.start_at:%Y-%m-%d %H:%M} UTC")
    half = sqrt(max(bar.high / bar.low for bar in sound.values()))
    filled, px = list[Candle](), next(iter(sound.values())).open
    for slot in slots:
        bar = sound.get(slot) or Candle(slot, px, px * half, px / half, px)
        # what lies between two bars was moved through: it is the latter's, or it would be nobody's
        filled.append(Candle(slot, bar.open, max(bar.high, px), min(bar.low, px), bar.close))
        px = bar.close
    return filled


def _absurd(told: Told) -> str | None:
    """What is wrong with a bar."""
    open_, high, low, close = told.prices
    if min(open_, high, low, close) <= 0:
        return "with a price that is not above zero"
    if high < max(open_, low, close) or low > min(open_, close):
        return "with a high and a low that do not hold the others"
    if float(high) / float(low) > HUNDREDFOLD:
        return "moving a hundredfold"
    return _STILL if high == low else None


def _wider(one: Told, other: Told) -> Told:
    high = max(one.high, other.high, key=Decimal)
    low = min(one.low, other.low, key=Decimal)
    return Told(one.start_at, one.open, high, low, one.close)


def _start(told: Told) -> datetime:
    return told.start_at


def _said(odd: Mapping[str, int], of: Series) -> list[str]:
    return [f"{number} of its {of.name}: {what}" for what, number in odd.items() if number]
