"""What keeps an order from being paid, said before the wallet asks; and the way to a new price. Workers rest
unless a test lets them work."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from liqpass.sandbox.anvil import encode_call
from tests.flows.newcomers import Newcomer
from tests.web.journey import Reader, reader
from tests.web.minds import InterruptedWallet
from tests.web.town import Visit, Visitor
from tests.world import TestWorld

Sit = Callable[..., Awaitable[tuple[Visitor, Reader]]]
ASK_THE_OWNER = {"eth_signTypedData_v4", "eth_sendTransaction", "wallet_sendCalls"}
RAN_OUT = "This price has run out"


@pytest.fixture
async def town(built_town: TestWorld) -> TestWorld:
    """The running product, in which nobody works by themselves."""
    await built_town.work()
    return built_town


@pytest.fixture
async def order(alice: Newcomer) -> dict[str, Any]:
    """Alice's draft."""
    return await alice.order()


@pytest.fixture
async def sit(town: TestWorld, visit: Visit, alice: Newcomer, order: dict[str, Any]) -> Sit:
    """Alice in front of the order's page. `fast`: the browser's time can be moved on."""

    async def one(*, fast: bool = False, **behaviour: Any) -> tuple[Visitor, Reader]:
        visitor = await visit(InterruptedWallet(town.chain, alice.trader.wallet, **behaviour))
        if fast:
            await visitor.page.clock.install()
        await visitor.is_signed_in_as(alice.trader)
        await visitor.open(f"/orders/{order['purchaseOrderId']}")
        return visitor, reader(visitor)

    return one


async def by_owner(town: TestWorld, function: str) -> None:
    await town.chain.transact(town.chain.owner, town.chain.checkout, encode_call(function))


async def test_a_checkout_that_we_paused_takes_nothing_until_it_goes_on(town: TestWorld, sit: Sit) -> None:
    visitor, trader = await sit()
    await by_owner(town, "pause()")
    await trader.pay_button().click()
    await trader.is_told("We have paused all payments. Nothing was charged; try again later.")
    await by_owner(town, "unpause()")
    assert ASK_THE_OWNER.isdisjoint(visitor.wallet.asked)
    await trader.pays()


async def test_a_payment_that_would_fail_for_another_reason_says_the_contracts_own_words(
    town: TestWorld, alice: Newcomer, order: dict[str, Any], sit: Sit
) -> None:
    visitor, trader = await sit()
    await town.chain.transact(
        alice.trader.wallet,
        town.chain.usdc,
        encode_call("approve(address,uint256)", town.chain.checkout, int(order["premiumAmount"])),
    )
    await town.chain.blacklist(town.chain.checkout)
    await trader.pay_button().click()
    await trader.is_told("The payment would fail: Blacklistable: account is blacklisted")
    await town.chain.unblacklist(town.chain.checkout)
    assert ASK_THE_OWNER.isdisjoint(visitor.wallet.asked)
    await trader.pays()


async def test_what_is_paid_already_is_not_paid_twice(
    town: TestWorld, alice: Newcomer, order: dict[str, Any], sit: Sit
) -> None:
    visitor, trader = await sit()
    await alice.trader.pay(town.chain, order)
    await trader.pay_button().click()
    await trader.is_told("This order is paid already: the page shows it in a moment.")
    assert visitor.wallet.sent == []
    await town.work()
    await trader.sees("Your payment is on its way")


async def test_a_price_that_has_run_out_is_said_before_the_wallet_asks(town: TestWorld, sit: Sit) -> None:
    visitor, trader = await sit()
    await town.pass_time(minutes=16)  # the page's own clock does not know
    await trader.pay_button().click()
    await trader.is_told("The price has run out.")
    assert ASK_THE_OWNER.isdisjoint(visitor.wallet.asked)


@pytest.mark.parametrize(
    ("at", "behaviour", "told"),
    [
        ("eth_signTypedData_v4", {}, "The quote of this order has run out."),
        ("eth_getTransactionReceipt", {"lacks": {"eth_signTypedData_v4"}}, "The price has run out."),
    ],
    ids=["a permit is signed", "the permission is mined"],
)
async def test_a_price_that_runs_out_while_the_wallet_asks_is_not_paid(
    town: TestWorld, sit: Sit, at: str, behaviour: dict[str, Any], told: str
) -> None:
    visitor, trader = await sit(before={at: lambda: town.pass_time(minutes=16)}, **behaviour)
    await trader.pay_button().click()
    await trader.is_told(told)
    assert len(visitor.wallet.sent) == len(behaviour)  # at most the permission


async def test_a_price_runs_out_while_its_page_is_open_and_a_new_one_is_got(
    town: TestWorld, alice: Newcomer, sit: Sit
) -> None:
    visitor, trader = await sit(fast=True)
    await trader.sees("Check and pay")
    await town.pass_time(minutes=16)
    await visitor.page.clock.fast_forward("16:00")
    await trader.sees(RAN_OUT)
    await expect(trader.pay_button()).to_have_count(0)
    await trader.page.get_by_role("link", name="Go to your positions").click()
    card = trader.card()
    await expect(card.locator(".state")).to_have_text("The price of its order has run out")
    await expect(card).to_contain_text("You can get a new one within a few minutes.")
    await expect(trader.page.get_by_role("link", name="Continue")).to_have_count(0)
    await card.get_by_role("link", name="View details").click()
    await trader.sees(RAN_OUT)
    await town.confirm()
    await trader.sees("This order was cancelled")
    await trader.page.get_by_role("link", name="Cover a position").click()
    await trader.chooses()
