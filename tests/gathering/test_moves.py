"""What evidence does to a claim: it moves by what is shown, and by nothing else."""

from datetime import timedelta

import msgspec
import pytest

from liqpass.claims.case import Missing, Outcome, Reason
from liqpass.claims.policy import CURRENT
from liqpass.claims.states import ClaimStatus
from liqpass.exchange.pace import BILLS, ORDERS_HISTORY, POSITIONS_HISTORY
from tests.gathering.desk import BTC, PAYOUT, Cover, Desk

FOUND = ["OPEN", "GATHERING", "PAYABLE"]


async def liquidated(desk: Desk) -> Cover:
    """Wholly, an hour after its cover began; its claim is open."""
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.open(cover)
    return cover


async def test_a_liquidation_is_payable_at_once_when_the_exchange_shows_all_of_it(desk: Desk) -> None:
    cover = await liquidated(desk)
    at = desk.clock()
    await desk.gather()
    claim, verdict = await desk.claim(cover), await desk.verdict(cover)
    assert await desk.moves(cover) == FOUND
    assert (claim.amount, claim.reason_code, claim.missing) == (verdict.amount, None, [])
    assert claim.amount == PAYOUT
    assert (claim.liquidated_at, claim.trigger_px) == (at, verdict.trigger_px)
    assert (claim.episode_over, claim.verdict_seq, claim.trouble) == (True, 1, None)
    details = msgspec.json.decode((await desk.history(cover))[-1].details)
    assert (details["amount"], details["policyVersion"]) == (str(PAYOUT), "2026-11-29")
    assert claim.bundle_sha256 is not None
    assert details["bundleSha256"] == "0x" + claim.bundle_sha256.hex()


async def test_nothing_moves_and_nothing_is_written_without_new_evidence(desk: Desk) -> None:
    cover = await liquidated(desk)
    await desk.gather()
    moves, evidence = await desk.moves(cover), await desk.evidence(cover)
    for _ in range(5):
        desk.clock.advance(minutes=7)
        await desk.ask_soon(cover)
        assert await desk.gather() == 1
    assert (await desk.claim(cover)).verdict_seq == 1
    assert (await desk.moves(cover), await desk.evidence(cover)) == (moves, evidence)


@pytest.mark.parametrize("late", [POSITIONS_HISTORY, ORDERS_HISTORY, BILLS])
async def test_rows_that_come_minutes_later_at_one_endpoint_are_waited_for(desk: Desk, late: str) -> None:
    desk.exchange.faults.delay(late.removeprefix("/api/v5"), 400)
    cover = await liquidated(desk)
    await desk.gather_for(minutes=5)
    assert await desk.status(cover) in (ClaimStatus.GATHERING, ClaimStatus.PAYABLE)
    await desk.gather_for(minutes=10)
    assert await desk.moves(cover) == FOUND
    assert (await desk.claim(cover)).amount == PAYOUT


async def test_what_waits_for_an_endpoint_says_so(desk: Desk) -> None:
    desk.exchange.faults.delay("/account/positions-history", 400)
    cover = await liquidated(desk)
    await desk.gather()
    claim = await desk.claim(cover)
    assert (claim.status, claim.missing) == (ClaimStatus.GATHERING, [Missing.HISTORY_ROW])
    assert claim.ask_at is not None
    assert claim.ask_at - desk.clock() <= timedelta(seconds=4)


async def test_the_order_in_which_endpoints_show_it_changes_nothing(desk: Desk) -> None:
    amounts = []
    ways = {"reads one": ("/account/bills", "orders-history"), "reads three": ("positions-history", "bills")}
    for owner, (label, endpoints) in enumerate(ways.items(), 1):
        cover = await desk.cover(label, owner=owner)
        desk.clock.advance(minutes=1)
        for seconds, endpoint in enumerate(endpoints, 1):
            desk.exchange.faults.delay(endpoint, seconds * 60)
        desk.exchange.books.liquidate(cover.uid, BTC)
        await desk.open(cover)
        await desk.gather_for(minutes=10)
        desk.exchange.faults.heal()
        amounts.append((await desk.claim(cover)).amount)
        assert (await desk.moves(cover))[-1] == "PAYABLE"
    assert amounts == [PAYOUT, PAYOUT]


async def test_closed_by_its_owner_is_not_covered(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.close_position(cover.uid, BTC)
    await desk.open(cover)
    await desk.gather_for(minutes=5)
    claim = await desk.claim(cover)
    assert (claim.status, claim.reason_code) == (ClaimStatus.NOT_COVERED, Reason.CLOSED_BY_OWNER)
    assert (await desk.history(cover))[-1].reason == "CLOSED_BY_OWNER"


async def test_a_position_that_runs_is_not_asked_about_before_the_covers_end(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather()
    claim = await desk.claim(cover)
    assert (claim.status, claim.missing) == (ClaimStatus.GATHERING, [Missing.EPISODE_RUNS])
    assert claim.ask_at == cover.end_at + timedelta(seconds=CURRENT.settle_after_end_sec)
    await desk.gather_for(hours=23)
    assert (await desk.claim(cover)).asked == 1


async def test_a_position_that_outlives_its_cover_is_not_covered(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather_for(hours=25)
    claim = await desk.claim(cover)
    assert (claim.status, claim.reason_code) == (ClaimStatus.NOT_COVERED, Reason.NOT_LIQUIDATED)
    assert claim.ask_at is None or claim.ask_at > desk.clock()


async def test_a_change_that_watching_sees_has_the_exchange_asked_again(desk: Desk) -> None:
    cover = await desk.cover()
    await desk.open(cover)
    await desk.gather()
    desk.clock.advance(hours=2)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather()
    assert await desk.moves(cover) == FOUND
    assert (await desk.claim(cover)).verdict_seq == 2


async def test_a_part_is_payable_when_it_is_shown_and_the_rest_when_that_is(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    half = cover.position.pos / 2
    desk.exchange.books.liquidate_partly(cover.uid, BTC, contracts=str(half))
    await desk.open(cover)
    await desk.gather_for(minutes=2)
    part = await desk.claim(cover)
    assert (part.status, part.episode_over) == (ClaimStatus.PAYABLE, False)
    assert part.amount is not None
    assert part.amount <= PAYOUT // 2
    desk.clock.advance(hours=3)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(minutes=2)
    whole = await desk.claim(cover)
    assert (whole.status, whole.episode_over) == (ClaimStatus.PAYABLE, True)
    assert whole.amount is not None
    assert part.amount < whole.amount <= PAYOUT
    assert (await desk.moves(cover))[-3:] == ["PAYABLE", "GATHERING", "PAYABLE"]


async def test_the_penalty_that_a_verdict_knows_is_no_change_any_more(desk: Desk) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate_partly(cover.uid, BTC, contracts="2")
    await desk.open(cover)
    await desk.gather()
    assert (await desk.verdict(cover)).outcome is Outcome.PAYABLE
    known = await desk.value("select penalty from watched_covers where order_id = $1", cover.order_id)
    (history,) = await desk.evidence(cover, "positions-history")
    (row,) = msgspec.json.decode(history.body)["data"]
    assert float(known) == float(row["liqPenalty"]) < 0
