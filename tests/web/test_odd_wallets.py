"""Wallets that wrap what they say, say it at length, or announce themselves badly."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from liqpass.sandbox.browser_wallet import BrowserWallet
from tests.flows.newcomers import Newcomer
from tests.web.axe import sticks_out
from tests.web.journey import Reader, reader
from tests.web.minds import InterruptedWallet, refuses
from tests.web.town import PHONE, Visit, new_fake_wallet
from tests.world import TestWorld

Order = dict[str, Any]
Sit = Callable[[BrowserWallet], Awaitable[Reader]]
SIGNS, SENDS = "eth_signTypedData_v4", "eth_sendTransaction"
DECLINED = "You declined in the wallet. Nothing happened; try again when you like."
NAMELESS = """
dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info: { uuid: "1" }, provider: {} } }))
dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: null }))
"""


class WrappingWallet(InterruptedWallet):
    """It wraps what it refuses into another error, as wallets on phones do."""

    async def request(self, method: str, params: Any) -> dict[str, object]:
        """EIP-1193's `request`."""
        answer = await super().request(method, params)
        if inner := answer.get("error"):
            words = "Internal JSON-RPC error."
            answer["error"] = {"code": -32603, "message": words, "data": {"originalError": inner}}
        return answer


@pytest.fixture
async def order(alice: Newcomer) -> Order:
    """Alice's draft."""
    return await alice.order()


@pytest.fixture
async def sit(visit: Visit, alice: Newcomer, order: Order) -> Sit:
    """Alice in front of the order's page with this wallet."""

    async def one(wallet: BrowserWallet) -> Reader:
        visitor = await visit(wallet)
        await visitor.is_signed_in_as(alice.trader)
        await visitor.open(f"/orders/{order['purchaseOrderId']}")
        return reader(visitor)

    return one


async def test_a_refusal_that_the_wallet_wraps_is_said_as_what_it_is(
    town: TestWorld, alice: Newcomer, sit: Sit
) -> None:
    trader = await sit(WrappingWallet(town.chain, alice.trader.wallet, declines=[SIGNS]))
    await trader.pay_button().click()
    await trader.is_told(DECLINED)


async def test_what_a_wallet_says_at_length_stays_on_a_phones_screen(
    town: TestWorld, alice: Newcomer, sit: Sit
) -> None:
    data = "0x" + "ab" * 2_000
    wallet = InterruptedWallet(town.chain, alice.trader.wallet, before={SENDS: refuses(-32000, data)})
    trader = await sit(wallet)
    await trader.page.set_viewport_size(PHONE)
    await trader.pay_button().click()
    said = trader.alert("The wallet said: %(words)s", words=data[:20])
    await expect(said).to_be_visible()
    assert len(await said.inner_text()) < 400
    assert await sticks_out(trader.page) == []


async def test_a_wallet_that_announces_itself_badly_does_not_stand_in_the_way_of_another(
    town: TestWorld, visit: Visit
) -> None:
    visitor = await visit(await new_fake_wallet(town))
    page = await visitor.open()
    await page.evaluate(f"() => addEventListener('eip6963:requestProvider', () => {{ {NAMELESS} }})")
    await reader(visitor).connects()
