"""The page of one order: it is paid in the way that asks the least, says what stands in the way, and shows by
itself what the chain and time make of the order."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Route, expect

from liqpass.hexes import checksum
from liqpass.money import usd
from liqpass.sandbox.browser_wallet import BrowserWallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import calls_of
from tests.contracts.delegating import REFUSES, delegate, stands
from tests.flows.newcomers import Newcomer
from tests.web.journey import Reader, reader
from tests.web.minds import InterruptedWallet
from tests.web.town import Visit, Visitor, new_fake_wallet
from tests.world import TestWorld

Order = dict[str, Any]
Sit = Callable[..., Awaitable[tuple[Visitor, Reader]]]
SIGNS, SENDS, SENDS_AS_ONE = "eth_signTypedData_v4", "eth_sendTransaction", "wallet_sendCalls"
ASK_THE_OWNER = (SIGNS, SENDS, SENDS_AS_ONE)
TO_PAY, SENT, COVERED_SOON = "Check and pay", "Your payment is on its way", "Paid: your cover begins soon"
OTHER_CODE = b"code to delegate to".rjust(20)
DECLINED = "You declined in the wallet. Nothing happened; try again when you like."


@pytest.fixture
async def order(alice: Newcomer) -> Order:
    """Alice's draft."""
    return await alice.order()


@pytest.fixture
async def sit(town: TestWorld, visit: Visit, alice: Newcomer, order: Order) -> Sit:
    """Alice in front of the order's page, with her own wallet that behaves so, or with another one."""

    async def one(wallet: BrowserWallet | None = None, **behaviour: Any) -> tuple[Visitor, Reader]:
        visitor = await visit(wallet or BrowserWallet(town.chain, alice.trader.wallet, **behaviour))
        await visitor.is_signed_in_as(alice.trader)
        await visitor.open(path_of(order))
        return visitor, reader(visitor)

    return one


def path_of(order: Order) -> str:
    return f"/orders/{order['purchaseOrderId']}"


def asked_of_owner(visitor: Visitor) -> list[str]:
    return [method for method in visitor.wallet.asked if method in ASK_THE_OWNER]


async def approve(town: TestWorld, payer: Newcomer, order: Order) -> None:
    call = calls_of(order)[0]
    await town.chain.transact(payer.trader.wallet, call.to, call.data)


@pytest.mark.parametrize(
    ("behaviour", "asked"),
    [
        ({}, [SIGNS, SENDS]),
        ({"batches": "atomically"}, [SENDS_AS_ONE]),
        ({"batches": "one by one"}, [SIGNS, SENDS]),
        ({"lacks": {SIGNS}}, [SIGNS, SENDS, SENDS]),
    ],
    ids=["a permit is signed", "a batch", "a batch that could break in two is none", "approve and pay"],
)
async def test_a_wallet_is_asked_as_little_as_it_allows(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit, behaviour: dict[str, Any], asked: list[str]
) -> None:
    visitor, trader = await sit(**behaviour)
    await trader.pays()
    assert asked_of_owner(visitor) == asked
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.sees(COVERED_SOON)
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert shown["status"] == "ACTIVE"
    assert shown["payTxHash"] == "0x" + visitor.wallet.sent[-1].hex()


async def test_of_an_account_that_delegates_no_signature_is_asked(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    visitor, trader = await sit()
    await delegate(town.chain, alice.trader.wallet, await stands(town.chain, OTHER_CODE, REFUSES))
    await trader.pays()
    assert asked_of_owner(visitor) == [SENDS, SENDS]


async def test_a_signature_that_usdc_will_not_take_is_told_before_the_wallet_asks_for_a_transaction(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    async def delegates() -> None:
        await delegate(town.chain, alice.trader.wallet, await stands(town.chain, OTHER_CODE, REFUSES))

    wallet = InterruptedWallet(town.chain, alice.trader.wallet, before={SIGNS: delegates})
    visitor, trader = await sit(wallet)
    wallet.declines.append(SENDS)
    await trader.pay_button().click()
    notes = trader.page.locator("#pay-notes")
    await expect(notes).to_contain_text("USDC does not take this wallet’s signature as a permission.")
    await trader.is_told(DECLINED)
    await trader.pays()
    assert asked_of_owner(visitor) == [SIGNS, SENDS, SENDS, SENDS]


async def test_what_is_allowed_already_is_not_asked_for_again(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    await approve(town, alice, order)
    visitor, trader = await sit(batches="atomically")
    await trader.pays()
    assert asked_of_owner(visitor) == [SENDS]


async def test_whoever_declines_the_payment_after_the_permission_goes_on_from_there(sit: Sit) -> None:
    visitor, trader = await sit(lacks={SIGNS}, answers_after_sec=1)
    await trader.pay_button().click()
    await expect(trader.page.locator("[data-part=pay]")).to_contain_text("asks you to confirm the payment")
    visitor.wallet.declines.append(SENDS)
    await trader.is_told(DECLINED)
    await expect(trader.page.locator("[data-part=approve]")).to_have_attribute("data-state", "done")
    await trader.pays()
    assert asked_of_owner(visitor) == [SIGNS, SENDS, SENDS, SENDS]


async def test_of_two_wallets_the_payer_is_chosen_once(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    fox = BrowserWallet(town.chain, alice.trader.wallet, connected=True, declines=[SIGNS])
    bear = await new_fake_wallet(town, name="Bear Wallet", rdns="test.bear")
    visitor = await visit(bear, fox)
    await visitor.is_signed_in_as(alice.trader)
    await visitor.open(path_of(await alice.order()))
    trader = reader(visitor)
    await trader.pay_button().click()
    await trader.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(trader.pay_button()).to_be_focused()
    await trader.pay_button().click()
    await trader.button("Fox Wallet").click()
    await trader.is_told(DECLINED)
    await trader.pays()
    assert bear.asked == []


async def test_who_cannot_pay_with_one_wallet_pays_with_another(
    town: TestWorld, visit: Visit, alice: Newcomer, order: Order
) -> None:
    bear = await new_fake_wallet(town, name="Bear Wallet", rdns="test.bear")
    visitor = await visit(BrowserWallet(town.chain, alice.trader.wallet, connected=True), bear)
    await town.chain.transfer(alice.trader.wallet, town.chain.wallets[0].address, 10_000 * USDC)
    await visitor.is_signed_in_as(alice.trader)
    await visitor.open(path_of(order))
    trader = reader(visitor)
    await expect(trader.button("Pay with another wallet")).to_be_hidden()
    await trader.pay_button().click()
    await trader.button("Fox Wallet").click()
    await trader.is_told("This wallet holds 0.00 USDC")
    await trader.button("Pay with another wallet").click()
    await trader.button("Bear Wallet").click()
    await trader.sees("Your payment is on its way")
    assert len(bear.sent) == 1


async def test_without_a_wallet_the_reader_is_told_where_to_go(
    visit: Visit, alice: Newcomer, order: Order
) -> None:
    visitor = await visit(wallets=0)
    await visitor.is_signed_in_as(alice.trader)
    await visitor.open(path_of(order))
    trader = reader(visitor)
    await trader.pay_button().click()
    await trader.is_told("No wallet was found in this browser.")


async def test_a_missing_balance_is_named_and_the_wallet_left_in_peace(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    chain, payer = town.chain, alice.trader.wallet
    premium = int(order["premiumAmount"])
    have = usd(premium - 250_000)
    await chain.transfer(payer, chain.wallets[0].address, 10_000 * USDC - premium + 250_000)
    visitor, trader = await sit()
    await trader.pay_button().click()
    needed = f"{order['premiumUsd']} are needed: 0.25 are missing."
    await trader.is_told(f"This wallet holds {have} USDC and {needed}")
    assert asked_of_owner(visitor) == []
    await chain.mint(payer.address, 250_000)
    await trader.pays()


async def test_what_stands_in_the_way_is_said_in_words(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    chain, payer = town.chain, alice.trader.wallet.address
    visitor, trader = await sit()
    await chain.blacklist(payer)
    await trader.pay_button().click()
    await trader.is_told("Circle, the issuer of USDC, has blocked this account")
    await chain.unblacklist(payer)
    await chain.pause_usdc()
    await trader.pay_button().click()
    await trader.is_told("USDC is paused by its issuer")
    await chain.unpause_usdc()
    await chain.blacklist(chain.treasury)
    await trader.pay_button().click()
    await trader.is_told("Our treasury cannot receive USDC at present")
    await chain.unblacklist(chain.treasury)
    assert asked_of_owner(visitor) == []
    assert await alice.status(order) == "DRAFT"
    await trader.pays()


async def test_without_ether_the_reader_is_warned_and_may_go_on(
    town: TestWorld, alice: Newcomer, sit: Sit
) -> None:
    visitor, trader = await sit(declines=[SIGNS])
    await town.chain.rpc("anvil_setBalance", [alice.trader.address, "0x0"])
    await trader.pay_button().click()
    await expect(trader.page.locator("#pay-notes")).to_contain_text("no ETH on Base for the network’s fee")
    await trader.is_told(DECLINED)
    assert asked_of_owner(visitor) == [SIGNS]


async def test_a_payment_that_cannot_be_checked_can_be_made(sit: Sit) -> None:
    visitor, trader = await sit()

    async def no_node(route: Route) -> None:
        problem = json.dumps({"status": 503, "code": "NODE_UNAVAILABLE", "detail": "No node answers."})
        await route.fulfill(status=503, content_type="application/problem+json", body=problem)

    await trader.page.route("**/preflight", no_node)
    await trader.pays()
    assert asked_of_owner(visitor) == [SENDS, SENDS]
    assert all("preflight" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


async def test_a_payment_of_which_we_could_not_be_told_is_found(
    alice: Newcomer, order: Order, sit: Sit
) -> None:
    visitor, trader = await sit()
    await trader.page.route("**/submit-payment", lambda route: route.abort())
    await trader.pay_button().click()
    await trader.sees(SENT)
    await expect(trader.page.locator(".history")).to_contain_text("The chain shows the payment.")
    assert await alice.reasons(order) == ["ORDERED", "PAYMENT_SEEN"]
    assert all("submit-payment" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


async def test_another_account_may_pay_and_the_page_says_which(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    friend = await new_fake_wallet(town, answers_after_sec=0.3)
    visitor, trader = await sit(friend)
    await trader.pay_button().click()
    mine, theirs = alice.trader.address, friend.address.lower()
    await expect(trader.page.locator("#payer")).to_have_text(
        f"{theirs[:6]}…{theirs[-4:]} pays, with Fox Wallet. "
        f"The cover belongs to {mine[:6]}…{mine[-4:]}, with which you are signed in."
    )
    await trader.sees(SENT)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.sees(COVERED_SOON)
    assert (await alice.trader.order(order["purchaseOrderId"]))["payer"] == checksum(friend.of.address)
    assert visitor.wallet is friend


async def test_a_payment_made_without_the_page_shows_up_in_it(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    visitor, trader = await sit()
    await trader.sees(TO_PAY)
    await alice.trader.pay(town.chain, order)
    await trader.sees(SENT)
    await expect(visitor.page.locator("#said")).to_have_text(SENT)
    await expect(trader.page.locator("[data-part=seen]")).to_contain_text("The chain shows it in block")
    await expect(trader.page.locator("[data-part=safe]")).to_have_attribute("data-state", "now")


async def test_a_payment_that_leaves_the_chain_is_waited_for_again(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    _, trader = await sit()
    tx_hash = await alice.trader.pay(town.chain, order)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    seen = trader.page.locator("[data-part=seen]")
    await expect(seen).to_have_attribute("data-state", "done")
    await town.chain.reorg(1)
    await town.chain.mine()
    await expect(seen).to_have_attribute("data-state", "now")
    await trader.sees(SENT)


async def test_a_draft_is_cancelled_only_when_its_owner_means_it(
    alice: Newcomer, order: Order, sit: Sit
) -> None:
    _, trader = await sit()
    await trader.button("Cancel order").click()
    await trader.button("Keep it").click()
    await trader.button("Cancel order").click()
    await trader.page.keyboard.press("Escape")
    assert await alice.status(order) == "DRAFT"
    await trader.button("Cancel order").click()
    await trader.button("Cancel the order").click()
    await trader.sees("This order was cancelled")
    await expect(trader.heading("This order was cancelled")).to_be_focused()
    assert await alice.status(order) == "CANCELLED"


async def test_why_an_order_was_not_cancelled_is_not_said_again_at_the_next_question(sit: Sit) -> None:
    _, trader = await sit()
    why = {"code": "ORDER_NOT_CANCELLABLE", "detail": "It is paid."}
    await trader.page.route("**/api/insurance/cancel", lambda route: route.fulfill(status=409, json=why))
    await trader.button("Cancel order").click()
    await trader.button("Cancel the order").click()
    await trader.is_told("It is paid.")
    await trader.button("Keep it").click()
    await trader.button("Cancel order").click()
    await expect(trader.page.locator("#cancel-said")).to_have_text("")


async def test_a_tab_that_comes_back_looks_again_and_keeps_the_focus(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    await alice.trader.pay(town.chain, order)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    visitor, trader = await sit()
    await trader.sees(COVERED_SOON)
    await town.pass_time(minutes=11)
    receipt = trader.page.get_by_role("link", name="Receipt to print")
    await receipt.focus()
    await visitor.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    await trader.sees("You are covered")
    await expect(receipt).to_be_focused()
    await town.pass_time(hours=25)
    await trader.sees("This cover has ended")


async def test_why_nothing_was_paid_stays_said_although_the_tab_was_left_meanwhile(
    order: Order, sit: Sit
) -> None:
    """Wallets on phones take their owner to another app: the page looks for news when they come back."""
    _, trader = await sit(declines=[SIGNS], answers_after_sec=1)
    page = trader.page
    await trader.pay_button().click()
    await expect(page.locator("[data-part=approve]")).to_contain_text("asks you to sign the permission")
    async with page.expect_response(lambda answer: answer.url.endswith(path_of(order))) as coming:
        await page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    await (await coming.value).finished()
    await page.wait_for_timeout(300)
    await expect(trader.alert(DECLINED)).to_be_visible(timeout=1)


async def test_news_that_could_not_be_fetched_is_fetched_again(
    alice: Newcomer, order: Order, sit: Sit
) -> None:
    """The stream tells each move once."""
    visitor, trader = await sit()
    address = f"**{path_of(order)}"
    await trader.page.route(address, lambda route: route.fulfill(status=503, body=""))
    async with trader.page.expect_response(lambda answer: answer.status == 503):
        await alice.trader.submit(order["purchaseOrderId"], b"\xab" * 32)
    await trader.page.unroute(address)
    await trader.sees(SENT)
    assert all("503" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
