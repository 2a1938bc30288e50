"""What the policy approves by itself: nothing unless it is set, and nothing above what it is set to."""

from pathlib import Path

from liqpass.claims.states import ClaimStatus
from liqpass.sandbox.chain import USDC
from tests.claims.claimed import step
from tests.review.conftest import Office, bureau, covered_office

S = ClaimStatus


async def test_nothing_is_approved_by_itself_unless_that_is_set(office: Office) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=1)
    await step(office.world, "approve by policy")
    assert (await office.claim(claim_id))["status"] == "PAYABLE"


async def test_up_to_its_limit_the_policy_approves_what_a_verdict_says_and_nothing_else(
    server_url: str, template: str, tmp_path: Path
) -> None:
    async with bureau(server_url, template, tmp_path, LIQPASS_CLAIM_AUTO_UP_TO="30") as of:
        ways = [(S.PAYABLE, 30 * USDC), (S.PAYABLE, 30 * USDC + 1), (S.IN_REVIEW, 1), (S.GATHERING, 1)]
        found = []
        for status, amount in ways:
            async with covered_office(of) as office:
                claim_id = await office.claim_in(status, amount=amount)
                await step(of.world, "approve by policy")
                claim = await office.claim(claim_id)
                found.append((claim["status"], len(await office.payouts())))
                last = (claim["history"][-1]["actor"], claim["history"][-1]["toStatus"])
                if status is S.PAYABLE and amount == 30 * USDC:
                    assert last == ("POLICY", "APPROVED")
        assert found == [("APPROVED", 1), ("PAYABLE", 0), ("IN_REVIEW", 0), ("GATHERING", 0)]
