"""What open covers add up to, the limits and the stops, as the operator and as traders see them."""

import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import expect

from liqpass.exposure.changing import resume, stop
from liqpass.exposure.limits import Direction, Scope
from liqpass.hexes import checksum
from liqpass.ids import RANDOM_BYTES
from liqpass.money import usd
from liqpass.sandbox.trader import Trader
from tests.exposure.shares import BY_A_TEST, share
from tests.flows.newcomers import INST, Newcomer, newcomer, shared_world
from tests.web.test_choosing_a_cover import card, come
from tests.web.test_operator import ADMIN, html, words
from tests.web.town import Visit
from tests.world import CAPITAL, TestWorld


@pytest.fixture
async def office(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    folder = tmp_path_factory.mktemp("exposure")
    admins = checksum(ADMIN.address)
    async with shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins) as world:
        yield world


async def stops(world: TestWorld, direction: Direction, hours: int | None = None) -> None:
    """An operator stops a sale."""
    now = world.clock()
    until = now + timedelta(hours=hours) if hours else None
    await world.db.run(lambda conn: stop(conn, now, os.urandom(RANDOM_BYTES), direction, until, BY_A_TEST))


async def test_the_overview_has_the_sums_the_limits_and_the_stops(office: TestWorld) -> None:
    async with newcomer(office) as alice, Trader(office.api, ADMIN) as operator:
        await operator.sign_in()
        before = words(await html(operator, "/operator"))
        assert "Exposure within its limits" in before
        assert "Longs 0.00 USDC 0% of 250,000.00 USDC; room for 250,000.00" in before
        payout = int((await alice.order())["payoutAmount"])
        await share(office.db, Scope.ACCOUNT, 1)
        page = await html(operator, "/operator")
        said = words(page)
        used = f"{payout * 100 / (CAPITAL // 4):.2f}".rstrip("0")
        assert f"Longs {usd(payout)} USDC {used}% of 250,000.00 USDC" in said
        assert "Shorts 0.00 USDC 0%" in said
        assert "A limit is used up" in said
        assert re.search(rf"One instrument {INST} {usd(payout)} [0-9.]+% [0-9,.]+", said)
        assert f"One exchange account {alice.okx.main_uid} {usd(payout)}" in said
        wallet = alice.trader.wallet.address.hex()
        assert f"0x{wallet}" in page
        assert "One exchange account 0.01% 100.00" in said
        assert "Ada: a test" in said
        await stops(office, Direction.LONG)
        await stops(office, Direction.SHORT, hours=3)
        said = words(await html(operator, "/operator"))
        assert "Sales stopped: 2" in said
        assert "Covers of longs are not sold until somebody resumes. Stopped by Ada: a test" in said
        assert "Covers of shorts are not sold until 20" in said
        assert "liqpass pool resume long --by NAME --reason WHY" in said


async def test_a_trader_reads_that_a_direction_is_not_sold_or_that_a_limit_is_reached(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    books = town.exchange.books
    books.open_position(alice.okx.uid, "ETH-USDT-SWAP", side="short", contracts=8, lever=10)
    await stops(town, Direction.LONG, hours=3)
    page = await come(town, visit, alice)
    await expect(card(page).locator(".state")).to_have_text("Cannot be covered at present")
    await expect(card(page)).to_contain_text(
        re.compile(r"No cover of long positions is sold until \w{3} \d+, \d\d:\d\d\.")
    )
    short = card(page, "ETH/USDT perpetual")
    await expect(short.locator(".state")).to_have_text("Can be covered")
    now = town.clock()
    await town.db.run(lambda conn: resume(conn, now, Direction.LONG, BY_A_TEST))
    await share(town.db, Scope.ACCOUNT, 0)
    await page.get_by_role("button", name="Refresh").click()
    words_of_limit = "So much is covered for this exchange account and its sub-accounts"
    await expect(card(page)).to_contain_text(
        f"{words_of_limit} that its payout is too large: there is room for 0.00 USDC."
    )
    await expect(short).to_contain_text(words_of_limit)
