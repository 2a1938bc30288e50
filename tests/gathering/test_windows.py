"""What the exchange shows only so long is read from its archive; what it shows no more is for an operator."""

from datetime import timedelta

import msgspec

from liqpass.claims.policy import CURRENT
from liqpass.claims.states import ClaimStatus
from liqpass.gathering import asking
from liqpass.gathering.troubles import Trouble
from tests.gathering.desk import BTC, PAYOUT, Desk

FOUND = ["OPEN", "GATHERING", "PAYABLE"]
WINDOW = timedelta(seconds=CURRENT.claim_window_sec)


async def test_after_eight_days_the_archive_shows_what_the_recent_endpoints_do_not(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    desk.clock.advance(days=8)
    await desk.open(cover)
    await desk.gather()
    recent = await desk.evidence(cover, "/orders-history")
    assert [msgspec.json.decode(row.body)["data"] for row in recent] == [[]]
    assert await desk.moves(cover) == FOUND
    assert (await desk.claim(cover)).amount == PAYOUT
    ends = {row.endpoint.rsplit("/", 1)[-1] for row in await desk.evidence(cover)}
    assert ends >= {"orders-history-archive", "bills-archive", "fills-history"}


async def test_before_a_window_is_over_the_archive_is_not_asked(desk: Desk) -> None:
    cover = await desk.cover(hours=24 * 30)
    desk.clock.advance(days=2)
    await desk.open(cover)
    await desk.gather()
    assert await desk.evidence(cover, "fills-history") == []
    desk.clock.advance(days=2)
    await desk.ask_soon(cover)
    await desk.gather()
    assert len(await desk.evidence(cover, "fills-history")) == 1
    assert await desk.evidence(cover, "orders-history-archive") == []


async def test_what_is_still_not_shown_when_the_claim_window_is_over_is_for_an_operator(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    desk.exchange.faults.hide(cover.position.pos_id, path="positions-history")
    await desk.open(cover)
    await desk.gather()
    desk.clock.now = cover.end_at + WINDOW - timedelta(minutes=1)
    await desk.gather()
    assert await desk.status(cover) is ClaimStatus.GATHERING
    desk.clock.advance(minutes=1)
    await desk.gather()
    last = (await desk.history(cover))[-1]
    assert (last.to_status, last.reason, last.actor) == (ClaimStatus.IN_REVIEW, "WINDOW_CLOSED", "CLOCK")
    assert (await desk.claim(cover)).ask_at is None


async def test_a_claim_that_was_opened_at_the_last_moment_has_a_day(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    desk.exchange.faults.hide(cover.position.pos_id, path="positions-history")
    desk.clock.now = cover.end_at + WINDOW - timedelta(minutes=1)
    await desk.open(cover)
    await desk.gather_for(hours=23)
    assert await desk.status(cover) is ClaimStatus.GATHERING
    desk.exchange.faults.heal()
    await desk.gather_for(hours=1)
    assert await desk.moves(cover) == FOUND


async def test_evidence_that_comes_in_review_takes_a_claim_on_and_the_lack_of_it_does_not(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    desk.exchange.faults.hide(cover.position.pos_id, path="positions-history")
    await desk.open(cover)
    await desk.gather()
    desk.clock.now = cover.end_at + WINDOW
    await desk.gather()
    await desk.ask_soon(cover)
    desk.clock.advance(minutes=1)
    await desk.gather()
    assert await desk.moves(cover) == ["OPEN", "GATHERING", "IN_REVIEW"]
    desk.exchange.faults.heal()
    await desk.ask_soon(cover)
    await desk.gather()
    assert (await desk.moves(cover))[2:] == ["IN_REVIEW", "GATHERING", "PAYABLE"]


async def test_what_no_archive_shows_any_more_is_told(desk: Desk) -> None:
    cover = await desk.cover(hours=24 * 100)
    desk.clock.advance(days=91)
    await desk.open(cover)
    await desk.gather()
    assert (await desk.claim(cover)).trouble == Trouble.OUT_OF_REACH


async def test_a_position_that_nobody_touched_for_long_is_as_much_in_reach_as_any(desk: Desk) -> None:
    desk.clock.advance(days=100)
    cover = await desk.cover(hours=24 * 30)
    await desk.open(cover)
    await desk.gather_for(hours=30)
    claim = await desk.claim(cover)
    assert (claim.status, claim.trouble, claim.missing) == (ClaimStatus.GATHERING, None, ["EPISODE_RUNS"])
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather()
    assert await desk.moves(cover) == FOUND


async def test_more_pages_than_are_read_are_told(desk: Desk) -> None:
    cover = await desk.cover()
    row = {"ordId": "9" * 19, "cTime": str(cover.position.u_time_ms + 1)}
    page = {"code": "0", "msg": "", "data": [row | {"ordId": str(10**18 - n)} for n in range(100)]}
    other = {"code": "0", "msg": "", "data": [row | {"ordId": str(10**18 - 100 - n)} for n in range(100)]}
    for _ in range(asking.MOST_PAGES // 2):
        desk.exchange.faults.answer(msgspec.json.encode(page), path="trade/orders-history", count=1)
        desk.exchange.faults.answer(msgspec.json.encode(other), path="trade/orders-history", count=1)
    await desk.open(cover)
    await desk.gather()
    assert (await desk.claim(cover)).trouble == Trouble.TOO_MANY_PAGES
    assert len(await desk.evidence(cover, "positions")) == 1
