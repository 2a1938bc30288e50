"""Money is whole micro-USDC; it is written in dollars and never computed in floating point."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.money import MICRO, ceil_div, micro, usd
from liqpass.problems import Problem

any_amount = st.integers(-(10**24), 10**24)


@pytest.mark.parametrize(
    ("micro", "dollars"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (10_000, "0.01"),
        (100_000, "0.10"),
        (1_230_000, "1.23"),
        (1_230_400, "1.2304"),
        (3_000_000, "3.00"),
        (-2_500_000, "-2.50"),
        (999_999, "0.999999"),
        (9_007_199_254_740_993, "9007199254.740993"),
    ],
)
def test_dollars_have_two_decimals_and_more_only_where_they_say_something(micro: int, dollars: str) -> None:
    assert usd(micro) == dollars


@given(any_amount)
def test_dollars_say_exactly_the_amount(micro: int) -> None:
    written = usd(micro)
    assert Fraction(Decimal(written)) == Fraction(micro, MICRO)
    assert 2 <= len(written.partition(".")[2]) <= 6


@given(any_amount, st.integers(1, 10**12))
def test_division_rounds_up(dividend: int, divisor: int) -> None:
    assert ceil_div(dividend, divisor) == ceil(Fraction(dividend, divisor))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12", 12_000_000),
        ("0.5", 500_000),
        ("12.50", 12_500_000),
        ("0.000001", 1),
        ("007", 7_000_000),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, amount: int) -> None:
    assert micro(text, "AMOUNT") == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.0",
        "-1",
        "+1",
        ".5",
        "5.",
        "1.0000001",
        "1,5",
        "1 000",
        " 1",
        "1\n",
        "1e3",
        "٣",
        "9" * 13,
        "NaN",
    ],
)
def test_what_is_no_amount_above_zero_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(Problem, match="AMOUNT is an amount of USDC above zero with at most six decimals"):
        micro(text, "AMOUNT")


@given(st.integers(1, 10**18 - 1))
def test_what_is_written_is_read_again(amount: int) -> None:
    assert micro(usd(amount), "AMOUNT") == amount
