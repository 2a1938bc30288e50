"""A browser for all tests, a lively town for each file, and visitors who come with wallets."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
from playwright.async_api import Browser, expect

from tests.flows.newcomers import Newcomer, newcomer, shared_world
from tests.web.browser import opened, program
from tests.web.town import PATIENCE_MS, Visit, Visitor, arrive, at_work, lively_world, new_fake_wallet
from tests.world import TestWorld

_numbers = count(1)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, or another that is there."""
    found = program()
    if found is None:
        pytest.skip("Chromium is missing: apt-get install chromium fonts-noto-cjk")
    expect.set_options(timeout=PATIENCE_MS)
    async with opened(found) as running:
        yield running


@pytest.fixture(scope="module")
async def still(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product, shared by a file's tests; time stands still, and workers rest."""
    async with shared_world(server_url, template, tmp_path_factory.mktemp("still")) as world:
        yield world


@pytest.fixture(scope="module")
async def built_town(
    browser: Browser, server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product for a file's tests; nobody works in it yet."""
    folder = tmp_path_factory.mktemp("town")
    async with lively_world(server_url, template, folder, f"town_{next(_numbers)}") as world:
        yield world


@pytest.fixture
async def town(built_town: TestWorld) -> AsyncIterator[TestWorld]:
    """The running product, its workers at work for as long as a test runs. Time goes on by itself, and
    `town.pass_time(hours=1)` moves it; blocks come with transactions, and with `town.chain.mine(4)`, after
    which what was paid is safe."""
    async with at_work(built_town):
        yield built_town


@pytest.fixture
async def visit(browser: Browser, town: TestWorld) -> AsyncIterator[Visit]:
    """`await visit()`: somebody with an empty browser and one new wallet; `visit(wallet, other, …)` with
    these; `visit(wallets=0)` with none. `language`, `viewport`, `dark` and Playwright's options follow."""
    came: list[Visitor] = []

    async def one(*wallets: object, **options: object) -> Visitor:
        has = list(wallets) if wallets or options.pop("wallets", 1) == 0 else [await new_fake_wallet(town)]
        came.append(await arrive(browser, town, *has, **options))  # type: ignore[arg-type]
        return came[-1]

    yield one
    complaints = [complaint for visitor in came for complaint in visitor.complaints]
    for visitor in came:
        await visitor.context.close()
    assert complaints == [], "the browser complained"


@pytest.fixture
async def alice(town: TestWorld) -> AsyncIterator[Newcomer]:
    """Signed in through the API, with a key here and a position that can be covered: long BTC, 10 times."""
    async with newcomer(town) as somebody:
        yield somebody
