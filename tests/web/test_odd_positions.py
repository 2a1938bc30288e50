"""Positions, keys and names that are out of the ordinary, and an exchange that fails at the wrong moment."""

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Route, expect

from liqpass.sandbox.okx_control import key_json
from liqpass.vault.api_accounts import recheck_due
from liqpass.web.rendering import number
from liqpass.web.texts import languages
from tests.flows.newcomers import Newcomer
from tests.web.axe import sticks_out
from tests.web.journey import Reader, reader
from tests.web.scenes import hand_over
from tests.web.town import PHONE, Visit
from tests.world import TestWorld

LONG_NAME = "网格" + "Grid" * 12  # as long as one may be, and nowhere to break it


async def at(visit: Visit, somebody: Newcomer, **options: object) -> Reader:
    """Them with a browser, signed in."""
    visitor = await visit(wallets=0, **options)
    await visitor.is_signed_in_as(somebody.trader)
    await visitor.open()
    return reader(visitor)


async def another_account(town: TestWorld, alice: Newcomer, label: str) -> str:
    """Of Alice's at OKX, in net mode, with a short in SOL and a DOGE close to its liquidation."""
    books = town.exchange.books
    okx = books.add_account(pos_mode="net_mode")
    books.open_position(okx.uid, "SOL-USDT-SWAP", side="short", contracts=40, lever=10)
    books.open_position(okx.uid, "DOGE-USDT-SWAP", contracts=20, lever=75, avg_px="0.2015676")
    return await hand_over(alice.trader, key_json(books, books.add_key(okx.uid)), label)


async def goes_on_hold(town: TestWorld, alice: Newcomer) -> None:
    """Her first key: it can do more than read from now on, which its check finds."""
    town.exchange.books.set_perm(str(alice.key["apiKey"]), "read_only,withdraw")
    await town.pass_time(hours=7)
    of = town.of
    await recheck_due(of.db, of.gateway, of.keyring, of.clock)


async def test_of_two_accounts_the_one_that_was_looked_at_last_is_shown_again(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    second = await another_account(town, alice, "Second")
    trader = await at(visit, alice)
    await trader.field("Exchange account").select_option(second)
    await expect(trader.card("SOL/USDT")).to_be_visible()
    await expect(trader.card()).to_have_count(0)
    await trader.page.reload()
    await expect(trader.card("SOL/USDT")).to_be_visible()
    await expect(trader.field("Exchange account")).to_have_value(second)


async def test_a_short_in_net_mode_is_called_short_from_the_list_to_the_receipt(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    second = await another_account(town, alice, "Second")
    trader = await at(visit, alice)
    await trader.field("Exchange account").select_option(second)
    await expect(trader.card("SOL/USDT").locator(".side")).to_have_text("Short")
    await trader.chooses("SOL/USDT")
    await expect(trader.page.locator(".terms")).to_contain_text("SOL/USDT perpetual, short")
    for name, value in (("Size", "6,000 USD"), ("Contracts", "40")):
        of = trader.page.locator(f".terms dt:text-is('{name}') + dd")
        await expect(of).to_have_text(value)
    await alice.trader.pay(town.chain, await alice.trader.order(trader.order_id))
    await town.chain.mine(town.chain.slots_in_an_epoch)
    await trader.page.get_by_role("link", name="Receipt to print").click()
    await expect(trader.page.locator(".receipt .facts").nth(1)).to_contain_text("SOL/USDT perpetual, short")


async def test_a_position_at_the_edge_of_liquidation_does_not_say_nought(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    second = await another_account(town, alice, "Second")
    trader = await at(visit, alice)
    await trader.field("Exchange account").select_option(second)
    doge = trader.card("DOGE/USDT")
    await expect(doge.locator(".distance")).to_have_text("A fall of 0.01% liquidates it")
    await expect(doge.locator(".state")).to_have_text("Cannot be covered")


async def test_a_position_that_is_just_too_close_is_not_said_to_be_at_the_limit(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    """1.36 % would be rounded to 1.4 %, beside "less than 1.4% away"."""
    books = town.exchange.books
    books.open_position(alice.okx.uid, "SOL-USDT-SWAP", contracts=40, lever=58)
    trader = await at(visit, alice)
    sol = trader.card("SOL/USDT")
    await expect(sol.locator(".distance")).to_have_text(re.compile(r"A fall of 1\.\d\d% liquidates it"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.00000912", "0.00000912"),
        ("0.19842471234", "0.1984247"),
        ("60123.5", "60,123.5"),
        ("0", "0"),
        ("0.20", "0.2"),
    ],
)
def test_a_small_price_keeps_digits_that_say_something(value: str, said: str) -> None:
    assert number(languages()["en"], Decimal(value)) == said


@pytest.mark.parametrize("value", ["1e99", "-" + "9" * 40 + "." + "9" * 40 + "e99", "1e-99", "9" * 40])
def test_the_longest_numbers_that_are_read_of_an_exchange_can_be_shown(value: str) -> None:
    assert number(languages()["en"], Decimal(value))


async def test_a_key_that_goes_on_hold_takes_its_positions_off_the_screen(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    trader = await at(visit, alice)
    await expect(trader.card()).to_be_visible()
    await goes_on_hold(town, alice)
    await trader.button("Refresh").click()
    await trader.sees("This key is on hold")
    await expect(trader.page.locator(".position")).to_have_count(0)


async def test_prices_that_another_account_could_not_get_are_not_missed_in_this_one(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    second = await another_account(town, alice, "Second")
    visitor = await visit(wallets=0)
    await visitor.is_signed_in_as(alice.trader)
    held: list[Route] = []

    async def hold(asked: Route) -> None:
        held.append(asked)

    await visitor.page.route(f"**/quotes?apiAccountId={alice.account}", hold)
    await visitor.open()
    trader = reader(visitor)
    await trader.field("Exchange account").select_option(alice.account)
    while not held:
        await trader.page.wait_for_timeout(20)
    await trader.field("Exchange account").select_option(second)
    await expect(trader.card("SOL/USDT").get_by_role("button")).to_be_visible()
    for late in held:
        await late.fulfill(status=409, json={"code": "API_ACCOUNT_ON_HOLD", "detail": "On hold."})
    await trader.page.wait_for_timeout(200)
    await expect(trader.page.locator("#no-quotes")).to_be_hidden()


async def test_of_two_accounts_one_that_can_be_read_is_shown_first(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    await goes_on_hold(town, alice)
    second = await another_account(town, alice, "Second")
    trader = await at(visit, alice)
    await expect(trader.field("Exchange account")).to_have_value(second)
    await expect(trader.page.locator(".position").first).to_be_visible()


async def test_an_exchange_that_fails_while_a_price_is_taken_leaves_the_choice_as_it_was(
    town: TestWorld, visit: Visit, alice: Newcomer
) -> None:
    visitor = await visit(wallets=0)
    await visitor.is_signed_in_as(alice.trader)
    page = await visitor.open()
    trader = reader(visitor)
    await trader.card().get_by_role("button").click()
    await page.locator("input[type=radio][value=LIQPASS_24H]").check()
    town.clock.advance(minutes=2)
    town.exchange.faults.html(path="/account/positions")
    try:
        await trader.button("Get this price").click()
        await trader.is_told("OKX does not answer as it should.")
    finally:
        town.exchange.faults.heal()
    assert all("503" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
    await expect(page.locator("input[type=radio][value=LIQPASS_24H]")).to_be_checked()
    await trader.button("Get this price").click()
    await trader.sees("Check and pay")


@pytest.mark.parametrize(
    "options",
    [{"viewport": PHONE}, {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}],
    ids=["on a phone", "at 200 percent"],
)
async def test_a_long_name_of_an_account_stays_on_the_screen(
    town: TestWorld, visit: Visit, alice: Newcomer, options: dict[str, Any]
) -> None:
    await another_account(town, alice, LONG_NAME)
    trader = await at(visit, alice, **options)
    await expect(trader.page.locator(".position").first).to_be_visible()
    wide = await sticks_out(trader.page)
    await trader.page.goto(f"{town.api}/keys")
    wide += await sticks_out(trader.page)
    await trader.field("Name for this key (optional)").press_sequentially(LONG_NAME + "!")
    await expect(trader.field("Name for this key (optional)")).to_have_value(LONG_NAME)
    await trader.page.get_by_role("button", name="Delete").first.click()
    await expect(trader.page.get_by_role("dialog")).to_be_visible()
    assert wide + await sticks_out(trader.page) == []
