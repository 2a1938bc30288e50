"""The time that a run is about."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from liqpass.problems import Problem

DAY = timedelta(days=1)


class Period(msgspec.Struct, frozen=True):
    """From `first` on and before `until`; None: without end."""

    first: datetime | None = None
    until: datetime | None = None

    def has(self, moment: datetime | None) -> bool:
        """Whether it belongs to the period; what is of no time belongs to all."""
        return moment is None or (
            (self.first is None or moment >= self.first) and (self.until is None or moment < self.until)
        )


ALWAYS = Period()


def period_of(now: datetime, first: str | None, last: str | None, day: str | None) -> Period:
    """What `--from`, `--to` and `--date` say. A day is a whole one, in UTC. Raises Problem INVALID_FIELD."""
    if day is not None:
        if first is not None or last is not None:
            raise _refusal("--date", "stands for both --from and --to: name either the one or the others")
        begin, end = _days("--date", day)
        if begin == end:
            raise _refusal("--date", f"is a whole day, 2026-11-22: {day!r} is a moment")
        return _made(now, "--date", Period(begin, end))
    period = Period(
        _days("--from", first)[0] if first is not None else None,
        _days("--to", last)[1] if last is not None else None,
    )
    if period.first and period.until and period.first >= period.until:
        raise _refusal("--to", f"lies before --from: nothing is between {first} and {last}")
    return _made(now, "--from", period)


def _made(now: datetime, option: str, period: Period) -> Period:
    if period.first is not None and period.first > now:
        raise _refusal(option, f"lies in the future: {period.first:%Y-%m-%d %H:%M} UTC is yet to come")
    return period


def _days(option: str, text: str) -> tuple[datetime, datetime]:
    """The moment that a text names, and the one after it: a day is over at its end, a moment at once."""
    how = "is a day, 2026-11-22, or a moment, 2026-11-22T14:30, in UTC"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?", text, re.ASCII):
        raise _refusal(option, f"{how}: {text!r} is neither")
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
        return moment, moment + DAY if len(text) == 10 else moment
    except (ValueError, OverflowError):
        raise _refusal(option, f"{how}: there is no {text}") from None


def _refusal(option: str, what: str) -> Problem:
    return Problem("INVALID_FIELD", f"{option} {what}.", field=option)
