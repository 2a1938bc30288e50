"""Approving and refusing by name: how much, to whom, and by how many."""

import asyncio
from typing import Any

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from tests.claims.claimed import step
from tests.flows.newcomers import refusal_of
from tests.review.conftest import ADA, ADMIN, BOB, CLAIMS, LIMIT, Office, bring

S = ClaimStatus
MICRO = 1
OTHER = checksum(wallet("another wallet of the trader").address)


def owner_of(office: Office) -> str:
    return checksum(office.trader.wallet.address)


async def statuses(office: Office, claim_id: str) -> list[str]:
    return [move["toStatus"] for move in (await office.claim(claim_id))["history"]]


async def test_up_to_the_limit_one_operator_approves_what_the_verdict_says(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=LIMIT)
    done = await office.approve(office.ada, claim_id)
    assert (done["complete"], done["claim"]["status"], done["held"]) == (True, "APPROVED", None)
    assert done["said"].startswith(f"Approved: 50.00 USDC to {owner_of(office)}.")
    assert await office.payouts() == [(owner_of(office), LIMIT, checksum(ADA.address))]
    claim = await office.claim(claim_id)
    last = claim["history"][-1]
    assert (claim["amount"], last["reason"], last["actor"]) == (str(LIMIT), "APPROVED", "OPERATOR")
    assert last["details"] == {
        "amount": str(LIMIT),
        "recipient": owner_of(office),
        "bundleSha256": claim["bundleSha256"],
    }
    # whose word it was is for operators
    assert (last["byName"], done["claim"]["history"][-1]["byName"]) == (None, checksum(ADA.address))


async def test_a_micro_above_the_limit_two_different_operators_approve_the_same(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=LIMIT + MICRO)
    assert (await office.ada.call("GET", f"{ADMIN}/{claim_id}"))["namesNeeded"] == 2
    first = await office.approve(office.ada, claim_id)
    assert (first["complete"], first["claim"]["status"]) == (False, "PAYABLE")
    assert "another operator has to approve the same amount and recipient" in first["said"]
    assert [one["byName"] for one in first["claim"]["approvals"]] == [checksum(ADA.address)]
    again = await office.approve(office.ada, claim_id)
    assert again["said"].startswith("You had approved the same before.")
    assert (again["complete"], len(again["claim"]["approvals"])) == (False, 1)
    assert await office.payouts() == []
    second = await office.approve(office.bob, claim_id)
    assert (second["complete"], second["claim"]["status"]) == (True, "APPROVED")
    names = f"{checksum(ADA.address)} and {checksum(BOB.address)}"
    assert await office.payouts() == [(owner_of(office), LIMIT + MICRO, names)]


async def test_two_who_name_different_amounts_or_recipients_have_not_agreed(office: Office) -> None:
    claim_id = await office.claim_in(S.IN_REVIEW)
    await office.approve(office.ada, claim_id, amount=str(80 * USDC))
    assert not (await office.approve(office.bob, claim_id, amount=str(70 * USDC)))["complete"]
    elsewhere = {"amount": str(80 * USDC), "recipient": OTHER}
    assert not (await office.approve(office.bob, claim_id, **elsewhere))["complete"]
    assert await office.payouts() == []
    # whoever thinks better of it is taken at their last word
    assert (await office.approve(office.ada, claim_id, **elsewhere))["complete"]
    names = f"{checksum(BOB.address)} and {checksum(ADA.address)}"
    assert await office.payouts() == [(OTHER, 80 * USDC, names)]


async def test_what_was_approved_before_new_evidence_came_counts_no_more(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=80 * USDC)
    await office.approve(office.ada, claim_id)
    await bring(office.world.db, office.world.clock(), claim_id, (S.GATHERING, S.PAYABLE), amount=80 * USDC)
    second = await office.approve(office.bob, claim_id)
    assert (second["complete"], len(second["claim"]["approvals"])) == (False, 1)


async def test_less_than_the_verdict_may_be_approved_and_never_more(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=20 * USDC)
    for amount in (str(20 * USDC + MICRO), "0"):
        assert await office.refusal(office.ada, claim_id, amount=amount) == (400, "INVALID_FIELD")
    await office.approve(office.ada, claim_id, amount=str(15 * USDC))
    assert [amount for _, amount, _ in await office.payouts()] == [15 * USDC]


async def test_without_a_verdict_an_amount_is_named_at_most_what_the_order_pays(office: Office) -> None:
    claim_id = await office.claim_in(S.IN_REVIEW)
    assert await office.refusal(office.ada, claim_id) == (400, "INVALID_FIELD")
    too_much = str(office.payout + MICRO)
    assert await office.refusal(office.ada, claim_id, amount=too_much) == (400, "INVALID_FIELD")
    await office.approve(office.ada, claim_id, amount=str(office.payout))
    assert (await office.approve(office.bob, claim_id, amount=str(office.payout)))["complete"]
    assert (await office.claim(claim_id))["amount"] == str(office.payout)


@pytest.mark.parametrize(
    "said",
    [{"reason": ""}, {"reason": " "}, {"reason": "x" * 501}, {"reason": "a zero \x00"}, {"amount": "12.5"},
     {"amount": "-1"}, {"recipient": "0x12"}, {"recipient": OTHER.swapcase()}],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_read_approves_nothing(office: Office, said: dict[str, Any]) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    assert await office.refusal(office.ada, claim_id, **said) == (400, "INVALID_FIELD")
    if "reason" in said:
        refused = await refusal_of(office.ada, "POST", f"{ADMIN}/{claim_id}/refuse", said)
        assert refused == (400, "INVALID_FIELD")
    assert (await office.claim(claim_id))["status"] == "PAYABLE"


async def test_nothing_is_sent_where_it_would_be_lost(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    chain = office.world.chain
    for lost in (chain.treasury, chain.checkout, chain.usdc, bytes(20)):
        refused = await office.refusal(office.ada, claim_id, recipient=checksum(lost))
        assert refused == (400, "INVALID_FIELD")


async def test_nobody_approves_a_payout_to_themselves(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    to_ada = {"recipient": checksum(ADA.address)}
    assert await office.refusal(office.ada, claim_id, **to_ada) == (403, "OWN_CLAIM")
    assert (await office.approve(office.bob, claim_id, **to_ada))["complete"]


@pytest.mark.parametrize("status", [S.OPEN, S.GATHERING, S.NOT_COVERED, S.REFUSED])
async def test_what_is_not_shown_or_was_decided_is_not_approved(office: Office, status: ClaimStatus) -> None:
    claim_id = await office.claim_in(status)
    assert await office.refusal(office.ada, claim_id, amount="1") == (409, "CLAIM_NOT_OPEN")
    body = {"reason": "no"}
    refused = await refusal_of(office.ada, "POST", f"{ADMIN}/{claim_id}/refuse", body)
    assert refused == (409, "CLAIM_NOT_OPEN")


async def test_an_approved_claim_is_not_approved_again(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    await office.approve(office.ada, claim_id)
    assert await office.refusal(office.bob, claim_id) == (409, "CLAIM_NOT_OPEN")


async def test_its_owner_is_told_why_it_was_refused_and_by_no_name(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    body = {"reason": "The account was moved to another owner before the cover began."}
    done = await office.ada.call("POST", f"{ADMIN}/{claim_id}/refuse", body)
    assert (done["claim"]["status"], done["complete"]) == ("REFUSED", True)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["reasonCode"], claim["reason"]) == ("REFUSED", "REFUSED", body["reason"])
    assert checksum(ADA.address) not in str(claim)
    objected = await office.trader.call("POST", f"{CLAIMS}/{claim_id}/objection", {"text": "It was not."})
    assert objected["status"] == "IN_REVIEW"
    assert (await office.approve(office.bob, claim_id, amount=str(20 * USDC)))["complete"]


async def test_a_recipient_that_the_token_refuses_is_told_and_waits_until_it_is_taken(office: Office) -> None:
    chain, claim_id = office.world.chain, await office.claim_in(S.PAYABLE)
    await chain.blacklist(office.trader.wallet.address)
    done = await office.approve(office.ada, claim_id)
    assert (done["complete"], done["held"]["code"]) == (True, "RECIPIENT_BLACKLISTED")
    held = await office.claim(claim_id)
    assert (held["status"], held["heldCode"]) == ("APPROVED", "RECIPIENT_BLACKLISTED")
    assert held["heldReason"]
    await step(office.world, "note what is held")
    assert (await office.claim(claim_id))["heldCode"] == "RECIPIENT_BLACKLISTED"
    await chain.unblacklist(office.trader.wallet.address)
    await step(office.world, "note what is held")
    assert (await office.claim(claim_id))["heldCode"] is None


# Two at once ---------------------------------------------------------------------------------------------


async def at_once(*calls: Any) -> list[str]:
    """What became of calls that are made at the same moment: their codes, "" where all went well."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    return sorted(getattr(one, "code", "") for one in done)


async def test_two_who_approve_at_once_make_one_payout(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    both = await at_once(office.approve(office.ada, claim_id), office.approve(office.bob, claim_id))
    assert both == ["", "CLAIM_NOT_OPEN"]
    assert len(await office.payouts()) == 1


async def test_two_who_are_both_needed_and_approve_at_once_have_both_approved(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=80 * USDC)
    both = await at_once(office.approve(office.ada, claim_id), office.approve(office.bob, claim_id))
    assert both == ["", ""]
    assert [amount for _, amount, _ in await office.payouts()] == [80 * USDC]
    assert (await statuses(office, claim_id))[-1] == "APPROVED"


async def test_one_click_sent_five_times_is_one_approval(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=80 * USDC)
    assert await at_once(*(office.approve(office.ada, claim_id) for _ in range(5))) == [""] * 5
    shown = await office.ada.call("GET", f"{ADMIN}/{claim_id}")
    assert (shown["status"], len(shown["approvals"])) == ("PAYABLE", 1)
    assert (
        await office.world.db.pool.fetchval(
            "select count(*) from claim_approvals where claim_id = $1", claim_id
        )
        == 1
    )


async def test_approved_and_refused_at_once_it_is_one_of_them(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    refuse = office.bob.call("POST", f"{ADMIN}/{claim_id}/refuse", {"reason": "no"})
    assert await at_once(office.approve(office.ada, claim_id), refuse) == ["", "CLAIM_NOT_OPEN"]
    status = (await office.claim(claim_id))["status"]
    assert (status, len(await office.payouts())) in {("APPROVED", 1), ("REFUSED", 0)}


async def test_an_objection_made_twice_at_once_is_made_once(office: Office) -> None:
    claim_id = await office.claim_in(S.NOT_COVERED)
    url = f"{CLAIMS}/{claim_id}/objection"
    object_to = [office.trader.call("POST", url, {"text": f"objection {n}"}) for n in range(2)]
    assert await at_once(*object_to) == ["", "OBJECTION_ALREADY_MADE"]
    assert (await statuses(office, claim_id)).count("IN_REVIEW") == 1


async def test_a_button_pressed_five_times_at_once_opens_one_claim(office: Office) -> None:
    claims = await asyncio.gather(*(office.open() for _ in range(5)))
    assert len({claim["claimId"] for claim in claims}) == 1
    assert await statuses(office, claims[0]["claimId"]) == ["OPEN"]


async def test_who_is_no_operator_approves_nothing(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    async with Trader(office.world.api, wallet("nobody")) as nobody:
        await nobody.sign_in()
        for trader in (nobody, office.trader):
            assert await office.refusal(trader, claim_id) == (404, "NOT_FOUND")
    assert await office.payouts() == []
