"""A wallet is brought to our network, however it behaves on the way, and what it refuses is said."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.flows.newcomers import new_wallet
from tests.web.journey import reader
from tests.web.minds import OddWallet
from tests.web.town import Visit, Visitor
from tests.world import TestWorld

ACCOUNTS, ASKS_ACCOUNTS, CHAIN = "eth_accounts", "eth_requestAccounts", "eth_chainId"
SWITCHES, ADDS, SIGNS = "wallet_switchEthereumChain", "wallet_addEthereumChain", "personal_sign"
MAINNET = {"result": "0x1"}
EXPLORER = "https://scan.example"


async def elsewhere(town: TestWorld, *, knows: bool = True, **behaviour: Any) -> OddWallet:
    """A wallet on Ethereum's main network."""
    wallet = OddWallet(town.chain, await new_wallet(town), on=1, **behaviour)
    if not knows:
        wallet.knows.remove(town.chain.chain_id)
    return wallet


async def at_home(visit: Visit, wallet: OddWallet) -> Visitor:
    visitor = await visit(wallet)
    await visitor.open()
    return visitor


async def signs_in(visit: Visit, wallet: OddWallet) -> None:
    await reader(await at_home(visit, wallet)).connects()


async def explorer_is(page: Page, address: str) -> None:
    """The page names that explorer, whatever the settings say."""

    async def changed(route: Route) -> None:
        answer = await route.fetch()
        text = (await answer.text()).replace('"explorer": ""', f'"explorer": "{address}"')
        await route.fulfill(response=answer, body=text)

    await page.route("**/", changed)


@pytest.mark.parametrize(
    ("explorer", "said"), [("", None), ("http://127.0.0.1:9", None), (EXPLORER, [EXPLORER])]
)
async def test_a_network_is_offered_with_an_explorer_that_wallets_take_or_with_none(
    town: TestWorld, visit: Visit, explorer: str, said: list[str] | None
) -> None:
    wallet = await elsewhere(town, knows=False)
    visitor = await visit(wallet)
    await explorer_is(visitor.page, explorer)
    await visitor.open()
    await reader(visitor).connects()
    ((offered,),) = [params for method, params in wallet.heard if method == ADDS]
    assert offered.get("blockExplorerUrls") == said
    assert offered["rpcUrls"]


async def test_a_wallet_that_tells_its_network_late_is_asked_again(town: TestWorld, visit: Visit) -> None:
    wallet = await elsewhere(town, says={CHAIN: iter([MAINNET] * 4)})  # once before the switch
    await signs_in(visit, wallet)
    assert wallet.asked.count(SWITCHES) == 1
    assert ADDS not in wallet.asked


async def test_a_wallet_that_never_tells_our_network_is_on_another_one(town: TestWorld, visit: Visit) -> None:
    wallet = await elsewhere(town, says={CHAIN: repeat(MAINNET)})
    visitor = await at_home(visit, wallet)
    await visitor.page.get_by_role("button", name="Connect a wallet").click()
    await expect(visitor.page.locator("#connect-said")).to_contain_text("The wallet is on another network.")
    assert SIGNS not in wallet.asked


@pytest.mark.parametrize(
    "error",
    [
        {"code": 4902, "message": "Unrecognized chain ID."},
        {"code": -32603, "message": "Unrecognized chain ID.", "data": {"originalError": {"code": 4902}}},
        {"code": -32603, "message": "Internal error"},
        {"code": 32603, "message": "Invalid chain"},
        {"code": -32601, "message": "The method does not exist."},
        {"code": -1, "message": "未知网络"},
        {"message": "no code at all"},
    ],
    ids=str,
)
async def test_whatever_a_wallet_says_to_a_network_that_it_does_not_know_it_is_offered_to_it(
    town: TestWorld, visit: Visit, error: dict[str, object]
) -> None:
    wallet = await elsewhere(town, knows=False, says={SWITCHES: iter([{"error": error}])})
    await signs_in(visit, wallet)
    assert wallet.on == town.chain.chain_id


async def test_a_wallet_that_adds_a_network_without_going_there_is_asked_to_go(
    town: TestWorld, visit: Visit
) -> None:
    wallet = await elsewhere(town, knows=False)

    def adds() -> Iterator[dict[str, object]]:
        wallet.knows.add(town.chain.chain_id)
        yield {"result": None}

    wallet.says[ADDS] = adds()
    await signs_in(visit, wallet)
    assert [method for method in wallet.asked if method in (SWITCHES, ADDS)] == [SWITCHES, ADDS, SWITCHES]


async def test_accounts_that_come_late_after_a_switch_are_waited_for(town: TestWorld, visit: Visit) -> None:
    wallet = await elsewhere(town, says={ACCOUNTS: iter([{"result": []}] * 2)})
    await signs_in(visit, wallet)
    assert wallet.asked.count(ACCOUNTS) == 3


async def test_a_wallet_with_another_account_on_each_network_signs_with_that_of_ours(
    town: TestWorld, visit: Visit
) -> None:
    other = {"result": ["0x" + "12" * 20]}
    wallet = await elsewhere(town, says={ASKS_ACCOUNTS: iter([other])}, connected=True)
    visitor = await at_home(visit, wallet)
    await reader(visitor).connects()
    assert await visitor.page.locator("html").get_attribute("data-signed-in") == wallet.address


@pytest.mark.parametrize("accounts", [[], None, ["", 7]], ids=str)
async def test_a_wallet_that_was_unlocked_just_now_names_its_account_at_the_second_question(
    town: TestWorld, visit: Visit, accounts: object
) -> None:
    wallet = await elsewhere(town, says={ASKS_ACCOUNTS: iter([{"result": accounts}])}, connected=True)
    await signs_in(visit, wallet)


DECLINED = "You declined in the wallet."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": 4001}, DECLINED),
        ({"code": "4001"}, DECLINED),
        ({"code": 5000, "message": "User rejected."}, DECLINED),
        ({"code": -32603, "data": {"originalError": {"code": 4001}}}, DECLINED),
        ({"code": -32603, "data": {"code": 4001}}, DECLINED),
        ({"code": -32000, "data": {"cause": {"code": 4001}}}, DECLINED),
        ({"message": "wrapped", "cause": {"code": 4001}}, DECLINED),
        ({"code": 4100}, "does not let this page use that account"),
        ({"code": 4200}, "This wallet cannot do that."),
        ({"code": -32601}, "This wallet cannot do that."),
        ({"code": 4900}, "The wallet has no connection to the network."),
        ({"code": 4901}, "The wallet has no connection to the network."),
        ({"code": -32002}, "The wallet is waiting for you already"),
        ({"code": -32603, "data": {"originalError": {"code": -32002}}}, "is waiting for you already"),
        ({"code": -32603, "message": "Out of order"}, "The wallet said: Out of order"),
        ({"code": -32000, "data": {"message": "the inner words"}}, "The wallet said: the inner words"),
        ({"code": -32000, "message": "", "data": {"message": {"no": "text"}}}, "The wallet said: -32000"),
        ({}, "The wallet said: "),
    ],
    ids=str,
)
async def test_what_a_wallet_refuses_is_said(
    town: TestWorld, visit: Visit, error: dict[str, object], words: str
) -> None:
    wallet = await elsewhere(town, says={SIGNS: iter([{"error": error}])})
    visitor = await at_home(visit, wallet)
    await visitor.page.get_by_role("button", name="Connect a wallet").click()
    await expect(visitor.page.locator("#connect-said")).to_contain_text(words)
