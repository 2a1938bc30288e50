"""The prices of a claim on one line."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from liqpass.exchange.records import Side
from liqpass.web.price_line import PriceLine, price_line

LONG: Mapping[str, int | None] = {"entry": 60_000, "liquidation": 54_600, "bound": 54_682, "trigger": 54_580}
SHORT: Mapping[str, int | None] = {"entry": 60_000, "liquidation": 65_400, "bound": 65_318, "trigger": None}


def line(side: Side, prices: Mapping[str, int | None]) -> PriceLine:
    known = {name: None if price is None else Decimal(price) for name, price in prices.items()}
    found = price_line(side, known, is_funded=True)
    assert found is not None
    return found


def percent(text: str) -> Decimal:
    assert text.endswith("%")
    return Decimal(text[:-1])


@pytest.mark.parametrize(("side", "prices"), [("long", LONG), ("short", SHORT)])
def test_what_is_higher_is_further_right_and_to_scale(side: Side, prices: Mapping[str, int | None]) -> None:
    marks = line(side, prices).marks
    assert [mark.price for mark in marks] == sorted(price for price in prices.values() if price is not None)
    low, high = marks[0], marks[-1]
    for mark in marks:
        share = (mark.price - low.price) / (high.price - low.price)
        place = (percent(mark.place) - percent(low.place)) / (percent(high.place) - percent(low.place))
        assert abs(share - place) < Decimal("0.0002")


def test_what_is_covered_lies_below_a_longs_limit_and_above_a_shorts() -> None:
    of_long, of_short = line("long", LONG), line("short", SHORT)
    limit = {mark.name: percent(mark.place) for mark in of_long.marks}["bound"]
    assert (percent(of_long.covered_from), percent(of_long.covered_width)) == (Decimal(), limit)
    limit = {mark.name: percent(mark.place) for mark in of_short.marks}["bound"]
    assert (percent(of_short.covered_from), percent(of_short.covered_width)) == (limit, 100 - limit)


def test_without_a_limit_there_is_no_line() -> None:
    assert price_line("long", {"entry": Decimal(1), "bound": None}, is_funded=False) is None


@pytest.mark.parametrize(
    "prices",
    [
        {"entry": Decimal(5), "bound": Decimal(5)},
        {"bound": Decimal(5)},
        {"entry": Decimal("1e40"), "bound": Decimal("1e-40"), "trigger": Decimal("1e40") + Decimal("1e-30")},
        {"entry": Decimal(0), "bound": Decimal(-3)},
    ],
)
def test_any_prices_stay_within_the_line(prices: dict[str, Decimal | None]) -> None:
    found = price_line("short", prices, is_funded=True)
    assert found is not None
    for text in (found.covered_from, found.covered_width, *(mark.place for mark in found.marks)):
        assert 0 <= percent(text) <= 100
