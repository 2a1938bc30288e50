"""The sandbox exchange, the gateway to it, and visitors who are signed in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

import httpx
import pytest

from liqpass.db import Database
from liqpass.exchange.okx import OkxGateway
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.cipher import KeyRing
from liqpass.vault.routes import vault_router
from tests.clock import SettableClock
from tests.signin.visitors import FakeNode, browser, door, provided, sign_in
from tests.vault.holders import KEY

Enter = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def okx(clock: SettableClock) -> AsyncIterator[SandboxExchange]:
    """Its limits never bite: between any two requests a minute passes."""
    async with SandboxExchange(clock, monotonic=map(float, count(step=60)).__next__) as exchange:
        yield exchange


@pytest.fixture
async def gateway(okx: SandboxExchange, clock: SettableClock) -> AsyncIterator[OkxGateway]:
    """Does not wait between tries, nor for its own pace."""

    async def no_pause(_seconds: float) -> None:
        pass

    monotonic = map(float, count(step=60)).__next__
    made = OkxGateway(okx.hosts, clock, monotonic=monotonic, sleep=no_pause)
    yield made
    await made.close()


@pytest.fixture
def keyring() -> KeyRing:
    return KeyRing({"k1": KEY})


@pytest.fixture
async def enter(
    db: Database, clock: SettableClock, gateway: OkxGateway, keyring: KeyRing
) -> AsyncIterator[Enter]:
    """Somebody signs in by name and gets a browser of their own, before one and the same vault."""
    regions = ["global", "eea", "us"]
    vault = provided(db, clock, vault_router(gateway=gateway, keyring=keyring, regions=regions))
    async with AsyncExitStack() as stack:

        async def somebody(name: str) -> httpx.AsyncClient:
            http = await stack.enter_async_context(browser(door(db, clock, FakeNode()), vault))
            await sign_in(http, wallet(name))
            return http

        yield somebody


@pytest.fixture
async def http(enter: Enter) -> httpx.AsyncClient:
    """Alice's browser."""
    return await enter("alice")
