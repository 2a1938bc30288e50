"""Step 1: a wallet is connected, and signs."""

import pytest
from playwright.async_api import Page, expect

from tests.web.town import Visit, new_fake_wallet
from tests.world import TestWorld

DECLINED = "You declined in the wallet. Nothing happened; try again when you like."


async def connect(page: Page) -> None:
    await page.get_by_role("button", name="Connect a wallet").click()


async def expect_step(page: Page, name: str) -> None:
    await expect(page.locator(".steps [aria-current=step]")).to_have_text(name)


async def test_a_wallet_signs_and_the_next_step_is_the_key(town: TestWorld, visit: Visit) -> None:
    visitor = await visit()
    page = await visitor.open()
    await expect_step(page, "Connect")
    await connect(page)
    await expect(page.get_by_role("heading", name="Show us your positions")).to_be_visible()
    await expect_step(page, "Exchange key")
    assert visitor.wallet.asked == ["eth_requestAccounts", "eth_chainId", "personal_sign"]
    assert await page.locator("html").get_attribute("data-signed-in") == visitor.wallet.address


async def test_who_wanted_to_see_a_page_of_their_own_is_brought_there(visit: Visit) -> None:
    visitor = await visit()
    page = await visitor.open("/keys")
    await connect(page)
    await expect(page.get_by_role("heading", name="Exchange keys")).to_be_visible()


async def test_of_several_wallets_one_is_chosen(town: TestWorld, visit: Visit) -> None:
    fox, rabbit = [
        await new_fake_wallet(town),
        await new_fake_wallet(town, name="Rabbit Wallet", rdns="test.rabbit", colour="teal"),
    ]
    visitor = await visit(fox, rabbit)
    page = await visitor.open()
    await connect(page)
    dialog = page.get_by_role("dialog", name="Which wallet?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    assert (fox.asked, rabbit.asked) == ([], [])
    await connect(page)
    await dialog.get_by_role("button", name="Rabbit Wallet").click()
    await expect_step(page, "Exchange key")
    assert await page.locator("html").get_attribute("data-signed-in") == rabbit.address
    assert fox.asked == []


async def test_without_a_wallet_it_is_said_how_to_get_one(town: TestWorld, visit: Visit) -> None:
    page = await (await visit(wallets=0)).open()
    await connect(page)
    note = page.locator("#no-wallet")
    await expect(note).to_contain_text("No wallet was found in this browser")
    await expect(note).to_contain_text(town.api)
    await expect(note).to_be_focused()


@pytest.mark.parametrize("method", ["eth_requestAccounts", "personal_sign"])
async def test_who_declines_is_told_so_and_can_try_again(town: TestWorld, visit: Visit, method: str) -> None:
    page = await (await visit(await new_fake_wallet(town, declines=[method]))).open()
    await connect(page)
    await expect(page.get_by_role("alert").filter(has_text=DECLINED)).to_be_visible()
    await connect(page)
    await expect_step(page, "Exchange key")


async def test_a_wallet_on_another_network_is_asked_to_switch(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(town, on=1, declines=["wallet_switchEthereumChain"])
    page = await (await visit(wallet)).open()
    await connect(page)
    await expect(page.get_by_role("alert").filter(has_text=DECLINED)).to_be_visible()
    assert "personal_sign" not in wallet.asked
    await connect(page)
    await expect_step(page, "Exchange key")
    assert wallet.on == town.chain.chain_id


async def test_a_network_that_the_wallet_does_not_know_is_offered_to_it(
    town: TestWorld, visit: Visit
) -> None:
    wallet = await new_fake_wallet(town, on=1)
    wallet.knows.remove(town.chain.chain_id)
    page = await (await visit(wallet)).open()
    await connect(page)
    await expect_step(page, "Exchange key")
    assert "wallet_addEthereumChain" in wallet.asked
    assert wallet.on == town.chain.chain_id


async def test_a_wallet_that_cannot_switch_has_to_be_switched_by_hand(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(
        town, on=1, lacks={"wallet_switchEthereumChain", "wallet_addEthereumChain"}
    )
    page = await (await visit(wallet)).open()
    await connect(page)
    await expect(page.get_by_role("alert").filter(has_text="on another network")).to_be_visible()
    wallet.on = town.chain.chain_id
    await connect(page)
    await expect_step(page, "Exchange key")


async def test_a_text_that_was_signed_too_late_is_refused_in_words(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(town, answers_after_sec=0.5)
    page = await (await visit(wallet)).open()
    await connect(page)
    await expect(page.locator("#connect-step")).to_contain_text("shows a text to sign")
    town.clock.advance(minutes=6)
    await expect(page.locator("#connect-said")).not_to_be_empty()
    await connect(page)
    await expect_step(page, "Exchange key")
