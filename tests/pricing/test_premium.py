"""The price beside a model in exact fractions."""

from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liqpass.exchange.records import position
from liqpass.orders.orders import PricedFrom
from liqpass.positions.refusals import WhyNot
from liqpass.pricing.premium import Facts, NotInsurable, Price, facts_of, price, refusal
from liqpass.pricing.skus import Band, Products, Sku, load_products
from liqpass.problems import Problem

SHIPPED = load_products(None)

bps = st.integers(0, 10_000)
micro = st.integers(1, 10**15)


@st.composite
def skus(draw: st.DrawFn, chances: st.SearchStrategy[int] = bps, load: int = 100_000) -> Sku:
    """Any product that the file may hold."""
    limits = sorted(draw(st.sets(st.integers(1, 125), min_size=1, max_size=4)))
    bands = [Band(limit, draw(chances), draw(st.integers(1_000, 10_000))) for limit in limits]
    smallest, largest = sorted((draw(micro), draw(micro)))
    return Sku(
        id="ANY",
        title="Any",
        duration_sec=1,
        delay_sec=0,
        max_leverage=draw(st.integers(1, limits[-1])),
        min_notional_micro=smallest,
        max_notional_micro=largest,
        min_distance_bps=draw(st.integers(0, 500)),
        payout_cap_micro=draw(st.integers(10**9, 10**15)),
        load_bps=draw(st.integers(0, load)),
        fee_micro=draw(st.integers(0, 10**7)),
        floor_micro=draw(st.integers(1, 10**7)),
        bands=bands,
    )


# Products and margins with which no premium comes near its payout: what is compared is always sold.
mild_skus = skus(chances=st.integers(0, 1_000), load=20_000)
large = st.integers(10**9, 10**13)
facts = st.builds(Facts, st.integers(1, 12_500), micro, micro, st.integers(-100, 10_000))


FAR_BPS = 10_000  # so far from liquidation that only the leverage counts


def fitting(sku: Sku, leverage_centi: int, margin_micro: int, distance_bps: int = FAR_BPS) -> Facts:
    """A position within all limits of the product."""
    leverage = min(leverage_centi, sku.max_leverage * 100)
    return Facts(leverage, margin_micro, sku.min_notional_micro, max(distance_bps, sku.min_distance_bps))


def as_leverage(facts: Facts) -> Fraction:
    """The leverage set, or the one that stands so near to liquidation (hundredths, rounded up)."""
    implied = Fraction(ceil(Fraction(10_000 * 100, facts.distance_bps + 60)), 100)
    return max(Fraction(facts.leverage_centi, 100), implied)


def model(sku: Sku, facts: Facts) -> tuple[Fraction, Fraction]:
    """Premium and payout before rounding; the payout is a whole number already, as it is what gets paid."""
    leverage = as_leverage(facts)
    band = min((b for b in sku.bands if leverage <= b.up_to_leverage), key=lambda b: b.up_to_leverage)
    share = min(Fraction(facts.margin_micro) * band.payout_ratio_bps / 10_000, Fraction(sku.payout_cap_micro))
    payout = Fraction(floor(share))
    chance, load = Fraction(band.probability_bps, 10_000), Fraction(sku.load_bps, 10_000)
    return max(Fraction(sku.floor_micro), payout * chance * (1 + load) + sku.fee_micro), payout


@given(sku=skus(), leverage=st.integers(1, 12_500), margin=micro, distance=st.integers(0, 12_000))
def test_the_premium_is_the_models_rounded_up_and_never_reaches_the_payout(
    sku: Sku, leverage: int, margin: int, distance: int
) -> None:
    facts = fitting(sku, leverage, margin, distance)
    if as_leverage(facts) > sku.bands[-1].up_to_leverage:
        with pytest.raises(NotInsurable, match="too close to its liquidation price") as refused:
            price(sku, facts)
        assert refused.value.refusal.code == WhyNot.TOO_CLOSE
        limit = int(refused.value.refusal.values["limitBps"])
        nearest = msgspec.structs.replace(facts, distance_bps=limit)
        assert facts.distance_bps < limit
        assert as_leverage(nearest) <= sku.bands[-1].up_to_leverage
        return
    premium, payout = model(sku, facts)
    if ceil(premium) >= payout:
        with pytest.raises(NotInsurable, match="the premium would exceed the payout"):
            price(sku, facts)
    else:
        assert price(sku, facts) == Price(ceil(premium), int(payout))


@given(sku=st.sampled_from(SHIPPED.sku), facts=facts)
@example(sku=SHIPPED.sku[0], facts=Facts(2_000, 500 * 10**6, 10_000 * 10**6, 460))
def test_outside_its_limits_a_product_takes_no_position_and_inside_them_it_says_what_it_costs(
    sku: Sku, facts: Facts
) -> None:
    inside = (
        facts.leverage_centi <= sku.max_leverage * 100
        and sku.min_notional_micro <= facts.notional_micro <= sku.max_notional_micro
        and facts.distance_bps >= sku.min_distance_bps
    )
    try:
        cost = price(sku, facts)
    except NotInsurable as reason:
        assert not inside or "premium would exceed" in str(reason)
    else:
        assert inside
        assert sku.floor_micro <= cost.premium < cost.payout <= sku.payout_cap_micro
        assert cost.payout <= facts.margin_micro


@given(sku=mild_skus, leverage=st.integers(1, 12_500), margins=st.tuples(large, large))
def test_more_margin_never_pays_less_nor_costs_less(
    sku: Sku, leverage: int, margins: tuple[int, int]
) -> None:
    less, more = (price(sku, fitting(sku, leverage, margin)) for margin in sorted(margins))
    assert less.payout <= more.payout
    assert less.premium <= more.premium


def test_a_position_near_its_liquidation_price_costs_what_one_of_high_leverage_costs() -> None:
    sku = SHIPPED.get("LIQPASS_8H")
    far, near = (Facts(1_000, 4_000 * 10**6, 40_000 * 10**6, distance) for distance in (960, 60))
    assert price(sku, far).premium == 6_250_000
    assert price(sku, near) == price(sku, msgspec.structs.replace(near, leverage_centi=9_000))
    assert price(sku, near).premium > price(sku, near).payout // 2


@given(sku=st.sampled_from(SHIPPED.sku), leverage=st.integers(100, 2_000), margin=st.integers(10**9, 10**12))
def test_a_position_just_opened_is_priced_by_its_leverage(sku: Sku, leverage: int, margin: int) -> None:
    opened = fitting(sku, leverage, margin, 1_000_000 // leverage - 40 - 15)
    assert price(sku, opened) == price(sku, fitting(sku, leverage, margin))


def test_in_what_is_on_sale_more_leverage_never_costs_less_for_the_same_payout() -> None:
    for sku in SHIPPED.sku:
        chances = [band.probability_bps for band in sku.bands]
        assert chances == sorted(chances)


@given(sku=mild_skus, leverage=st.integers(1, 12_500), margin=large, load=st.integers(0, 20_000))
def test_a_higher_load_never_costs_less(sku: Sku, leverage: int, margin: int, load: int) -> None:
    facts = fitting(sku, leverage, margin)
    other = msgspec.structs.replace(sku, load_bps=load)
    low, high = sorted((sku, other), key=lambda s: s.load_bps)
    assert price(low, facts).premium <= price(high, facts).premium


@given(sku=st.sampled_from(SHIPPED.sku), leverage=st.integers(1, 2_000), margin=st.integers(10**8, 10**15))
def test_what_is_stored_with_an_order_gives_its_price_again(sku: Sku, leverage: int, margin: int) -> None:
    facts = fitting(sku, leverage, margin)
    sold = price(sku, facts)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    stored = msgspec.json.encode(PricedFrom(SHIPPED.version, sku.id, facts, "{}", "00", now))
    read = msgspec.json.decode(stored, type=PricedFrom)
    assert read.version == SHIPPED.version
    assert price(SHIPPED.get(read.sku), read.facts) == sold


# From the exchange's row to integers -----------------------------------------------------------------------

ROW = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posSide": "long", "posId": "1",
    "ccy": "USDT", "pos": "1", "lever": "10", "avgPx": "60000", "markPx": "60000", "liqPx": "54600",
    "upl": "0", "uplRatio": "0", "margin": "60.0000009", "imr": "", "mmr": "", "mgnRatio": "",
    "notionalUsd": "600.0000001", "realizedPnl": "", "liqPenalty": "", "adl": "1", "bizRefType": "",
    "cTime": "1763800000000", "uTime": "1763800000000",
}  # fmt: skip


def test_facts_are_rounded_against_the_buyer_and_never_through_floating_point() -> None:
    assert facts_of(position(ROW)) == Facts(1_000, 60_000_000, 600_000_001, 900)
    assert facts_of(position(ROW | {"lever": "10.001"})).leverage_centi == 1_001
    assert facts_of(position(ROW | {"liqPx": "54600.01"})).distance_bps == 899


def test_the_distance_of_a_short_is_upwards() -> None:
    for short in ({"posSide": "short"}, {"posSide": "net", "pos": "-1"}):
        assert facts_of(position(ROW | short | {"liqPx": "65400"})).distance_bps == 900
        assert facts_of(position(ROW | short)).distance_bps == -900


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


@pytest.mark.parametrize(
    ("changed", "code", "values"),
    [
        ({"leverage_centi": 10_001}, WhyNot.LEVERAGE_TOO_HIGH, {"limit": 100}),
        ({"notional_micro": 19_999_999}, WhyNot.TOO_SMALL, {"limitUsd": "20.00"}),
        ({"notional_micro": 250_000_000_001}, WhyNot.TOO_LARGE, {"limitUsd": "250000.00"}),
        ({"distance_bps": 39}, WhyNot.TOO_CLOSE, {"limitBps": 40}),
        ({"margin_micro": 2_000_000}, WhyNot.NOT_WORTH_IT, {}),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_the_limit(
    changed: dict[str, int], code: WhyNot, values: dict[str, str | int]
) -> None:
    sku, usual = SHIPPED.get("LIQPASS_8H"), Facts(1_000, 300 * 10**6, 3_000 * 10**6, 900)
    assert price(sku, usual).payout == 150 * 10**6
    with pytest.raises(NotInsurable) as refused:
        price(sku, msgspec.structs.replace(usual, **changed))
    assert (refused.value.refusal.code, refused.value.refusal.values) == (code, values)


def test_the_refusal_of_the_first_product_is_told_when_none_takes_the_position() -> None:
    assert refusal(SHIPPED, position(ROW), None) is None
    fast = position(ROW | {"lever": "60"})
    assert refusal(SHIPPED, fast, "LIQPASS_8H") is None
    of_24h, of_all = refusal(SHIPPED, fast, "LIQPASS_24H"), refusal(SHIPPED, fast, None)
    assert of_24h
    assert (of_24h.code, of_24h.values, of_all) == (WhyNot.LEVERAGE_TOO_HIGH, {"limit": 50}, None)
    told = refusal(SHIPPED, position(ROW | {"lever": "120"}), None)
    assert told
    assert told.values == {"limit": SHIPPED.sku[0].max_leverage}


def test_an_unknown_product_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(Problem, match="LIQPASS_8H, LIQPASS_24H, LIQPASS_30D") as refused:
        SHIPPED.get("LIQPASS_9H")
    assert (refused.value.code, refused.value.status) == ("SKU_NOT_FOUND", 404)


def test_one_product_is_enough_to_be_sold() -> None:
    assert Products("1", [SHIPPED.sku[0]]).get("LIQPASS_8H").duration_sec == 28_800
