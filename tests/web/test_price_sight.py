"""How a price changes with distance and time: the numbers behind the picture, and what is drawn of them."""

import re
from datetime import UTC, datetime

import msgspec
import pytest

from liqpass.exchange.records import Side
from liqpass.market.volatility import Volatility
from liqpass.orders.priced import PricedFrom, PricedPosition
from liqpass.pricing.premium import Facts, NotInsurable, made_of, price
from liqpass.pricing.skus import Sku, load_products
from liqpass.web.curves import DASHES, MARKS, Curve, Frame, curves, key
from liqpass.web.price_sight import PriceSight, of_order, price_sight

PRODUCTS = load_products(None)
AT = datetime(2026, 12, 2, 9, 30, tzinfo=UTC)
MOVES = Volatility("ANY-USDT-SWAP", AT, 40 * 10**6, 40 * 10**6, "00", "tests")
FACTS = Facts("long", 1_000, 300 * 10**6, 3_000 * 10**6, 90_000)


def seen(sight: PriceSight | None) -> PriceSight:
    assert sight is not None
    return sight


def sold(sku: Sku, facts: Facts, distance: int) -> int | None:
    try:
        return price(sku, msgspec.structs.replace(facts, distance_ppm=distance), MOVES, AT).premium
    except NotInsurable:
        return None


@pytest.mark.parametrize("side", ["long", "short"])
def test_every_point_of_a_line_and_every_number_of_the_table_is_a_price(side: Side) -> None:
    facts = msgspec.structs.replace(FACTS, side=side)
    sight = seen(price_sight(PRODUCTS.sku, facts, MOVES, AT))
    assert sight.distances == [45_000, 67_500, 90_000, 135_000, 180_000]
    assert [one.sku.id for one in sight.offered] == ["LIQPASS_8H", "LIQPASS_24H", "LIQPASS_30D"]
    for one in sight.offered:
        assert one.premium == sold(one.sku, facts, 90_000)
        assert one.beside == [sold(one.sku, facts, distance) for distance in sight.distances]
        assert [premium for _, premium in one.curve.points] == [
            sold(one.sku, facts, distance) for distance, _ in one.curve.points
        ]
        assert [x for x, _ in one.curve.points] == sorted({x for x, _ in one.curve.points})
        assert all(0 < premium <= sight.most for _, premium in one.curve.points)


def test_it_says_how_near_a_product_is_sold_also_where_that_is_outside_of_the_picture() -> None:
    sight = seen(price_sight(PRODUCTS.sku, msgspec.structs.replace(FACTS, distance_ppm=40_000), MOVES, AT))
    for one in sight.offered:
        assert sold(one.sku, FACTS, one.nearest - 1) is None
        assert sold(one.sku, FACTS, one.nearest) is not None
    month = sight.offered[-1]
    assert month.nearest > sight.distances[-1]
    assert (month.premium, list(month.curve.points), month.curve.mark) == (None, [], None)


@pytest.mark.parametrize(
    ("side", "distance", "last"),
    [
        ("long", 400_000, 800_000),
        ("long", 700_000, 999_999),
        ("long", 999_998, 999_999),
        ("short", 3_000_000, 6_000_000),
        ("short", 9_000_000, 10**7),
    ],
)
def test_a_long_can_lose_no_more_than_all_and_a_short_is_drawn_up_to_ten_times_the_price(
    side: Side, distance: int, last: int
) -> None:
    facts = msgspec.structs.replace(FACTS, side=side, distance_ppm=distance)
    sight = seen(price_sight(PRODUCTS.sku, facts, MOVES, AT))
    assert sight.distances[-1] == last
    picture = sight.picture("x")
    assert "nan" not in picture
    assert "inf" not in picture


@pytest.mark.parametrize("changed", [{"distance_ppm": 0}, {"distance_ppm": -5}, {"leverage_centi": 20_000}])
def test_without_a_product_that_is_sold_nearby_there_is_no_picture(changed: dict[str, int]) -> None:
    assert price_sight(PRODUCTS.sku, msgspec.structs.replace(FACTS, **changed), MOVES, AT) is None


def test_a_price_that_is_nowhere_near_is_not_drawn() -> None:
    facts = msgspec.structs.replace(FACTS, side="short", distance_ppm=10**11)
    assert price_sight(PRODUCTS.sku, facts, MOVES, AT) is None


def test_an_order_tells_how_its_price_came_about_as_long_as_the_products_are_those() -> None:
    day = PRODUCTS.get("LIQPASS_24H")
    sold_at = price(day, FACTS, MOVES, AT)
    of = PricedFrom(PRODUCTS.version, day.id, "{}", "00", AT, FACTS, MOVES, AT)
    sight = seen(of_order(PRODUCTS, of, sold_at))
    assert sight.made_of == made_of(day, sold_at)
    assert [(one.sku, one.premium) for one in sight.offered] == [(day, sold_at.premium)]
    cents_off = msgspec.structs.replace(sold_at, premium=sold_at.premium + 10_000)
    assert of_order(PRODUCTS, of, cents_off) is None
    for other in ({"version": "another"}, {"sku": "LIQPASS_9H"}):
        assert of_order(PRODUCTS, msgspec.structs.replace(of, **other), sold_at) is None
    before_the_model = PricedPosition(PRODUCTS.version, day.id, "{}", "00", AT)
    assert of_order(PRODUCTS, before_the_model, sold_at) is None


def test_without_a_volatility_there_is_no_picture() -> None:
    assert price_sight(PRODUCTS.sku, FACTS, None, AT) is None


def test_a_point_is_drawn_where_it_is() -> None:
    line = Curve([(10, 100), (20, 50), (30, 0)], (20, 50))
    drawn = str(curves([line], Frame(10, 30, 200), 20, "x"))
    assert 'd="M0.0 120.0L500.0 180.0L1000.0 240.0"' in drawn
    assert '<svg x="50.00%" y="75.00%"' in drawn
    assert 'd="M500.0 0V240" class="upright"' in drawn


def test_lines_are_told_from_each_other_without_colour() -> None:
    keys = [str(key(number)) for number in range(3)]
    assert len({tuple(re.findall(r'stroke-dasharray="([^"]*)"', one)) for one in keys}) == len(DASHES)
    assert len({re.findall(r'class="point[^"]*" d="([^"]*)"', one)[0] for one in keys}) == len(MARKS)


def test_what_is_said_of_a_picture_is_never_markup() -> None:
    line = Curve([(1, 1)], None)
    assert "<script" not in curves([line, Curve([], None)], Frame(0, 1, 1), 0, '"><script>')
