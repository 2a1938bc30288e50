"""The sandbox exchange's candles: what its prices were, cut into bars.

Since the start a price is what it was told to be (`Instrument.path`): flat, with steps, but for a quiver up
and one down in each hour, by which nobody is liquidated. What was before is a random walk that ends at the
first price. The seed decides both, day by day and hour by hour, so that a candle always has the same numbers,
whatever bar or page shows them, and the bars of an hour add up to the hour's.
"""

import math
import random
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from liqpass.sandbox.okx_margin import Instrument

_MINUTE_MS = 60_000
_MINUTES_A_DAY = 1440
_DAY_MS = _MINUTES_A_DAY * _MINUTE_MS
_MONDAY_MS = 4 * _DAY_MS  # 1970 began on a Thursday
_CHINA_MS = 8 * 3_600_000
_FIRST_DAY = 10_957  # 2000-01-01: the walk's days are counted from here
_LAST_DAY = 40_000
_HOUR_MS = 60 * _MINUTE_MS
# Minutes of an hour at which a price quivers up and down, by up to so many deviations of an hour: as much as
# a price moves that moves all the time (Parkinson).
_QUIVERS = ((23, 1), (41, -1))
_QUIVER = 1.25
# The standard deviation of a byte.
_BYTE = math.sqrt((256**2 - 1) / 12)

_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240}
_LONG_MINUTES = {"6H": 360, "12H": 720, "1D": 1440, "1W": 7 * 1440}
_MONTHS = {"1M": 1, "3M": 3}
# OKX's days begin at midnight in China, unless the bar's name ends in utc.
BARS = (*_MINUTES, *(f"{name}{ending}" for name in (*_LONG_MINUTES, *_MONTHS) for ending in ("", "utc")))


class Candle(NamedTuple):
    """One bar; `contracts` is its volume. It is complete when its time is over."""

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    contracts: int
    complete: bool


def candles(instrument: Instrument, seed: int, bar: str, *, before_ms: int, now_ms: int) -> Iterator[Candle]:
    """The bars that began before `before_ms`, newest first, as far back as there is a history."""
    start = bar_start(bar, min(before_ms - 1, now_ms))
    end = _next_start(bar, start)
    oldest_ms = instrument.path[0][0] - instrument.days * _DAY_MS
    while start >= oldest_ms:
        prices = _prices(instrument, seed, start, min(end, now_ms + 1))
        traded = _traded_until(min(end, now_ms)) - _traded_until(start)
        yield Candle(start, prices[0], max(prices), min(prices), prices[-1], traded, end <= now_ms)
        start, end = bar_start(bar, start - 1), start


def since(instrument: Instrument, seed: int, start_ms: int, now_ms: int) -> Candle:
    """All that was from then until now, as one bar."""
    prices = _prices(instrument, seed, start_ms, now_ms + 1)
    traded = _traded_until(now_ms) - _traded_until(start_ms)
    return Candle(start_ms, prices[0], max(prices), min(prices), prices[-1], traded, complete=False)


def bar_start(bar: str, at_ms: int) -> int:
    """When the bar began that `at_ms` lies in. `bar` is one of BARS."""
    name = bar.removesuffix("utc")
    shift = 0 if name in _MINUTES or name != bar else _CHINA_MS
    local = at_ms + shift
    if name in _MONTHS:
        day = datetime.fromtimestamp(local / 1000, UTC)
        first = day.month - (day.month - 1) % _MONTHS[name]
        return int(datetime(day.year, first, 1, tzinfo=UTC).timestamp()) * 1000 - shift
    origin = _MONDAY_MS if name == "1W" else 0
    length = _MINUTE_MS * (_MINUTES.get(name) or _LONG_MINUTES[name])
    return (local - origin) // length * length + origin - shift


def span_ms(bar: str) -> int:
    """How long a bar is; for months, the longest that it can be."""
    name = bar.removesuffix("utc")
    if name in _MONTHS:
        return _MONTHS[name] * 31 * _DAY_MS
    return _MINUTE_MS * (_MINUTES.get(name) or _LONG_MINUTES[name])


def _next_start(bar: str, start: int) -> int:
    return bar_start(bar, start + span_ms(bar))


def _prices(instrument: Instrument, seed: int, start_ms: int, end_ms: int) -> list[Decimal]:
    """Those between two times that matter: the first, the extremes and the last among them."""
    path, prices = instrument.path, []
    born_ms, first_px = path[0]
    if start_ms < born_ms:
        name = f"{seed} {instrument.inst_id}"
        origin, levels = _level(name, born_ms), _levels_between(name, start_ms, min(end_ms, born_ms))
        for level in (levels[0], max(levels), min(levels), levels[-1]):
            prices.append(_moved(instrument, first_px, level - origin))
    begin, end = (bisect_left(path, ms, key=lambda move: move[0]) for ms in (start_ms, end_ms))
    if start_ms > born_ms:
        prices.append(path[begin - 1][1])
    prices += [px for _, px in path[begin:end]]
    return [prices[0], *_quivers(instrument, seed, max(start_ms, born_ms), end_ms), *prices]


def _moved(instrument: Instrument, px: Decimal, by: float) -> Decimal:
    """A price so many days' deviations away, in whole ticks and at least one."""
    ticks = px * Decimal(math.exp(by * float(instrument.volatility))) / instrument.tick
    return max(ticks.to_integral_value(), Decimal(1)) * instrument.tick


def _quivers(instrument: Instrument, seed: int, start_ms: int, end_ms: int) -> Iterator[Decimal]:
    """Those between two times since the start, each at least a tick."""
    for hour in range(start_ms // _HOUR_MS, end_ms // _HOUR_MS + 1):
        for minute, sign in _QUIVERS:
            at_ms = hour * _HOUR_MS + minute * _MINUTE_MS
            if start_ms <= at_ms < end_ms:
                px = instrument.path[bisect_left(instrument.path, at_ms + 1, key=lambda move: move[0]) - 1][1]
                by = _QUIVER * _share(f"{seed} {instrument.inst_id} {at_ms}") / math.sqrt(24)
                if sign > 0:
                    yield max(_moved(instrument, px, by), px + instrument.tick)
                elif px > instrument.tick:
                    yield min(_moved(instrument, px, -by), px - instrument.tick)


@lru_cache(maxsize=4096)
def _share(name: str) -> float:
    return random.Random(name).uniform(0.3, 1)  # noqa: S311


def _levels_between(name: str, start_ms: int, end_ms: int) -> list[float]:
    """The walk's levels at the start, at every whole minute on the way or the extremes of a whole day, and at
    the end; in standard deviations of a day."""
    first, last = -(-start_ms // _MINUTE_MS), end_ms // _MINUTE_MS
    inside: list[float] = []
    for day in range(first // _MINUTES_A_DAY, last // _MINUTES_A_DAY + 1):
        midnight = day * _MINUTES_A_DAY
        if first <= midnight and midnight + _MINUTES_A_DAY <= last:
            inside += _extremes_of(name, day)
        else:
            inside += _levels_of(name, day)[max(first - midnight, 0) : max(last - midnight + 1, 0)]
    return [_level(name, start_ms), *inside, _level(name, end_ms)]


def _level(name: str, at_ms: int) -> float:
    minute, rest = divmod(at_ms, _MINUTE_MS)
    day, of_day = divmod(minute, _MINUTES_A_DAY)
    if not rest and not of_day:
        return _midnights(name)[day - _FIRST_DAY]
    here, there = (
        _levels_of(name, each // _MINUTES_A_DAY)[each % _MINUTES_A_DAY] for each in (minute, minute + 1)
    )
    return here + (there - here) * rest / _MINUTE_MS


@lru_cache(maxsize=8192)
def _extremes_of(name: str, day: int) -> tuple[float, float]:
    levels = _levels_of(name, day)
    return max(levels), min(levels)


@lru_cache(maxsize=1024)
def _levels_of(name: str, day: int) -> "array[float]":
    """A day's minutes, from its own first level to the next day's."""
    begin, end = _midnights(name)[day - _FIRST_DAY : day - _FIRST_DAY + 2]
    free = _walk(f"{name} {day}", _MINUTES_A_DAY)
    scale = 1 / math.sqrt(_MINUTES_A_DAY)
    slope = (end - begin - free[-1] * scale) / _MINUTES_A_DAY
    return array("d", [begin + level * scale + slope * minute for minute, level in enumerate(free[:-1])])


@lru_cache(maxsize=64)
def _midnights(name: str) -> "array[float]":
    return _walk(name, _LAST_DAY - _FIRST_DAY)


def _walk(name: str, steps: int) -> "array[float]":
    """From 0, by steps whose standard deviation is 1."""
    drawn = random.Random(name).randbytes(steps)  # noqa: S311
    return array("d", accumulate(((byte - 127.5) / _BYTE for byte in drawn), initial=0.0))


def _traded_until(at_ms: int) -> int:
    """Contracts traded since 1970: a sum, so that the volumes of short bars add up to a long one's."""
    minute = at_ms // _MINUTE_MS
    return minute * 100 + minute * 7919 % 61
