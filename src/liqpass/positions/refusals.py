"""Why a position cannot be covered: by code for programs and for other languages, in words for its owner."""

from enum import StrEnum

import msgspec

from liqpass.exchange.rows import Unread
from liqpass.problems import Problem

Values = dict[str, str | int]


class WhyNot(StrEnum):
    """What stands against cover. In brackets: the values that come with it."""

    POSITION_CLOSED = "POSITION_CLOSED"
    """It is open no more."""
    NOT_A_SWAP = "NOT_A_SWAP"
    """It is no perpetual swap."""
    MARGIN_NOT_STABLE = "MARGIN_NOT_STABLE"
    """Its margin is in a currency whose price moves {ccy}."""
    CROSS_MARGIN = "CROSS_MARGIN"
    """The rest of the account decides when it is liquidated."""
    TRIAL_MONEY = "TRIAL_MONEY"
    """Not its owner's money is at stake, but the exchange's."""
    DETAILS_MISSING = "DETAILS_MISSING"
    """The exchange shows no leverage, margin or value."""
    NO_LIQUIDATION_PRICE = "NO_LIQUIDATION_PRICE"
    """The exchange shows no price at which it would be liquidated."""
    LEVERAGE_TOO_HIGH = "LEVERAGE_TOO_HIGH"
    """Above what the product takes {limit: times}."""
    TOO_SMALL = "TOO_SMALL"
    """Its value is below what the product takes {limitUsd}."""
    TOO_LARGE = "TOO_LARGE"
    """Its value is above what the product takes {limitUsd}."""
    TOO_CLOSE = "TOO_CLOSE"
    """Nearer to liquidation than the product takes {limitBps: basis points of the mark price}."""
    TOO_RISKY = "TOO_RISKY"
    """More likely to be liquidated than the product takes {chancePpm, limitBps}."""
    NOT_WORTH_IT = "NOT_WORTH_IT"
    """The premium would be too large a share of the payout {limitBps}."""
    PRICE_UNAVAILABLE = "PRICE_UNAVAILABLE"
    """How much its instrument moves is not known from what was read within the hour."""
    DEMO_TRADING = "DEMO_TRADING"
    """It is in demo trading, where nothing is lost."""
    UNREADABLE = "UNREADABLE"
    """What the exchange says of it cannot be read with certainty {field}."""
    SHOWN_TWICE = "SHOWN_TWICE"
    """The exchange says two different things of it."""
    CAPACITY_EXHAUSTED = "CAPACITY_EXHAUSTED"
    """The product takes it, but its payout is more than a limit leaves {limit: CAPITAL, DIRECTION,
    INSTRUMENT, ACCOUNT or WALLET; roomUsd, and the same as freeUsd}; told in quotes only."""
    SALE_STOPPED = "SALE_STOPPED"
    """No cover of its direction is sold at present {direction: long or short; until: a time, or empty while
    nobody knows}; told in quotes only."""


class Refusal(msgspec.Struct, frozen=True):
    """A reason with its English words and the values that are in them, for words in other languages."""

    code: WhyNot
    words: str
    values: Values = {}


def unread_refusal(of: Unread) -> Refusal:
    """Why nothing can be said of this position. It stands in nobody else's way."""
    if of.field is None:
        return Refusal(WhyNot.SHOWN_TWICE, "OKX says two different things of it, so that neither is certain.")
    words = f"What OKX says of it cannot be read with certainty: its field {of.field} is not as we know it."
    return Refusal(WhyNot.UNREADABLE, words, {"field": of.field})


def not_insurable(refusal: Refusal, field: str) -> Problem:
    """Problem POSITION_NOT_INSURABLE about `field`; PRICE_UNAVAILABLE where nothing is wrong with the
    position: its price is not known now, and a little later it may be."""
    if refusal.code == WhyNot.PRICE_UNAVAILABLE:
        return Problem("PRICE_UNAVAILABLE", refusal.words, field=field)
    return Problem(
        "POSITION_NOT_INSURABLE",
        refusal.words,
        field=field,
        reasonCode=refusal.code,
        reasonValues=refusal.values,
    )
