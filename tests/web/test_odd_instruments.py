"""Instruments named in any writing, and positions that cannot be read, on the screen."""

import json
from typing import Any

import pytest
from playwright.async_api import expect

from liqpass.sandbox.okx_rows import position_row
from tests.flows.newcomers import Newcomer
from tests.web.axe import sticks_out, violations
from tests.web.journey import Reader, reader
from tests.web.town import PHONE, Visit
from tests.world import TestWorld

LIFE = "币安人生"
ARABIC = "بيتكوين"
LONG = "W" * 245
UNREADABLE = (
    "What OKX says of it cannot be read with certainty: its field %(field)s is not as we know it. "
    "Your other positions are not affected."
)


async def at(visit: Visit, somebody: Newcomer, language: str = "en", **options: Any) -> Reader:
    """Them with a browser, signed in."""
    visitor = await visit(wallets=0, language=language, **options)
    await visitor.is_signed_in_as(somebody.trader)
    await visitor.open()
    return reader(visitor, language="zh-Hans" if language.startswith("zh") else "en")


async def opens(town: TestWorld, alice: Newcomer, coin: str) -> None:
    """A position of hers that can be covered, in a swap of that name."""
    books = town.exchange.books
    books.list_instrument(f"{coin}-USDT-SWAP", mark="0.25")
    books.open_position(alice.okx.uid, f"{coin}-USDT-SWAP", contracts=4000, lever=10)
    await town.read_market()


def spoils(town: TestWorld, alice: Newcomer, *odd: dict[str, Any]) -> None:
    """From now on the exchange shows rows that cannot be read beside hers."""
    rows = [position_row(alice.okx, slot) for slot in alice.okx.slots.values()]
    body = json.dumps({"code": "0", "data": [{**rows[0], **one} for one in odd] + rows, "msg": ""})
    town.exchange.faults.answer(body, path="/account/positions")


async def test_a_position_with_a_chinese_name_is_bought_cover_for_on_every_page(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    await opens(town, alice, LIFE)
    trader = await at(visit, alice, language="zh-CN")
    await expect(trader.card(f"{LIFE}/USDT")).to_contain_text(f"{LIFE}-USDT-SWAP")
    await trader.chooses(f"{LIFE}/USDT")
    await expect(trader.page.locator(".lead")).to_contain_text(f"{LIFE}/USDT")
    await expect(trader.page.locator(".terms")).to_contain_text(f"{LIFE}/USDT")
    await alice.trader.pay(town.chain, await alice.trader.order(trader.order_id))
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.page.get_by_role("link", name=trader.words("Receipt to print")).click()
    await expect(trader.page.locator(".receipt .facts").nth(1)).to_contain_text(f"{LIFE}-USDT-SWAP")
    await trader.page.goto(f"{town.api}/cover")
    await expect(trader.page.locator("main")).to_contain_text(f"{LIFE}/USDT")


async def test_a_name_from_right_to_left_turns_nothing_around_it(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    await opens(town, alice, ARABIC)
    trader = await at(visit, alice)
    card = trader.card(f"{ARABIC}/USDT")
    left = await card.locator("[data-field=instId]").bounding_box()
    right = await card.locator("[data-field=mode]").bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"] + 1
    assert await card.locator("[data-field=instId]").evaluate("e => e.tagName") == "BDI"


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
async def test_positions_that_cannot_be_read_are_shown_by_name_with_a_reason_beside_the_others(
    town: TestWorld, visit: Visit, alice: Newcomer, language: str
) -> None:
    spoils(town, alice, {"instId": f"{LIFE}-USDT-SWAP", "mgnMode": "portfolio"}, {"instId": None})
    try:
        trader = await at(visit, alice, language=language)
        odd = trader.card(f"{LIFE}/USDT")
        await expect(odd).to_contain_text(trader.words("Cannot be covered"))
        await expect(odd).to_contain_text(trader.words(UNREADABLE, field="mgnMode"))
        await expect(odd.get_by_role("button")).to_have_count(0)
        await expect(odd.locator(".side")).to_be_hidden()
        await expect(odd.locator(".prices")).to_be_hidden()
        nameless = trader.page.get_by_role("listitem").filter(has=trader.heading("A position without a name"))
        await expect(nameless).to_contain_text(trader.words(UNREADABLE, field="instId"))
        assert await violations(trader.page) == []
        await trader.chooses()
    finally:
        town.exchange.faults.heal()


@pytest.mark.parametrize(
    "options",
    [{"viewport": PHONE}, {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}],
    ids=["on a phone", "at 200 percent"],
)
async def test_a_name_as_long_as_one_may_be_stays_on_the_screen(
    town: TestWorld, visit: Visit, alice: Newcomer, options: dict[str, Any]
) -> None:
    await opens(town, alice, LONG)
    trader = await at(visit, alice, **options)
    await expect(trader.card(f"{LONG}/USDT")).to_be_visible()
    wide = await sticks_out(trader.page)
    await trader.chooses(f"{LONG}/USDT")
    wide += await sticks_out(trader.page)
    await alice.trader.pay(town.chain, await alice.trader.order(trader.order_id))
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await expect(trader.page.get_by_role("link", name="Receipt to print")).to_be_visible()
    wide += await sticks_out(trader.page)
    for path in (f"/orders/{trader.order_id}/receipt", "/cover", "/"):
        await trader.page.goto(town.api + path)
        await expect(trader.page.locator("main")).to_contain_text("WWWW")
        wide += await sticks_out(trader.page)
    spoils(town, alice, {"instId": "W" * 3000, "mgnMode": "M" * 3000}, {"liqPx": "9" * 40, "avgPx": "1E99"})
    try:
        await trader.page.goto(town.api)
        await expect(trader.page.locator(".position.unread").first).to_be_visible()
        assert wide + await sticks_out(trader.page) == []
    finally:
        town.exchange.faults.heal()
