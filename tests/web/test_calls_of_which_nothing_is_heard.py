"""Nothing is said to be sent before it has a name, and whoever cannot know gets the choice back: wallets
whose answers to EIP-5792's questions are failures, riddles or nothing at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import repeat
from typing import Any

import pytest
from playwright.async_api import expect

from tests.flows.newcomers import Newcomer
from tests.web.journey import Reader, reader
from tests.web.minds import OddWallet
from tests.web.town import Visit, Visitor
from tests.world import TestWorld

Order = dict[str, Any]
Sit = Callable[..., Awaitable[tuple[OddWallet, Reader]]]
SENDS, SENDS_AS_ONE = "eth_sendTransaction", "wallet_sendCalls"
STATUS = "wallet_getCallsStatus"
HASH = "0x" + "ab" * 32
FAILED = "The wallet’s transaction failed. Nothing was paid, except perhaps its fee; try again."
UNNAMED = "The wallet has named no transaction."
SENT = "Your payment is on its way"
NO_PAYMENT = {"id": "0x01", "version": "2.0.0"}


@pytest.fixture
async def order(alice: Newcomer) -> Order:
    """Alice's draft."""
    return await alice.order()


@pytest.fixture
async def sit(town: TestWorld, visit: Visit, alice: Newcomer, order: Order) -> AsyncIterator[Sit]:
    """Alice in front of the order's page, with a wallet that says this; her tab's clock can be moved on."""

    async def one(says: dict[str, Any], **behaviour: Any) -> tuple[OddWallet, Reader]:
        wallet = OddWallet(town.chain, alice.trader.wallet, says=says, **behaviour)
        visitor = await visit(wallet)
        await visitor.is_signed_in_as(alice.trader)
        await visitor.page.clock.install()
        await visitor.open(f"/orders/{order['purchaseOrderId']}")
        came.append(visitor)
        return wallet, reader(visitor)

    came: list[Visitor] = []
    yield one
    for visitor in came:  # that our server could not be told is what one test is about
        visitor.complaints[:] = [each for each in visitor.complaints if "submit-payment" not in each]


async def gets_the_choice_back(trader: Reader, words: str) -> None:
    """That is said, nothing is said to be sent, and all buttons can be pressed."""
    await trader.is_told(words)
    pay = trader.page.locator("[data-part=pay]")
    await expect(pay).to_have_attribute("data-state", "todo")
    await expect(pay).not_to_contain_text("was sent")
    await expect(trader.pay_button()).to_be_enabled()
    await expect(trader.button("Cancel order")).to_be_enabled()


@pytest.mark.parametrize(
    "status",
    [
        *[{"status": status, "receipts": []} for status in (300, 400, 500, 600, 999, "300", "0x190")],
        {"status": 400},
        {"status": 500, "receipts": None},
        {"status": "CONFIRMED", "receipts": [{"status": "0x0", "transactionHash": HASH}]},
        {"status": 200, "receipts": [{"status": "reverted", "transactionHash": HASH}]},
    ],
    ids=str,
)
async def test_calls_that_failed_are_said_to_have_failed_and_can_be_paid_then(
    sit: Sit, status: dict[str, object]
) -> None:
    says = {SENDS_AS_ONE: iter([{"result": NO_PAYMENT}]), STATUS: iter([{"result": status}])}
    wallet, trader = await sit(says, batches="atomically")
    await trader.pay_button().click()
    await gets_the_choice_back(trader, FAILED)
    assert wallet.sent == []
    await trader.pays()


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"status": 100, "receipts": []}},
        {"result": {"status": 100, "receipts": [{"status": "0x1", "transactionHash": HASH}]}},
        {"result": {"status": "PENDING"}},
        {"result": {"status": "ON ITS WAY, MAYBE", "receipts": []}},
        {"result": {"status": 200, "receipts": []}},
        {"result": {"status": 200, "receipts": [{"status": "0x1", "transactionHash": "0x"}]}},
        {"result": {"status": "CONFIRMED"}},
        {"result": None},
        {"result": "0x1"},
        {"error": {"code": 5730, "message": "Unknown bundle id."}},
        {"error": {"code": -32601, "message": "The method does not exist."}},
    ],
    ids=str,
)
async def test_calls_whose_transaction_is_never_named_give_the_choice_back_in_time(
    sit: Sit, answer: dict[str, object]
) -> None:
    says = {SENDS_AS_ONE: iter([{"result": NO_PAYMENT}]), STATUS: repeat(answer)}
    wallet, trader = await sit(says, batches="atomically")
    await trader.pay_button().click()
    await expect(trader.page.locator("[data-part=pay]")).to_contain_text("The wallet is sending the payment")
    await trader.page.clock.fast_forward("04:00")
    await gets_the_choice_back(trader, UNNAMED)
    del wallet.says[STATUS]
    await trader.pays()


async def test_a_wallet_that_does_not_answer_at_all_gives_the_choice_back_in_time(sit: Sit) -> None:
    over = asyncio.Event()

    async def silence() -> None:
        wallet.before[STATUS] = silence
        await over.wait()

    wallet, trader = await sit({SENDS_AS_ONE: iter([{"result": NO_PAYMENT}])}, batches="atomically")
    wallet.before[STATUS] = silence
    await trader.pay_button().click()
    await expect(trader.page.locator("[data-part=pay]")).to_contain_text("The wallet is sending the payment")
    await trader.page.clock.fast_forward("04:00")
    await gets_the_choice_back(trader, UNNAMED)
    over.set()
    wallet.before.clear()
    await trader.pays()


async def test_a_wallet_that_keeps_silent_about_what_it_can_is_asked_for_what_all_can(sit: Sit) -> None:
    lost, over = asyncio.Event(), asyncio.Event()

    async def lose() -> None:
        lost.set()
        await over.wait()

    wallet, trader = await sit({}, before={"wallet_getCapabilities": lose}, batches="atomically")
    await trader.pay_button().click()
    await lost.wait()
    await trader.page.clock.fast_forward("00:15")
    await trader.sees(SENT)
    assert SENDS_AS_ONE not in wallet.asked
    over.set()


async def test_a_payment_that_the_chain_shows_is_shown_although_the_wallet_never_names_it(sit: Sit) -> None:
    _, trader = await sit({STATUS: repeat({"result": {"status": 100}})}, batches="atomically")
    await trader.pay_button().click()
    await trader.sees(SENT)


async def test_the_first_version_of_the_protocol_says_in_words_what_became_of_calls(
    town: TestWorld, alice: Newcomer, sit: Sit
) -> None:
    wallet, trader = await sit({}, batches="atomically")

    def words() -> Any:
        yield {"result": {"status": "PENDING"}}
        receipt = {"status": "0x1", "transactionHash": "0x" + wallet.sent[-1].hex()}
        yield {"result": {"status": "CONFIRMED", "receipts": [receipt]}}

    wallet.says[STATUS] = words()
    await trader.pays()
    shown = await alice.trader.order(trader.order_id)
    assert shown["payTxHash"] == "0x" + wallet.sent[-1].hex()


@pytest.mark.parametrize("number", [None, "", {}, {"id": None}], ids=str)
async def test_calls_without_a_number_are_not_waited_for(sit: Sit, number: object) -> None:
    wallet, trader = await sit({SENDS_AS_ONE: iter([{"result": number}])}, batches="atomically")
    await trader.pay_button().click()
    await gets_the_choice_back(trader, UNNAMED)
    assert STATUS not in wallet.asked


@pytest.mark.parametrize("hash_", [None, "", "0x", True, {"hash": HASH}, HASH[:-1]], ids=str)
async def test_a_transaction_without_a_hash_is_not_said_to_be_sent(sit: Sit, hash_: object) -> None:
    _, trader = await sit({SENDS: iter([{"result": hash_}])})
    await trader.pay_button().click()
    await gets_the_choice_back(trader, UNNAMED)
    await trader.pays()


async def test_a_payment_that_failed_gives_the_choice_back_although_we_could_not_be_told_of_it(
    town: TestWorld, alice: Newcomer, order: Order, sit: Sit
) -> None:
    wallet, trader = await sit({}, before={SENDS: town.chain.pause_usdc})
    await trader.page.route("**/submit-payment", lambda route: route.abort())
    await trader.pay_button().click()
    note = trader.page.locator("#pay-notes")
    await expect(note).to_contain_text("our server could not be told its transaction")
    await gets_the_choice_back(trader, "The transaction failed on the chain.")
    await town.chain.unpause_usdc()
    assert await alice.status(order) == "DRAFT"
    assert len(wallet.sent) == 1
