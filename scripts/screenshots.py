"""Plays a trader's and an operator's story in a browser; every step goes into docs/screenshots/."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, StorageState, ViewportSize, expect

from bench.at_size import BooksAtSize
from bench.pages import pages_at_size
from liqpass.clock import system_clock
from liqpass.db import open_database
from liqpass.embedded import embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.reconcile.book_checks import check_due
from liqpass.sandbox.browser_wallet import BrowserWallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Trader
from tests.conftest import QUICK, in_database, on_server
from tests.web.browser import opened, program
from tests.web.journey import Key, Reader, pays_out
from tests.web.town import (
    OPERATOR,
    PATIENCE_MS,
    PHONE,
    Visitor,
    arrive,
    at_work,
    lively_world,
    new_fake_wallet,
)
from tests.world import TestWorld

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
MOST_BYTES = 200_000
ORDERS = 20_000
REAL = ""  # products: the packaged ones
SCREEN: ViewportSize = {"width": 1180, "height": 800}
TALL: ViewportSize = {"width": 1180, "height": 1700}  # of a long page its beginning
POSITIONS: tuple[Mapping[str, Any], ...] = (
    {"inst_id": "BTC-USDT-SWAP", "side": "long", "contracts": 12, "lever": 20, "avg_px": "59400"},
    {"inst_id": "ETH-USDT-SWAP", "side": "short", "contracts": 40, "lever": 10, "avg_px": "3060"},
    {"inst_id": "SOL-USDT-SWAP", "side": "long", "contracts": 90, "lever": 50, "avg_px": "150.6"},
    {"inst_id": "DOGE-USDT-SWAP", "side": "long", "contracts": 20, "lever": 5, "mgn_mode": "cross"},
)
# For the operator: a payment and a history that a hand has changed; and every key was checked, as workers do.
HANDS = (
    """
    update premium_payments set amount = amount + 250000
    where tx_hash = (select pay_tx_hash from purchase_orders where status = 'ACTIVE' order by id desc limit 1)
    """,
    """
    delete from order_events where to_status = 'ACTIVE' and (user_id, order_id) = (
        select user_id, id from purchase_orders where status = 'EXPIRED' order by id desc limit 1)
    """,
    "update api_accounts set checked_at = now() - interval '2 hours'",
)


@asynccontextmanager
async def a_world() -> AsyncIterator[TestWorld]:
    """The sandbox on a server of its own, its workers at work."""
    with (
        tempfile.TemporaryDirectory(prefix="liqpass-screenshots-") as name,
        tempfile.TemporaryDirectory(prefix="liqpass-screenshots-data-") as data,
        embedded_postgres(Path(data), options=QUICK) as server,
    ):
        await on_server(server.url, "create database fresh")
        await migrate(in_database(server.url, "fresh"), migrations_of())
        async with (
            lively_world(server.url, "fresh", Path(name), "town", LIQPASS_SKUS=REAL) as world,
            at_work(world),
        ):
            yield world


async def take(page: Page, name: str, *, whole: bool = True, quality: int = 80) -> None:
    """One picture; of the whole page, or of what the window shows."""
    path = FOLDER / f"{name}.webp"
    await page.screenshot(path=path, type="webp", quality=quality, full_page=whole, animations="disabled")
    print(f"{path.name}: {path.stat().st_size // 1000} KB")
    if path.stat().st_size >= MOST_BYTES:
        sys.exit(f"{path.name} is too large to show")


def key_of_a_trader(world: TestWorld, uid: str) -> Key:
    """Of an account with positions as people have them."""
    books = world.exchange.books
    for position in POSITIONS:
        books.open_position(uid, **position)
    return key_json(books, books.add_key(uid, label="LiqPass"))


async def buys(browser: Browser, world: TestWorld, uid: str) -> tuple[Visitor, str]:
    """From an empty browser to cover; who, and the order's page."""
    fox = await new_fake_wallet(world)
    bear = await new_fake_wallet(world, name="Bear Wallet", rdns="test.bear", colour="sienna")
    visitor = await arrive(browser, world, fox, bear, viewport=SCREEN, device_scale_factor=1.5)
    page = await visitor.open()
    trader = Reader(page)
    await take(page, "1-welcome")
    await trader.button("Connect a wallet").click()
    await trader.sees("Which wallet?")
    await take(page, "2-wallets", whole=False)
    await trader.button("Fox Wallet").click()
    await trader.sees("Show us your positions")
    await take(page, "3-key")
    await trader.types_in(key_of_a_trader(world, uid))
    await expect(trader.card("DOGE/USDT")).to_be_visible()
    await take(page, "4-positions")
    await trader.card().get_by_role("button").click()
    await page.locator("input[type=radio][value=LIQPASS_24H]").check()
    await expect(page.locator("#picture figure")).to_be_visible()
    await take(page, "5-prices")
    await trader.button("Get this price").click()
    await trader.sees("Check and pay")
    await take(page, "6-order")
    await pays(trader, fox, world)
    return visitor, page.url.removeprefix(world.api)


async def pays(trader: Reader, wallet: BrowserWallet, world: TestWorld) -> None:
    """Step 4 while the wallet waits for its owner; step 5 until the cover runs."""
    page = trader.page
    wallet.answers_after_sec = 2
    await trader.pay_button().click()
    await expect(page.locator("[data-part=check][data-state=done]")).to_be_visible()
    await take(page, "7-paying")
    wallet.answers_after_sec = 0
    await trader.sees("Your payment is on its way")
    await expect(page.locator("[data-part=safe][data-state=now]")).to_be_visible()
    await take(page, "8-on-its-way")
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await trader.sees("Paid: your cover begins soon")
    await world.pass_time(hours=9)
    await page.reload()
    await trader.sees("You are covered")
    await take(page, "9-covered")


async def has_a_past(visitor: Visitor, world: TestWorld) -> None:
    """Two more orders of the same trader: one is over, one waits for its payment."""
    async with Trader(world.api, visitor.wallet.of) as trader:
        await trader.sign_in()
        account = (await trader.call("GET", "/api/okx/api-accounts"))["apiAccounts"][0]["apiAccountId"]
        positions = {one["instId"]: one for one in await trader.positions(account)}
        ended, waits = (positions[name] for name in ("ETH-USDT-SWAP", "SOL-USDT-SWAP"))
        order = await trader.create_order((await trader.bind(account, ended, "LIQPASS_8H"))["bindId"])
        await trader.submit(order["purchaseOrderId"], await trader.pay(world.chain, order))
        await world.confirm()
        await world.pass_time(hours=9)
        await world.work()
        await trader.positions(account)
        await trader.create_order((await trader.bind(account, waits, "LIQPASS_8H"))["bindId"])


async def looks_again(browser: Browser, visitor: Visitor, order: str, world: TestWorld) -> StorageState:
    """My cover, a receipt, the keys; and the same in the dark, in Chinese, and on a phone. Its session."""
    for name, path in (("10-my-cover", "/cover"), ("11-receipt", f"{order}/receipt"), ("12-keys", "/keys")):
        await take(await visitor.open(path), name)
    state = await visitor.context.storage_state()
    await visitor.context.close()
    views = (
        ("covered-dark", order, {"dark": True}),
        ("positions-chinese", "/", {"language": "zh-CN"}),
        ("order-chinese", order, {"language": "zh-CN"}),
    )
    for name, path, options in views:
        other = await arrive(
            browser, world, storage_state=state, viewport=SCREEN, device_scale_factor=1.5, **options
        )  # fmt: skip
        await other.open(path)
        await expect(other.page.locator(".position, .timeline").first).to_be_visible()
        await take(other.page, name)
        await other.context.close()
    phone = await arrive(
        browser, world, storage_state=state, viewport=PHONE, device_scale_factor=2, is_mobile=True
    )
    for name, path in (("phone-covered", order), ("phone-positions", "/")):
        await phone.open(path)
        await expect(phone.page.locator(".position, .timeline").first).to_be_visible()
        await take(phone.page, name, whole=False)
    await phone.context.close()
    return state


async def is_told_prices(browser: Browser, world: TestWorld) -> None:
    """Anybody: how prices are made, and that covers can be paid."""
    for name, path, options in (
        ("price", "/price", {}),
        ("reserve", "/reserve", {}),
        ("price-chinese", "/price", {"language": "zh-CN", "dark": True}),
    ):
        anybody = await arrive(browser, world, viewport=TALL, **options)  # type: ignore[arg-type]
        await take(await anybody.open(path), name, whole=False, quality=60)
        await anybody.context.close()


async def is_liquidated(
    browser: Browser, state: StorageState, order: str, uid: str, world: TestWorld
) -> None:
    """The covered position is liquidated: the claim's pages until it is paid, and the operator's."""
    trader = await arrive(browser, world, storage_state=state, viewport=SCREEN)
    page = await trader.open("/what-is-covered")
    await take(page, "what-is-covered", quality=60)
    await trader.open(order)
    world.exchange.books.liquidate(uid, "BTC-USDT-SWAP")
    await world.pass_time(minutes=6)
    claim = page.locator("#claim-state")
    await expect(claim).to_have_text("Claim payable, to be approved")
    await take(page, "claim-1-payable")
    async with Trader(world.api, OPERATOR) as who:
        await who.sign_in()
        operator = await arrive(browser, world, viewport=SCREEN, accept_downloads=True)
        await operator.is_signed_in_as(who)
        await take(await operator.open("/operator/claims"), "operator-claims")
        await operator.page.get_by_role("link", name="Look at it").first.click()
        await take(operator.page, "operator-claim", quality=60)
        await operator.page.locator("#approve-reason").fill("History, order and bill agree.")
        await operator.page.get_by_role("button", name="Approve the payout").click()
        await expect(claim).to_have_text("Claim approved")
        await pays_out(world, operator.page)
        await operator.context.close()
    await expect(claim).to_have_text("Claim paid")
    await take(page, "claim-2-paid")
    await page.get_by_role("link", name="Receipt of the payout").click()
    await take(page, "claim-3-receipt")
    await trader.context.close()
    for name, path in (("claim-chinese", order), ("what-is-covered-chinese", "/what-is-covered")):
        other = await arrive(
            browser, world, storage_state=state, viewport=SCREEN, language="zh-CN", dark=True
        )  # fmt: skip
        await take(await other.open(path), name, quality=60)
        await other.context.close()


async def disturb(books: BooksAtSize) -> None:
    """What an operator has to look into; the rules of the books are asked, too."""
    await books.owner.execute("set session_replication_role = replica")
    for statement in HANDS:
        await books.owner.execute(statement)
    await books.owner.execute("reset session_replication_role")
    db = await open_database(books.env["DATABASE_URL"], name="screenshots")
    try:
        await check_due(db, system_clock)
    finally:
        await db.close()


async def explains(browser: Browser, world: TestWorld) -> None:
    """The operator's page of money that no order explains."""
    chain = world.chain
    await chain.transfer(chain.wallets[0], chain.treasury, 25 * USDC)
    await chain.transfer(chain.wallets[1], chain.treasury, 3_450_000)
    await chain.finalize()
    await world.work(2)
    async with Trader(world.api, OPERATOR) as trader:
        await trader.sign_in()
        operator = await arrive(browser, world, viewport=SCREEN, device_scale_factor=1.5)
        await operator.is_signed_in_as(trader)
        await take(await operator.open("/operator/suspense"), "operator-suspense")
        await operator.context.close()


async def operates(browser: Browser) -> None:
    """The operator's pages over books with a past."""
    async with pages_at_size(ORDERS, print, disturb) as at:
        context = await browser.new_context(viewport=SCREEN, locale="en-US")
        cookies = at.cookies["operator"].items()
        await context.add_cookies([{"name": name, "value": it, "url": at.api} for name, it in cookies])
        page = await context.new_page()
        for name in ("operator", "operator/breaks"):
            await page.goto(f"{at.api}/{name}")
            await take(page, name.replace("/", "-"))
        await context.close()


async def main() -> None:
    found = program()
    if found is None:
        sys.exit("Chromium is missing: apt-get install chromium fonts-noto-cjk")
    FOLDER.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=2 * PATIENCE_MS)
    async with opened(found) as browser:
        async with a_world() as world:
            okx = world.exchange.books.add_account(balance="25000")
            visitor, order = await buys(browser, world, okx.uid)
            await has_a_past(visitor, world)
            state = await looks_again(browser, visitor, order, world)
            await is_told_prices(browser, world)
            await is_liquidated(browser, state, order, okx.uid, world)
            await explains(browser, world)
        await operates(browser)


if __name__ == "__main__":
    asyncio.run(main())
