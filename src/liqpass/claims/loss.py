"""How much is owed for what was liquidated: the payout by its share, and never more than was lost.

What was changed after pricing cannot raise it: where size was added, the loss is at most what the priced
contracts would have lost from the price at which they were held then.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import msgspec

from liqpass.claims.facts import By, PricedPosition, Standing
from liqpass.claims.flow import Trade
from liqpass.money import MICRO


class Owed(msgspec.Struct, frozen=True):
    """`amount` in micro-USDC. `share`: how much of the priced position was liquidated, at most 1. `loss` in
    the settlement coin, never below zero."""

    amount: int
    share: Fraction
    loss: Fraction


class Unpriced(Exception):  # noqa: N818
    """What was lost cannot be said: a price, a profit or a fee is not shown."""


class ContractValueUnknown(Exception):  # noqa: N818
    """What was lost cannot be said without what a contract is worth."""


def owed(
    payout: int,
    priced: PricedPosition,
    counted: Sequence[Trade],
    trades: Sequence[Trade],
    standings: Sequence[Standing],
    contract_value: Fraction | None,
) -> Owed:
    """For the liquidation orders that count (`counted`), of all that was traded; both in the order of time.
    `standings`: how it stood since pricing, in the order of time.

    Raises Unpriced, ContractValueUnknown.
    """
    contracts = _size(counted)
    share = min(Fraction(1), contracts / priced.contracts)
    parts = [trade for trade in trades if trade.by is By.LIQUIDATION]
    penalty = _penalty(parts, counted, [priced.standing, *standings])
    loss = -sum((_realized(part) for part in counted), Fraction()) - penalty
    if any(trade.opens for trade in trades):
        loss = min(loss, _loss_as_priced(priced, counted, penalty / contracts, contract_value))
    loss = max(Fraction(0), loss)
    micro = min(payout * share, loss * MICRO)
    return Owed(micro.numerator // micro.denominator, share, loss)


def _penalty(parts: Sequence[Trade], counted: Sequence[Trade], standings: Sequence[Standing]) -> Fraction:
    """What the exchange took for those that count, zero or less.

    It shows one sum. What that moved by between two standings was taken for the parts between them, so what
    was taken for one that does not count is none of the loss; where both are between, it is shared out by
    contracts. What moved without a part belongs to those before it.
    """
    groups: list[tuple[list[Trade], Fraction]] = [([], Fraction())]
    left = list(parts)
    for before, after in pairwise(standings):
        new = [part for part in left if part.at_ms <= after.at_ms]
        left = left[len(new) :]
        moved = after.penalty - before.penalty
        if new and groups[-1][0]:
            groups.append((new, moved))
        else:
            groups[-1] = (groups[-1][0] + new, groups[-1][1] + moved)
    shares = [
        moved * _size(part for part in group if part in counted) / _size(group)
        for group, moved in groups
        if group
    ]
    return sum(shares, Fraction())


def _size(parts: Iterable[Trade]) -> Fraction:
    return sum((part.contracts for part in parts), Fraction())


def _realized(part: Trade) -> Fraction:
    if part.pnl is None or part.fee is None:
        raise Unpriced
    return part.pnl + part.fee


def _loss_as_priced(
    priced: PricedPosition,
    counted: Sequence[Trade],
    penalty_each: Fraction,
    contract_value: Fraction | None,
) -> Fraction:
    """What the priced contracts would have lost in these liquidations, the first ones first."""
    if contract_value is None:
        raise ContractValueUnknown
    left, loss = priced.contracts, Fraction()
    for part in counted:
        size = min(left, part.contracts)
        left -= size
        if part.px is None or part.fee is None:
            raise Unpriced
        fallen = priced.entry_px - part.px if priced.direction == "long" else part.px - priced.entry_px
        loss += size * (fallen * contract_value - part.fee / part.contracts - penalty_each)
    return loss
