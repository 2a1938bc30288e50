"""The clock of the week: prices move less on weekends, and more while Europe and America work. Pure."""

from datetime import UTC, datetime
from itertools import accumulate

HOURS_A_WEEK = 168
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
# How much an hour of the week weighs, in thousandths, by hours since Monday 00:00 UTC.
WEIGHTS = tuple(
    600 if hour >= 5 * 24 else 1_300 if 12 <= hour % 24 < 21 else 1_000 for hour in range(HOURS_A_WEEK)
)
_BEFORE = (0, *accumulate(WEIGHTS))


def milli_hours(start: datetime, seconds: int) -> int:
    """How long a time is by this clock, in thousandths of an hour, rounded up."""
    begin = int((start - _MONDAY).total_seconds())
    return -(-(_passed(begin + seconds) - _passed(begin)) // 3600)


def _passed(seconds: int) -> int:
    """Thousandths of weighed hours times 3600 since a Monday."""
    hours, rest = divmod(seconds, 3600)
    weeks, hour = divmod(hours, HOURS_A_WEEK)
    return (weeks * _BEFORE[-1] + _BEFORE[hour]) * 3600 + WEIGHTS[hour] * rest
