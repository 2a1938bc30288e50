"""Time that a test sets."""

from datetime import datetime, timedelta


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move on by a timedelta's arguments: `clock.advance(minutes=5)`."""
        self.now += timedelta(**by)
