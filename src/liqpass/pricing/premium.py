"""The price, a pure function of product, position, volatility and time, in integers: premiums round up,
payouts down, both to whole cents.

What went in is stored with the order, so that any price can be computed again (`price` of what is stored
and the product of the stored version gives the stored price).
"""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

import msgspec

from liqpass.exchange.records import Position
from liqpass.market.volatility import Volatility
from liqpass.market.week import milli_hours
from liqpass.money import MICRO, ceil_div, usd
from liqpass.positions.refusals import Refusal, WhyNot
from liqpass.pricing.model import BPS, PPM, chance_ppm
from liqpass.pricing.skus import Products, Sku

CENT = 10_000
STABLE_COINS = ("USDT", "USDC")


class Facts(msgspec.Struct, frozen=True):
    """What of a position a price depends on. Leverage in hundredths, money in micro-USD, distance of the mark
    price to the liquidation price in millionths of the mark price."""

    side: Literal["long", "short"]
    leverage_centi: int
    margin_micro: int
    notional_micro: int
    distance_ppm: int


class Price(msgspec.Struct, frozen=True):
    """Premium and payout in micro-USDC, and how probable the payout is, in millionths."""

    premium: int
    payout: int
    chance_ppm: int


class MadeOf(msgspec.Struct, frozen=True):
    """What a premium is made of, in whole cents of micro-USDC that add up to it.

    `risk`: payout × chance, what such a cover costs on average; `load`: what is added to it for
    capital, and for what the model does not know; `fee`: for handling it; `least`: what is missing to the
    smallest premium.
    """

    payout: int
    chance_ppm: int
    risk: int
    load: int
    fee: int
    least: int

    @property
    def premium(self) -> int:
        """All of it."""
        return self.risk + self.load + self.fee + self.least


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
    distance_ppm = position.distance_ppm
    if distance_ppm is None:
        raise NotInsurable(WhyNot.NO_LIQUIDATION_PRICE, "The exchange shows no liquidation price for it.")
    return Facts(
        side=position.side,
        leverage_centi=_integer(lever * 100, ROUND_CEILING),
        margin_micro=_integer(margin * MICRO, ROUND_FLOOR),
        notional_micro=_integer(notional * MICRO, ROUND_CEILING),
        distance_ppm=distance_ppm,
    )


def price(sku: Sku, facts: Facts, volatility: Volatility | None, at: datetime) -> Price:
    """premium = max(floor, payout × chance × (1 + load) + fee), payout = min(margin × ratio, cap).

    Raises NotInsurable when the position is outside the product's limits, when it is too risky or would not
    be worth its premium, and PRICE_UNAVAILABLE without a volatility.
    """
    _refuse_outside_limits(sku, facts)
    if volatility is None:
        raise NotInsurable(
            WhyNot.PRICE_UNAVAILABLE,
            "Its price is not known at present: what OKX showed within the hour does not say how much this "
            "instrument moves. Try again in a minute; one that was listed less than two weeks ago, or is not "
            "listed any more, has none.",
        )
    chance = chance_ppm(
        sku.model,
        side=facts.side,
        distance_ppm=facts.distance_ppm,
        short_e12=volatility.short_e12,
        long_e12=volatility.long_e12,
        milli_hours=milli_hours(at, sku.delay_sec + sku.duration_sec),
    )
    if chance > sku.most_chance_bps * (PPM // BPS):
        raise NotInsurable(
            WhyNot.TOO_RISKY,
            "It is too likely to be liquidated within this cover: a chance of "
            f"{ceil_div(chance, 1_000) / 10:.1f} %, and {_percent(sku.most_chance_bps)} % is the most that "
            "is covered.",
            chancePpm=chance,
            limitBps=sku.most_chance_bps,
        )
    payout = min(facts.margin_micro * sku.payout_ratio_bps // BPS, sku.payout_cap_micro) // CENT * CENT
    premium = _parts(sku, payout, chance).premium
    if premium * BPS > payout * sku.most_premium_bps:
        raise NotInsurable(
            WhyNot.NOT_WORTH_IT,
            "Its margin is too small, or it is too risky: the premium would be more than "
            f"{_percent(sku.most_premium_bps)} % of the payout.",
            limitBps=sku.most_premium_bps,
        )
    return Price(premium=premium, payout=payout, chance_ppm=chance)


def made_of(sku: Sku, price: Price) -> MadeOf:
    """A price's premium in its parts; the product is that of the version with which it was priced."""
    return _parts(sku, price.payout, price.chance_ppm)


def _parts(sku: Sku, payout: int, chance: int) -> MadeOf:
    # each part is what a sum of one part more has more of whole cents: so they add up, and none is below zero
    risk = ceil_div(payout * chance, PPM * CENT) * CENT
    loaded = ceil_div(payout * chance * (BPS + sku.load_bps), PPM * BPS * CENT) * CENT
    asked = (
        ceil_div(payout * chance * (BPS + sku.load_bps) + sku.fee_micro * PPM * BPS, PPM * BPS * CENT) * CENT
    )
    premium = max(asked, ceil_div(sku.floor_micro, CENT) * CENT)
    return MadeOf(payout, chance, risk, loaded - risk, asked - loaded, premium - asked)


def refusal(
    products: Products, position: Position, sku_id: str | None, volatility: Volatility | None, at: datetime
) -> Refusal | None:
    """Why the product (None: every product) does not take the position; None when it does.

    Of several reasons the first product's, but one that passes by itself comes before the others. Raises
    Problem SKU_NOT_FOUND.
    """
    candidates = products.sku if sku_id is None else [products.get(sku_id)]
    reasons = []
    for sku in candidates:
        try:
            price(sku, facts_of(position), volatility, at)
        except NotInsurable as error:
            reasons.append(error.refusal)
        else:
            return None
    passing = (reason for reason in reasons if reason.code == WhyNot.PRICE_UNAVAILABLE)
    return next(passing, reasons[0])


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
            f"It is smaller than {usd(sku.min_notional_micro)} USD.",
            limitUsd=usd(sku.min_notional_micro),
        )
    if facts.notional_micro > sku.max_notional_micro:
        raise NotInsurable(
            WhyNot.TOO_LARGE,
            f"It is larger than {usd(sku.max_notional_micro)} USD.",
            limitUsd=usd(sku.max_notional_micro),
        )
    if facts.distance_ppm < sku.min_distance_bps * (PPM // BPS):
        raise NotInsurable(
            WhyNot.TOO_CLOSE,
            f"It is too close to its liquidation price: within {sku.min_distance_bps} basis points.",
            limitBps=sku.min_distance_bps,
        )


def _integer(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding=rounding))


def _percent(bps: int) -> str:
    return f"{bps / 100:.2f}".rstrip("0").rstrip(".")
