"""The exchange's own answers are kept as they came, each with its request, its time and its hash."""

import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import msgspec

from liqpass.claims import bundle
from liqpass.claims.states import ClaimStatus
from tests.gathering.desk import BTC, Desk

ASKED = {
    "/api/v5/account/positions",
    "/api/v5/account/positions-history",
    "/api/v5/account/bills",
    "/api/v5/trade/orders-history",
    "/api/v5/trade/fills",
    "/api/v5/public/instruments",
}


async def test_a_claim_is_asked_about_at_every_endpoint_that_shows_a_liquidation(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    desk.exchange.books.liquidate(cover.uid, BTC)
    assert await desk.gather() == 1
    assert {row.endpoint for row in await desk.evidence(cover)} == ASKED
    bills = [parse_qs(urlsplit(row.request).query) for row in await desk.evidence(cover, "/bills")]
    assert [bill["type"] for bill in bills] == [["2"], ["5"], ["9"]]
    since = str(cover.position.u_time_ms)
    assert {bill["begin"][0] for bill in bills} == {since}, "since the priced position changed last"
    (history,) = await desk.evidence(cover, "positions-history")
    assert parse_qs(urlsplit(history.request).query)["posId"] == [cover.position.pos_id]


async def test_an_answer_is_kept_with_its_bytes_its_time_and_the_clock_of_the_exchange(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    desk.exchange.books.liquidate(cover.uid, BTC)
    desk.exchange.faults.skew_clock(4)
    asked_at = desk.clock()
    await desk.gather()
    (history,) = await desk.evidence(cover, "positions-history")
    (row,) = msgspec.json.decode(history.body)["data"]
    assert (row["posId"], row["type"]) == (cover.position.pos_id, "3")
    assert history.body_sha256 == hashlib.sha256(history.body).digest()
    assert (history.http_status, history.exchange_uid) == (200, cover.uid)
    assert (history.asked_at, history.clock_offset_ms) == (asked_at, 4000)


async def test_the_same_answer_is_not_kept_twice(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.gather()
    kept = await desk.evidence(cover)
    desk.clock.advance(minutes=1)
    await desk.ask_soon(cover)
    assert await desk.gather() == 1
    assert await desk.evidence(cover) == kept


async def test_what_the_exchange_says_after_the_covers_end_is_kept_though_it_says_the_same(
    desk: Desk,
) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather()
    kept = await desk.evidence(cover, "/positions")
    desk.clock.now = cover.end_at + timedelta(minutes=2)
    await desk.ask_soon(cover)
    await desk.gather()
    before, after = await desk.evidence(cover, "/positions")
    assert [before] == kept
    assert before.body_sha256 == after.body_sha256
    assert after.asked_at > cover.end_at


async def test_two_hundred_and_fifty_orders_are_read_over_three_pages(desk: Desk) -> None:
    cover = await desk.cover()
    for _ in range(248):
        desk.exchange.books.open_position(cover.uid, BTC, contracts="0.1", lever=20)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.open(cover)
    await desk.gather()
    pages = await desk.evidence(cover, "orders-history")
    orders = [row["ordId"] for page in pages for row in msgspec.json.decode(page.body)["data"]]
    assert [len(msgspec.json.decode(page.body)["data"]) for page in pages] == [100, 100, 50]
    assert len(set(orders)) == 250
    assert len(await desk.evidence(cover, "/fills")) == 3
    assert (await desk.claim(cover)).trouble is None


async def test_the_claim_says_what_moved_it(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather()
    assert (await desk.moves(cover))[:2] == [ClaimStatus.OPEN, ClaimStatus.GATHERING]


async def test_bytes_that_are_no_text_are_kept_as_they_came(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    odd = b'{"code":"0","msg":"","data":[{"posId":"\xff"}]}'
    desk.exchange.faults.answer(odd, path="positions-history", count=1)
    await desk.gather()
    assert [row.body for row in await desk.evidence(cover, "positions-history")] == [odd]
    assert bundle.replayed(await desk.bundle(cover)).same


async def test_the_bundle_is_rebuilt_from_the_rows_byte_for_byte(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.gather()
    claim, made = await desk.claim(cover), await desk.bundle(cover)
    assert hashlib.sha256(made).digest() == claim.bundle_sha256
    assert bundle.replayed(made).same


async def test_the_bundle_of_a_verdict_stays_the_same_while_more_is_kept(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather()
    made = await desk.bundle(cover)
    desk.exchange.books.move_mark(BTC, 59990)
    desk.clock.advance(minutes=1)
    await desk.ask_soon(cover)
    await desk.gather()
    assert len(await desk.evidence(cover, "/positions")) == 2
    assert (await desk.claim(cover)).verdict_seq == 1
    assert await desk.bundle(cover) == made
