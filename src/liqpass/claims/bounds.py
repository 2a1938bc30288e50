"""At what price a liquidation is covered: the priced liquidation price, moved by what funding did since.

OKX takes the funding of an isolated position from its margin and adds it there, so that price moves without
anybody's doing. How far it would have moved for the position as it was priced is not always certain: size
that was added or taken off changes what is paid, and a payment may lie on either side of a liquidation. So
there are two prices: a strict one, with all that is uncertain against the trader, and a lenient one.
"""

from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from itertools import pairwise

import msgspec

from liqpass.claims.facts import PricedPosition, Standing
from liqpass.claims.flow import Trade

_BPS = 10_000


class Reached(Enum):
    """Whether a price was reached."""

    YES = "YES"
    NO = "NO"
    DEPENDS = "DEPENDS"
    """On funding of which we do not know how much the priced position would have paid."""
    NO_CONTRACT_VALUE = "NO_CONTRACT_VALUE"
    """On funding, and what a contract is worth is not known."""


class Funding(msgspec.Struct, frozen=True):
    """What the priced contracts have received since pricing (negative: paid), at least and at most."""

    least: Fraction
    most: Fraction


def funding_until(
    at_ms: int, priced: PricedPosition, points: Sequence[Standing], trades: Sequence[Trade]
) -> Funding:
    """Funding until just before a moment, from all known standings of the episode (`points`, any order)."""
    shown = [point for point in (priced.standing, *points) if point.funding is not None]
    shown.sort(key=lambda point: (point.at_ms, point.read_at_ms))
    least = most = Fraction()
    for before, after in pairwise(shown):
        # How it stood at that very moment it stood after what happened then.
        if (before.at_ms >= at_ms and after.at_ms > at_ms) or before.funding is None or after.funding is None:
            break
        moved = after.funding - before.funding
        sizes = _sizes(priced, trades, before.at_ms, min(after.at_ms, at_ms - 1))
        shares = [moved * priced.contracts / size for size in sizes] or [moved]
        # A payment that was seen only after the moment may have come before it, or not.
        seen_after = after.at_ms > at_ms or (after.at_ms == before.at_ms and after.read_at_ms > at_ms)
        shares += [Fraction()] if seen_after else []
        least, most = least + min(shares), most + max(shares)
    return Funding(least, most)


def bound(
    priced: PricedPosition, funding: Fraction, contract_value: Fraction | None, tolerance_bps: int
) -> Fraction | None:
    """The price at which a liquidation is covered; None where that depends on what a contract is worth."""
    if funding and contract_value is None:
        return None
    moved = funding / (priced.contracts * contract_value) if funding and contract_value else Fraction()
    nearer = priced.liq_px * tolerance_bps / _BPS - moved
    return priced.liq_px + nearer if priced.direction == "long" else priced.liq_px - nearer


def reached(
    trigger: Fraction,
    priced: PricedPosition,
    funding: Funding,
    contract_value: Fraction | None,
    tolerance_bps: int,
) -> Reached:
    """Whether a price is at the bound or past it."""

    def past(moved: Fraction) -> bool | None:
        px = bound(priced, moved, contract_value, tolerance_bps)
        if px is not None:
            return trigger <= px if priced.direction == "long" else trigger >= px
        # Funding that was paid only brings the bound nearer, what was received moves it away.
        without = past(Fraction())
        return without if without is (moved < 0) else None

    answers = {past(funding.least), past(funding.most)}
    if None in answers:
        return Reached.NO_CONTRACT_VALUE
    return Reached.DEPENDS if len(answers) > 1 else Reached.YES if answers.pop() else Reached.NO


def _sizes(priced: PricedPosition, trades: Sequence[Trade], from_ms: int, to_ms: int) -> set[Fraction]:
    """How large the position was between two moments, both included."""
    size, sizes = priced.contracts, set[Fraction]()
    for trade in trades:
        if trade.at_ms > to_ms:
            break
        if trade.at_ms > from_ms:
            sizes.add(size)
        size += trade.contracts if trade.opens else -trade.contracts
    return {one for one in (*sizes, size) if one > 0}
