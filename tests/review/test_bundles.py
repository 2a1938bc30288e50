"""The document from which anybody can compute a verdict again."""

import json
from hashlib import sha256

import aiohttp

from liqpass.claims import bundle
from liqpass.sandbox.trader import Trader
from tests.claims.claimed import step
from tests.flows.newcomers import INST, newcomer, refusal_of
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


async def test_an_earlier_verdict_has_its_bundle_still(office: Office) -> None:
    claim_id = (await office.open())["claimId"]
    await step(office.world, "gather evidence")
    path = f"{CLAIMS}/{claim_id}/bundle"
    _, first = await document(office.trader, path)
    office.world.exchange.books.close_position(office.newcomer.okx.uid, INST)
    office.world.clock.advance(minutes=1)
    await office.open()
    await step(office.world, "gather evidence")
    _, second = await document(office.trader, path)
    assert second != first
    for content in (first, second):
        named = f"{path}?sha256=0x{sha256(content).hexdigest().upper()}"
        assert (await document(office.trader, named))[1] == content
    unknown = f"{path}?sha256=0x{'5a' * 32}"
    assert await refusal_of(office.trader, "GET", unknown) == (404, "BUNDLE_NOT_FOUND")
    assert await refusal_of(office.trader, "GET", f"{path}?sha256=12") == (400, "INVALID_FIELD")
