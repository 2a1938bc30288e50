"""Which candles a variance is made of, whatever the exchange answers: pure, over all answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from liqpass.exchange.candles import read_candles
from liqpass.market.judging import (
    DAYS,
    GRACE,
    HOURS,
    MOST_ODD,
    Judged,
    Series,
    Told,
    Untrusted,
    answered,
    judged,
)
from liqpass.market.volatility import long_variance_e12, short_variance_e12

Row = list[Any]
Change = Callable[[Row], Any]
CANDLES = Path(__file__).resolve().parents[3] / "shared" / "market_data" / "XRP-mark-1h.parquet"
HOUR_MS = 3_600_000
NOW = datetime(2026, 3, 4, 5, 16, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
BOTH = pytest.mark.parametrize("of", [HOURS, DAYS], ids=["hours", "days"])

# Of a sound row [ts, o, h, l, c, confirm]: the row that comes instead, and what is said of it.
ABSURD: dict[str, tuple[Change, str]] = {
    "nothing": (lambda row: None, "missing"),
    "a high under its low": (
        lambda row: [row[0], row[1], row[3], row[2], row[4], "1"],
        "a high and a low that do not hold",
    ),
    "a close above its high": (
        lambda row: [*row[:4], str(float(row[2]) * 2), "1"],
        "a high and a low that do not hold",
    ),
    "a price of zero": (lambda row: [*row[:3], "0", row[4], "1"], "not above zero"),
    "prices of zero": (lambda row: [row[0], "0", "0", "0", "0", "1"], "not above zero"),
    "a price below zero": (lambda row: [*row[:3], "-1", row[4], "1"], "not above zero"),
    "a hundredfold high": (
        lambda row: [*row[:2], str(float(row[2]) * 101), *row[3:]],
        "moving a hundredfold",
    ),
    "a price that stands still": (lambda row: [row[0], *[row[1]] * 4, "1"], "standing still"),
    "a text": (lambda row: [row[0], "market", *row[2:]], "cannot be read"),
    "no number": (lambda row: [*row[:3], "NaN", *row[4:]], "cannot be read"),
    "a number without bounds": (lambda row: [*row[:2], "Infinity", *row[3:]], "cannot be read"),
    "no text": (lambda row: [*row[:2], float(row[2]), *row[3:]], "cannot be read"),
    "null": (lambda row: [*row[:2], None, *row[3:]], "cannot be read"),
    "an empty price": (lambda row: [*row[:4], "", row[5]], "cannot be read"),
    "an object for a price": (lambda row: [*row[:4], {"of": row[4]}, row[5]], "cannot be read"),
    "half a row": (lambda row: row[:3], "cannot be read"),
    "an empty row": (lambda row: [], "cannot be read"),
    "a volume where confirm stands": (lambda row: [*row[:5], "8412", "84.12", "1"], "cannot be read"),
    "a time that is none": (lambda row: ["yesterday", *row[1:]], "cannot be read"),
    "a time of its own": (lambda row: [str(int(row[0]) + 61_000), *row[1:]], "not beginning when one begins"),
    "a time to come": (lambda row: [str(int(row[0]) + 9_999 * 24 * HOUR_MS), *row[1:]], "of the future"),
}


def sound(of: Series, widths: list[int], now: datetime = NOW) -> list[Row]:
    """Bars so many millionths wide, newest first; the newest is that of now."""
    rows = []
    for ago, width in enumerate(widths):
        start = of.start(now) - ago * of.length
        prices = ("100.5", f"{100 * (1 + width / 1e6):.4f}", "100", "100.2")
        rows.append([str(int(start.timestamp()) * 1000), *prices, "1" if ago else "0"])
    return rows


def judge(rows: list[Any], of: Series = HOURS, now: datetime = NOW) -> Judged:
    """What is made of one answer by somebody who knows nothing else."""
    readable, _unread = read_candles(rows)
    found = answered(readable, {}, of, now)
    known = {told.start_at: told for told in found.new}
    made = judged(known, found.running, of, now)
    return Judged(made.complete, made.with_running, found.remarks + made.remarks)


def variance(made: Judged, of: Series) -> int:
    """As it is made of them."""
    estimate = short_variance_e12 if of is HOURS else long_variance_e12
    return max(estimate(made.complete), estimate(made.with_running))


WIDTHS = [10_000 + 37 * ago % 5_000 for ago in range(100)]
WIDTHS[40] = 50_000


@BOTH
@pytest.mark.parametrize("what", ABSURD)
def test_an_absurd_bar_is_named_and_makes_nothing_cheaper(what: str, of: Series) -> None:
    change, said = ABSURD[what]
    rows = sound(of, WIDTHS)
    for ago in (1, 20, 41, 98):
        odd = [*rows[:ago], change(rows[ago]), *rows[ago + 1 :]]
        made = judge([row for row in odd if row is not None], of)
        assert variance(made, of) >= variance(judge(rows, of), of)
        assert len(made.complete) == len(WIDTHS) - 1
        if said != "cannot be read":
            assert any(said in remark for remark in made.remarks)
        assert any(remark.startswith(f"1 of its {of.name}: ") for remark in made.remarks) or ago == 98


@BOTH
def test_ten_odd_ones_are_borne_and_eleven_are_not(of: Series) -> None:
    rows = sound(of, WIDTHS)
    assert judge(rows[:20] + rows[20 + MOST_ODD :], of).remarks == [f"10 of its {of.name}: missing"]
    scattered = [row for at, row in enumerate(rows) if at not in range(3, 3 + 2 * (MOST_ODD + 1), 2)]
    with pytest.raises(Untrusted, match=f"11 of its last 99 {of.name} are missing, still or absurd"):
        judge(scattered, of)


@BOTH
def test_bars_beyond_a_gap_in_which_nothing_lives_do_not_count(of: Series) -> None:
    """A name may be used again for another coin."""
    rows = sound(of, WIDTHS)
    made = judge(rows[:80] + rows[80 + MOST_ODD + 1 :], of)
    assert (len(made.complete), made.remarks) == (79, [])


def test_the_bar_of_now_only_adds() -> None:
    rows = sound(HOURS, WIDTHS)
    for width in (0, 1, 10_000, 400_000):
        rows[0] = sound(HOURS, [max(width, 6_000)])[0] if width else [*rows[0][:1], *["100.2"] * 4, "0"]
        made = judge(rows)
        assert variance(made, HOURS) >= short_variance_e12(made.complete)


@BOTH
@pytest.mark.parametrize("ago", [0, 1])
def test_a_fall_between_two_bars_counts_as_one_within_a_bar(ago: int, of: Series) -> None:
    """Each of them is narrow by itself."""
    rows = sound(of, WIDTHS)
    fallen = [[row[0], *(str(float(px) / 2) for px in row[1:5]), row[5]] for row in rows[: ago + 1]]
    within = [*fallen[:-1], [*fallen[-1][:2], "100.2", *fallen[-1][3:]]]
    between = judge(fallen + rows[ago + 1 :], of)
    assert variance(between, of) == variance(judge(within + rows[ago + 1 :], of), of)
    assert (ago == 0 and of is DAYS) or variance(between, of) > 3 * variance(judge(rows, of), of)


@pytest.mark.parametrize("late_sec", [0, 30, 299])
def test_for_five_minutes_the_hour_before_may_be_the_newest(late_sec: int) -> None:
    """Its bar is not said to be complete yet, and that of now is not there."""
    at = HOURS.start(NOW)
    rows = sound(HOURS, WIDTHS, at - timedelta(seconds=1))
    made = judge(rows, now=at + timedelta(seconds=late_sec))
    assert (len(made.complete), len(made.with_running), made.remarks) == (99, 100, [])
    with pytest.raises(Untrusted, match="the newest hour that OKX shows of it began at 2026-03-04 04:00 UTC"):
        judge(rows, now=at + GRACE + HOURS.length - timedelta(hours=1) + timedelta(seconds=1))


def test_a_bar_that_never_becomes_complete_counts_as_it_is() -> None:
    rows = sound(HOURS, WIDTHS)
    rows[7] = [*rows[7][:5], "0"]
    made = judge(rows)
    assert made.remarks == ["1 of its hours: missing"]
    assert variance(made, HOURS) >= variance(judge(sound(HOURS, WIDTHS)), HOURS)


def test_a_bar_that_is_complete_before_its_time_is_that_of_now() -> None:
    rows = sound(HOURS, WIDTHS)
    rows[0] = [*rows[0][:5], "1"]
    made = judge(rows)
    assert (len(made.complete), len(made.with_running)) == (99, 100)
    assert made.remarks == ["1 of its hours: said to be complete before their time is over"]


@pytest.mark.skipif(not CANDLES.exists(), reason="needs ../shared/market_data beside the repository")
def test_real_prices_of_six_years_are_hardly_ever_odd() -> None:
    """Crashes are none; of 55,785 hours of XRP one stands still, in an outage of the exchange."""
    columns = parquet.read_table(CANDLES).to_pydict()
    texts = zip(*(map(str, columns[name]) for name in ("open", "high", "low", "close")), strict=True)
    told = [Told(at.replace(tzinfo=UTC), *prices) for at, prices in zip(columns["time"], texts, strict=True)]
    said = set()
    for last in range(99, len(told), 99):
        hours = {one.start_at: one for one in told[last - 99 : last]}
        now = told[last].start_at + timedelta(minutes=10)
        said |= {(now.year, remark) for remark in judged(hours, [told[last]], HOURS, now).remarks}
    assert said == {(2020, "1 of its hours: standing still")}


PRICES = st.one_of(
    st.integers(-(10**45), 10**45).map(str),
    st.floats().map(str),
    st.decimals(allow_nan=True).map(str),
    st.sampled_from(["1e99", "1e-99", "-0", "9" * 40, "0." + "0" * 39 + "1", "1e-8", "100"]),
    st.text(max_size=5),
    st.none() | st.booleans() | st.lists(st.integers(), max_size=2),
)
STARTS = st.one_of(
    st.integers(-5, 130).map(lambda ago: str(NOW_MS // HOUR_MS * HOUR_MS - ago * HOUR_MS)),
    st.integers(-(10**14), 10**14).map(str),
    st.text(max_size=3),
)
ROWS = st.one_of(
    st.tuples(STARTS, PRICES, PRICES, PRICES, PRICES, st.sampled_from(["0", "1", "", "2", None])).map(list),
    st.tuples(STARTS, st.sampled_from(["100", "1e-8", "0.0000001"])).map(
        lambda two: [two[0], *[two[1]] * 4, "1"]
    ),
    st.none() | st.text(max_size=3) | st.lists(st.text(max_size=2), max_size=8),
)


@settings(max_examples=40)
@given(st.lists(ROWS, max_size=20), st.booleans())
def test_whatever_is_answered_is_judged(rows: list[Any], among_sound_ones: bool) -> None:
    try:
        made = judge(sound(HOURS, WIDTHS) + rows if among_sound_ones else rows)
    except Untrusted as why:
        assert str(why)
        assert not str(why).endswith(".")
    else:
        assert short_variance_e12(made.with_running) > 0


@settings(max_examples=25)
@given(
    st.lists(st.integers(6_000, 80_000), min_size=100, max_size=100),
    st.sets(st.integers(1, 98), min_size=1, max_size=MOST_ODD),
)
def test_taking_away_any_bars_but_the_widest_makes_nothing_cheaper(widths: list[int], gone: set[int]) -> None:
    widest = max(range(1, 99), key=lambda ago: widths[ago])
    rows = sound(HOURS, widths)
    less = [row for ago, row in enumerate(rows) if ago not in gone - {widest}]
    assert variance(judge(less), HOURS) >= variance(judge(rows), HOURS) - 1
