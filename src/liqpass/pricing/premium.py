"""The price, a pure function of product and position, in integers: premiums round up, payouts down.

What went in is stored with the order, so that any price can be computed again (`price` of the stored
facts and the product of the stored version gives the stored price).
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from liqpass.exchange.records import Position
from liqpass.money import MICRO, ceil_div, usd
from liqpass.positions.refusals import Refusal, WhyNot
from liqpass.pricing.skus import Band, Products, Sku

BPS = 10_000
# The distance of a position of leverage L is 1 / L less the maintenance margin of 0.4 %; 0.2 % more is left
# for fees and for what the price moves between opening a position and insuring it.
MAINTENANCE_BPS = 60
STABLE_COINS = ("USDT", "USDC")


class Facts(msgspec.Struct, frozen=True):
    """What a price depends on. Leverage in hundredths, money in micro-USD, distance of the mark price to
    the liquidation price in basis points of the mark price."""

    leverage_centi: int
    margin_micro: int
    notional_micro: int
    distance_bps: int


class Price(msgspec.Struct, frozen=True):
    """Premium and payout in micro-USDC."""

    premium: int
    payout: int


class NotInsurable(Exception):  # noqa: N818
    """A position cannot be covered; the exception's text is the refusal's words."""

    def __init__(self, code: WhyNot, words: str, **values: str | int) -> None:
        super().__init__(words)
        self.refusal = Refusal(code, words, values)


def facts_of(position: Position) -> Facts:
    """What is known of a position, in integers. Raises NotInsurable when something needed is missing."""
    if position.closed:
        raise NotInsurable(WhyNot.POSITION_CLOSED, "The position is closed.")
    if position.inst_type != "SWAP":
        raise NotInsurable(WhyNot.NOT_A_SWAP, "Only perpetual swaps are covered.")
    if position.ccy not in STABLE_COINS:
        raise NotInsurable(
            WhyNot.MARGIN_NOT_STABLE,
            f"Its margin is in {position.ccy}; covered are margins in USDT and USDC.",
            ccy=position.ccy,
        )
    if position.mgn_mode != "isolated":
        raise NotInsurable(
            WhyNot.CROSS_MARGIN,
            "It is in cross margin: its liquidation depends on the rest of the account. "
            "Covered are isolated positions.",
        )
    if position.biz_ref_type:
        raise NotInsurable(WhyNot.TRIAL_MONEY, "It is held with OKX's trial money, not with its owner's.")
    lever, margin, notional = position.lever, position.margin, position.notional_usd
    if not lever or not margin or not notional or lever <= 0 or margin <= 0 or notional <= 0:
        raise NotInsurable(
            WhyNot.DETAILS_MISSING, "The exchange does not show its leverage, margin or value."
        )
    distance_bps = position.distance_bps
    if distance_bps is None:
        raise NotInsurable(WhyNot.NO_LIQUIDATION_PRICE, "The exchange shows no liquidation price for it.")
    return Facts(
        leverage_centi=_integer(lever * 100, ROUND_CEILING),
        margin_micro=_integer(margin * MICRO, ROUND_FLOOR),
        notional_micro=_integer(notional * MICRO, ROUND_CEILING),
        distance_bps=distance_bps,
    )


def price(sku: Sku, facts: Facts) -> Price:
    """premium = max(floor, payout × p × (1 + load) + fee), payout = min(margin × ratio, cap).

    Raises NotInsurable when the position is outside the product's limits, or would not be worth its premium.
    """
    _refuse_outside_limits(sku, facts)
    band = _band(sku, facts)
    payout = min(facts.margin_micro * band.payout_ratio_bps // BPS, sku.payout_cap_micro)
    risk = ceil_div(payout * band.probability_bps * (BPS + sku.load_bps), BPS * BPS)
    premium = max(sku.floor_micro, risk + sku.fee_micro)
    if premium >= payout:
        raise NotInsurable(
            WhyNot.NOT_WORTH_IT,
            "Its margin is too small, or it is too risky: the premium would exceed the payout.",
        )
    return Price(premium=premium, payout=payout)


def refusal(products: Products, position: Position, sku_id: str | None) -> Refusal | None:
    """Why the product (None: every product) does not take the position; None when it does.

    Raises Problem SKU_NOT_FOUND.
    """
    candidates = products.sku if sku_id is None else [products.get(sku_id)]
    reasons = []
    for sku in candidates:
        try:
            price(sku, facts_of(position))
        except NotInsurable as error:
            reasons.append(error.refusal)
        else:
            return None
    return reasons[0]


def _refuse_outside_limits(sku: Sku, facts: Facts) -> None:
    if facts.leverage_centi > sku.max_leverage * 100:
        raise NotInsurable(
            WhyNot.LEVERAGE_TOO_HIGH,
            f"Its leverage is over {sku.max_leverage}, the limit of this product.",
            limit=sku.max_leverage,
        )
    if facts.notional_micro < sku.min_notional_micro:
        raise NotInsurable(
            WhyNot.TOO_SMALL,
            f"It is smaller than {sku.min_notional_micro // MICRO} USD.",
            limitUsd=usd(sku.min_notional_micro),
        )
    if facts.notional_micro > sku.max_notional_micro:
        raise NotInsurable(
            WhyNot.TOO_LARGE,
            f"It is larger than {sku.max_notional_micro // MICRO} USD.",
            limitUsd=usd(sku.max_notional_micro),
        )
    if facts.distance_bps < sku.min_distance_bps:
        raise NotInsurable(
            WhyNot.TOO_CLOSE,
            f"It is too close to its liquidation price: within {sku.min_distance_bps} basis points.",
            limitBps=sku.min_distance_bps,
        )


def _band(sku: Sku, facts: Facts) -> Band:
    """By leverage or by distance, whichever is worse: what the owner has set says little once the price has
    moved, and a position near its liquidation price is as one of high leverage."""
    implied_centi = ceil_div(100 * BPS, facts.distance_bps + MAINTENANCE_BPS)
    worse = max(facts.leverage_centi, implied_centi)
    for band in sku.bands:
        if worse <= band.up_to_leverage * 100:
            return band
    raise NotInsurable(
        WhyNot.TOO_CLOSE,
        "It is too close to its liquidation price for this product.",
        limitBps=ceil_div(BPS, sku.bands[-1].up_to_leverage) - MAINTENANCE_BPS,
    )


def _integer(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding=rounding))
