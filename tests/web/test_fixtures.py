"""What browser tests stand on: wallets that behave as real ones do, and a guard that misses nothing."""

import pytest
from playwright.async_api import expect

from tests.flows.newcomers import newcomer
from tests.web.town import Visit, new_fake_wallet
from tests.world import TestWorld

ASK = """async ({method, params}) => {
  const heard = await new Promise((found) => {
    addEventListener("eip6963:announceProvider", (event) => found(event.detail))
    dispatchEvent(new Event("eip6963:requestProvider"))
  })
  return heard.provider.request({method, params}).then((result) => ({result}), ({code}) => ({code}))
}"""


async def test_a_wallet_announces_itself_and_answers_as_its_owner_wants(
    town: TestWorld, visit: Visit
) -> None:
    wallet = await new_fake_wallet(town, on=1, declines=["eth_requestAccounts"])
    page = (await visit(wallet)).page
    await page.goto(town.api + "/nowhere")

    async def ask(method: str, *params: object) -> object:
        said = await page.evaluate(ASK, {"method": method, "params": list(params)})
        return said.get("result", said.get("code"))

    assert await ask("eth_requestAccounts") == 4001
    assert await ask("eth_requestAccounts") == [wallet.address.lower()]
    assert await ask("eth_chainId") == "0x1"
    assert await ask("wallet_sendCalls", {}) == -32601
    assert await ask("wallet_switchEthereumChain", {"chainId": hex(8453)}) is None
    assert await ask("eth_chainId") == "0x2105"


async def test_what_the_browser_complains_about_is_noted(town: TestWorld, visit: Visit) -> None:
    visitor = await visit()
    await visitor.open("/nowhere")
    assert visitor.complaints == []
    await visitor.page.evaluate(
        "() => { setTimeout(() => { throw new Error('oh') }); console.error('dear') }"
    )
    await visitor.page.evaluate("() => { document.body.setAttribute('style', 'color: red') }")
    await visitor.page.evaluate("() => fetch('/static/0/none.js')")
    await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    heard = " ".join(visitor.complaints)
    assert all(word in heard for word in ("oh", "dear", "style-src", "none.js")), heard
    visitor.complaints.clear()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
async def test_a_session_of_the_api_is_one_of_the_browser(
    town: TestWorld, visit: Visit, language: str
) -> None:
    async with newcomer(town) as somebody:
        visitor = await visit(await new_fake_wallet(town, somebody.trader.wallet), language=language)
        await visitor.is_signed_in_as(somebody.trader)
        await visitor.open("/nowhere")
        answer = await visitor.page.evaluate("async () => (await fetch('/api/auth/me')).json()")
        assert answer["address"] == visitor.wallet.address
