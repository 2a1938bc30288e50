"""A running product whose workers never rest, as in real life, and the people who visit it with a browser."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize
from yarl import URL

from liqpass.db import open_database
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import Wallet, wallet
from liqpass.sandbox.browser_wallet import BrowserWallet
from liqpass.sandbox.trader import Trader
from tests.clock import SettableClock
from tests.conftest import copy_database, in_database, on_server
from tests.flows.newcomers import new_wallet
from tests.web.wallets import install
from tests.world import TestWorld, running_world

REST_SEC = 0.15
PATIENCE_MS = 15_000
PHONE: ViewportSize = {"width": 360, "height": 740}
SCREEN: ViewportSize = {"width": 1280, "height": 900}
OPERATOR = wallet("operator")  # may see the operator's pages
REFUSED = re.compile(r"^Failed to load resource: the server responded with a status of 4\d\d")


class RunningClock(SettableClock):
    """Time goes on, and can be moved on."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began)


@asynccontextmanager
async def lively_world(
    server_url: str, template: str, folder: Path, name: str, **env: str
) -> AsyncIterator[TestWorld]:
    """The whole product on a fresh database, in running time; `env` changes settings."""
    database = f"{template}_{name}"
    await copy_database(server_url, template, database)
    db = await open_database(in_database(server_url, database), name="test")
    try:
        env = {"LIQPASS_ADMIN_WALLETS": checksum(OPERATOR.address), **env}
        clock = RunningClock(datetime.now(UTC))
        async with running_world(db, clock, folder, second_endpoint=False, reads=None, **env) as world:
            yield world
    finally:
        await db.close()
        await on_server(server_url, f"drop database {database} with (force)")


@asynccontextmanager
async def at_work(world: TestWorld) -> AsyncIterator[None]:
    """Workers do what there is to do, all the time. Raises what they raised."""

    async def go_on() -> None:
        while True:
            await world.work()
            await asyncio.sleep(REST_SEC)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass
class Visitor:
    """A browser of one's own, empty at first, with its wallets. `page` is its first tab.

    `complaints`: what the browser had to complain about in any tab; a test fails on them.
    """

    world: TestWorld
    context: BrowserContext
    page: Page
    wallets: list[BrowserWallet]
    complaints: list[str] = field(default_factory=list)

    @property
    def wallet(self) -> BrowserWallet:
        """The first one."""
        return self.wallets[0]

    async def open(self, path: str = "/", page: Page | None = None) -> Page:
        """Go to one of our pages, in the first tab or in another."""
        tab = page or self.page
        await tab.goto(self.world.api + path)
        return tab

    async def new_tab(self, path: str = "/") -> Page:
        """Another tab of the same browser."""
        return await self.open(path, await self.context.new_page())

    async def is_signed_in_as(self, trader: Trader) -> None:
        """Take over the session of somebody who signed in through the API, to spare a test the way there."""
        for own in self.wallets[:1]:
            own.connected = True
        cookies = trader.http.cookie_jar.filter_cookies(URL(self.world.api))
        await self.context.add_cookies(
            [{"name": name, "value": it.value, "url": self.world.api} for name, it in cookies.items()]
        )


Visit = Callable[..., Awaitable[Visitor]]


def watch(visitor: Visitor) -> None:
    """Note every error of the browser in any tab, violations of the content security policy among them. That
    the API refuses something is none, nor that a page asked for is not there."""

    def heard(message: ConsoleMessage) -> None:
        place = str(message.location.get("url", ""))
        page = message.page
        asked = urlsplit(place).path.startswith("/api/") or (page is not None and place == page.url)
        if message.type == "error" and not (asked and REFUSED.match(message.text)):
            visitor.complaints.append(f"{message.text} ({place})")

    visitor.context.on("console", heard)
    visitor.context.on("weberror", lambda thrown: visitor.complaints.append(f"uncaught: {thrown.error}"))


async def arrive(
    browser: Browser,
    world: TestWorld,
    *wallets: BrowserWallet,
    language: str = "en-US",
    viewport: ViewportSize | None = None,
    dark: bool = False,
    **options: Any,
) -> Visitor:
    """Somebody with an empty browser that has these wallets; `options` are Playwright's for a new context."""
    context = await browser.new_context(
        locale=language,
        timezone_id="Asia/Shanghai" if language.startswith("zh") else "Europe/Berlin",
        viewport=viewport or SCREEN,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(PATIENCE_MS)
    visitor = Visitor(world, context, None, list(wallets))  # type: ignore[arg-type]
    watch(visitor)
    await install(context, visitor.wallets)
    visitor.page = await context.new_page()
    return visitor


async def new_fake_wallet(world: TestWorld, of: Wallet | None = None, **behaviour: Any) -> BrowserWallet:
    """A wallet with ether and 10,000 USDC that nobody has used; `behaviour` as BrowserWallet has it."""
    return BrowserWallet(world.chain, of or await new_wallet(world), **behaviour)
