"""The two variances, from bars whose answer is known, and what holds of them for all bars."""

from datetime import UTC, datetime, timedelta
from math import exp, log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.market.volatility import BARS, E12, Candle, long_variance_e12, short_variance_e12
from liqpass.market.week import WEIGHTS, weight

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
SATURDAY = MONDAY + timedelta(days=5)


def bars(ranges: list[float], first: datetime = MONDAY, step: timedelta = timedelta(hours=1)) -> list[Candle]:
    """Each opens and closes at 100; `ranges` are ln(high / low)."""
    return [
        Candle(first + n * step, 100.0, 100 * exp(width / 2), 100 * exp(-width / 2), 100.0)
        for n, width in enumerate(ranges)
    ]


def days(ranges: list[float]) -> list[Candle]:
    return bars(ranges, step=timedelta(days=1))


widths = st.floats(1e-4, 0.5)


def test_bars_that_are_all_the_same_have_the_variance_of_one() -> None:
    [hourly] = bars([0.02])
    of_one = 0.02**2 / (4 * log(2))
    working = [
        msgspec.structs.replace(hourly, start_at=MONDAY + timedelta(days=n % 5, hours=13))
        for n in range(BARS)
    ]
    assert short_variance_e12(working) == pytest.approx(of_one / 1.5 * E12, abs=1)
    assert long_variance_e12(days([0.1] * BARS)) == pytest.approx(0.5 * 0.1**2 / 24 * E12, abs=1)


def test_a_quiet_saturday_says_of_monday_what_a_livelier_monday_says() -> None:
    """Movements as large as the clock has them at any hour give one variance."""
    wide = [0.02 * (WEIGHTS[n % 168] / 1000) ** 0.5 for n in range(BARS + 168)]
    answers = {short_variance_e12(bars(wide)[start : start + BARS]) for start in range(0, 168, 7)}
    assert max(answers) - min(answers) <= 1
    assert weight(SATURDAY + timedelta(hours=3, minutes=59)) == 600


def test_half_of_the_weight_lies_on_the_last_twelve_hours_and_sixty_days() -> None:
    assert short_variance_e12(
        [msgspec.structs.replace(one, start_at=MONDAY) for one in bars([0.001] * 88 + [0.02] * 12)]
    ) == pytest.approx(0.5 * 0.02**2 / (4 * log(2)) / 1.2 * E12, rel=0.01)
    recent = long_variance_e12(days([0.001] * 40 + [0.1] * 60))
    assert recent == pytest.approx(0.5 * 0.1**2 / 24 * E12 * 0.5 / (1 - 0.5 ** (100 / 60)), rel=0.01)


@given(st.lists(widths, min_size=2, max_size=BARS + 5), st.integers(0, 10**6), st.floats(1, 5))
def test_a_wider_bar_never_makes_a_variance_smaller(ranges: list[float], at: int, wider: float) -> None:
    widened = [width * wider if n == at % len(ranges) else width for n, width in enumerate(ranges)]
    assert short_variance_e12(bars(widened)) >= short_variance_e12(bars(ranges))
    assert long_variance_e12(days(widened)) >= long_variance_e12(days(ranges))


@given(st.integers(0, BARS - 1), st.floats(1, 100))
def test_one_bar_brings_no_more_than_its_share(at: int, wide: float) -> None:
    """However wide it is: a quarter of the whole, beside what the others bring."""
    calm = [0.02] * BARS
    crash = [wide if n == at else width for n, width in enumerate(calm)]
    hourly = bars(crash)
    others = [one for n, one in enumerate(hourly) if n != at]
    assert short_variance_e12(hourly) <= 0.25 * _unclipped(hourly) + short_variance_e12(others) + 2


def _unclipped(hourly: list[Candle]) -> float:
    shares = [0.5 ** ((len(hourly) - 1 - n) / 12) for n in range(len(hourly))]
    squares = [log(one.high / one.low) ** 2 / (4 * log(2)) for one in hourly]
    hours = sum(share * weight(one.start_at) / 1000 for share, one in zip(shares, hourly, strict=True))
    total = sum(share * square for share, square in zip(shares, squares, strict=True))
    return float(total / hours * E12)


def test_older_bars_than_a_hundred_say_nothing() -> None:
    ranges = [0.01 + n % 7 / 1000 for n in range(BARS)]
    assert long_variance_e12(days([0.4] * 9 + ranges)) == long_variance_e12(days([0.01] * 9 + ranges))
    assert short_variance_e12(bars([0.4] * 168 + ranges)) == short_variance_e12(bars(ranges))


def test_a_price_that_stands_still_has_the_smallest_variance_there_is() -> None:
    assert short_variance_e12(bars([0.0] * BARS)) == long_variance_e12(days([0.0] * BARS)) == 1
