"""What is truly owed for a cover, from what happened to its position and nothing that anybody was told.

Nothing of the product is used here, and no row of the exchange: `parts` is what was done to the position,
with what it cost its owner by the exchange's own books.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from liqpass.sandbox.okx_margin import Position

MICRO = 10**6


@dataclass(frozen=True)
class Part:
    """One liquidation by the exchange: `contracts` at a moment, with a loss in USDT. `at_insured_price`:
    the market came to the price that was insured; else it was the owner who let it be nearer."""

    at: datetime
    contracts: Decimal
    loss: Decimal
    at_insured_price: bool


@dataclass
class Cover:
    """One order. `contracts` is what was insured of `position`, an episode at the exchange. `shown`: some key
    shows the exchange's books of it before the claim window is over. `way`: what will happen to it."""

    ref: bytes = field(repr=False)
    user: bytes = field(repr=False)
    uid: str
    position: Position = field(repr=False)
    contracts: Decimal
    payout: int
    start: datetime
    end: datetime
    way: str = ""
    parts: list[Part] = field(default_factory=list)
    shown: bool = True

    def happened_inside(self) -> list[Part]:
        """Liquidations that were insured: the start is inside, the end is not."""
        return [part for part in self.parts if part.at_insured_price and self.start <= part.at < self.end]

    def owed(self) -> int:
        """Micro-USDC: the payout by the share that was liquidated, at most what was lost in it."""
        if not (parts := self.happened_inside()):
            return 0
        liquidated = sum((Fraction(part.contracts) for part in parts), Fraction(0))
        share = min(Fraction(1), liquidated / Fraction(self.contracts))
        lost = max(Fraction(0), sum((Fraction(part.loss) for part in parts), Fraction(0))) * MICRO
        return int(min(self.payout * share, lost))

    def to_be_paid(self) -> int:
        """What comes of it: what nobody can show any more is not paid."""
        return self.owed() if self.shown else 0


def paid_in_all(covers: Iterable[Cover]) -> Counter[bytes]:
    """What each wallet has to have received in the end."""
    found: Counter[bytes] = Counter()
    for cover in covers:
        found[cover.user] += cover.to_be_paid()
    return +found
