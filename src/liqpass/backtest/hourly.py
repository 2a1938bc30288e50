"""Candles of any length up to an hour as hours without gaps."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from liqpass.backtest.files import Floats, Ints, Raw, Unusable, told
from liqpass.market.volatility import BARS

HOUR_MS = 3_600_000
LONG_GAP_HOURS = 24
LEAST_HOURS = (BARS + 2) * 24  # a hundred complete days before the first cover, and a day for it
_JUMP = 10.0


class Series(msgspec.Struct, frozen=True):
    """An instrument's hours: `first_hour` (hours since 1970) and one price an hour from it on, none missing.

    Shapes: all (hours,). `unknown`: in a gap of more than a day, which no cover may look back on or live in.
    """

    name: str
    sha256: str
    first_hour: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    unknown: NDArray[np.bool_]
    remarks: tuple[str, ...]

    @property
    def hours(self) -> Ints:
        """Each one's number since 1970."""
        return self.first_hour + np.arange(len(self.open))


def hourly(raw: Raw) -> Series:
    """Raises Unusable when the candles are longer than an hour, off the clock, or too few."""
    step = _step(raw)
    remarks = list(raw.remarks)
    hour = raw.time_ms // HOUR_MS
    begins = np.flatnonzero(np.diff(hour, prepend=hour[0] - 1))
    ends = np.append(begins[1:], len(hour)) - 1
    whole = np.ones(len(begins), bool)  # the first and the last hour may be there in part only
    whole[0] = raw.time_ms[0] % HOUR_MS == 0
    whole[-1] &= (raw.time_ms[-1] + step) % HOUR_MS == 0
    high = np.maximum.reduceat(raw.high, begins)[whole]
    low = np.minimum.reduceat(raw.low, begins)[whole]
    begins, ends = begins[whole], ends[whole]
    there = hour[begins] - hour[begins[0]] if len(begins) else hour[:0]
    if not len(there) or there[-1] + 1 < LEAST_HOURS:
        raise Unusable(
            f"{raw.name}: holds {int(there[-1]) + 1 if len(there) else 0} hours; {LEAST_HOURS} are needed "
            "at least "
            f"({BARS} days before the first cover). Add older candles, or take the file away"
        )
    if step < HOUR_MS:
        remarks.append(f"candles of {step // 60_000} minutes were put together to hours")
    source, gap, unknown = _gaps(there, int(hour[begins[0]]), remarks)
    close = raw.close[ends][source]
    jumps = np.flatnonzero(np.abs(np.diff(np.log(close))) > np.log(_JUMP))
    if len(jumps):
        at = told((int(hour[begins[0]]) + int(jumps[0]) + 1) * HOUR_MS)
        remarks.append(f"its price changed more than tenfold in one hour {len(jumps)} times, first {at}")
    return Series(
        raw.name,
        raw.sha256,
        int(hour[begins[0]]),
        open=np.where(gap, close, raw.open[begins][source]),
        high=np.where(gap, close, high[source]),
        low=np.where(gap, close, low[source]),
        close=close,
        unknown=unknown,
        remarks=tuple(remarks),
    )


def _step(raw: Raw) -> int:
    """Milliseconds from a candle to the next."""
    lengths, counts = np.unique(np.diff(raw.time_ms), return_counts=True)
    step = int(lengths[np.argmax(counts)])
    if step > HOUR_MS:
        raise Unusable(
            f"{raw.name}: its candles are {step / HOUR_MS:g} hours long. Hourly ones are needed, or shorter"
        )
    if HOUR_MS % step:
        raise Unusable(
            f"{raw.name}: its candles are {step / 1000:g} seconds long, which is no part of an hour"
        )
    off = np.flatnonzero(raw.time_ms % step)
    if len(off):
        raise Unusable(
            f"{raw.name}: its candle of {told(int(raw.time_ms[off[0]]))} starts "
            f"{raw.time_ms[off[0]] % step / 1000:g} "
            f"seconds off its clock of {step // 1000} seconds. Write the times at which candles start, in UTC"
        )
    return step


def _gaps(there: Ints, first: int, remarks: list[str]) -> tuple[Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """For every hour which candle it has or had last, whether it is missing, and whether too long."""
    count = int(there[-1]) + 1
    gap = np.ones(count, bool)
    gap[there] = False
    source = np.searchsorted(there, np.arange(count), side="right") - 1
    unknown = np.zeros(count, bool)
    missing = np.diff(there) - 1
    for at in np.flatnonzero(missing > LONG_GAP_HOURS):
        unknown[there[at] + 1 : there[at + 1]] = True
    if gap.any():
        longest = int(np.argmax(missing))
        since = told((first + int(there[longest]) + 1) * HOUR_MS)
        remarks.append(
            f"{np.count_nonzero(gap)} missing hours in {np.count_nonzero(missing)} gaps, the longest "
            f"{missing[longest]} from {since}: filled with the close before them"
        )
    if unknown.any():
        remarks.append(f"no cover looks back on or lives in a gap of more than {LONG_GAP_HOURS} hours")
    return source, gap, unknown
