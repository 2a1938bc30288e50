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
from tests.web.town import PHONE, Visit, Visitor, new_fake_wallet
from tests.world import TestWorld

Order = dict[str, Any]
Sit = Callable[[BrowserWallet], Awaitable[Reader]]
SIGNS, SENDS = "eth_signTypedData_v4", "eth_sendTransaction"
DECLINED = "You declined in the wallet. Nothing happened; try again when you like."
# Each of these is announced beside a wallet that is as it should be; `works` is a provider that works.
BROKEN = [
    "null", "undefined", "'a text'", "{}", "{ info: { uuid: '1', name: 'No provider' } }",
    "{ info: { name: 'No request' }, provider: {} }",
    "{ info: { name: 'No function' }, provider: { request: 'a text' } }",
    "{ get info() { throw new Error('no info') }, provider: works }",
    "{ info: { name: 'No getter' }, get provider() { throw new Error('no provider') } }",
    "{ info: { get name() { throw new Error('no name') } }, provider: works }",
    "{ info: { name: 'No way in' }, provider: { get request() { throw new Error('no request') } } }",
]  # fmt: skip
ODD = [
    ("{ provider: works }", "Browser wallet"),
    ("{ info: {}, provider: works }", "Browser wallet"),
    ("{ info: { name: 7, rdns: 'test.seven' }, provider: works }", "test.seven"),
    ("{ info: { name: { first: 'A' }, icon: 7 }, provider: works }", "Browser wallet"),
    ("{ info: { name: ' Bear ', rdns: null, uuid: null, icon: null }, provider: works }", "Bear"),
    ("{ info: { name: 'Bear', icon: 'https://127.0.0.1:9/bear.png' }, provider: works }", "Bear"),
    ("{ info: { name: 'B' + 'e'.repeat(4000) + 'ar' }, provider: works }", "B" + "e" * 39),
]
AGAIN = {
    "the same uuid": ("{ uuid: 'u', name: 'Bear', rdns: 'bear' }, provider: works",
                      "{ uuid: 'u', name: 'Bear', rdns: 'bear' }, provider: { ...works }"),
    "the same rdns and provider": ("{ uuid: 'u', name: 'Bear', rdns: 'bear' }, provider: works",
                                   "{ uuid: 'v', name: 'Bear', rdns: 'bear' }, provider: works"),
    "no uuid": ("{ name: 'Bear', rdns: 'bear' }, provider: works",
                "{ name: 'Bear', rdns: 'bear' }, provider: works"),
}  # fmt: skip


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


async def beside_a_fox(town: TestWorld, visit: Visit, *details: str) -> Visitor:
    """Somebody with Fox Wallet and with what else announces itself in this page."""
    visitor = await visit(await new_fake_wallet(town))
    announcements = "\n".join(
        f"dispatchEvent(new CustomEvent('eip6963:announceProvider', {{ detail: {detail} }}))"
        for detail in details
    )
    works = "{ request: async ({ method }) => method === 'eth_chainId' ? '0x1' : [] }"
    await visitor.page.add_init_script(
        f"const works = {works}\naddEventListener('eip6963:requestProvider', () => {{ {announcements} }})"
    )
    await visitor.open()
    return visitor


async def offered(visitor: Visitor) -> list[str]:
    """Among which wallets the reader is asked to choose."""
    await reader(visitor).button("Connect a wallet").click()
    dialog = visitor.page.get_by_role("dialog", name="Which wallet?")
    await expect(dialog).to_be_visible()
    return await dialog.get_by_role("listitem").all_inner_texts()


async def test_announcements_that_lead_to_no_wallet_stand_in_nobodys_way(
    town: TestWorld, visit: Visit
) -> None:
    await reader(await beside_a_fox(town, visit, *BROKEN)).connects()


@pytest.mark.parametrize(("detail", "name"), ODD, ids=str)
async def test_a_wallet_with_a_strange_face_is_one_of_those_to_choose(
    town: TestWorld, visit: Visit, detail: str, name: str
) -> None:
    visitor = await beside_a_fox(town, visit, detail)
    await visitor.page.set_viewport_size(PHONE)
    assert sorted(await offered(visitor)) == sorted(["Fox Wallet", name])
    inside = "dialog => dialog.scrollWidth <= dialog.clientWidth"
    assert await visitor.page.get_by_role("dialog").evaluate(inside)
    await reader(visitor).button("Fox Wallet").click()
    await expect(reader(visitor).button("Sign out")).to_be_visible()


@pytest.mark.parametrize("how", AGAIN)
async def test_a_wallet_that_announces_itself_twice_is_one_entry(
    town: TestWorld, visit: Visit, how: str
) -> None:
    first, second = AGAIN[how]
    visitor = await beside_a_fox(town, visit, f"{{ info: {first} }}", f"{{ info: {second} }}")
    assert await offered(visitor) == ["Bear", "Fox Wallet"]


async def test_two_wallets_of_one_maker_are_two_entries(town: TestWorld, visit: Visit) -> None:
    details = [f"{{ info: {{ uuid: '{uuid}', name: 'Bear', rdns: 'bear' }}, provider: {{ ...works }} }}"
               for uuid in "uv"]  # fmt: skip
    assert await offered(await beside_a_fox(town, visit, *details)) == ["Bear", "Bear", "Fox Wallet"]


@pytest.mark.parametrize(
    "old", ["{}", "null", "{ send: () => 0 }", "{ get request() { throw new Error() } }"]
)
async def test_an_old_wallet_that_cannot_be_asked_is_none(visit: Visit, old: str) -> None:
    visitor = await visit(wallets=0)
    await visitor.page.add_init_script(f"window.ethereum = {old}")
    page = await visitor.open()
    await page.get_by_role("button", name="Connect a wallet").click()
    await expect(page.locator("#no-wallet")).to_contain_text("No wallet was found in this browser")
