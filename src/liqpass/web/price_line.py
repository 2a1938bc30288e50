"""The prices that decide a claim, on one line drawn to scale; higher is further right. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from liqpass.exchange.records import Side

ENDS = 8
"""Percent of the line that stay free at each end."""
DIGITS = 200
"""An exchange's prices have up to 40 on either side of the point."""


@dataclass(frozen=True)
class Mark:
    """One price. `name`: liquidation, bound, entry or trigger; `place`: percent from the left."""

    name: str
    price: Decimal
    place: str


@dataclass(frozen=True)
class PriceLine:
    """`marks` from the lowest price on. `covered_from` and `covered_width`: the stretch, in percent, on which
    the price that set a liquidation off has to be. `is_funded`: the bound counts the funding in."""

    side: Side
    marks: Sequence[Mark]
    covered_from: str
    covered_width: str
    is_funded: bool

    def price(self, name: str) -> Decimal | None:
        """Of the mark of this name; None where it is not known."""
        return next((mark.price for mark in self.marks if mark.name == name), None)


def price_line(side: Side, prices: Mapping[str, Decimal | None], *, is_funded: bool) -> PriceLine | None:
    """Of the prices that are known, by their name; None without a bound, which is what the line is for."""
    known = sorted((price, name) for name, price in prices.items() if price is not None)
    bound = prices.get("bound")
    if bound is None:
        return None
    low, high = known[0][0], known[-1][0]

    def place(price: Decimal) -> Decimal:
        if low == high:
            return Decimal(50)
        with localcontext(prec=DIGITS):
            return ENDS + (100 - 2 * ENDS) * (price - low) / (high - low)

    at = place(bound)
    return PriceLine(
        side=side,
        marks=[Mark(name, price, _percent(place(price))) for price, name in known],
        covered_from=_percent(Decimal() if side == "long" else at),
        covered_width=_percent(at if side == "long" else 100 - at),
        is_funded=is_funded,
    )


def _percent(share: Decimal) -> str:
    return f"{share:.2f}%"
