"""The price beside its definition in exact fractions, and what holds of it for every position and product."""

from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liqpass.exchange.records import Side
from liqpass.market.volatility import Volatility
from liqpass.market.week import milli_hours
from liqpass.orders.priced import PricedFrom
from liqpass.positions.refusals import WhyNot
from liqpass.pricing.model import Model, chance_ppm
from liqpass.pricing.premium import Facts, MadeOf, NotInsurable, Price, made_of, price
from liqpass.pricing.skus import Sku
from tests.pricing import exact
from tests.pricing.offers import (
    AT,
    CENT,
    DAY,
    NIGHT,
    PPM,
    SHIPPED,
    USDC,
    anything,
    cost,
    micro,
    moments,
    moves,
    of_coins,
    offered,
    shipped,
    sides,
    sold_by_us,
    some_sku,
    volatilities,
)  # fmt: skip


@given(offered, volatilities, moments)
@example((NIGHT, Facts("long", 2_000, 500 * USDC, 10_000 * USDC, 46_000)), moves(30 * 10**6), AT)
@example((DAY, Facts("short", 100, 20_000, 20 * USDC, 10**11)), moves(1), AT)
def test_premium_and_payout_are_those_of_the_definition_or_it_is_not_sold(
    offer: tuple[Sku, Facts], volatility: Volatility, at: datetime
) -> None:
    sku, facts = offer
    chance = chance_ppm(
        sku.model,
        side=facts.side,
        distance_ppm=facts.distance_ppm,
        short_e12=volatility.short_e12,
        long_e12=volatility.long_e12,
        milli_hours=milli_hours(at, sku.delay_sec + sku.duration_sec),
    )
    payout = exact.payout(facts.margin_micro, Fraction(sku.payout_ratio_bps, 10_000), sku.payout_cap_micro)
    load = Fraction(sku.load_bps, 10_000)
    premium = exact.premium(payout, Fraction(chance, PPM), load, sku.fee_micro, sku.floor_micro)
    refused = (
        WhyNot.TOO_RISKY
        if Fraction(chance, PPM) > Fraction(sku.most_chance_bps, 10_000)
        else WhyNot.NOT_WORTH_IT
        if premium > Fraction(payout * sku.most_premium_bps, 10_000)
        else None
    )
    if refused is None:
        assert price(sku, facts, volatility, at) == Price(premium, payout, chance)
        assert 0 < premium < payout <= facts.margin_micro
        assert premium % CENT == payout % CENT == 0
        assert payout * chance < premium * PPM
    else:
        with pytest.raises(NotInsurable) as error:
            price(sku, facts, volatility, at)
        assert error.value.refusal.code == refused


@given(some_sku, micro, st.integers(5_000, 999_999))
def test_the_parts_of_a_premium_are_whole_cents_that_add_up_to_it(sku: Sku, margin: int, chance: int) -> None:
    payout = exact.payout(margin, Fraction(1, 2), sku.payout_cap_micro)
    load = Fraction(sku.load_bps, 10_000)
    premium = exact.premium(payout, Fraction(chance, PPM), load, sku.fee_micro, sku.floor_micro)
    parts = made_of(sku, Price(premium, payout, chance))
    assert (parts.premium, parts.payout, parts.chance_ppm) == (premium, payout, chance)
    each = (parts.risk, parts.load, parts.fee, parts.least)
    assert all(part >= 0 and part % CENT == 0 for part in each)
    assert parts.risk == ceil(Fraction(payout * chance, PPM * CENT)) * CENT
    assert abs(parts.load - Fraction(payout * chance, PPM) * load) < CENT
    assert abs(parts.fee - sku.fee_micro) < CENT
    if sku.fee_micro % CENT == 0:
        assert parts.fee == sku.fee_micro


def test_a_price_by_hand() -> None:
    """A payout of 2,000 USDC at a chance of 3.5144 % costs 70.288 on average, a quarter more, and 0.50."""
    sku = msgspec.structs.replace(
        DAY, model=Model(8_000, 8_200, 5_000), load_bps=2_500, fee_micro=500_000, payout_ratio_bps=5_000
    )
    facts = Facts("long", 1_000, 4_000 * USDC, 40_000 * USDC, 96_000)
    sold = price(sku, facts, moves(60 * 10**6), AT)
    assert sold == Price(premium=88_360_000, payout=2_000 * USDC, chance_ppm=35_144)
    assert made_of(sku, sold) == MadeOf(2_000 * USDC, 35_144, 70_290_000, 17_570_000, 500_000, 0)
    small = msgspec.structs.replace(facts, margin_micro=40 * USDC)
    sold = price(sku, small, moves(6 * 10**6), AT)
    assert sold == Price(premium=sku.floor_micro, payout=20 * USDC, chance_ppm=5_000)
    assert made_of(sku, sold) == MadeOf(20 * USDC, 5_000, 100_000, 30_000, 500_000, sku.floor_micro - 630_000)


@given(sold_by_us, st.integers(1, 10**6), volatilities, moments)
def test_nearer_is_never_cheaper(
    offer: tuple[Sku, Facts], nearer: int, volatility: Volatility, at: datetime
) -> None:
    sku, far = offer
    near = msgspec.structs.replace(far, distance_ppm=far.distance_ppm - nearer)
    assert cost(sku, near, volatility, at) >= cost(sku, far, volatility, at)


@given(offered, st.tuples(volatilities, volatilities), moments)
def test_more_volatile_is_never_cheaper(
    offer: tuple[Sku, Facts], pair: tuple[Volatility, Volatility], at: datetime
) -> None:
    sku, facts = offer
    calm, wild = (
        moves(choose(v.short_e12 for v in pair), choose(v.long_e12 for v in pair)) for choose in (min, max)
    )
    assert cost(sku, facts, calm, at) <= cost(sku, facts, wild, at)


@given(sides, st.integers(1, 2 * PPM), st.integers(1, 2_000 * USDC), of_coins, of_coins, moments)
def test_longer_is_never_cheaper_for_the_same_payout(
    side: Side, distance: int, margin: int, short: int, long: int, at: datetime
) -> None:
    facts = Facts(side, 100, margin, 1_000 * USDC, distance)
    alike = [
        msgspec.structs.replace(sku, payout_ratio_bps=5_000, payout_cap_micro=10**9) for sku in SHIPPED.sku
    ]
    no_limits = [
        msgspec.structs.replace(sku, most_chance_bps=10_000, most_premium_bps=9_999, min_distance_bps=1)
        for sku in sorted(alike, key=lambda one: one.duration_sec)
    ]
    costs = [cost(sku, facts, moves(short, long), at) for sku in no_limits]
    assert costs == sorted(costs)


@given(sold_by_us, st.builds(moves, of_coins, of_coins), moments)
def test_a_hair_nearer_costs_a_hair_more(
    offer: tuple[Sku, Facts], volatility: Volatility, at: datetime
) -> None:
    """A millionth of the price changes the premium by no more than a thousandth of the payout, and
    a cent that is the next whole one."""
    sku, far = offer
    near = msgspec.structs.replace(far, distance_ppm=far.distance_ppm + 1)
    of_near, of_far = (cost(sku, one, volatility, at) for one in (far, near))
    if of_near < float("inf"):
        payout = price(sku, far, volatility, at).payout
        assert 0 <= of_near - of_far <= payout / 1_000 + 2 * CENT


@given(sold_by_us, st.builds(moves, of_coins, of_coins), moments)
def test_an_instant_later_the_price_is_nearly_the_same(
    offer: tuple[Sku, Facts], volatility: Volatility, at: datetime
) -> None:
    sku, facts = offer
    now, then = (cost(sku, facts, volatility, at + timedelta(seconds=n)) for n in (0, 1))
    if max(now, then) < float("inf"):
        payout = price(sku, facts, volatility, at).payout
        assert abs(now - then) <= payout / 1_000 + 2 * CENT


@given(shipped, st.tuples(micro, micro), volatilities)
def test_more_margin_never_pays_less_nor_costs_less(
    sku: Sku, margins: tuple[int, int], volatility: Volatility
) -> None:
    facts = Facts("long", 1_000, 1, sku.min_notional_micro, 90_000)
    less, more = (msgspec.structs.replace(facts, margin_micro=margin) for margin in sorted(margins))
    try:
        smaller = price(sku, less, volatility, AT)
    except NotInsurable as error:
        assert error.refusal.code in (WhyNot.TOO_RISKY, WhyNot.NOT_WORTH_IT)
        return
    larger = price(sku, more, volatility, AT)
    assert smaller.payout <= larger.payout
    assert smaller.premium <= larger.premium
    assert smaller.chance_ppm == larger.chance_ppm


@given(sku=shipped, facts=anything, volatility=volatilities)
def test_outside_its_limits_a_product_takes_no_position_and_inside_them_it_says_what_it_costs(
    sku: Sku, facts: Facts, volatility: Volatility
) -> None:
    inside = (
        facts.leverage_centi <= sku.max_leverage * 100
        and sku.min_notional_micro <= facts.notional_micro <= sku.max_notional_micro
        and facts.distance_ppm >= sku.min_distance_bps * 100
    )
    try:
        sold = price(sku, facts, volatility, AT)
    except NotInsurable as error:
        assert not inside or error.refusal.code in (WhyNot.TOO_RISKY, WhyNot.NOT_WORTH_IT)
    else:
        assert inside
        assert sku.floor_micro <= sold.premium <= sold.payout * sku.most_premium_bps // 10_000
        assert sold.payout <= sku.payout_cap_micro


@given(sold_by_us, st.builds(moves, of_coins, of_coins), moments)
def test_what_is_stored_with_an_order_gives_its_price_again(
    offer: tuple[Sku, Facts], volatility: Volatility, at: datetime
) -> None:
    sku, facts = offer
    stored = msgspec.json.encode(
        PricedFrom(
            version=SHIPPED.version,
            sku=sku.id,
            position="{}",
            position_sha256="00",
            read_at=AT,
            facts=facts,
            volatility=volatility,
            at=at,
        )
    )
    read = msgspec.json.decode(stored, type=PricedFrom)
    assert read.version == SHIPPED.version
    assert isinstance(read.facts, Facts)
    assert cost(SHIPPED.get(read.sku), read.facts, read.volatility, read.at) == cost(
        sku, facts, volatility, at
    )
