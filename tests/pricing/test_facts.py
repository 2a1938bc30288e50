"""From the exchange's row to the integers that a price depends on; why there is none, in words."""

import pytest

from liqpass.exchange.records import position
from liqpass.positions.refusals import WhyNot
from liqpass.pricing.premium import Facts, NotInsurable, facts_of, refusal
from liqpass.pricing.skus import Products
from liqpass.problems import Problem
from tests.pricing.offers import AT, SHIPPED, moves

CALM = moves(10**6)

ROW = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posSide": "long", "posId": "1",
    "ccy": "USDT", "pos": "1", "lever": "10", "avgPx": "60000", "markPx": "60000", "liqPx": "54600",
    "upl": "0", "uplRatio": "0", "margin": "60.0000009", "imr": "", "mmr": "", "mgnRatio": "",
    "notionalUsd": "600.0000001", "realizedPnl": "", "liqPenalty": "", "adl": "1", "bizRefType": "",
    "cTime": "1763800000000", "uTime": "1763800000000",
}  # fmt: skip


def test_facts_are_rounded_against_the_buyer_and_never_through_floating_point() -> None:
    assert facts_of(position(ROW)) == Facts("long", 1_000, 60_000_000, 600_000_001, 90_000)
    assert facts_of(position(ROW | {"lever": "10.001"})).leverage_centi == 1_001
    assert facts_of(position(ROW | {"liqPx": "54600.01"})).distance_ppm == 89_999


def test_the_distance_of_a_short_is_upwards_and_may_be_more_than_all_of_the_price() -> None:
    for short in ({"posSide": "short"}, {"posSide": "net", "pos": "-1"}):
        for liquidation, distance in (("65400", 90_000), ("54600", -90_000), ("180000", 2_000_000)):
            found = facts_of(position(ROW | short | {"liqPx": liquidation}))
            assert (found.side, found.distance_ppm) == ("short", distance)


@pytest.mark.parametrize(
    ("changed", "reason", "code"),
    [
        ({"pos": "0"}, "closed", WhyNot.POSITION_CLOSED),
        ({"instType": "FUTURES", "instId": "BTC-USDT-261225"}, "perpetual swaps", WhyNot.NOT_A_SWAP),
        ({"ccy": "BTC", "instId": "BTC-USD-SWAP"}, "margin is in BTC", WhyNot.MARGIN_NOT_STABLE),
        ({"mgnMode": "cross"}, "cross margin", WhyNot.CROSS_MARGIN),
        ({"bizRefType": "1"}, "trial money", WhyNot.TRIAL_MONEY),
        ({"lever": ""}, "does not show", WhyNot.DETAILS_MISSING),
        ({"margin": ""}, "does not show", WhyNot.DETAILS_MISSING),
        ({"margin": "0"}, "does not show", WhyNot.DETAILS_MISSING),
        ({"margin": "-5"}, "does not show", WhyNot.DETAILS_MISSING),
        ({"notionalUsd": ""}, "does not show", WhyNot.DETAILS_MISSING),
        ({"liqPx": ""}, "no liquidation price", WhyNot.NO_LIQUIDATION_PRICE),
        ({"liqPx": "0"}, "no liquidation price", WhyNot.NO_LIQUIDATION_PRICE),
        ({"markPx": ""}, "no liquidation price", WhyNot.NO_LIQUIDATION_PRICE),
    ],
)
def test_a_position_of_which_something_needed_is_missing_is_refused_in_words_and_by_code(
    changed: dict[str, str], reason: str, code: WhyNot
) -> None:
    with pytest.raises(NotInsurable, match=reason) as refused:
        facts_of(position(ROW | changed))
    told = refused.value.refusal
    assert (told.code, told.words) == (code, str(refused.value))
    assert told.values == ({"ccy": "BTC"} if code == WhyNot.MARGIN_NOT_STABLE else {})


def test_the_refusal_of_the_first_product_is_told_when_none_takes_the_position() -> None:
    usual = position(ROW)
    assert refusal(SHIPPED, usual, None, CALM, AT) is None
    fast = position(ROW | {"lever": "60"})
    assert refusal(SHIPPED, fast, "LIQPASS_8H", CALM, AT) is None
    of_24h, of_all = (refusal(SHIPPED, fast, sku, CALM, AT) for sku in ("LIQPASS_24H", None))
    assert of_24h
    assert (of_24h.code, of_24h.values, of_all) == (WhyNot.LEVERAGE_TOO_HIGH, {"limit": 50}, None)
    told = refusal(SHIPPED, position(ROW | {"lever": "120"}), None, CALM, AT)
    assert told
    assert told.values == {"limit": SHIPPED.sku[0].max_leverage}


def test_that_the_price_is_not_known_yet_is_told_before_what_another_product_would_never_take() -> None:
    fast = position(ROW | {"lever": "60"})
    backwards = Products(SHIPPED.version, SHIPPED.sku[::-1])
    told = refusal(backwards, fast, None, None, AT)
    assert told
    assert told.code == WhyNot.PRICE_UNAVAILABLE


def test_an_unknown_product_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(Problem, match="LIQPASS_8H, LIQPASS_24H, LIQPASS_30D") as refused:
        SHIPPED.get("LIQPASS_9H")
    assert (refused.value.code, refused.value.status) == ("SKU_NOT_FOUND", 404)
