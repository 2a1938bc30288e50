"""What happens when a claim was decided already: approved, paid, refused, objected to."""

from liqpass.claims.case import Reason
from liqpass.claims.states import ClaimStatus
from tests.gathering.desk import BTC, PAYOUT, Cover, Desk


async def half_payable(desk: Desk) -> Cover:
    """Liquidated in part, which is payable; the rest is open."""
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate_partly(cover.uid, BTC, contracts="3")
    await desk.open(cover)
    await desk.gather()
    assert await desk.status(cover) is ClaimStatus.PAYABLE
    return cover


async def test_what_is_seen_before_a_part_is_paid_is_kept_and_decided_on_after(desk: Desk) -> None:
    cover = await half_payable(desk)
    await desk.approve(cover)
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    part, kept = await desk.claim(cover), len(await desk.evidence(cover))
    await desk.gather()
    waiting = await desk.claim(cover)
    assert (waiting.status, waiting.amount) == (ClaimStatus.APPROVED, part.amount)
    assert (waiting.verdict_seq, waiting.bundle_sha256) == (part.verdict_seq, part.bundle_sha256)
    assert len(await desk.evidence(cover)) > kept
    desk.exchange.books.delete_key(desk.key().api_key)
    await desk.pay(cover)
    await desk.gather_for(minutes=40)
    whole = await desk.claim(cover)
    assert (await desk.moves(cover))[-4:] == ["APPROVED", "PAID", "GATHERING", "PAYABLE"]
    assert whole.amount is not None
    assert part.amount is not None
    assert whole.approved_amount == part.amount < whole.amount <= PAYOUT


async def test_a_batched_claim_waits_until_it_is_paid(desk: Desk) -> None:
    cover = await half_payable(desk)
    await desk.approve(cover)
    await desk.move(cover, ClaimStatus.BATCHED)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(hours=1)
    assert await desk.status(cover) is ClaimStatus.BATCHED


async def test_a_claim_that_is_paid_stays_so_when_the_rest_is_closed_by_its_owner(desk: Desk) -> None:
    cover = await half_payable(desk)
    await desk.approve(cover)
    await desk.pay(cover)
    paid = await desk.claim(cover)
    desk.clock.advance(hours=1)
    desk.exchange.books.close_position(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(minutes=5)
    claim = await desk.claim(cover)
    assert (await desk.moves(cover))[-1] == "PAID"
    assert (claim.status, claim.amount, claim.episode_over) == (ClaimStatus.PAID, paid.amount, True)


async def test_a_paid_claim_is_undecided_while_it_is_unknown_how_the_rest_ended(desk: Desk) -> None:
    cover = await half_payable(desk)
    await desk.approve(cover)
    await desk.pay(cover)
    desk.clock.advance(hours=1)
    for path in ("trade/orders-history", "account/bills"):
        desk.exchange.faults.delay(path, 300)
    desk.exchange.books.close_position(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather()
    assert (await desk.moves(cover))[-2:] == ["PAID", "GATHERING"]
    await desk.gather_for(minutes=10)
    assert (await desk.moves(cover))[-3:] == ["PAID", "GATHERING", "PAID"]
    assert (await desk.history(cover))[-1].reason == "NOTHING_MORE_OWED"


async def test_what_was_refused_stays_so_while_no_more_is_owed(desk: Desk) -> None:
    cover = await half_payable(desk)
    await desk.move(cover, ClaimStatus.REFUSED)
    refused = await desk.claim(cover)
    desk.clock.advance(hours=1)
    desk.exchange.books.close_position(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(hours=1)
    claim = await desk.claim(cover)
    assert (claim.status, claim.amount, claim.episode_over) == (ClaimStatus.REFUSED, refused.amount, True)
    assert (await desk.moves(cover))[-1] == "REFUSED"


async def test_a_part_that_is_liquidated_after_another_was_refused_is_for_the_operators_again(
    desk: Desk,
) -> None:
    cover = await half_payable(desk)
    await desk.move(cover, ClaimStatus.REFUSED)
    refused = await desk.claim(cover)
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(minutes=5)
    claim = await desk.claim(cover)
    assert (await desk.moves(cover))[-3:] == ["REFUSED", "GATHERING", "PAYABLE"]
    assert refused.amount is not None
    assert claim.amount is not None
    assert refused.amount < claim.amount <= PAYOUT


async def test_an_objection_is_left_to_an_operator_until_evidence_shows_that_something_is_owed(
    desk: Desk,
) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.close_position(cover.uid, BTC, contracts="1")
    await desk.open(cover)
    desk.clock.now = cover.end_at
    await desk.gather_for(minutes=10)
    claim = await desk.claim(cover)
    assert (claim.status, claim.reason_code) == (ClaimStatus.NOT_COVERED, Reason.NOT_LIQUIDATED)
    await desk.execute(
        "update claims set objection = 'I was', objected_at = $2 where id = $1", claim.id, desk.clock()
    )
    await desk.move(cover, ClaimStatus.IN_REVIEW)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.ask_soon(cover)
    await desk.gather_for(minutes=10)
    claim = await desk.claim(cover)
    assert (claim.status, claim.reason_code) == (ClaimStatus.IN_REVIEW, Reason.AFTER_END)
