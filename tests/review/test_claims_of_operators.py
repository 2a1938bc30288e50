"""/api/admin/claims: the queue, one claim, approving and refusing; nothing for anybody else."""

from uuid import uuid4

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.hexes import checksum
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import refusal_of
from tests.flows.test_admin import METHODS, answer
from tests.review.conftest import ADMIN, STRANGER, Office, bring

S = ClaimStatus
WAITING = f"{ADMIN}?status=PAYABLE&status=IN_REVIEW"


@pytest.mark.parametrize("signed_in", [True, False])
async def test_for_others_there_is_nothing_whatever_they_ask(office: Office, signed_in: bool) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    async with Trader(office.world.api, STRANGER) as stranger:
        if signed_in:
            await stranger.sign_in()
        for method in METHODS:
            nothing = await answer(stranger, method, "/api/admin/nothing")
            assert nothing[0] == 404
            for path in (ADMIN, f"{ADMIN}/{claim_id}", f"{ADMIN}/{claim_id}/approve", f"{ADMIN}/x/refuse"):
                assert await answer(stranger, method, path) == nothing, (method, path)


async def test_the_queue_shows_whose_claims_wait_for_an_operator(own_office: Office) -> None:
    office = own_office
    claim_id = await office.claim_in(S.GATHERING)
    assert await office.ada.call("GET", WAITING) == {"claims": [], "next": None}
    (all_,) = (await office.ada.call("GET", ADMIN))["claims"]
    assert (all_["claimId"], all_["status"]) == (claim_id, "GATHERING")
    assert all_["owner"] == checksum(office.trader.wallet.address) == all_["recipient"]
    await bring(office.world.db, office.world.clock(), claim_id, (S.PAYABLE,))
    (waiting,) = (await office.ada.call("GET", WAITING))["claims"]
    assert (waiting["claimId"], waiting["status"]) == (claim_id, "PAYABLE")


async def test_one_claim_has_its_verdict_and_what_was_gathered(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    claim = await office.ada.call("GET", f"{ADMIN}/{claim_id}")
    assert claim["verdict"]["outcome"] == "PAYABLE"
    assert (claim["approvals"], claim["evidence"], claim["namesNeeded"]) == ([], [], 1)
    for unknown in (uuid4(), "none"):
        assert await refusal_of(office.ada, "GET", f"{ADMIN}/{unknown}") == (404, "CLAIM_NOT_FOUND")
