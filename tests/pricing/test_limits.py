"""At a product's limits it is sold, beyond them it is refused in words and by code."""

from bisect import bisect_left

import msgspec
import pytest

from liqpass.positions.refusals import WhyNot
from liqpass.pricing.premium import Facts, NotInsurable, price
from tests.pricing.offers import AT, NIGHT, SHIPPED, USDC, moves

USUAL = Facts("long", 1_000, 300 * USDC, 3_000 * USDC, 90_000)
CALM = moves(10**6)


@pytest.mark.parametrize(
    ("at_it", "beyond", "code", "values"),
    [
        ({"leverage_centi": 10_000}, {"leverage_centi": 10_001}, WhyNot.LEVERAGE_TOO_HIGH, {"limit": 100}),
        (
            {"notional_micro": 20_000_000},
            {"notional_micro": 19_999_999},
            WhyNot.TOO_SMALL,
            {"limitUsd": "20.00"},
        ),
        (
            {"notional_micro": 250_000_000_000},
            {"notional_micro": 250_000_000_001},
            WhyNot.TOO_LARGE,
            {"limitUsd": "250000.00"},
        ),
        ({"distance_ppm": 4_000}, {"distance_ppm": 3_999}, WhyNot.TOO_CLOSE, {"limitBps": 40}),
        ({"margin_micro": 4_000_000}, {"margin_micro": 3_999_999}, WhyNot.NOT_WORTH_IT, {"limitBps": 5_000}),
    ],
)
def test_at_a_limit_it_is_sold_and_beyond_it_refused_with_the_limit(
    at_it: dict[str, int], beyond: dict[str, int], code: WhyNot, values: dict[str, str | int]
) -> None:
    sku = msgspec.structs.replace(
        NIGHT, max_leverage=100, min_notional_micro=20 * USDC, max_notional_micro=250_000 * USDC,
        min_distance_bps=40, load_bps=0, fee_micro=0, floor_micro=USDC, payout_ratio_bps=5_000,
        most_chance_bps=10_000, most_premium_bps=5_000,
    )  # fmt: skip
    assert price(sku, msgspec.structs.replace(USUAL, **at_it), moves(1), AT).premium == USDC
    with pytest.raises(NotInsurable) as refused:
        price(sku, msgspec.structs.replace(USUAL, **beyond), moves(1), AT)
    assert (refused.value.refusal.code, refused.value.refusal.values) == (code, values)


def test_a_limit_that_is_no_whole_number_is_said_as_it_is() -> None:
    sku = msgspec.structs.replace(
        NIGHT, min_notional_micro=500_000, most_premium_bps=1_250, most_chance_bps=3_050
    )
    said = []
    for facts, volatility in (
        (msgspec.structs.replace(USUAL, notional_micro=499_999), CALM),
        (msgspec.structs.replace(USUAL, margin_micro=3 * USDC), CALM),
        (USUAL, moves(10**10)),
    ):
        with pytest.raises(NotInsurable) as refused:
            price(sku, facts, volatility, AT)
        said.append(str(refused.value))
    assert said[0] == "It is smaller than 0.50 USD."
    assert "more than 12.5 % of the payout" in said[1]
    assert "30.5 % is the most that is covered" in said[2]


def test_a_chance_is_sold_up_to_the_cap_and_never_said_to_be_the_cap_where_it_is_above_it() -> None:
    volatility = moves(4 * 10**8)
    uncapped = msgspec.structs.replace(NIGHT, most_chance_bps=10_000, most_premium_bps=9_999)

    def is_sold(nearer: int) -> bool:
        facts = msgspec.structs.replace(USUAL, distance_ppm=90_000 - nearer)
        return price(uncapped, facts, volatility, AT).chance_ppm <= 300_000

    distance = 90_000 - bisect_left(range(80_000), True, key=lambda nearer: not is_sold(nearer))
    sku = msgspec.structs.replace(NIGHT, most_chance_bps=3_000)
    sold = price(sku, msgspec.structs.replace(USUAL, distance_ppm=distance + 1), volatility, AT)
    assert 299_900 < sold.chance_ppm <= 300_000
    with pytest.raises(NotInsurable, match=r"a chance of 30\.1 %, and 30 % is the most") as refused:
        price(sku, msgspec.structs.replace(USUAL, distance_ppm=distance), volatility, AT)
    told = refused.value.refusal
    assert (told.code, told.values["limitBps"]) == (WhyNot.TOO_RISKY, 3_000)
    assert 300_000 < int(told.values["chancePpm"]) < 300_100


def test_a_product_without_a_cap_does_not_sell_what_has_reached_its_liquidation_price() -> None:
    sku = msgspec.structs.replace(
        NIGHT, most_chance_bps=10_000, most_premium_bps=9_999, load_bps=0, fee_micro=0
    )
    for distance, code in ((0, WhyNot.TOO_CLOSE), (-1, WhyNot.TOO_CLOSE), (5_000, WhyNot.NOT_WORTH_IT)):
        with pytest.raises(NotInsurable) as refused:
            price(sku, msgspec.structs.replace(USUAL, distance_ppm=distance), moves(2**62), AT)
        assert refused.value.refusal.code == code


@pytest.mark.parametrize("margin", [1, 9_999, 19_999, 20_000])
def test_a_margin_that_pays_nothing_or_a_cent_is_not_worth_it(margin: int) -> None:
    for sku in SHIPPED.sku:
        with pytest.raises(NotInsurable) as refused:
            price(sku, msgspec.structs.replace(USUAL, margin_micro=margin, distance_ppm=800_000), CALM, AT)
        assert refused.value.refusal.code == WhyNot.NOT_WORTH_IT


def test_without_a_volatility_there_is_no_price_but_what_is_outside_the_limits_is_told_first() -> None:
    for sku in SHIPPED.sku:
        with pytest.raises(NotInsurable, match="Try again in a minute; one that was listed less") as refused:
            price(sku, USUAL, None, AT)
        assert (refused.value.refusal.code, refused.value.refusal.values) == (WhyNot.PRICE_UNAVAILABLE, {})
        with pytest.raises(NotInsurable) as refused:
            price(sku, msgspec.structs.replace(USUAL, leverage_centi=12_500), None, AT)
        assert refused.value.refusal.code == WhyNot.LEVERAGE_TOO_HIGH
