"""The clock of the week: prices move less on weekends, and more while Europe and America work. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate

HOURS_A_WEEK = 168
MILLI = 1000
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
# How much an hour of the week weighs, in thousandths, by hours since Monday 00:00 UTC; 1,000 on average. Asia
# opens at 00:00; Europe and America work together from 12:00 to 18:00; on Sunday at 22:00 the futures open.
_WEEKDAY = (*[1_200] * 2, *[950] * 10, *[1_500] * 6, *[1_050] * 6)
_SATURDAY = (*[600] * 24,)
_SUNDAY = (*[600] * 12, *[800] * 10, *[1_200] * 2)
WEIGHTS = (*_WEEKDAY * 5, *_SATURDAY, *_SUNDAY)
_BEFORE = (0, *accumulate(WEIGHTS))


@lru_cache(maxsize=64)  # a quote asks for each product as many times as there are positions
def milli_hours(start: datetime, seconds: int) -> int:
    """How long a time is by this clock, in thousandths of an hour, rounded up."""
    since = start - _MONDAY
    begin = since.days * 86_400 + since.seconds
    return -(-(_passed(begin + seconds) - _passed(begin)) // 3600)


def _passed(seconds: int) -> int:
    """Thousandths of weighed hours times 3600 since a Monday."""
    hours, rest = divmod(seconds, 3600)
    weeks, hour = divmod(hours, HOURS_A_WEEK)
    return (weeks * _BEFORE[-1] + _BEFORE[hour]) * 3600 + WEIGHTS[hour] * rest


def weight(hour_start: datetime) -> int:
    """How much the hour that a time is in weighs, in thousandths."""
    return WEIGHTS[int((hour_start - _MONDAY).total_seconds()) // 3600 % HOURS_A_WEEK]
