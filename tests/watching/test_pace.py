"""The nearer a mark price is to a liquidation price, the sooner it is looked at again; nobody is hammered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.exchange.pace import Evenly
from liqpass.exchange.records import Position, position
from liqpass.watching.pace import (
    LATEST,
    REGION_LATEST,
    SOONEST,
    UNKNOWN_BPS,
    Memory,
    after_gone,
    pause,
    until_near,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROW: dict[str, Any] = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "mgnMode": "isolated",
    "posSide": "long",
    "posId": "1",
    "ccy": "USDT",
    "pos": "5",
    "lever": "10",
    "avgPx": "60000",
    "markPx": "60000",
    "liqPx": "54000",
    "bizRefType": "",
    "cTime": "1700000000000",
    "uTime": "1700000000000",
}


def at(mark: str, liq: str) -> Position:
    return position({**ROW, "markPx": mark, "liqPx": liq})


@pytest.mark.parametrize(
    ("mark", "liq", "bps", "seconds"),
    [
        ("60000", "54000", 10.0, 300),  # a tenth away
        ("60000", "59700", 10.0, 166),  # 50 basis points: three times what a minute moves, and then some
        ("60000", "59880", 10.0, 26),
        ("60000", "59880", 20.0, 6),  # twice as lively: four times as soon
        ("60000", "59982", 10.0, 3),
        ("60000", "60000", 10.0, 3),
        ("59000", "60000", 10.0, 3),  # past it
        ("60000", "", 10.0, 300),  # no price liquidates it
        ("60000", "59700", 0.0, 300),  # a price that stands still
    ],
)
def test_the_nearer_and_the_livelier_the_sooner(mark: str, liq: str, bps: float, seconds: int) -> None:
    assert int(until_near(at(mark, liq), bps).total_seconds()) == seconds


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 10**6))
def test_it_is_never_sooner_than_seconds_nor_later_than_minutes(mark: int, liq: int, bps: float) -> None:
    assert SOONEST <= until_near(at(str(mark), str(liq)), bps) <= LATEST


def test_an_instrument_that_was_not_seen_twice_is_taken_for_a_lively_one() -> None:
    memory = Memory()
    assert memory.bps_in_a_minute("BTC-USDT-SWAP") == UNKNOWN_BPS
    memory.saw("BTC-USDT-SWAP", 60_000, NOON)
    assert memory.bps_in_a_minute("BTC-USDT-SWAP") == UNKNOWN_BPS


@pytest.mark.parametrize("every_sec", [5, 60, 300])
def test_what_an_instrument_moves_in_a_minute_is_learnt_however_often_it_is_seen(every_sec: int) -> None:
    memory, moved = Memory(), 40 * (every_sec / 60) ** 0.5 / 10_000
    for number in range(7_200 // every_sec):
        up = 1 + moved if number % 2 else 1.0
        memory.saw("X", 100 * up, NOON + timedelta(seconds=every_sec * number))
    assert memory.bps_in_a_minute("X") == pytest.approx(40, rel=0.02)
    assert memory.bps_in_a_minute("Y") == UNKNOWN_BPS


@given(st.lists(st.tuples(st.integers(-10, 1_000), st.floats(0, 1e9)), max_size=20))
def test_prices_in_any_order_are_no_trouble(seen: list[tuple[int, float]]) -> None:
    memory = Memory()
    for second, px in seen:
        memory.saw("X", px, NOON + timedelta(seconds=second))
    assert SOONEST <= until_near(at("100", "90"), memory.bps_in_a_minute("X")) <= LATEST


def test_pauses_after_failures_grow_to_some_minutes() -> None:
    pauses = [pause(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 10**6)]
    assert pauses == [timedelta(seconds=s) for s in (5, 10, 20, 40, 80, 160, 300, 300)]


def test_a_region_is_left_alone_from_the_third_failure_in_a_row_and_asked_again_within_a_minute() -> None:
    memory = Memory()
    for _ in range(2):
        memory.unanswered("eea", NOON)
    assert memory.asks_from("eea", NOON) is None
    memory.unanswered("eea", NOON)
    assert memory.asks_from("eea", NOON) == NOON + timedelta(seconds=5)
    assert memory.asks_from("global", NOON) is None
    assert memory.asks_from("eea", NOON + timedelta(seconds=5)) is None
    for _ in range(50):
        memory.unanswered("eea", NOON)
    assert memory.asks_from("eea", NOON) == NOON + REGION_LATEST
    memory.answered("eea")
    assert memory.asks_from("eea", NOON) is None


def test_what_is_gone_is_looked_for_less_and_less_often() -> None:
    waits = [after_gone(NOON, NOON + timedelta(seconds=s)) for s in (0, 30, 100, 10_000)]
    assert waits == [timedelta(seconds=s) for s in (15, 30, 100, 300)]


@given(st.integers(1, 50), st.lists(st.floats(0, 2), max_size=200))
def test_no_more_than_so_many_requests_leave_in_any_second(per_sec: int, steps: list[float]) -> None:
    evenly, now, sent = Evenly(per_sec), 100.0, list[float]()
    for step in steps:
        now += step / per_sec
        wait = evenly.wait_sec(now, 1.0)
        if wait is not None:
            assert 0 <= wait <= 1.0
            sent.append(now + wait)
    assert sent == sorted(sent)
    assert all(later - sooner >= 1 - 1e-6 for sooner, later in zip(sent, sent[per_sec:], strict=False))


def test_a_place_that_is_not_taken_is_there_for_the_next() -> None:
    evenly = Evenly(1)
    assert evenly.wait_sec(100, 5) == 0
    assert evenly.wait_sec(100, 0.5) is None
    assert evenly.wait_sec(100, 5) == 1
    assert Evenly(None).wait_sec(100, 0) == Evenly(None).wait_sec(100, 0) == 0
