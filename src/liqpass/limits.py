"""How often and how much at once: limits on what costs others something. Pure: time comes in.

They spare, they do not account: each process keeps its own in memory, and a restart forgets them.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from liqpass.problems import Problem

REMEMBERED = 20_000
# Nobody knows when a place becomes free.
_ASK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Rate:
    """So many at once, and as many again spread over each window."""

    count: int
    window: timedelta


class Limiter:
    """Token buckets by name, one for each rate. Of each is kept only when it will be full again.

    Who was longest away is forgotten beyond `remembered` names, and begins again with full buckets.
    """

    def __init__(self, *rates: Rate, remembered: int = REMEMBERED) -> None:
        self._rates = rates
        self._remembered = remembered
        self._full_at: OrderedDict[Hashable, list[datetime]] = OrderedDict()

    def take(self, who: Hashable, now: datetime, refusal: str) -> None:
        """Take one token from each bucket, or none and raise Problem TOO_MANY_REQUESTS with `refusal`."""
        known = self._full_at.pop(who, [now] * len(self._rates))
        # an empty bucket is full after one window: a later time was written before the clock was set back
        full_at = [min(max(at, now), now + rate.window) for at, rate in zip(known, self._rates, strict=True)]
        after = [at + rate.window // rate.count for at, rate in zip(full_at, self._rates, strict=True)]
        wait = max(at - rate.window for at, rate in zip(after, self._rates, strict=True)) - now
        self._full_at[who] = full_at if wait > timedelta() else after
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        if wait > timedelta():
            raise _too_many(refusal, wait)


class Places:
    """At most so many at once by name."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def one(self, who: Hashable, refusal: str) -> Iterator[None]:
        """A place for as long as the block runs. Raises Problem TOO_MANY_REQUESTS with `refusal`."""
        if self._taken[who] >= self._at_most:
            raise _too_many(refusal, _ASK_AGAIN)
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]


def _too_many(refusal: str, wait: timedelta) -> Problem:
    return Problem("TOO_MANY_REQUESTS", refusal, retryAfterSec=math.ceil(wait.total_seconds()))
