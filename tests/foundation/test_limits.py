"""Limits in memory: how often, and how much at once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.limits import Limiter, Places, Rate
from liqpass.problems import Problem
from tests.clock import SettableClock

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def taken(limiter: Limiter, who: str, clock: SettableClock, tries: int = 1) -> int:
    """How many of so many tries are let through."""
    let_through = 0
    for _ in range(tries):
        try:
            limiter.take(who, clock(), "Slowly.")
        except Problem:
            continue
        let_through += 1
    return let_through


def test_so_many_at_once_and_then_one_by_one(clock: SettableClock) -> None:
    limiter = Limiter(Rate(6, MINUTE))
    assert taken(limiter, "alice", clock, 10) == 6
    clock.advance(seconds=9)
    assert taken(limiter, "alice", clock) == 0
    clock.advance(seconds=1)
    assert taken(limiter, "alice", clock, 2) == 1
    clock.advance(minutes=5)
    assert taken(limiter, "alice", clock, 10) == 6


def test_the_refusal_says_when_to_come_again(clock: SettableClock) -> None:
    limiter = Limiter(Rate(2, MINUTE))
    taken(limiter, "alice", clock, 2)
    clock.advance(seconds=12.5)
    with pytest.raises(Problem) as caught:
        limiter.take("alice", clock(), "Slowly.")
    assert (caught.value.code, caught.value.status, caught.value.detail) == (
        "TOO_MANY_REQUESTS",
        429,
        "Slowly.",
    )
    assert caught.value.extra == {"retryAfterSec": 18}
    clock.advance(seconds=18)
    assert taken(limiter, "alice", clock) == 1


def test_everybody_has_a_bucket_of_their_own(clock: SettableClock) -> None:
    limiter = Limiter(Rate(1, MINUTE))
    assert taken(limiter, "alice", clock, 2) == 1
    assert taken(limiter, "bob", clock, 2) == 1


def test_of_two_rates_the_stricter_one_counts_and_a_refusal_takes_from_neither(clock: SettableClock) -> None:
    limiter = Limiter(Rate(6, MINUTE), Rate(10, HOUR))
    assert taken(limiter, "alice", clock, 100) == 6
    clock.advance(minutes=1)
    assert taken(limiter, "alice", clock, 100) == 4
    clock.advance(hours=2)
    assert taken(limiter, "alice", clock, 100) == 6


def test_memory_is_bounded_and_whoever_was_longest_away_is_forgotten(clock: SettableClock) -> None:
    limiter = Limiter(Rate(1, HOUR), remembered=2)
    assert taken(limiter, "alice", clock) == 1
    assert taken(limiter, "bob", clock) == 1
    assert taken(limiter, "alice", clock) == 0
    assert taken(limiter, "carol", clock) == 1
    assert taken(limiter, "alice", clock) == 0
    assert taken(limiter, "bob", clock) == 1


def test_a_clock_that_is_set_back_shuts_nobody_out(clock: SettableClock) -> None:
    limiter = Limiter(Rate(6, MINUTE))
    taken(limiter, "alice", clock, 6)
    clock.advance(days=-1)
    assert taken(limiter, "alice", clock) == 0
    clock.advance(seconds=10)
    assert taken(limiter, "alice", clock) == 1


@given(
    st.integers(min_value=1, max_value=50),
    st.lists(st.integers(min_value=0, max_value=30_000_000), min_size=1, max_size=200),
)
def test_no_window_ever_sees_more_than_twice_the_count(count: int, pauses_us: list[int]) -> None:
    clock = SettableClock(START)
    limiter = Limiter(Rate(count, MINUTE))
    times = []
    for pause_us in pauses_us:
        clock.advance(microseconds=pause_us)
        if taken(limiter, "alice", clock):
            times.append(clock())
    for time in times:
        # a full bucket, and what flows in during the window
        assert sum(time <= other < time + MINUTE for other in times) <= 2 * count


def test_places_are_limited_and_free_again_whatever_happens() -> None:
    places = Places(2)
    with places.one("alice", "Enough."):
        with pytest.raises(RuntimeError), places.one("alice", "Enough."):
            raise RuntimeError
        with places.one("alice", "Enough."):
            with pytest.raises(Problem) as caught, places.one("alice", "Enough."):
                raise AssertionError("there was no place")
            with places.one("bob", "Enough."):
                pass
        with places.one("alice", "Enough."):
            pass
    assert caught.value.code == "TOO_MANY_REQUESTS"
    assert caught.value.extra["retryAfterSec"]
