"""Pages that were left, kept or overtaken: another tab signed out, the chain took a block back, a browser
kept an old picture of the page."""

import pytest
from playwright.async_api import Page, expect

from liqpass.sandbox.browser_wallet import BrowserWallet
from tests.flows.newcomers import Newcomer, newcomer
from tests.web.journey import ORDER_PAGE, reader
from tests.web.town import Visit, Visitor
from tests.world import TestWorld


@pytest.fixture
async def visitor(town: TestWorld, visit: Visit, alice: Newcomer) -> Visitor:
    """Alice with a browser."""
    comes = await visit(BrowserWallet(town.chain, alice.trader.wallet))
    await comes.is_signed_in_as(alice.trader)
    return comes


async def comes_to_the_front(page: Page) -> None:
    """Or leaves it: the page looks which."""
    await page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


async def sign_out_elsewhere(visitor: Visitor) -> None:
    tab = await visitor.new_tab("/cover")
    await reader(visitor, tab).button("Sign out").click()
    await reader(visitor, tab).button("Connect a wallet").wait_for()
    await tab.close()


async def test_cover_whose_payment_leaves_the_chain_is_suspended_and_comes_back(
    town: TestWorld, alice: Newcomer, visitor: Visitor
) -> None:
    order, chain = await alice.order(), town.chain
    tx_hash = await alice.trader.pay(chain, order)
    await chain.mine(chain.slots_in_an_epoch)
    await visitor.open(f"/orders/{order['purchaseOrderId']}")
    trader = reader(visitor)
    await trader.sees("Paid: your cover begins soon")
    raw = await chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()])
    await chain.reorg(chain.slots_in_an_epoch + 1)
    await trader.sees("Your payment is on its way")
    await expect(trader.page.locator(".note")).to_contain_text("The chain took back the block")
    await expect(trader.page.get_by_role("link", name="Receipt to print")).to_have_count(0)
    await chain.send_raw(bytes.fromhex(raw[2:]))
    await chain.mine(chain.slots_in_an_epoch)
    await trader.sees("Paid: your cover begins soon")
    assert await alice.status(order) == "ACTIVE"


async def test_an_order_whose_reader_signed_out_in_another_tab_is_gone_and_comes_back_with_them(
    alice: Newcomer, visitor: Visitor
) -> None:
    order = await alice.order()
    page = await visitor.open(f"/orders/{order['purchaseOrderId']}")
    await sign_out_elsewhere(visitor)
    await comes_to_the_front(page)
    trader = reader(visitor)
    await trader.button("Connect a wallet").click()
    await page.wait_for_url(ORDER_PAGE)
    await trader.sees("Check and pay")


async def test_whoever_pays_after_signing_out_in_another_tab_signs_in_and_is_back_at_the_order(
    alice: Newcomer, visitor: Visitor
) -> None:
    order = await alice.order()
    await visitor.open(f"/orders/{order['purchaseOrderId']}")
    trader = reader(visitor)
    await trader.sees("Check and pay")
    await sign_out_elsewhere(visitor)
    await trader.pay_button().click()
    await trader.button("Connect a wallet").click()
    await trader.sees("Check and pay")
    assert visitor.wallet.sent == []


async def test_an_order_is_gone_when_another_tab_signed_in_as_somebody_else(
    town: TestWorld, alice: Newcomer, visitor: Visitor
) -> None:
    order = await alice.order()
    page = await visitor.open(f"/orders/{order['purchaseOrderId']}")
    trader = reader(visitor)
    await trader.sees("Check and pay")
    async with newcomer(town) as somebody_else:
        await visitor.is_signed_in_as(somebody_else.trader)
        await comes_to_the_front(page)
        await trader.sees("There is nothing here")


async def test_an_order_that_another_tab_cancels_is_cancelled_here_too_and_nothing_is_asked_any_more(
    alice: Newcomer, visitor: Visitor
) -> None:
    order = await alice.order()
    await visitor.open(f"/orders/{order['purchaseOrderId']}")
    trader = reader(visitor)
    await trader.button("Cancel order").click()
    await expect(trader.button("Keep it")).to_be_visible()
    other = reader(visitor, await visitor.new_tab(f"/orders/{order['purchaseOrderId']}"))
    await other.button("Cancel order").click()
    await other.button("Cancel the order").click()
    await other.sees("This order was cancelled")
    await trader.sees("This order was cancelled")
    await expect(trader.page.get_by_role("dialog")).to_have_count(0)
    await expect(trader.heading("This order was cancelled")).to_be_focused()


async def test_tabs_that_nobody_looks_at_keep_no_connection_so_that_a_seventh_one_loads(
    alice: Newcomer, visitor: Visitor
) -> None:
    path = f"/orders/{(await alice.order())['purchaseOrderId']}"
    for _ in range(6):
        tab = await visitor.new_tab(path)
        await reader(visitor, tab).sees("Check and pay")
        await tab.evaluate("() => Object.defineProperty(document, 'hidden', { get: () => true })")
        await comes_to_the_front(tab)
    await reader(visitor, await visitor.new_tab(path)).sees("Check and pay")


async def test_the_way_back_from_an_order_shows_that_there_is_one(visitor: Visitor) -> None:
    page = await visitor.open()
    trader = reader(visitor)
    await trader.chooses()
    await page.go_back()
    await expect(trader.card().get_by_role("link", name="Continue your order")).to_be_visible()
    await expect(trader.card().get_by_role("button")).to_have_count(0)


async def test_a_page_that_the_browser_kept_shows_nothing_to_whoever_signed_out(
    alice: Newcomer, visitor: Visitor
) -> None:
    page = await visitor.open("/keys")
    await expect(page.get_by_text(alice.okx.uid)).to_be_visible()
    await sign_out_elsewhere(visitor)
    await page.evaluate("() => dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await expect(reader(visitor).button("Connect a wallet")).to_be_visible()
    await expect(page.get_by_text(alice.okx.uid)).to_have_count(0)


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
async def test_a_receipt_is_printed_on_one_page(
    town: TestWorld, visit: Visit, alice: Newcomer, language: str
) -> None:
    order = await alice.order()
    await alice.trader.pay(town.chain, order)
    await town.chain.mine(town.chain.slots_in_an_epoch)
    visitor = await visit(BrowserWallet(town.chain, alice.trader.wallet), language=language)
    await visitor.is_signed_in_as(alice.trader)
    page = await visitor.open(f"/orders/{order['purchaseOrderId']}")
    await expect(page.locator("[data-phase=WAITING]")).to_be_visible()
    await visitor.open(f"/orders/{order['purchaseOrderId']}/receipt")
    for paper in ("A4", "Letter"):
        assert (await page.pdf(format=paper)).count(b"/Type /Page\n") == 1


async def test_what_is_printed_is_dark_on_white_for_whoever_chose_the_dark_theme(
    alice: Newcomer, visitor: Visitor
) -> None:
    page = await visitor.open(f"/orders/{(await alice.order())['purchaseOrderId']}")
    await reader(visitor).button("Dark").click()
    await expect(page.locator("html[data-theme=dark]")).to_have_count(1)
    await page.emulate_media(media="print")
    for place in ("body", ".card"):
        ink = await page.locator(place).first.evaluate("(one) => getComputedStyle(one).color")
        assert ink == "rgb(23, 32, 29)"


async def test_without_scripts_a_page_says_what_needs_them(visit: Visit, alice: Newcomer) -> None:
    order = await alice.order()
    visitor = await visit(wallets=0, java_script_enabled=False)
    for path in ("/", f"/orders/{order['purchaseOrderId']}", "/cover", "/keys"):
        page = await visitor.open(path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        said = page.locator("noscript p")  # get_by_text does not look into it
        await expect(said).to_contain_text("Scripts are switched off in this browser.")
        await expect(said).to_be_visible()
        await visitor.is_signed_in_as(alice.trader)
