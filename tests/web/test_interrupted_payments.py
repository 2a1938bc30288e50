"""What happens between two questions to a wallet: a batch fails, the network or the account is changed,
another tab cancels. Afterwards the order can be paid, or says why not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from liqpass.sandbox.trader import calls_of
from tests.flows.newcomers import Newcomer
from tests.web.journey import Reader, reader
from tests.web.minds import InterruptedWallet, refuses
from tests.web.town import Visit, new_fake_wallet
from tests.world import TestWorld

Order = dict[str, Any]
Sit = Callable[..., Awaitable[tuple[InterruptedWallet, Reader]]]
SIGNS, SENDS, SENDS_AS_ONE = "eth_signTypedData_v4", "eth_sendTransaction", "wallet_sendCalls"
SWITCHES, LOOKS_FOR_BLOCK = "wallet_switchEthereumChain", "eth_getTransactionReceipt"
UPGRADE_REFUSED = 5750
TO_PAY, SENT, CANCELLED = "Check and pay", "Your payment is on its way", "This order was cancelled"


@pytest.fixture
async def order(alice: Newcomer) -> Order:
    """Alice's draft."""
    return await alice.order()


@pytest.fixture
async def sit(town: TestWorld, visit: Visit, alice: Newcomer, order: Order) -> Sit:
    """Alice in front of the order's page, with a wallet that behaves so."""

    async def one(**behaviour: Any) -> tuple[InterruptedWallet, Reader]:
        wallet = InterruptedWallet(town.chain, alice.trader.wallet, **behaviour)
        visitor = await visit(wallet)
        await visitor.is_signed_in_as(alice.trader)
        await visitor.open(f"/orders/{order['purchaseOrderId']}")
        return wallet, reader(visitor)

    return one


def asked_of_owner(wallet: InterruptedWallet) -> list[str]:
    return [method for method in wallet.asked if method in (SIGNS, SENDS, SENDS_AS_ONE)]


async def test_a_batch_that_fails_is_said_and_is_paid_at_the_next_try(town: TestWorld, sit: Sit) -> None:
    wallet, trader = await sit(batches="atomically", before={SENDS_AS_ONE: town.chain.pause_usdc})
    await trader.pay_button().click()
    await trader.is_told(
        "The wallet’s transaction failed. Nothing was paid, except perhaps its fee; try again."
    )
    for part in ("approve", "pay"):
        await expect(trader.page.locator(f"[data-part={part}]")).to_have_attribute("data-state", "todo")
    await town.chain.unpause_usdc()
    await trader.pays()
    assert asked_of_owner(wallet) == [SENDS_AS_ONE, SENDS_AS_ONE]


async def test_whoever_refuses_to_upgrade_the_account_pays_without_a_batch(sit: Sit) -> None:
    refused = refuses(UPGRADE_REFUSED, "User rejected the upgrade.")
    wallet, trader = await sit(batches="atomically", before={SENDS_AS_ONE: refused})
    await trader.pays()
    assert asked_of_owner(wallet) == [SENDS_AS_ONE, SIGNS, SENDS]


async def test_a_network_that_was_changed_meanwhile_is_changed_back_before_the_payment(sit: Sit) -> None:
    wallet, trader = await sit(lacks={SIGNS})

    async def changes_network() -> None:
        wallet.on = 1

    wallet.before = {LOOKS_FOR_BLOCK: changes_network}
    await trader.pays()
    what = (SENDS, SWITCHES)
    assert [method for method in wallet.asked if method in what] == [SENDS, SWITCHES, SENDS]


async def test_an_account_that_was_disconnected_meanwhile_is_said_and_asked_for_again(sit: Sit) -> None:
    wallet, trader = await sit()

    async def disconnects() -> None:
        wallet.connected = False

    wallet.before = {SIGNS: disconnects}
    await trader.pay_button().click()
    await trader.is_told("The wallet does not let this page use that account any more. Try again.")
    assert wallet.sent == []
    await trader.pays()


async def test_an_order_that_another_tab_cancels_while_the_wallet_asks_is_not_paid(
    alice: Newcomer, order: Order, sit: Sit
) -> None:
    wallet, trader = await sit()

    async def cancels() -> None:
        body = {"purchaseOrderId": order["purchaseOrderId"]}
        await alice.trader.call("POST", "/api/insurance/cancel", body)

    wallet.before = {SIGNS: cancels}
    await trader.pay_button().click()
    await trader.sees(CANCELLED)
    assert wallet.sent == []
    assert await alice.status(order) == "CANCELLED"


async def test_a_payment_that_failed_while_its_page_was_open_is_made_again_or_the_order_cancelled(
    town: TestWorld, visit: Visit, alice: Newcomer, order: Order
) -> None:
    pay = calls_of(order)[1]  # without the permission
    tx_hash = await town.chain.send(alice.trader.wallet, pay.to, pay.data)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    bear = await new_fake_wallet(town, name="Bear Wallet", rdns="test.bear")
    visitor = await visit(InterruptedWallet(town.chain, alice.trader.wallet), bear)
    await visitor.is_signed_in_as(alice.trader)
    await visitor.open(f"/orders/{order['purchaseOrderId']}")
    trader = reader(visitor)
    await trader.sees(SENT)
    await town.pass_time(seconds=11)  # it is looked for then
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.sees(TO_PAY)
    await trader.button("Cancel order").click()
    await trader.button("Keep it").click()
    await trader.pay_button().click()
    await trader.button("Fox Wallet").click()
    await trader.sees(SENT)


async def test_a_payment_shows_up_although_the_wallet_never_tells_of_it(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    """A browser that was sent to the background by its wallet's app may never hear the answer."""

    async def sends_and_is_silent() -> None:
        await alice.trader.pay(town.chain, order)
        raise ConnectionError("the answer is lost")

    _, trader = await sit(before={SENDS: sends_and_is_silent})
    await trader.page.evaluate("""() => {
      const ask = window.askWallet
      window.askWallet = (...asked) => ask(...asked).catch(() => new Promise(() => {}))
    }""")
    await trader.pay_button().click()
    await trader.sees(SENT)


async def test_an_order_is_not_cancelled_while_the_wallet_asks_for_its_payment(
    sit: Sit,
) -> None:
    """Its payment would then come to nothing."""
    wallet, trader = await sit(declines=[SENDS])

    async def tries_to_cancel() -> None:
        await expect(trader.button("Cancel order")).to_be_disabled()

    wallet.before = {SENDS: tries_to_cancel}
    await trader.pay_button().click()
    await trader.is_told("You declined in the wallet. Nothing happened; try again when you like.")
    await expect(trader.button("Cancel order")).to_be_enabled()
