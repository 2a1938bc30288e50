"""What stands in the way of an answer is told, and waited out: it decides nothing."""

from datetime import timedelta

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.exchange.errors import error_for
from liqpass.gathering.troubles import Trouble
from liqpass.sandbox.okx_margin import Key
from liqpass.vault import api_accounts
from liqpass.vault.cipher import KeyRing
from tests.gathering.desk import BTC, PAYOUT, Cover, Desk

FOUND = ["OPEN", "GATHERING", "PAYABLE"]


async def liquidated(desk: Desk) -> Cover:
    """Wholly, an hour after its cover began; its claim is open."""
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.open(cover)
    return cover


def second_key(desk: Desk, cover: Cover, **more: str) -> Key:
    """Another one of the same account."""
    return desk.exchange.books.add_key(cover.uid, label="second", **more)


async def test_a_key_that_was_deleted_at_the_exchange_leaves_it_to_another_one_of_the_account(
    desk: Desk,
) -> None:
    cover = await liquidated(desk)
    account = await desk.hand_over(cover.user, second_key(desk, cover))
    desk.exchange.books.delete_key(desk.key().api_key)
    await desk.gather()
    assert await desk.moves(cover) == FOUND
    assert {row.api_account_id for row in await desk.evidence(cover)} == {account}
    assert (await desk.claim(cover)).trouble is None


async def test_a_key_that_its_owner_revoked_here_leaves_it_to_another_one_of_the_account(desk: Desk) -> None:
    cover = await liquidated(desk)
    await desk.hand_over(cover.user, second_key(desk, cover))
    first = await desk.value("select api_account_id from insured_bindings where user_id = $1", cover.user)
    await desk.db.run(lambda conn: api_accounts.revoke(conn, desk.clock(), cover.user, first))
    await desk.gather()
    assert await desk.moves(cover) == FOUND


async def test_the_key_of_another_user_shows_nothing_of_a_claim(desk: Desk) -> None:
    cover = await liquidated(desk)
    await desk.hand_over(b"\x09" * 20, second_key(desk, cover))
    desk.exchange.books.delete_key(desk.key().api_key)
    await desk.gather()
    assert (await desk.evidence(cover), (await desk.claim(cover)).trouble) == (
        [],
        error_for("50119").message_for_user,
    )


async def test_a_claim_without_a_key_waits_for_one_and_goes_on_as_soon_as_it_is_given(desk: Desk) -> None:
    cover = await liquidated(desk)
    first = await desk.value("select api_account_id from insured_bindings where user_id = $1", cover.user)
    await desk.db.run(lambda conn: api_accounts.revoke(conn, desk.clock(), cover.user, first))
    await desk.gather_for(hours=20)
    claim = await desk.claim(cover)
    assert (claim.status, claim.trouble) == (ClaimStatus.GATHERING, Trouble.NO_KEY)
    assert claim.ask_at is not None
    assert claim.ask_at > desk.clock()
    desk.clock.advance(seconds=1)
    await desk.hand_over(cover.user, second_key(desk, cover))
    assert await desk.gather() == 1
    assert await desk.moves(cover) == FOUND
    assert (await desk.claim(cover)).trouble is None


async def test_a_key_that_is_bound_to_another_address_says_so_until_one_is_not(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.key().ip = "203.0.113.7"
    await desk.gather()
    assert (await desk.claim(cover)).trouble == error_for("50110").message_for_user
    desk.clock.advance(seconds=1)
    await desk.hand_over(cover.user, second_key(desk, cover))
    await desk.gather()
    assert await desk.moves(cover) == FOUND


async def test_an_exchange_that_is_down_for_an_hour_delays_a_claim_by_minutes_more(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.exchange.faults.outage(3600)
    await desk.gather_for(minutes=59)
    claim = await desk.claim(cover)
    assert (claim.status, claim.trouble) == (ClaimStatus.GATHERING, Trouble.UNANSWERED)
    assert await desk.evidence(cover) == []
    await desk.gather_for(minutes=6)
    assert await desk.moves(cover) == FOUND
    assert (await desk.claim(cover)).amount == PAYOUT


@pytest.mark.parametrize("path", ["positions-history", "orders-history", "bills", "fills", "instruments"])
async def test_one_endpoint_that_fails_keeps_none_of_the_others(desk: Desk, path: str) -> None:
    cover = await liquidated(desk)
    desk.exchange.faults.fail("50026", status=500, path=path)
    await desk.gather()
    assert (await desk.claim(cover)).trouble == Trouble.UNANSWERED
    assert len({row.endpoint for row in await desk.evidence(cover)}) == 5
    desk.exchange.faults.heal()
    await desk.gather_for(minutes=1)
    claim = await desk.claim(cover)
    assert (claim.status, claim.amount, claim.trouble) == (ClaimStatus.PAYABLE, PAYOUT, None)


async def test_what_was_answered_before_it_failed_is_kept(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.exchange.faults.html(path="bills")
    desk.exchange.faults.html(path="fills")
    await desk.gather()
    kept = {row.endpoint.rsplit("/", 1)[-1] for row in await desk.evidence(cover)}
    assert kept == {"positions", "positions-history", "orders-history"}


async def test_a_vault_that_does_not_open_is_told_and_decides_nothing(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.keyring, right = KeyRing({"k1": bytes(32)}), desk.keyring
    await desk.gather()
    assert ((await desk.claim(cover)).trouble, await desk.evidence(cover)) == (Trouble.VAULT, [])
    desk.keyring = right
    desk.clock.advance(minutes=1)
    await desk.gather()
    assert await desk.moves(cover) == FOUND


async def test_pauses_grow_from_seconds_over_minutes_to_hours(desk: Desk) -> None:
    cover = await liquidated(desk)
    desk.exchange.faults.hide(cover.position.pos_id, path="positions-history")
    pauses = []
    for _ in range(18):
        await desk.gather()
        claim = await desk.claim(cover)
        assert claim.ask_at is not None
        pauses.append(claim.ask_at - desk.clock())
        desk.clock.now = claim.ask_at
    assert pauses[:3] == [timedelta(seconds=seconds) for seconds in (2, 4, 8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=6)


async def test_a_claim_that_cannot_be_judged_is_told_keeps_its_evidence_and_holds_up_no_other(
    desk: Desk,
) -> None:
    cover = await desk.cover(policy="of the year 3000")
    other = await desk.cover("reads three", owner=2)
    for each in (cover, other):
        desk.exchange.books.liquidate(each.uid, BTC)
        await desk.open(each)
    await desk.gather()
    claim = await desk.claim(cover)
    assert (claim.trouble, claim.asked, claim.verdict_seq) == (Trouble.FAULT, 1, 0)
    assert claim.ask_at is not None
    assert claim.ask_at > desk.clock()
    assert len(await desk.evidence(cover)) == 8
    assert await desk.moves(other) == FOUND


async def test_what_a_contract_is_worth_is_asked_for_again_when_the_answer_did_not_have_it(
    desk: Desk,
) -> None:
    cover = await desk.cover()
    desk.clock.advance(hours=1)
    desk.exchange.books.fund(BTC, "0.005")
    desk.exchange.books.liquidate(cover.uid, BTC)
    await desk.open(cover)
    desk.exchange.faults.answer('{"code":"0","data":[],"msg":""}', path="public/instruments")
    await desk.gather()
    assert (await desk.claim(cover)).missing == ["CONTRACT_VALUE"]
    desk.exchange.faults.heal()
    await desk.gather_for(minutes=1)
    assert await desk.moves(cover) == FOUND
