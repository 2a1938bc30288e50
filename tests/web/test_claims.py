"""A claim in the browser: from the trader's button to the receipt, with two operators in between; and what is
written by others stays what it is."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import INST, Newcomer
from tests.web.axe import sticks_out, violations
from tests.web.journey import Reader, pays_out
from tests.web.town import OPERATOR, PHONE, Visit, Visitor, lively_world
from tests.world import TestWorld

SECOND = wallet("second operator")
LIMIT = "5"
HOSTILE = "<img src=x onerror=alert(1)> %s %(x)s {{ 7*7 }} \u202egnihtyna\u202c " + "W" * 300


@pytest.fixture(scope="module")
async def built_town(
    browser: Browser, server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """With two operators, who have to agree above five USDC."""
    names = f"{checksum(OPERATOR.address)},{checksum(SECOND.address)}"
    async with lively_world(
        server_url, template, tmp_path_factory.mktemp("claims"), "claims",
        LIQPASS_ADMIN_WALLETS=names, LIQPASS_CLAIM_ONE_APPROVES_UP_TO=LIMIT,
    ) as world:  # fmt: skip
        yield world


@pytest.fixture
async def operators(town: TestWorld, visit: Visit) -> AsyncIterator[list[Page]]:
    """Two of them, each with a browser of their own; the second one's is a phone."""
    pages = []
    async with AsyncExitStack() as stack:
        for who, options in ((OPERATOR, {"accept_downloads": True}), (SECOND, {"viewport": PHONE})):
            trader = await stack.enter_async_context(Trader(town.api, who))
            await trader.sign_in()
            visitor = await visit(wallets=0, **options)
            await visitor.is_signed_in_as(trader)
            pages.append(visitor.page)
        yield pages


async def covered(town: TestWorld, alice: Newcomer) -> str:
    """The number of her order, whose cover runs."""
    order = await alice.order()
    await alice.trader.submit(order["purchaseOrderId"], await alice.trader.pay(town.chain, order))
    await town.confirm()
    await town.pass_time(minutes=11)
    assert await alice.status(order) == "ACTIVE"
    return str(order["purchaseOrderId"])


async def at_order(visit: Visit, alice: Newcomer, order: str, **options: Any) -> Reader:
    """She looks at her order."""
    visitor: Visitor = await visit(wallets=0, **options)
    await visitor.is_signed_in_as(alice.trader)
    return Reader(await visitor.open(f"/orders/{order}"))


def state(trader: Reader, english: str) -> Any:
    """The mark of the claim on the order's page."""
    return trader.page.locator("#claim-state").filter(has_text=english)


async def looks_at(town: TestWorld, operator: Page) -> None:
    """At the newest of the claims that wait for a decision."""
    await operator.goto(f"{town.api}/operator/claims")
    await operator.get_by_role("link", name="Look at it").last.click()


async def approves(operator: Page, reason: str) -> None:
    await operator.locator("#approve-reason").fill(reason)
    await operator.get_by_role("button", name="Approve the payout").press("Enter")


async def test_a_claim_from_the_button_to_the_receipt(
    town: TestWorld, alice: Newcomer, visit: Visit, operators: list[Page]
) -> None:
    order = await covered(town, alice)
    trader = await at_order(visit, alice, order)
    page = trader.page
    await trader.button("Report a liquidation").press("Enter")
    await expect(state(trader, "Collecting evidence")).to_be_visible()
    await expect(page.locator("#claim-title")).to_be_focused()
    await expect(page.locator("#claim")).to_contain_text("there is nothing to decide yet")
    await expect(page.locator("#claim")).to_contain_text("It was last asked on")

    town.exchange.books.liquidate(alice.okx.uid, INST)
    await town.pass_time(minutes=6)
    await expect(state(trader, "Claim payable")).to_be_visible()
    await expect(page.locator(".price-line")).to_contain_text("Trigger price")
    await page.get_by_text("Check the verdict yourself").click()
    bundle = await trader.page.request.get(
        town.api + str(await page.locator("a[download]").get_attribute("href"))
    )
    assert sha256(await bundle.body()).hexdigest() in await page.locator("#claim-check").inner_text()

    ada, bob = operators
    await ada.goto(f"{town.api}/operator")
    await ada.get_by_role("link", name="Claims to be decided: 1").click()
    await ada.get_by_role("link", name="Look at it").click()
    await expect(ada.locator(".side-by-side")).to_contain_text("full_liquidation")
    clock = re.compile(r"OKX’s clock: [\d,]+ ms (ahead|behind)")
    await expect(ada.locator(".side-by-side")).to_contain_text(clock)
    await expect(ada.locator("#decision")).to_contain_text("still missing: 2")
    await approves(ada, "")
    await expect(ada.locator("#approve-reason")).to_be_focused()
    await approves(ada, "row and bill agree")
    await expect(ada.locator("#decision")).to_contain_text("You have approved it")
    await expect(state(trader, "Claim payable")).to_be_visible()
    await looks_at(town, bob)
    assert await sticks_out(bob) == []
    await expect(bob.locator("#decision")).to_contain_text("row and bill agree")
    await approves(bob, "seen")
    await expect(bob.locator("h1 + nav + .row")).to_contain_text("Claim approved")
    await expect(state(trader, "Claim approved")).to_be_visible()
    await expect(page.locator("#claim-check")).to_have_attribute("open", "")

    tx_hash = await pays_out(town, ada)
    await expect(state(trader, "Claim paid")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("link", name="Receipt of the payout").click()
    shown = await alice.trader.order(order)
    paper = page.get_by_role("article")
    kept = await page.request.get(town.api + str(await page.locator("a[download]").get_attribute("href")))
    assert await kept.body() == await bundle.body()
    for wanted in (tx_hash, shown["claim"]["claimId"], order, sha256(await bundle.body()).hexdigest()):
        await expect(paper).to_contain_text(wanted)
    await expect(paper).to_contain_text(f"{int(shown['claim']['amount']) / 1e6:,.2f} USDC")
    assert await violations(page) == []


async def test_what_was_closed_by_hand_can_be_objected_to_once(
    town: TestWorld, alice: Newcomer, visit: Visit, operators: list[Page]
) -> None:
    order = await covered(town, alice)
    trader = await at_order(visit, alice, order, viewport=PHONE)
    page = trader.page
    town.exchange.books.close_position(alice.okx.uid, INST)
    await town.pass_time(minutes=6)
    await expect(state(trader, "Claim not covered")).to_be_visible()
    await expect(page.locator("#claim")).to_contain_text("closed by its owner")
    await trader.button("Object").click()
    await trader.button("Send the objection").click()
    await expect(page.locator("#object-said")).not_to_be_empty()
    await page.locator("#object-text").fill(HOSTILE)
    await trader.button("Send the objection").click()
    await expect(state(trader, "Claim in review")).to_be_visible()
    await expect(page.locator("#claim .as-written")).to_have_text(HOSTILE.strip())

    ada = operators[0]
    await ada.set_viewport_size(PHONE)
    await looks_at(town, ada)
    await expect(ada.locator(".as-written").first).to_have_text(HOSTILE.strip())
    assert await sticks_out(ada) == []
    await ada.locator("#refuse-reason").fill(HOSTILE)
    await ada.get_by_role("button", name="Refuse the claim").click()
    await expect(state(trader, "Claim refused")).to_be_visible()
    await expect(page.locator("[data-part=APPROVED] .as-written")).to_have_text(HOSTILE.strip())
    await expect(trader.button("Object")).to_have_count(0)
    assert await sticks_out(page) == []
    await page.goto(f"{town.api}/cover")
    await expect(page.get_by_role("row").filter(has_text="Claim refused")).to_be_visible()


async def test_a_claim_that_is_open_already_is_the_one_that_is_shown(
    town: TestWorld, alice: Newcomer, visit: Visit
) -> None:
    order = await covered(town, alice)
    trader = await at_order(visit, alice, order)
    await trader.page.route("**/events", lambda route: route.fulfill(status=204))
    await trader.page.reload()
    made = await alice.trader.call("POST", "/api/insurance/claims", {"purchaseOrderId": order})
    await town.work()
    await trader.button("Report a liquidation").click()
    await expect(trader.page.get_by_role("status").first).to_contain_text(
        re.compile("A claim was open already")
    )
    assert made["claimId"] in str(await trader.page.locator("#live").get_attribute("data-claim"))


async def test_the_claim_keeps_the_focus_when_the_stream_told_of_it_before_the_answer_came(
    town: TestWorld, alice: Newcomer, visit: Visit
) -> None:
    order = await covered(town, alice)
    trader = await at_order(visit, alice, order)
    page = trader.page
    looking, answered = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await looking.wait()
        await route.fulfill(response=answer)
        answered.set()

    async def look_longer(route: Route) -> None:
        looking.set()
        await answered.wait()
        await route.continue_()

    await page.route("**/api/insurance/claims", answer_late)
    await page.route(f"**/orders/{order}", look_longer)
    await trader.button("Report a liquidation").press("Enter")
    await expect(state(trader, "Collecting evidence")).to_be_visible()
    await expect(page.locator("#claim-title")).to_be_focused()
