"""Nothing keeps anybody out of any page, in both languages and colours; on a phone nothing sticks out."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pprint import pformat

import pytest
from playwright.async_api import Page, expect

from liqpass.sandbox.trader import Trader
from tests.web.axe import OF_COLOURS, sticks_out, violations
from tests.web.journey import Reader
from tests.web.scenes import Scene, scene
from tests.web.town import PHONE, SCREEN, Visit
from tests.world import TestWorld

LANGUAGES = {"en": "en-US", "zh-Hans": "zh-CN"}
Do = Callable[[Reader], Awaitable[None]]
Sights = list[tuple[str, str, Do]]


@pytest.fixture(scope="module")
async def shown(built_town: TestWorld) -> AsyncIterator[Scene]:
    """Nobody works on after this: what a page shows stays as it is while it is looked at."""
    async with scene(built_town) as made:
        yield made


async def as_it_is(reader: Reader) -> None:
    await expect(reader.page.get_by_role("heading", level=1)).to_be_visible()


async def unfolded(reader: Reader) -> None:
    await as_it_is(reader)
    await reader.page.evaluate(
        "() => document.querySelectorAll('details').forEach((it) => { it.open = true })"
    )


async def looks_at_one(reader: Reader) -> None:
    await reader.page.get_by_role("link", name=re.compile(reader.words("Look at it"))).first.click()
    await expect(reader.page.locator("#decision")).to_be_visible()
    await unfolded(reader)


async def objects(reader: Reader) -> None:
    await reader.button("Object").click()
    await reader.sees("Object to the decision")


async def finds_no_wallet(reader: Reader) -> None:
    await reader.button("Connect a wallet").click()
    await reader.sees("No wallet was found in this browser")


async def key_is_on_hold(reader: Reader) -> None:
    second = reader.page.get_by_role("option", name=re.compile("Second account"))
    await reader.field("Exchange account").select_option(await second.get_attribute("value"))
    await reader.sees("This key is on hold")


async def positions_are_there(reader: Reader) -> None:
    main = reader.page.get_by_role("option", name=re.compile("Main account"))
    await reader.field("Exchange account").select_option(await main.get_attribute("value"))
    await expect(reader.card("BTC/USDT").first).to_be_visible()


async def sees_offers(reader: Reader) -> None:
    await positions_are_there(reader)
    await reader.card("DOGE/USDT").get_by_role("button").first.click()
    await expect(reader.page.get_by_role("radio").first).to_be_visible()


async def forgets_to_fill_in(reader: Reader) -> None:
    await reader.button("Check and keep this key").click()
    await expect(reader.field("API key")).to_have_attribute("aria-invalid", "true")


def all_pages(shown: Scene) -> list[tuple[Trader | None, Sights]]:
    """Who looks; then what it is, where it is, and what they do there."""
    orders: Sights = [(state, f"/orders/{number}", unfolded) for state, number in shown.orders.items()]
    nobody: Sights = [
        ("welcome", "/", as_it_is),
        ("no wallet", "/", finds_no_wallet),
        ("nothing there", "/nowhere", as_it_is),
        ("what is covered", "/what-is-covered", as_it_is),
        ("price", "/price", unfolded),
        ("reserve", "/reserve", as_it_is),
    ]
    newcomer: Sights = [
        ("no key yet", "/", as_it_is),
        ("a key not filled in", "/", forgets_to_fill_in),
        ("no orders yet", "/cover", as_it_is),
        ("no keys yet", "/keys", as_it_is),
    ]
    trader: Sights = [
        ("a key on hold", "/", key_is_on_hold),
        ("positions", "/", positions_are_there),
        ("offers", "/", sees_offers),
        ("objecting", f"/orders/{shown.orders['ENDED']}", objects),
        ("receipt", f"/orders/{shown.orders['COVERED']}/receipt", as_it_is),
        ("cover", "/cover", as_it_is),
        ("keys", "/keys", as_it_is),
    ]
    operator: Sights = [
        ("operator", "/operator", as_it_is),
        ("breaks", "/operator/breaks", as_it_is),
        ("suspense", "/operator/suspense", as_it_is),
        ("claims", "/operator/claims?show=all", as_it_is),
        ("a claim", "/operator/claims", looks_at_one),
    ]
    return [
        (None, nobody),
        (shown.newcomer, newcomer),
        (shown.trader, trader),
        (shown.trader, orders),
        (shown.operator, operator),
    ]


async def wrong_with(page: Page) -> dict[str, list[str]]:
    """By what: light, dark, on a phone."""
    found = {"light": await violations(page)}
    await page.emulate_media(color_scheme="dark")
    found["dark"] = await violations(page, OF_COLOURS)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(PHONE)
    found["on a phone"] = await sticks_out(page)
    await page.set_viewport_size(SCREEN)
    return {where: wrong for where, wrong in found.items() if wrong}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_keeps_anybody_out_of_any_page(shown: Scene, visit: Visit, language: str) -> None:
    wrong: dict[str, object] = {}

    async def look_at(who: Trader | None, pages: Sights) -> None:
        visitor = await visit(wallets=0, language=LANGUAGES[language])
        if who is not None:
            await visitor.is_signed_in_as(who)
        for name, path, do in pages:
            await visitor.open(path)
            await do(Reader(visitor.page, language))
            if found := await wrong_with(visitor.page):
                wrong[name] = found

    await asyncio.gather(*(look_at(who, pages) for who, pages in all_pages(shown)))
    assert not wrong, pformat(wrong, width=160)
