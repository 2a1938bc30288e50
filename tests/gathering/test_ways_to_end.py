"""Every way in which a position can end at the exchange, with rows that come late and in another order: the
verdict may be late, and is never wrong."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.sandbox.okx_accounts import Books
from tests.gathering.desk import BTC, PAYOUT, Cover, Desk

Way = Callable[[Books, str], object]


def after_funding(rate: str, px: int) -> list[Way]:
    return [lambda books, _: books.fund(BTC, rate), lambda books, _: books.move_mark(BTC, px)]


def liquidated(**how: object) -> Way:
    return lambda books, uid: books.liquidate(uid, BTC, **how)  # type: ignore[arg-type]


def in_part(contracts: int, fills: int = 1) -> Way:
    return lambda books, uid: books.liquidate_partly(uid, BTC, contracts=contracts, fills=fills)


def deleveraged(contracts: int | None = None) -> Way:
    return lambda books, uid: books.deleverage(uid, BTC, contracts=contracts)


def opened(contracts: int, lever: int) -> Way:
    return lambda books, uid: books.open_position(uid, BTC, contracts=contracts, lever=lever)


def closed(books: Books, uid: str) -> object:
    return books.close_position(uid, BTC)


def falls_to(px: int) -> Way:
    return lambda books, _: books.move_mark(BTC, px)


# What happens to a long of 7 contracts at 20 times, opened at 59,868 with its liquidation at 57,131.6, two
# minutes between the steps; and why nothing is owed, or the share of how many contracts is.
WAYS: dict[str, tuple[list[Way], str | int]] = {
    "liquidated in three fills": ([liquidated(fills=3)], 7),
    "the price fell far past it": ([liquidated(px=50_000, fills=2)], 7),
    "nearer after funding was paid": (after_funding("0.0008", 57_100), 7),
    "farther after funding came in": (after_funding("-0.0008", 57_000), 7),
    "in part, then wholly": ([in_part(2, 2), liquidated()], 7),
    "in part, then closed by hand": ([in_part(2), closed], 2),
    "deleveraged in part, then liquidated": ([deleveraged(1), liquidated()], 6),
    "margin was added": (
        [lambda books, uid: books.add_margin(uid, BTC, 30), falls_to(50_000)],
        7,
    ),
    "a clawback in between": ([lambda books, uid: books.claw_back(uid, BTC, amount=3), liquidated()], 7),
    "deleveraged": ([deleveraged()], "AUTO_DELEVERAGED"),
    "closed a moment before": ([closed, falls_to(55_000)], "CLOSED_BY_OWNER"),
    "closed, opened again, liquidated": ([closed, opened(7, 20), liquidated()], "CLOSED_BY_OWNER"),
    "leverage was raised": (
        [lambda books, uid: books.set_leverage(uid, BTC, 60), falls_to(59_000)],
        "SHORT_OF_PRICE",
    ),
    "margin was withdrawn": (
        [lambda books, uid: books.remove_margin(uid, BTC, 100), falls_to(58_400)],
        "SHORT_OF_PRICE",
    ),
    "size was added": ([opened(20, 100), falls_to(58_000)], "SHORT_OF_PRICE"),
}


async def seen(desk: Desk, cover: Cover) -> tuple[ClaimStatus, int, str | None]:
    """Where the claim stands once it has been asked about."""
    await desk.ask_soon(cover)
    await desk.gather()
    claim = await desk.claim(cover)
    return claim.status, claim.amount or 0, claim.reason_code


@pytest.mark.parametrize("way", WAYS)
async def test_the_verdict_is_what_happened_whenever_the_rows_come(desk: Desk, way: str) -> None:
    steps, owed = WAYS[way]
    cover = await desk.cover()
    assert cover.position.pos == 7
    desk.exchange.faults.delay("", 20, spread=400)
    for step in steps:
        desk.clock.advance(minutes=2)
        step(desk.exchange.books, cover.uid)
    await desk.open(cover)
    before = [await seen(desk, cover)]
    for _ in range(2):
        desk.clock.advance(seconds=150)
        before.append(await seen(desk, cover))
    desk.clock.advance(seconds=150)
    status, amount, reason = await seen(desk, cover)
    if isinstance(owed, str):
        assert (status, amount, reason) == (ClaimStatus.NOT_COVERED, 0, owed)
    else:
        assert (status, amount) == (ClaimStatus.PAYABLE, int(PAYOUT * Decimal(owed) / 7))
    for early, amount_then, reason_then in before:
        assert early in (ClaimStatus.GATHERING, ClaimStatus.PAYABLE, status)
        assert amount_then <= amount
        assert reason_then in (None, reason)
