"""A covered account that cannot be read at present: its owner is told since when, that the cover goes on, and
what to do."""

from collections.abc import AsyncIterator

import pytest

from liqpass.exchange.pace import POSITIONS
from tests.flows.newcomers import INST
from tests.watching.covers import Insured, insured, look
from tests.web.test_pages import page, source
from tests.world import TestWorld

UNREAD = "LiqPass has not been able to read your account at OKX since"
GIVE_A_KEY = "Please give a read-only key of the same account again."
NOTHING_TO_DO = "You don’t need to do anything: LiqPass keeps trying."


@pytest.fixture
async def alice(still: TestWorld) -> AsyncIterator[Insured]:
    """Her cover runs, and her position was just seen; the exchange is well again afterwards."""
    async with insured(still) as somebody:
        await look(still, minutes=11)
        yield somebody
    still.exchange.faults.heal()


def path_of(alice: Insured) -> str:
    return f"/orders/{alice.order['purchaseOrderId']}"


async def told(alice: Insured) -> str:
    """What her order's page says."""
    return await page(alice.who.trader, path_of(alice))


async def seen_at(alice: Insured) -> str:
    """When her position was seen last, as it stands in the page's source."""
    return f"{(await alice.cover())['seen_at']:%Y-%m-%dT%H:%M}"


async def test_of_an_account_that_is_read_nothing_is_told(alice: Insured) -> None:
    text = await told(alice)
    assert "You are covered" in text and "opens a claim by itself." in text
    assert UNREAD not in text


async def test_a_deleted_key_is_told_at_once_with_what_to_do_until_there_is_another(
    still: TestWorld, alice: Insured
) -> None:
    seen = await seen_at(alice)
    still.exchange.books.delete_key(str(alice.who.key["apiKey"]))
    await look(still, minutes=6)
    text = await told(alice)
    assert UNREAD in text and GIVE_A_KEY in text
    assert "Your cover stays as it is, and the evidence of a liquidation can still be had later." in text
    assert "You don’t need to do anything" not in text
    html = await source(alice.who.trader, path_of(alice))
    note = html[html.index('id="unread"') :].partition("</div>")[0]
    assert seen in note and 'href="/keys"' in note
    async with alice.who.trader.http.get(
        alice.who.trader.api + path_of(alice), headers={"accept-language": "zh"}
    ) as answer:
        assert "LiqPass 一直未能读取您的 OKX 账户" in await answer.text()

    await alice.another_key()
    await look(still, minutes=6)
    assert UNREAD not in await told(alice)


async def test_a_silent_exchange_is_told_when_it_lasts_and_asks_nothing_of_anybody(
    still: TestWorld, alice: Insured
) -> None:
    still.exchange.faults.fail("50001", path=POSITIONS)
    await look(still, minutes=6)
    assert (await alice.account())["trouble"] is not None
    assert UNREAD not in await told(alice)
    await look(still, minutes=10)
    text = await told(alice)
    assert UNREAD in text and NOTHING_TO_DO in text
    assert GIVE_A_KEY not in text


async def test_before_the_cover_begins_and_once_the_position_is_gone_nothing_of_it_is_told(
    still: TestWorld,
) -> None:
    async with insured(still) as early:
        still.exchange.books.delete_key(str(early.who.key["apiKey"]))
        await look(still, minutes=6)
        assert "Please give" not in await told(early)
    async with insured(still) as gone:
        await look(still, minutes=11)
        still.exchange.books.liquidate(gone.uid, INST)
        await look(still, minutes=6)
        still.exchange.books.delete_key(str(gone.who.key["apiKey"]))
        await look(still, minutes=16)
        assert (await gone.account())["trouble"] is not None
        assert UNREAD not in await told(gone)
