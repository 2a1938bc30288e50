"""From an empty browser to cover, and whatever comes in between."""

from playwright.async_api import Locator, Page, expect

from liqpass.sandbox.chain import USDC
from tests.web.axe import sticks_out
from tests.web.journey import Reader, key_with_positions, reader
from tests.web.town import PHONE, Visit, Visitor, new_fake_wallet
from tests.world import TestWorld


async def begins(visitor: Visitor, language: str = "en") -> Reader:
    await visitor.open("/")
    return reader(visitor, language=language)


async def is_covered(town: TestWorld, trader: Reader) -> None:
    """The chain goes on, and the page says so without being touched."""
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.sees("Paid: your cover begins soon")


async def test_from_an_empty_browser_to_cover(town: TestWorld, visit: Visit) -> None:
    visitor = await visit()
    trader = await begins(visitor)
    await trader.orders(key_with_positions(town)[1])
    await trader.pays()
    await is_covered(town, trader)

    async def status() -> str:
        path = f"/api/insurance/orders/{trader.order_id}"
        return str(
            await trader.page.evaluate("async (path) => (await (await fetch(path)).json()).status", path)
        )

    assert await status() == "ACTIVE"


async def test_of_two_wallets_the_visitor_chooses_one(town: TestWorld, visit: Visit) -> None:
    fox = await new_fake_wallet(town)
    bear = await new_fake_wallet(town, name="Bear Wallet", rdns="test.bear", colour="brown")
    trader = await begins(await visit(fox, bear))
    await trader.button("Connect a wallet").click()
    await trader.button("Bear Wallet").click()
    await trader.hands_over(key_with_positions(town)[1])
    await trader.chooses()
    await trader.pays()
    await is_covered(town, trader)
    assert fox.asked == []
    assert len(bear.sent) > 0


async def test_an_order_waits_for_whoever_declines_in_the_wallet(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(town, declines=["eth_requestAccounts", "personal_sign"])
    visitor = await visit(wallet)
    trader = await begins(visitor)
    declined = "You declined in the wallet. Nothing happened; try again when you like."
    for _ in range(2):
        await trader.button("Connect a wallet").click()
        await trader.is_told(declined)
    await trader.orders(key_with_positions(town)[1])
    wallet.declines += ["eth_signTypedData_v4", "eth_sendTransaction"]
    for _ in range(2):
        await trader.pay_button().click()
        await trader.is_told(declined)
    assert wallet.sent == []
    await trader.pays()
    await is_covered(town, trader)


async def test_a_wallet_on_another_network_is_led_to_ours(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(town, on=1)
    wallet.knows.discard(town.chain.chain_id)
    trader = await begins(await visit(wallet))
    await trader.orders(key_with_positions(town)[1])
    assert "wallet_addEthereumChain" in wallet.asked
    wallet.on = 1
    await trader.pays()
    await is_covered(town, trader)


async def test_the_flow_in_chinese_for_a_browser_that_asks_for_it(town: TestWorld, visit: Visit) -> None:
    visitor = await visit(language="zh-CN")
    trader = await begins(visitor, "zh-Hans")
    await expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await trader.orders(key_with_positions(town)[1])
    await trader.pays()
    await is_covered(town, trader)


async def test_who_has_no_usdc_is_told_how_much_is_missing_and_goes_on_with_it(
    town: TestWorld, visit: Visit
) -> None:
    wallet = await new_fake_wallet(town)
    await town.chain.transfer(wallet.of, town.chain.wallets[0].address, 10_000 * USDC)
    trader = await begins(await visit(wallet))
    await trader.orders(key_with_positions(town)[1])
    await trader.pay_button().click()
    await trader.is_told("This wallet holds 0.00 USDC")
    await town.chain.mint(wallet.of.address, 100 * USDC)
    await trader.pays()
    await is_covered(town, trader)


async def test_who_is_blacklisted_is_told_so_before_the_wallet_asks(town: TestWorld, visit: Visit) -> None:
    wallet = await new_fake_wallet(town)
    await town.chain.blacklist(wallet.of.address)
    trader = await begins(await visit(wallet))
    await trader.orders(key_with_positions(town)[1])
    await trader.pay_button().click()
    await trader.is_told("Circle, the issuer of USDC, has blocked this account")
    assert wallet.sent == []


async def test_a_tab_closed_right_after_the_payment_loses_nothing(town: TestWorld, visit: Visit) -> None:
    """The server is told of no hash: the request is lost with the tab."""
    visitor = await visit(await new_fake_wallet(town, batches="atomically"))
    await visitor.context.route("**/api/insurance/submit-payment", lambda route: route.abort())
    trader = await begins(visitor)
    await trader.orders(key_with_positions(town)[1])
    async with visitor.page.expect_request("**/api/insurance/submit-payment"):
        await trader.pay_button().click()
    await visitor.page.close()
    visitor.complaints.clear()  # of the request that was lost
    back = reader(visitor, await visitor.new_tab("/cover"))
    await back.page.get_by_role("link", name="Order").click()
    await is_covered(town, back)


async def test_whoever_leaves_comes_back_to_the_step_where_they_were(town: TestWorld, visit: Visit) -> None:
    visitor = await visit()
    trader = await begins(visitor)
    await trader.connects()

    async def comes_back() -> Reader:
        await visitor.context.pages[-1].close()
        return reader(visitor, await visitor.new_tab())

    await (await comes_back()).hands_over(key_with_positions(town)[1])
    await (await comes_back()).chooses()
    trader = await comes_back()
    await trader.page.get_by_role("link", name="Continue the order").click()
    await trader.pays()
    trader = await comes_back()
    await trader.page.get_by_role("link", name="View progress").click()
    await is_covered(town, trader)
    paid = trader.order_id
    trader = await comes_back()
    await expect(trader.card().get_by_role("link")).to_have_attribute("href", f"/orders/{paid}")


async def test_two_tabs_of_an_order_tell_the_same_and_pay_once(town: TestWorld, visit: Visit) -> None:
    visitor = await visit()
    trader = await begins(visitor)
    await trader.orders(key_with_positions(town)[1])
    other = reader(visitor, await visitor.new_tab(f"/orders/{trader.order_id}"))
    await other.sees("Check and pay")
    await trader.pays()
    await other.sees("Your payment is on its way")
    await expect(other.pay_button()).to_have_count(0)
    await is_covered(town, trader)
    await other.sees("Paid: your cover begins soon")
    assert len(visitor.wallet.sent) == 1


async def test_the_flow_on_a_phone_scrolls_nowhere_sideways(town: TestWorld, visit: Visit) -> None:
    visitor = await visit(viewport=PHONE, has_touch=True, is_mobile=True)
    trader = await begins(visitor)
    wide = await sticks_out(visitor.page)
    await trader.connects()
    wide += await sticks_out(visitor.page)
    await trader.hands_over(key_with_positions(town)[1])
    await expect(trader.card()).to_be_visible()
    wide += await sticks_out(visitor.page)
    await trader.chooses()
    wide += await sticks_out(visitor.page)
    await trader.pays()
    wide += await sticks_out(visitor.page)
    await is_covered(town, trader)
    assert wide + await sticks_out(visitor.page) == []


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus, as often as there are things to reach."""
    await expect(wanted).to_be_visible()
    for _ in range(60):
        if await wanted.evaluate("(one) => one === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {wanted}")


async def test_the_keyboard_alone_leads_to_cover(town: TestWorld, visit: Visit) -> None:
    trader = await begins(await visit())
    page, key = trader.page, key_with_positions(town)[1]

    async def press(wanted: Locator) -> None:
        await tab_to(page, wanted)
        await page.keyboard.press("Enter")

    await press(trader.button("Connect a wallet"))
    await trader.sees("Show us your positions")
    for label, name in (("API key", "apiKey"), ("Secret key", "secret"), ("Passphrase", "passphrase")):
        await tab_to(page, trader.field(label))
        await page.keyboard.type(str(key[name]))
    await page.keyboard.press("Enter")
    await press(trader.card().get_by_role("button"))
    await tab_to(page, page.get_by_role("radio").first)
    await page.keyboard.press("Space")
    await press(trader.button("Get this price"))
    await trader.sees("Check and pay")
    await press(trader.pay_button())
    await trader.sees("Your payment is on its way")
    await is_covered(town, trader)
