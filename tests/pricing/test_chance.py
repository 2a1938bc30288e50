"""How probable a liquidation is, beside sixty digits; nearer, longer, more volatile is never less so."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, exp, sqrt
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liqpass.market.week import milli_hours
from liqpass.pricing.model import LEAST_PPM, NEVER_PPM, Model, chance_ppm
from liqpass.pricing.skus import load_products
from tests.pricing import exact

Side = Literal["long", "short"]

SHIPPED = load_products(None)
PPM = 1_000_000
FARTHEST = 10**11  # Position.distance_ppm
LARGEST = 2**63 - 1
A_DAY_AT_60_PERCENT_A_YEAR = 41_095_890  # variance an hour, in 1e-12

models = st.builds(Model, st.integers(0, 10_000), st.integers(1_000, 50_000), st.integers(0, 20_000))
usual = st.sampled_from([sku.model for sku in SHIPPED.sku])
sides = st.sampled_from(["long", "short"])
distances = st.integers(1, 999_999) | st.integers(1, FARTHEST)
# as coins move, from 0.1 % an hour to 20 %; and anything that the table of variances may hold
real_variances = st.integers(10**6, 4 * 10**10)
variances = real_variances | st.integers(1, LARGEST)
milli = st.integers(1, 366 * 24 * 1_300)
moments = st.integers(1_577_836_800, 4_102_444_800).map(lambda sec: datetime.fromtimestamp(sec, UTC))


def of(model: Model, side: Side, distance: int, short: int, long: int, milli_hours: int) -> int:
    return chance_ppm(
        model, side=side, distance_ppm=distance, short_e12=short, long_e12=long, milli_hours=milli_hours
    )


@given(models | usual, sides, distances, variances, variances, milli)
@example(SHIPPED.sku[0].model, "long", 999_999, 1, 1, 1)
@example(SHIPPED.sku[0].model, "short", FARTHEST, LARGEST, LARGEST, 400_000)
@example(Model(0, 50_000, 20_000), "long", 1, LARGEST, 1, 400_000)
def test_a_chance_is_the_formulas_to_the_millionth(
    model: Model, side: Side, distance: int, short: int, long: int, hours: int
) -> None:
    bps = (model.short_weight_bps, model.scale_bps, model.spread_bps)
    weight, scale, spread = (Fraction(each, 10_000) for each in bps)
    pair = (Fraction(short, 10**12), Fraction(long, 10**12))
    expected = exact.chance(weight, scale, spread, side, Fraction(distance, PPM), pair, Fraction(hours, 1000))
    found = of(model, side, distance, short, long, hours)
    assert LEAST_PPM <= found <= NEVER_PPM
    assert abs(found - min(expected * PPM, Decimal(NEVER_PPM))) < Decimal("0.500001")


def test_a_day_at_the_volatility_of_the_first_table_gives_its_chance() -> None:
    plain = Model(short_weight_bps=10_000, scale_bps=10_000, spread_bps=0)
    for distance, expected in ((46_000, 131_000), (16_000, 607_000)):
        found = of(plain, "long", distance, A_DAY_AT_60_PERCENT_A_YEAR, 1, 24_000)
        assert abs(found - expected) < 4_000


@pytest.mark.parametrize("distance", [0, -1, -FARTHEST])
def test_what_has_reached_its_liquidation_price_is_certain(distance: int) -> None:
    for side in ("long", "short"):
        assert of(SHIPPED.sku[0].model, side, distance, 1, 1, 1) == PPM


def test_no_price_is_far_enough_above_that_a_short_could_not_reach_it_and_a_long_has_zero_below() -> None:
    wild = 10**12  # 100 % an hour
    model = SHIPPED.sku[0].model
    assert of(model, "short", PPM, wild, wild, 8_000) > LEAST_PPM
    assert of(model, "short", 3 * PPM, wild, wild, 8_000) > LEAST_PPM
    assert of(model, "long", 999_999, wild, wild, 8_000) >= LEAST_PPM
    assert of(model, "long", PPM, wild, wild, 8_000) == LEAST_PPM


@given(usual, sides, st.tuples(distances, distances), real_variances, real_variances, milli)
def test_nearer_is_never_less_probable(
    model: Model, side: Side, pair: tuple[int, int], short: int, long: int, hours: int
) -> None:
    near, far = (of(model, side, distance, short, long, hours) for distance in sorted(pair))
    assert near >= far


@given(models, sides, distances, st.tuples(variances, variances), st.tuples(variances, variances), milli)
def test_more_volatile_is_never_less_probable(
    model: Model, side: Side, distance: int, shorts: tuple[int, int], longs: tuple[int, int], hours: int
) -> None:
    calm, wild = ((choose(shorts), choose(longs)) for choose in (min, max))
    assert of(model, side, distance, *calm, hours) <= of(model, side, distance, *wild, hours)


@given(models, sides, distances, variances, variances, st.tuples(milli, milli))
def test_longer_is_never_less_probable(
    model: Model, side: Side, distance: int, short: int, long: int, pair: tuple[int, int]
) -> None:
    shorter, longer = (of(model, side, distance, short, long, hours) for hours in sorted(pair))
    assert shorter <= longer


@given(usual, sides, st.integers(1, 999_998), real_variances, real_variances, st.integers(500, 10**6))
def test_a_hair_nearer_is_a_hair_more_probable(
    model: Model, side: Side, distance: int, short: int, long: int, hours: int
) -> None:
    """No density of a normal distribution is above 0.4: so steep is the chance at most."""
    near, far = (of(model, side, at, short, long, hours) for at in (distance, distance + 1))
    hair = 1 / (PPM - distance - 1) if side == "long" else 1 / (PPM + distance)
    w = model.short_weight_bps / 10_000
    sigma = model.scale_bps / 10_000 * sqrt((w * short + (1 - w) * long) / 10**12 * hours / 1000)
    step = exp(sqrt(3) * model.spread_bps / 10_000)
    steepest = 0.8 * hair * (4 + step + 1 / step) / 6 / sigma
    assert near - far <= steepest * PPM + 1


# The week's clock -----------------------------------------------------------------------------------------


@given(moments, st.integers(1, 40 * 86_400))
@example(datetime(2026, 11, 27, 20, 59, 59, 999_999, tzinfo=UTC), 1)
@example(datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC), 2)
def test_the_weeks_clock_counts_every_hour_as_it_weighs(at: datetime, seconds: int) -> None:
    expected = exact.hours_of_week(at.replace(microsecond=0), timedelta(seconds=seconds))
    assert milli_hours(at, seconds) == ceil(expected * 1000)


@given(moments, st.integers(1, 40 * 86_400), st.integers(1, 5_000))
def test_a_week_later_all_is_the_same_and_an_instant_later_nearly(
    at: datetime, seconds: int, later: int
) -> None:
    now = milli_hours(at, seconds)
    assert milli_hours(at + later * timedelta(days=7), seconds) == now
    assert abs(milli_hours(at + timedelta(seconds=1), seconds) - now) <= 1
    assert 0 <= milli_hours(at, seconds + 1) - now <= 1


def test_whenever_it_is_bought_a_longer_product_of_ours_is_longer_by_the_weeks_clock_too() -> None:
    """Nobody gets a longer time cheaper by choosing the moment."""
    monday = datetime(2026, 11, 30, tzinfo=UTC)
    starts = [monday + timedelta(minutes=10 * n) for n in range(7 * 24 * 6)]
    ranges = []
    for sku in sorted(SHIPPED.sku, key=lambda one: one.duration_sec):
        lengths = [milli_hours(at, sku.delay_sec + sku.duration_sec) for at in starts]
        ranges += [min(lengths), max(lengths)]
    assert ranges == sorted(ranges)
