"""What a price is made of, and how it changes, on the pages; what is said while there is none."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.flows.newcomers import Newcomer, newcomer
from tests.web.test_choosing_a_cover import at_order, card, come, see_prices, take
from tests.web.town import Visit, arrive, new_fake_wallet
from tests.world import TestWorld

NEW = "NEW/USDT perpetual"


async def numbers(cells: Locator) -> list[Decimal]:
    """What stands in the cells of a table."""
    texts = await cells.all_inner_texts()
    return [Decimal(text.removesuffix(" USDC").replace(",", "")) for text in texts]


async def test_the_parts_of_each_price_add_up_to_what_its_card_says(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    await see_prices(page)
    shown = page.locator("#made-of")
    cards = await numbers(page.locator(".offer:not(.closed) [data-field=premium]"))
    assert await numbers(shown.locator("[data-part=premium] td")) == cards
    parts = [
        await numbers(shown.locator(f"[data-part={part}] td")) for part in ("risk", "load", "fee", "least")
    ]
    assert [sum(each) for each in zip(*parts, strict=True)] == cards
    chances = await shown.locator("[data-part=chance] td").all_inner_texts()
    assert chances == await page.locator(".offer:not(.closed) [data-field=chance]").all_inner_texts()
    assert all(text.endswith("%") for text in chances)


async def test_the_picture_has_a_line_for_each_product_and_the_position_in_it(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    page = await come(town, visit, alice)
    distance = (await card(page).locator(".distance").inner_text()).split()[3]
    await see_prices(page)
    figure = page.locator("#picture figure")
    await expect(figure).to_contain_text(f"Yours is a fall of {distance} away.")
    offered = await page.locator(".offer:not(.closed)").count()
    await expect(figure.locator(".curves svg svg .point, .curves > svg > .point")).to_have_count(offered)
    await figure.get_by_text("The same as a table").click()
    row = figure.locator("tr[aria-current]")
    await expect(row.locator("th")).to_have_text(distance)
    own = [text for text in await row.locator("td").all_inner_texts() if text != "–"]
    cards = await numbers(page.locator(".offer:not(.closed) [data-field=premium]"))
    # drawn a moment later than the cards: a cent is what that may make
    assert [abs(Decimal(text) - shown) <= Decimal("0.01") for text, shown in zip(own, cards, strict=True)]


async def test_an_order_says_how_its_price_came_about(town: TestWorld, visit: Visit, alice: Newcomer) -> None:
    page = await come(town, visit, alice)
    await see_prices(page)
    await take(page, "24 hours")
    order = await alice.trader.order(await at_order(page))
    shown = page.locator("#made-of")
    *parts, premium = await numbers(
        shown.locator("table.made-of tbody tr:not(:first-child) td, table.made-of tfoot td")
    )
    assert sum(parts) == premium == Decimal(order["premiumUsd"])
    chance = await shown.locator("table.made-of td").first.inner_text()
    assert abs(Decimal(chance.removesuffix("%")) - Decimal(order["chancePpm"]) / 10_000) <= Decimal("0.05")
    await expect(shown.locator(".by-distance .legend")).to_contain_text(order["premiumUsd"])
    await expect(shown.locator(".by-distance .point")).to_have_count(2)  # of the legend and of the line


async def test_nobody_sees_a_picture_of_anothers_position(town: TestWorld, alice: Newcomer) -> None:
    path = f"/prices/picture?apiAccountId={alice.account}&instId=BTC-USDT-SWAP&mgnMode=isolated&posSide=long"
    async with alice.trader.http.get(town.api + path) as answer:
        assert (answer.status, "<figure" in await answer.text()) == (200, True)
    async with newcomer(town) as other, other.trader.http.get(town.api + path) as answer:
        assert (answer.status, "<figure" in await answer.text()) == (404, False)
    async with alice.trader.http.get(town.api + path.replace("BTC", "ETH")) as answer:
        assert (answer.status, "<figure" in await answer.text()) == (200, False)


@pytest.fixture
async def unread(built_town: TestWorld, browser: Browser) -> AsyncIterator[tuple[TestWorld, Page]]:
    """A position in a coin of which nobody has read how much it moves; workers rest."""
    books = built_town.exchange.books
    async with newcomer(built_town) as somebody:
        books.list_instrument("NEW-USDT-SWAP", mark="5")
        books.open_position(somebody.okx.uid, "NEW-USDT-SWAP", contracts=500, lever=10)
        fox = await new_fake_wallet(built_town, somebody.trader.wallet)
        visitor = await arrive(browser, built_town, fox)
        await visitor.is_signed_in_as(somebody.trader)
        yield built_town, await visitor.open()
        await visitor.context.close()


async def test_a_coin_that_was_never_priced_has_its_price_by_itself_as_soon_as_it_was_read(
    unread: tuple[TestWorld, Page],
) -> None:
    world, page = unread
    coin = card(page, NEW)
    await expect(coin.locator(".state")).to_have_text("Its price is being worked out")
    await expect(coin).to_contain_text("The price shows up here by itself.")
    await expect(coin.get_by_role("button")).to_have_count(0)
    await expect(card(page).locator(".state")).to_have_text("Can be covered")
    await world.read_market()
    await expect(coin.locator(".state")).to_have_text("Can be covered")
    await expect(coin.get_by_role("button", name="See prices")).to_be_visible()
