"""Step 2, and the page of keys: handing over a read-only key, and taking it back."""

from pathlib import Path

from playwright.async_api import Page, expect

from liqpass.sandbox.okx_control import key_json
from liqpass.vault.api_accounts import recheck_due
from tests.flows.newcomers import Newcomer, newcomer, open_account, shared_world
from tests.web.town import Visit, Visitor, new_fake_wallet
from tests.world import TestWorld

KEPT = "Check and keep this key"


async def come(town: TestWorld, visit: Visit, somebody: Newcomer) -> Visitor:
    """Their browser, signed in."""
    visitor: Visitor = await visit(await new_fake_wallet(town, somebody.trader.wallet))
    await visitor.is_signed_in_as(somebody.trader)
    return visitor


async def signed_in(visit: Visit) -> Page:
    """A newcomer's browser at step 2."""
    page = await (await visit()).open()
    await page.get_by_role("button", name="Connect a wallet").click()
    await expect(page.get_by_role("button", name=KEPT)).to_be_visible()
    return page


async def hand_over(page: Page, key: dict[str, str | bool], **other: str) -> None:
    """Fill the form and send it."""
    given = {**key, **other}
    await page.get_by_label("API key").fill(str(given["apiKey"]))
    await page.get_by_label("Secret key").fill(str(given["secret"]))
    await page.get_by_label("Passphrase").fill(str(given["passphrase"]))
    await page.get_by_role("button", name=KEPT).click()


async def kept_keys(page: Page) -> list[dict[str, str]]:
    """What the API says is kept."""
    kept: list[dict[str, str]] = await page.evaluate(
        "async () => (await (await fetch('/api/okx/api-accounts')).json()).apiAccounts"
    )
    return kept


async def test_a_read_only_key_is_kept_and_the_positions_are_next(town: TestWorld, visit: Visit) -> None:
    page = await signed_in(visit)
    _, key = open_account(town)
    await hand_over(page, key)
    await expect(page.get_by_role("heading", name="Which position?")).to_be_visible()
    await expect(page.get_by_role("heading", name="BTC/USDT perpetual")).to_be_visible()
    assert str(key["secret"]) not in await page.content()


async def test_a_key_that_can_trade_is_refused_in_words_and_not_kept(town: TestWorld, visit: Visit) -> None:
    page = await signed_in(visit)
    okx, good = open_account(town)
    bad = key_json(town.exchange.books, town.exchange.books.add_key(okx.uid, perm="read_only,trade"))
    await hand_over(page, bad)
    await expect(page.get_by_role("alert").filter(has_text="This key can trade")).to_be_visible()
    assert await kept_keys(page) == []
    await hand_over(page, good)
    await expect(page.get_by_role("heading", name="Which position?")).to_be_visible()


async def test_what_is_wrong_is_said_at_its_field(town: TestWorld, visit: Visit) -> None:
    page = await signed_in(visit)
    _, key = open_account(town)
    await page.get_by_role("button", name=KEPT).click()
    first = page.get_by_label("API key")
    await expect(first).to_be_focused()
    await expect(first).to_have_accessible_description("Enter it here.")
    await hand_over(page, key, passphrase="another one")
    field = page.get_by_label("Passphrase")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_be_focused()
    await expect(page.locator("#key-passphrase-error")).to_contain_text("passphrase is not this key")
    await expect(first).not_to_have_attribute("aria-invalid", "true")


async def test_a_key_of_demo_trading_is_asked_to_say_so(town: TestWorld, visit: Visit) -> None:
    page = await signed_in(visit)
    books = town.exchange.books
    key = key_json(books, books.add_key(books.add_account(demo=True).uid))
    await hand_over(page, key)
    demo = page.get_by_label("It is a key of demo trading")
    await expect(demo).to_be_visible()
    await expect(page.locator("#key-demo-error")).to_contain_text("demo trading key")
    await demo.check()
    await page.get_by_role("button", name=KEPT).click()
    await expect(page.get_by_role("heading", name="Which position?")).to_be_visible()


async def test_our_addresses_are_told_and_a_key_that_is_bound_to_them_is_kept(
    town: TestWorld, visit: Visit
) -> None:
    page = await signed_in(visit)
    told = await page.locator(".guide code").inner_text()
    books = town.exchange.books
    await hand_over(page, key_json(books, books.add_key(books.add_account().uid, ip="203.0.113.7")))
    await expect(page.get_by_role("alert").filter(has_text="IP addresses that are not ours")).to_be_visible()
    await hand_over(page, key_json(books, books.add_key(books.add_account().uid, ip=told)))
    await expect(page.get_by_role("heading", name="Which position?")).to_be_visible()
    await page.goto(f"{town.api}/keys")
    await expect(page.locator(".key-card").get_by_text("bound", exact=True)).to_be_visible()


async def test_where_our_addresses_are_not_told_a_key_is_to_be_left_unbound(
    server_url: str, template: str, tmp_path: Path
) -> None:
    async with (
        shared_world(server_url, template, tmp_path, LIQPASS_EGRESS_IPS="") as world,
        newcomer(world) as somebody,
        somebody.trader.http.get(f"{world.api}/keys") as answer,
    ):
        assert "Leave the <b>IP addresses</b> empty." in await answer.text()


async def test_the_page_of_keys_says_what_is_known_of_each(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await (await come(town, visit, alice)).open("/keys")
    card = page.locator(".key-card")
    await expect(card.locator(".state")).to_have_text("In use")
    last_4 = str(alice.key["apiKey"])[-4:]
    for fact in (last_4, alice.okx.uid, "Global (www.okx.com)", "Read only", "not bound"):
        await expect(card).to_contain_text(fact)
    await expect(card.locator("time")).to_have_count(2)
    assert str(alice.key["apiKey"])[:-4] not in await page.content()


async def test_a_key_is_deleted_only_after_a_second_click_and_orders_stay(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    order = await alice.order()
    page = await (await come(town, visit, alice)).open("/keys")
    dialog = page.get_by_role("dialog", name="Delete this key?")
    await page.get_by_role("button", name="Delete").click()
    await expect(dialog).to_contain_text("Your orders, your covers and their history stay.")
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(dialog).to_be_hidden()
    assert len(await kept_keys(page)) == 1
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete it for good").click()
    await expect(page.get_by_text("You have no key here.")).to_be_visible()
    assert await kept_keys(page) == []
    assert await alice.status(order) == "DRAFT"


async def test_a_key_whose_rights_grew_is_shown_on_hold_with_the_reason(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    town.exchange.books.set_perm(str(alice.key["apiKey"]), "read_only,withdraw")
    await town.pass_time(hours=7)
    of = town.of
    await recheck_due(of.db, of.gateway, of.keyring, of.clock)
    visitor = await come(town, visit, alice)
    page = await visitor.open("/keys")
    await expect(page.locator(".key-card")).to_contain_text("This key can withdraw.")
    await expect(page.locator(".key-card .state")).to_have_text("On hold")
    await expect(page.locator(".key-card .facts")).to_contain_text("Read, Withdraw")
    await visitor.open("/")
    await expect(page.locator("#held")).to_contain_text("This key can withdraw.")
    await expect(page.locator(".position")).to_have_count(0)
