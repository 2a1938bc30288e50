"""Step 3: positions, and the price of a cover."""

import re
from decimal import Decimal
from itertools import pairwise

import pytest
from playwright.async_api import Locator, Page, expect

from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import SLOT, Newcomer, new_wallet
from tests.web.town import PHONE, Visit, Visitor, new_fake_wallet
from tests.world import TestWorld

BTC = "BTC/USDT perpetual"


async def come(town: TestWorld, visit: Visit, somebody: Newcomer, **options: object) -> Page:
    """Their browser, signed in, at the positions."""
    visitor: Visitor = await visit(await new_fake_wallet(town, somebody.trader.wallet), **options)
    await visitor.is_signed_in_as(somebody.trader)
    return await visitor.open()


def card(page: Page, name: str = BTC) -> Locator:
    """A position's card."""
    return page.locator(".position").filter(has=page.get_by_role("heading", name=name))


async def see_prices(page: Page) -> None:
    """Go on to the products of the first position."""
    await card(page).get_by_role("button", name="See prices").click()
    await expect(page.get_by_role("heading", name="Which cover?")).to_be_focused()


async def take(page: Page, cover: str) -> None:
    """Choose a product and ask for its price."""
    await page.get_by_role("radio", name=cover).check()
    await page.get_by_role("button", name="Get this price").click()


async def at_order(page: Page) -> str:
    """The order whose page was reached."""
    await page.wait_for_url("**/orders/0x*")
    return page.url.rpartition("/")[2]


async def test_a_position_is_chosen_and_what_was_shown_is_what_is_ordered(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    await expect(card(page).locator(".state")).to_have_text("Can be covered")
    await see_prices(page)
    offer = page.locator(".offer").filter(has_text="24 hours")
    premium = await offer.locator("[data-field=premium]").inner_text()
    payout = await offer.locator("[data-field=payout]").inner_text()
    heard = re.compile(rf"Premium in USDC {re.escape(premium)}.*{re.escape(payout)}.*after the payment")
    await expect(page.get_by_role("radio", name="24 hours")).to_have_accessible_description(heard)
    await take(page, "24 hours")
    order = await alice.trader.order(await at_order(page))
    assert (order["sku"], order["status"]) == ("LIQPASS_24H", "DRAFT")
    assert Decimal(premium) == Decimal(order["premiumUsd"])
    assert payout == f"{Decimal(order['payoutUsd']):,.2f} USDC"


async def test_the_keyboard_alone_is_enough(town: TestWorld, visit: Visit, alice: Newcomer) -> None:
    page = await come(town, visit, alice)
    await card(page).get_by_role("button", name="See prices").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Which cover?")).to_be_focused()
    radio = page.get_by_role("radio").first
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await radio.evaluate("one => one === document.activeElement"):
            break
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    order = await alice.trader.order(await at_order(page))
    assert order["sku"] == "LIQPASS_24H"


@pytest.mark.parametrize(("side", "entry"), [("long", "59000"), ("short", "61500")])
async def test_prices_are_drawn_to_scale(
    town: TestWorld, visit: Visit, alice: Newcomer, side: str, entry: str
) -> None:
    books = town.exchange.books
    okx = books.add_account()
    books.open_position(okx.uid, "BTC-USDT-SWAP", side=side, contracts=5, lever=20, avg_px=entry)
    account = await alice.trader.add_key(key_json(books, books.add_key(okx.uid)))
    (position,) = await alice.trader.positions(account)
    page = await come(town, visit, alice)
    await page.get_by_label("Exchange account").select_option(account)
    await expect(card(page).locator("[data-field=avgPx]")).to_have_text(f"{int(entry):,}")
    places = {}
    for name in ("liquidation", "entry", "mark"):
        x = await card(page).locator(f".scale > svg:has(.{name})").get_attribute("x")
        places[name] = float(str(x).removesuffix("%"))
    liquidation, mark = float(position["liqPx"]), float(position["markPx"])
    scale = (places["mark"] - places["liquidation"]) / (mark - liquidation)
    assert scale > 0
    expected = places["liquidation"] + (float(entry) - liquidation) * scale
    assert places["entry"] == pytest.approx(expected, abs=0.02)
    assert all(5 <= place <= 95 for place in places.values())
    percent = f"{position['distanceBps'] / 100:.1f}%".replace(".0%", "%")
    words = f"A {'fall' if side == 'long' else 'rise'} of {percent} liquidates it"
    await expect(card(page).locator(".distance")).to_have_text(words)
    await expect(card(page).get_by_role("img", name=re.compile(re.escape(words)))).to_be_visible()


async def test_why_a_position_cannot_be_covered_is_said(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    town.exchange.books.open_position(alice.okx.uid, "SOL-USDT-SWAP", contracts=20, lever=5, mgn_mode="cross")
    page = await come(town, visit, alice)
    sol = card(page, "SOL/USDT perpetual")
    await expect(sol.locator(".state")).to_have_text("Cannot be covered")
    await expect(sol).to_contain_text("Only isolated positions are covered.")
    await expect(sol.get_by_role("button")).to_have_count(0)


async def test_a_product_that_does_not_take_the_position_says_why_beside_the_others(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    books = town.exchange.books
    books.close_position(alice.okx.uid, "BTC-USDT-SWAP")
    books.open_position(alice.okx.uid, "BTC-USDT-SWAP", contracts=5, lever=40)
    page = await come(town, visit, alice)
    await see_prices(page)
    month = page.locator(".offer").filter(has_text="30 days")
    await expect(month.get_by_role("radio")).to_be_disabled()
    await expect(month).to_contain_text("Its leverage is over 20")
    await expect(page.get_by_role("radio", name="24 hours")).to_be_enabled()


async def test_who_has_no_position_opens_one_and_refreshes(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    books = town.exchange.books
    books.close_position(alice.okx.uid, "BTC-USDT-SWAP")
    page = await come(town, visit, alice)
    await expect(page.get_by_role("heading", name="No open positions")).to_be_visible()
    books.open_position(alice.okx.uid, "ETH-USDT-SWAP", side="short", contracts=8, lever=10)
    await page.get_by_role("button", name="Refresh").click()
    await expect(card(page, "ETH/USDT perpetual").locator(".side")).to_have_text("Short")
    await expect(page.locator("#empty")).to_be_hidden()


async def test_an_exchange_that_fails_is_said_and_asked_again(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    visitor = await visit(await new_fake_wallet(town, alice.trader.wallet))
    await visitor.is_signed_in_as(alice.trader)
    town.exchange.faults.html(path="/account/positions")
    try:
        page = await visitor.open()
        failed = page.get_by_role("alert").filter(has_text="The positions could not be read")
        await expect(failed).to_contain_text("OKX does not answer as it should.")
    finally:
        town.exchange.faults.heal()
    assert all("503" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
    await failed.get_by_role("button", name="Try again").click()
    await expect(card(page)).to_be_visible()
    await expect(failed).to_be_hidden()


async def test_the_list_follows_the_market_by_itself_and_stands_still_while_a_cover_is_chosen(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    visitor = await visit(await new_fake_wallet(town, alice.trader.wallet))
    await visitor.is_signed_in_as(alice.trader)
    await visitor.page.clock.install()
    page = await visitor.open()
    await expect(card(page)).to_be_visible()
    town.exchange.books.open_position(alice.okx.uid, "ETH-USDT-SWAP", contracts=8, lever=10)
    await page.clock.fast_forward(31_000)
    await expect(card(page, "ETH/USDT perpetual")).to_be_visible()
    await card(page).get_by_role("button", name="See prices").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.fast_forward(120_000)
    await page.evaluate("async () => fetch('/healthz')")
    assert [url for url in asked if "/api/" in url] == []


async def test_who_left_before_paying_finds_the_order_again(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    order = await alice.order()
    page = await come(town, visit, alice)
    path = f"/orders/{order['purchaseOrderId']}"
    await expect(page.get_by_role("link", name="Continue the order")).to_have_attribute("href", path)
    await expect(card(page).get_by_role("link", name="Continue your order")).to_have_attribute("href", path)
    await expect(card(page).get_by_role("button")).to_have_count(0)


async def test_a_position_that_has_an_order_by_now_leads_to_it(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    await see_prices(page)
    order = await alice.order("LIQPASS_8H")
    await take(page, "24 hours")
    said = page.locator("#offer-said")
    await expect(said).to_contain_text("This position has an open order for LIQPASS_8H.")
    await said.get_by_role("link", name="Go to that order").click()
    assert await at_order(page) == order["purchaseOrderId"]


async def test_a_position_that_another_wallet_covers_by_now_is_refused_in_words(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    await see_prices(page)
    async with Trader(town.api, await new_wallet(town)) as other:
        await other.sign_in()
        await other.bind(await other.add_key(alice.key), SLOT, "LIQPASS_24H")
    await take(page, "24 hours")
    await expect(page.get_by_role("alert").filter(has_text="bound by another wallet")).to_be_visible()


async def test_a_position_that_was_closed_by_now_is_refused_in_words(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    await see_prices(page)
    town.exchange.books.close_position(alice.okx.uid, "BTC-USDT-SWAP")
    town.clock.advance(minutes=2)
    await take(page, "24 hours")
    await expect(page.get_by_role("alert").filter(has_text="no open isolated long")).to_be_visible()
    await page.get_by_role("button", name="Choose another position").click()
    await expect(page.get_by_role("heading", name="No open positions")).to_be_visible()


async def test_prices_that_are_close_together_fit_on_a_phone(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    town.exchange.books.open_position(
        alice.okx.uid, "DOGE-USDT-SWAP", contracts=10, lever=75, avg_px="0.19999"
    )
    page = await come(town, visit, alice, viewport=PHONE)
    doge = card(page, "DOGE/USDT perpetual")
    await expect(doge).to_be_visible()
    boxes = [await price.bounding_box() for price in await doge.locator(".prices > div").all()]
    edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
    assert len(edges) == 3
    assert all(right <= left for (_, right), (left, _) in pairwise(edges))
    await see_prices(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
