"""From an empty browser to cover, and whatever comes in between."""

from playwright.async_api import expect

from tests.web.journey import Reader, key_with_positions, reader
from tests.web.town import Visit, Visitor, new_fake_wallet
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
