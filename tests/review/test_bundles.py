"""The document from which anybody can compute a verdict again."""

import json
from hashlib import sha256

import aiohttp

from liqpass.claims import bundle
from liqpass.sandbox.trader import Trader
from tests.claims.claimed import step
from tests.flows.newcomers import newcomer, refusal_of
from tests.review.conftest import ADMIN, CLAIMS, Office


async def document(trader: Trader, path: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with trader.http.get(trader.api + path) as answer:
        assert answer.status == 200
        return answer, await answer.read()


async def test_the_bundle_is_what_its_hash_is_of_and_gives_the_verdict_again(office: Office) -> None:
    claim_id = (await office.open())["claimId"]
    assert await refusal_of(office.trader, "GET", f"{CLAIMS}/{claim_id}/bundle") == (404, "BUNDLE_NOT_FOUND")
    await step(office.world, "gather evidence")
    claim = await office.claim(claim_id)
    answer, content = await document(office.trader, f"{CLAIMS}/{claim_id}/bundle")
    assert claim["bundleSha256"] == f"0x{sha256(content).hexdigest()}"
    assert answer.content_type == "application/json"
    assert f'filename="liqpass-claim-{claim_id}.json"' in answer.headers["Content-Disposition"]
    assert json.loads(content)["case"]["order"]["purchaseOrderId"] == office.order["purchaseOrderId"]
    assert bundle.replayed(content).same
    assert (await document(office.ada, f"{ADMIN}/{claim_id}/bundle"))[1] == content


async def test_nobody_else_is_given_it(office: Office) -> None:
    claim_id = (await office.open())["claimId"]
    await step(office.world, "gather evidence")
    async with newcomer(office.world) as other:
        path = f"{CLAIMS}/{claim_id}/bundle"
        assert await other.refusal("GET", path) == (404, "CLAIM_NOT_FOUND")
        assert await other.refusal("GET", f"{ADMIN}/{claim_id}/bundle") == (404, "NOT_FOUND")
