"""Positions, products and markets of any kind, for what holds of every price."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from liqpass.exchange.records import Side
from liqpass.market.volatility import Volatility
from liqpass.positions.refusals import WhyNot
from liqpass.pricing.model import Model
from liqpass.pricing.premium import Facts, NotInsurable, price
from liqpass.pricing.skus import Sku, load_products

SHIPPED = load_products(None)
DAY, NIGHT = SHIPPED.get("LIQPASS_24H"), SHIPPED.get("LIQPASS_8H")
CENT, USDC, PPM = 10_000, 10**6, 10**6
AT = datetime(2026, 12, 2, 9, 30, tzinfo=UTC)

micro = st.integers(1, 10**15)
cents = st.integers(0, 10**7)
moments = st.integers(1_577_836_800, 4_102_444_800).map(lambda sec: datetime.fromtimestamp(sec, UTC))
of_coins = st.integers(10**6, 4 * 10**9)


def moves(short_e12: int, long_e12: int | None = None) -> Volatility:
    """An instrument that moves so much."""
    return Volatility("ANY-USDT-SWAP", AT, short_e12, long_e12 or short_e12, "00", "tests")


volatilities = st.builds(moves, of_coins, of_coins) | st.builds(moves, st.integers(1, 2**63 - 1))


@st.composite
def skus(draw: st.DrawFn) -> Sku:
    """Any product that the file may hold."""
    smallest, largest = sorted((draw(micro), draw(micro)))
    return Sku(
        id="ANY",
        title="Any",
        duration_sec=draw(st.integers(1, 366 * 86_400)),
        delay_sec=draw(st.integers(0, 86_400)),
        max_leverage=draw(st.integers(1, 125)),
        min_notional_micro=smallest,
        max_notional_micro=largest,
        min_distance_bps=draw(st.integers(1, 10_000)),
        payout_cap_micro=draw(micro),
        load_bps=draw(st.integers(0, 100_000)),
        fee_micro=draw(st.integers(0, 10**7)),
        floor_micro=draw(st.integers(1, 10**7)),
        payout_ratio_bps=draw(st.integers(1, 10_000)),
        most_chance_bps=draw(st.integers(50, 10_000)),
        most_premium_bps=draw(st.integers(1, 9_999)),
        model=Model(
            draw(st.integers(0, 10_000)), draw(st.integers(1_000, 50_000)), draw(st.integers(0, 20_000))
        ),
    )


shipped = st.sampled_from(SHIPPED.sku)
sides: st.SearchStrategy[Side] = st.sampled_from(("long", "short"))
anything = st.builds(Facts, sides, st.integers(1, 12_500), micro, micro, st.integers(-100, 10**11))


@st.composite
def within(draw: st.DrawFn, sku: Sku) -> Facts:
    """A position within all limits of the product."""
    nearest = sku.min_distance_bps * 100
    return Facts(
        side=draw(sides),
        leverage_centi=draw(st.integers(1, sku.max_leverage * 100)),
        margin_micro=draw(micro),
        notional_micro=draw(st.integers(sku.min_notional_micro, sku.max_notional_micro)),
        distance_ppm=draw(st.integers(nearest, 2 * PPM) | st.integers(nearest, 10**11)),
    )


some_sku = shipped | skus()
offered = some_sku.flatmap(lambda sku: st.tuples(st.just(sku), within(sku)))
sold_by_us = shipped.flatmap(lambda sku: st.tuples(st.just(sku), within(sku)))


def cost(sku: Sku, facts: Facts, volatility: Volatility, at: datetime) -> float:
    """The premium; what is refused as too dear or too risky costs more than any premium."""
    try:
        return price(sku, facts, volatility, at).premium
    except NotInsurable as error:
        assert error.refusal.code in (WhyNot.TOO_RISKY, WhyNot.NOT_WORTH_IT, WhyNot.TOO_CLOSE)
        return float("inf")
