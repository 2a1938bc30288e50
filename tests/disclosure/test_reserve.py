"""Anybody sees that every open cover can be paid, gets the same answer from a node, and is told when not."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from liqpass.chain.balances import BALANCE_OF
from liqpass.disclosure.reserve import at_most
from liqpass.sandbox.chain import USDC
from tests.conftest import in_database
from tests.flows.newcomers import Newcomer, newcomer, shared_world
from tests.reconcile.hands import by_hand, run_once
from tests.world import CAPITAL, TestWorld

IN = ("capital", "premiums", "claimsPayable", "refundsDue", "withdrawalsDue", "suspense", "difference")
OUT = ("unexplained", "notFinal")


@pytest.fixture(scope="module")
async def world(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """One for all tests of this file: each looks anew."""
    async with shared_world(server_url, template, tmp_path_factory.mktemp("reserve")) as running:
        yield running


@pytest.fixture
async def url(world: TestWorld, server_url: str) -> str:
    """Of its database, for a superuser."""
    return in_database(server_url, str(await world.db.pool.fetchval("select current_database()")))


@pytest.fixture
async def alice(world: TestWorld) -> AsyncIterator[Newcomer]:
    """Somebody with a position that can be covered."""
    async with newcomer(world) as somebody:
        yield somebody


async def reserve(world: TestWorld) -> dict[str, Any]:
    """As anybody is told, who is not signed in."""
    async with aiohttp.ClientSession() as stranger, stranger.get(world.api + "/api/reserve") as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
    return found


async def page(world: TestWorld, language: str = "en") -> str:
    headers = {"accept": "text/html", "accept-language": language}
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.get(world.api + "/reserve", headers=headers) as answer,
    ):
        assert answer.status == 200
        return await answer.text()


async def looked(world: TestWorld) -> dict[str, Any]:
    await run_once(world)
    return await reserve(world)


def added_up(look: dict[str, Any]) -> int:
    return sum(int(look[name]) for name in IN) - sum(int(look[name]) for name in OUT)


@pytest.mark.parametrize(
    ("held", "capital", "there", "told"),
    [
        (0, 10_000, 10_000, 0),
        (1, 10_000, 10_000, 1_000),
        (1_000, 10_000, 10_000, 1_000),
        (1_001, 1_500, 10_000, 1_500),  # never more than all the capital
        (1_001, 10_000, 1_700, 1_700),  # nor a number that seems short where nothing is
        (1_701, 10_000, 1_700, 2_000),
    ],
)
def test_what_is_held_is_rounded_up_and_never_seems_short_where_it_is_not(
    held: int, capital: int, there: int, told: int
) -> None:
    assert at_most(held * USDC, capital * USDC, there * USDC) == told * USDC


async def test_before_the_first_look_there_is_none(world: TestWorld) -> None:
    """First in this file."""
    found = await reserve(world)
    assert (found["standing"], found["looked"], found["unread"]) == ("NONE", None, False)
    assert "Nobody has looked yet" in await page(world)


async def test_the_lines_add_up_to_what_the_chain_shows(world: TestWorld, alice: Newcomer) -> None:
    """Also while a premium is in the books whose block is not final."""
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    await world.chain.transfer(world.chain.wallets[0], world.chain.treasury, 7 * USDC)
    await world.work()
    found = await looked(world)
    look = found["looked"]
    assert found["standing"] == "GOOD"
    assert int(look["notFinal"]) == int(order["premiumAmount"])
    assert added_up(look) == int(look["balance"])
    await world.chain.mine(3 * world.chain.slots_in_an_epoch)
    await world.work(2)
    look = (await looked(world))["looked"]
    assert int(look["notFinal"]) == 0
    assert int(look["suspense"]) == 7 * USDC
    assert added_up(look) == int(look["balance"]) == CAPITAL + int(order["premiumAmount"]) + 7 * USDC


async def test_what_covers_hold_tells_no_payout_of_anybody(world: TestWorld, alice: Newcomer) -> None:
    before = (await looked(world))["looked"]
    order = await alice.order()
    look = (await looked(world))["looked"]
    assert (await world.db.pool.fetchval("select balance from ledger_accounts where id = 'POOL_LOCKED'")) > 0
    assert look["heldAtMost"] == before["heldAtMost"] == str(1_000 * USDC)
    assert int(order["payoutAmount"]) < 500 * USDC
    assert int(look["toPayAtMost"]) == int(look["heldAtMost"]) + int(look["suspense"])


async def test_the_command_on_the_page_gives_the_answer_that_stands_there(world: TestWorld) -> None:
    look = (await looked(world))["looked"]
    text = (await page(world)).replace("&#39;", "'").replace("&#34;", '"')
    command = text.partition('data-copy="curl')[2].partition("}'")[0] + "}'"
    words = shlex.split("curl" + command)
    body = json.loads(words[words.index("-d") + 1])
    async with (
        aiohttp.ClientSession() as somebody,
        somebody.post(world.chain.url, json=body) as answer,
    ):
        said = (await answer.json())["result"]
    assert said == look["question"]["answer"]
    assert int(said, 16) == int(look["balance"])
    assert said in text
    assert look["sha256"] in text


async def test_a_look_that_is_two_hours_old_says_so(world: TestWorld) -> None:
    await run_once(world)
    world.clock.advance(hours=2)
    assert (await reserve(world))["standing"] == "GOOD"
    world.clock.advance(hours=3)
    assert (await reserve(world))["standing"] == "LATE"
    assert "The last look is 5 hours old." in await page(world)
    assert "5 小时前" in await page(world, "zh-CN")


async def test_where_no_node_answers_the_look_before_stays_with_its_age(world: TestWorld) -> None:
    before = await looked(world)
    world.node.unavailable = True
    try:
        world.clock.advance(hours=3)
        found = await looked(world)
    finally:
        world.node.unavailable = False
    assert (found["standing"], found["unread"]) == ("LATE", True)
    assert found["looked"] == before["looked"]
    assert "no node has told us" in await page(world)
    assert not re.search(r"\b503\b", await page(world))  # in a hash these digits may well be
    assert (await looked(world))["unread"] is False


async def test_a_balance_that_the_books_do_not_know_is_told(world: TestWorld) -> None:
    world.node.rewrite = _one_unit_less
    try:
        found = await looked(world)
    finally:
        world.node.rewrite = None
    assert found["standing"] == "DIFFERS"
    assert found["looked"]["difference"] == "-1"
    assert added_up(found["looked"]) == int(found["looked"]["balance"])
    text = await page(world)
    assert "another amount than our books say" in text
    assert f"Open: {found['looked']['breaksOpen']}" in text
    assert (await looked(world))["standing"] == "GOOD"


def _one_unit_less(method: str, params: list[Any], result: Any) -> Any:
    asked = method == "eth_call" and str(params[0].get("data", "")).startswith("0x" + BALANCE_OF.hex())
    return f"0x{int(result, 16) - 1:064x}" if asked else result


async def test_a_treasury_that_is_short_is_told(world: TestWorld, url: str) -> None:
    owe = "update ledger_accounts set balance = balance {} 2000000000000 where id = 'CLAIMS_PAYABLE'"
    await by_hand(url, owe.format("+"))
    try:
        found = await looked(world)
    finally:
        await by_hand(url, owe.format("-"))
    assert found["standing"] == "SHORT"
    assert "<b>No.</b>" in await page(world)


async def test_a_record_that_was_changed_is_not_shown(world: TestWorld, url: str) -> None:
    run = await run_once(world)
    swap = "update reconciliation_runs set document = replace(document, '{}', '{}') where id = {}"
    await by_hand(url, swap.format('"format":1', '"format":2', run))
    found = await reserve(world)
    text = await page(world)
    await by_hand(url, swap.format('"format":2', '"format":1', run))
    assert (found["standing"], found["looked"]) == ("CHANGED", None)
    assert "is not what it was when it was made" in text
    assert (await reserve(world))["standing"] == "GOOD"
