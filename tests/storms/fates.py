"""What happens to insured positions at the exchange: every way in which one ends, or does not.

A fate gives moments and what is done then, and writes into the cover what is true of it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_margin import Position
from tests.storms.truth import Cover, Part

MS = timedelta(milliseconds=1)
Doing = tuple[datetime, Callable[[], None]]
Fate = Callable[["Hands", Cover, random.Random], Iterator[Doing]]


@dataclass
class Hands:
    """What the exchange, the market and the owner do to a cover's position, now."""

    books: Books

    def where(self, cover: Cover) -> dict[str, Any]:
        """The slot, as the controls of the exchange name it."""
        return {
            "uid": cover.uid,
            "inst_id": cover.position.instrument.inst_id,
            "pos_side": cover.position.pos_side,
        }

    def liquidated(
        self,
        cover: Cover,
        contracts: Decimal | None = None,
        *,
        at_insured_price: bool = True,
        fills: int = 1,
        px: Decimal | None = None,
    ) -> None:
        """By the exchange, at its liquidation price or further on; wholly or in part."""
        before = _stands(cover.position)
        if contracts is None:
            self.books.liquidate(**self.where(cover), fills=fills, px=px)
        else:
            self.books.liquidate_partly(**self.where(cover), contracts=contracts, fills=fills, px=px)
        closed, loss = (after - was for after, was in zip(_stands(cover.position), before, strict=True))
        now = datetime.fromtimestamp(cover.position.u_time_ms / 1000, cover.start.tzinfo)
        cover.parts.append(Part(now, closed, loss, at_insured_price))

    def deleveraged(self, cover: Cover) -> None:
        """By the exchange, because another's liquidation found nobody else."""
        self.books.deleverage(**self.where(cover))

    def closed(self, cover: Cover, contracts: Decimal | None = None) -> None:
        """By its owner."""
        self.books.close_position(**self.where(cover), contracts=contracts)

    def leverage_doubled(self, cover: Cover) -> None:
        self.books.set_leverage(**self.where(cover), lever=2 * cover.position.lever)

    def margin_moved(self, cover: Cover, part: str) -> None:
        """So much of it is added, or withdrawn where it is below zero."""
        change = cover.position.margin * Decimal(part)
        move = self.books.add_margin if change > 0 else self.books.remove_margin
        move(**self.where(cover), amount=abs(change))

    def opened(self, cover: Cover, contracts: Decimal, *, lever_times: int = 1) -> None:
        """In the same slot: more of it, or a new episode with the same posId."""
        position = cover.position
        self.books.open_position(
            cover.uid,
            position.instrument.inst_id,
            side="long" if position.sign > 0 else "short",
            contracts=contracts,
            lever=position.lever * lever_times,
        )

    def liquidated_another(self, cover: Cover) -> None:
        """What stands in the slot now, which is not what was insured."""
        self.books.liquidate(**self.where(cover))


def _stands(position: Position) -> tuple[Decimal, Decimal]:
    """How much is closed, and what was lost so far."""
    return position.closed_contracts, -(position.pnl + position.fee + position.liq_penalty)


def sometime(cover: Cover, draw: random.Random, part: float = 0.0, of: float = 1.0) -> datetime:
    """A moment of the cover, in whole milliseconds, between two parts of it."""
    length = cover.end - cover.start
    return cover.start + (length * (part + (of - part) * draw.uniform(0.02, 0.98))) // MS * MS


def some(cover: Cover, draw: random.Random) -> Decimal:
    """Fewer contracts than there are."""
    return Decimal(draw.randrange(1, int(cover.contracts)))


# What is insured ----------------------------------------------------------------------------------------


def liquidated(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw), lambda: hands.liquidated(cover)


def in_two_parts(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k = some(cover, draw)
    yield sometime(cover, draw, 0, 0.5), lambda: hands.liquidated(cover, k)
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover)


def in_two_parts_of_one_moment(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k, at = some(cover, draw), sometime(cover, draw)
    yield at, lambda: hands.liquidated(cover, k)
    yield at, lambda: hands.liquidated(cover)


def in_several_fills(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw), lambda: hands.liquidated(cover, fills=3)


def with_more_margin(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """It was held longer than insured."""
    yield sometime(cover, draw, 0, 0.5), lambda: hands.margin_moved(cover, "0.3")
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover)


def in_part_then_deleveraged(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k = some(cover, draw)
    yield sometime(cover, draw, 0, 0.5), lambda: hands.liquidated(cover, k)
    yield sometime(cover, draw, 0.5), lambda: hands.deleveraged(cover)


def in_part_then_closed(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """The last type that is shown is 2."""
    k, at = some(cover, draw), sometime(cover, draw, 0, 0.9)
    yield at, lambda: hands.liquidated(cover, k)
    yield at + timedelta(seconds=draw.randrange(1, 1_000)), lambda: hands.closed(cover)


def in_part_and_alive(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k = some(cover, draw)
    yield sometime(cover, draw), lambda: hands.liquidated(cover, k)


def closed_in_part_then_liquidated(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k = some(cover, draw)
    yield sometime(cover, draw, 0, 0.5), lambda: hands.closed(cover, k)
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover)


def in_the_first_moment(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield cover.start, lambda: hands.liquidated(cover)


def in_the_last_moment(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield cover.end - MS, lambda: hands.liquidated(cover)


def liquidated_and_opened_again(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """And the second one, with the same posId, is liquidated too."""
    at = sometime(cover, draw, 0, 0.8)
    yield at, lambda: hands.liquidated(cover)
    yield at + timedelta(minutes=1), lambda: hands.opened(cover, cover.contracts)
    yield at + timedelta(minutes=50), lambda: hands.liquidated_another(cover)


def in_part_before_it_begins(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """Then the rest of it inside."""
    k = some(cover, draw)
    yield cover.start - MS, lambda: hands.liquidated(cover, k)
    yield sometime(cover, draw), lambda: hands.liquidated(cover)


def in_part_then_after_the_end(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    k = some(cover, draw)
    yield sometime(cover, draw), lambda: hands.liquidated(cover, k)
    yield cover.end + timedelta(seconds=draw.randrange(0, 3_000)), lambda: hands.liquidated(cover)


# What is not --------------------------------------------------------------------------------------------


def closed(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw), lambda: hands.closed(cover)


def deleveraged(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw), lambda: hands.deleveraged(cover)


def with_more_leverage(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw, 0, 0.5), lambda: hands.leverage_doubled(cover)
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover, at_insured_price=False)


def with_less_margin(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield sometime(cover, draw, 0, 0.5), lambda: hands.margin_moved(cover, "-0.3")
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover, at_insured_price=False)


def with_more_contracts(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """With so little margin that all of it is liquidated sooner."""
    yield sometime(cover, draw, 0, 0.5), lambda: hands.opened(cover, cover.contracts, lever_times=4)
    yield sometime(cover, draw, 0.5), lambda: hands.liquidated(cover, at_insured_price=False)


def opened_again_then_liquidated(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    """It was closed by hand; what is liquidated has its posId and another cTime."""
    at = sometime(cover, draw, 0, 0.8)
    yield at, lambda: hands.closed(cover)
    yield at + timedelta(seconds=1), lambda: hands.opened(cover, cover.contracts)
    yield at + timedelta(minutes=30), lambda: hands.liquidated_another(cover)


def before_it_begins(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield cover.start - MS, lambda: hands.liquidated(cover)


def as_it_ends(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield cover.end, lambda: hands.liquidated(cover)


def after_the_end(hands: Hands, cover: Cover, draw: random.Random) -> Iterator[Doing]:
    yield cover.end + timedelta(minutes=draw.randrange(1, 50)), lambda: hands.liquidated(cover)


WHOLE: list[Fate] = [
    liquidated,
    in_several_fills,
    with_more_margin,
    in_the_first_moment,
    in_the_last_moment,
    liquidated_and_opened_again,
    closed,
    deleveraged,
    with_more_leverage,
    with_less_margin,
    with_more_contracts,
    opened_again_then_liquidated,
    before_it_begins,
    as_it_ends,
    after_the_end,
]
"""They end at once, so funding moves the liquidation price of each as it moves what is insured."""
IN_PARTS: list[Fate] = [
    in_two_parts,
    in_two_parts_of_one_moment,
    in_part_then_closed,
    in_part_then_deleveraged,
    in_part_and_alive,
    closed_in_part_then_liquidated,
    in_part_before_it_begins,
    in_part_then_after_the_end,
]
