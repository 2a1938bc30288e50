"""What was traded in a slot since its position was priced, and whether that explains how the position stands
now. Absence is no proof: only what adds up is taken as all that there was."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from liqpass.claims.facts import By, Facts, Fill, Leg, Order, PricedPosition, Standing

# How far what OKX rounds may be off, a trade, in the settlement coin: a trade that is not shown moves more.
_ROUNDING = Fraction(1, 10_000)
# Order and bill are of one moment; OKX may write the bill a little later than the fill.
_ONE_MOMENT_MS = 1_000


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """All that one order did since pricing. `marks`: the mark prices of its fills. `agrees`: order and bills
    say the same of it."""

    ord_id: str
    by: By
    opens: bool
    contracts: Fraction
    px: Fraction | None
    pnl: Fraction | None
    fee: Fraction | None
    marks: list[Fraction]
    at_ms: int
    agrees: bool


def trades_of(facts: Facts) -> list[Trade]:
    """Everything that was traded in the slot after the position was priced, in the order of time; later
    episodes of the slot are among it."""
    bills, fills = defaultdict[str, list[Leg]](list), defaultdict[str, list[Fill]](list)
    for leg in facts.legs:
        bills[leg.ord_id].append(leg)
    for fill in facts.fills:
        fills[fill.ord_id].append(fill)
    since_ms = facts.priced.standing.at_ms
    made = [
        _of_order(order, bills.pop(name, []), fills[name], since_ms) for name, order in facts.orders.items()
    ]
    without = [_of_bills(found, since_ms) for found in bills.values()]
    trades = [trade for trade in (*made, *without) if trade is not None]
    return sorted(trades, key=lambda trade: (trade.at_ms, trade.ord_id))


def until(trades: Sequence[Trade], priced: PricedPosition, end: Standing) -> list[Trade]:
    """Those of the episode, which has ended: what closed it is of it, what opens the slot again is not. In
    net mode one order may do both, then a part of it is."""
    kept = [trade for trade in trades if trade.at_ms < end.at_ms + (0 if trade.opens else 1)]
    last, before = kept[-1] if kept else None, priced.standing.contracts
    if last is None or before is None or priced.pos_side != "net" or last.by is not By.OWNER:
        return kept
    left = before + _moved(kept[:-1])
    if not 0 < left < last.contracts or last.fee is None or end.fee is None or end.pnl is None:
        return kept
    return [*kept[:-1], replace(last, contracts=left, fee=last.fee * left / last.contracts)]


def _moved(trades: Sequence[Trade]) -> Fraction:
    return sum((trade.contracts if trade.opens else -trade.contracts for trade in trades), Fraction())


def adds_up(before: Standing, trades: Sequence[Trade], now: Standing) -> bool:
    """Whether these trades lead from the one standing to the other: in contracts, and in the profit and the
    fees that the exchange has added up itself. So a pair that is not shown, which opened and closed the same
    size, is noticed by its fees."""
    if any(trade.at_ms > now.at_ms for trade in trades) or before.contracts is None:
        return False
    return (
        before.contracts + _moved(trades) == now.contracts
        and _explained(before.pnl, [trade.pnl for trade in trades], now.pnl)
        and _explained(before.fee, [trade.fee for trade in trades], now.fee)
    )


def _explained(before: Fraction | None, moved: list[Fraction | None], now: Fraction | None) -> bool:
    if before is None or now is None:
        return True
    known = [value for value in moved if value is not None]
    return len(known) == len(moved) and abs(before + sum(known) - now) <= _ROUNDING * (len(moved) + 1)


def _of_order(order: Order, bills: list[Leg], fills: list[Fill], since_ms: int) -> Trade | None:
    legs: list[Fill] = [*bills] or fills
    at_ms = order.at_ms or max((leg.at_ms for leg in legs), default=0)
    if at_ms <= since_ms:
        return None
    after = [leg for leg in legs if leg.at_ms > since_ms]
    px, pnl, fee, contracts = order.px, order.pnl, order.fee, order.contracts
    whole = order.made_at_ms > since_ms
    if after and (not whole or _size(legs) == contracts):
        contracts = _size(after)
        px = _average(after) or px
        pnl, fee = _sum([leg.pnl for leg in after]), _sum([leg.fee for leg in after])
    if pnl is None or fee is None:
        pnl, fee = (order.pnl, order.fee) if contracts == order.contracts else (None, None)
    return Trade(
        ord_id=order.ord_id,
        by=order.by,
        opens=order.opens,
        contracts=contracts,
        px=px,
        pnl=pnl,
        fee=fee,
        marks=_marks([*bills, *fills]),
        at_ms=at_ms,
        agrees=_agree(order, bills, at_ms, whole=whole),
    )


def _agree(order: Order, bills: list[Leg], at_ms: int, *, whole: bool) -> bool:
    if not bills:
        return True
    shown, last_ms = _size(bills), max(bill.at_ms for bill in bills)
    return (
        (shown == order.contracts if whole else shown <= order.contracts)
        and all((bill.by, bill.opens) == (order.by, order.opens) for bill in bills)
        and abs(last_ms - at_ms) <= _ONE_MOMENT_MS
    )


def _of_bills(bills: list[Leg], since_ms: int) -> Trade | None:
    after = [bill for bill in bills if bill.at_ms > since_ms]
    if not after:
        return None
    first = after[0]
    return Trade(
        ord_id=first.ord_id,
        by=first.by,
        opens=first.opens,
        contracts=_size(after),
        px=_average(after),
        pnl=_sum([bill.pnl for bill in after]),
        fee=_sum([bill.fee for bill in after]),
        marks=_marks(after),
        at_ms=max(bill.at_ms for bill in after),
        agrees=all((bill.by, bill.opens) == (first.by, first.opens) for bill in after),
    )


def _size(legs: Sequence[Fill]) -> Fraction:
    return sum((leg.contracts for leg in legs), Fraction())


def _average(legs: Sequence[Fill]) -> Fraction | None:
    value = _sum([None if leg.px is None else leg.px * leg.contracts for leg in legs])
    return None if value is None else value / _size(legs)


def _sum(values: list[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction()) if len(known) == len(values) else None


def _marks(legs: Sequence[Fill]) -> list[Fraction]:
    return sorted({leg.mark_px for leg in legs if leg.mark_px})
