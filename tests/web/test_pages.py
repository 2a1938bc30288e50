"""What the server itself writes into a trader's pages, and who sees it: over HTTP, without a browser."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from liqpass.sandbox.trader import Trader, calls_of
from tests.flows.newcomers import Newcomer, new_wallet, newcomer
from tests.world import TestWorld

UNKNOWN = "/orders/0x" + "ab" * 32
CANCEL = "/api/insurance/cancel"


@pytest.fixture
async def alice(still: TestWorld) -> AsyncIterator[Newcomer]:
    """Signed in, with a position that can be covered."""
    async with newcomer(still) as somebody:
        yield somebody


@pytest.fixture
async def bob(still: TestWorld) -> AsyncIterator[Newcomer]:
    """Somebody else."""
    async with newcomer(still) as somebody:
        yield somebody


def path_of(order: dict[str, Any]) -> str:
    return f"/orders/{order['purchaseOrderId']}"


async def page(who: Trader, path: str, status: int = 200) -> str:
    """The text of a page as a reader finds it: without tags, one space between words."""
    return words(await source(who, path, status))


async def source(who: Trader, path: str, status: int = 200) -> str:
    async with who.http.get(who.api + path, allow_redirects=False) as answer:
        assert answer.status == status
        return await answer.text()


def words(html: str) -> str:
    body = re.sub(r"(?s)<(script|template|dialog).*?</\1>", " ", html[html.index("<main") :])
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


async def paid(world: TestWorld, who: Newcomer) -> dict[str, Any]:
    order = await who.order()
    await who.trader.pay(world.chain, order)
    await world.confirm()
    assert await who.status(order) == "ACTIVE"
    return order


@pytest.mark.parametrize("path", [UNKNOWN, UNKNOWN + "/receipt", "/cover", "/keys"])
async def test_whoever_is_not_signed_in_is_led_there_and_back(still: TestWorld, path: str) -> None:
    async with (
        Trader(still.api, await new_wallet(still)) as stranger,
        stranger.http.get(stranger.api + path, allow_redirects=False) as answer,
    ):
        assert answer.status == 303
        assert answer.headers["location"] == "/?back=" + path.replace("/", "%2F")


async def test_orders_of_others_are_not_there(still: TestWorld, alice: Newcomer, bob: Newcomer) -> None:
    order = await paid(still, alice)
    for path in (path_of(order), path_of(order) + "/receipt"):
        assert "liquidat" in await page(alice.trader, path)
        assert await page(bob.trader, path, 404) == await page(bob.trader, UNKNOWN, 404)
    assert "You have no orders yet" in await page(bob.trader, "/cover")
    shouted = order["purchaseOrderId"].upper()
    assert "begins soon" in await page(alice.trader, f"/orders/{shouted}")
    for path in ("/orders/none", "/orders/0x12", "/orders/0x12/receipt"):
        assert "There is nothing here" in await page(alice.trader, path, 404)


async def test_a_draft_says_in_four_sentences_what_it_promises(alice: Newcomer) -> None:
    order = await alice.order()
    text = await page(alice.trader, path_of(order))
    assert "Cover begins 10 minutes after the time of the block that has your payment" in text
    assert "and ends 24 hours later." in text
    assert f"in full while the cover runs, LiqPass pays {order['payoutUsd']} USDC." in text
    assert "Not covered: closing the position yourself" in text
    assert "Not covered: any other position of yours" in text
    assert f"Pay {order['premiumUsd']} USDC" in text
    assert "BTC/USDT perpetual, long" in text
    assert "Leverage 10×" in text
    assert len(re.findall(r'<li class="(?:yes|no)">', await source(alice.trader, path_of(order)))) == 4


async def test_an_order_is_called_what_it_is_at_every_moment(still: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    path = path_of(order)

    async def title() -> str:
        found = re.search(r"(?s)<h1[^>]*>(.*?)</h1>", await source(alice.trader, path))
        assert found
        return words("<main>" + found[1])

    assert await title() == "Check and pay"
    tx_hash = await alice.trader.pay(still.chain, order)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    assert await title() == "Your payment is on its way"
    assert "Waiting until the chain shows the transaction" in await page(alice.trader, path)
    await still.work()
    assert "The chain shows it in block" in await page(alice.trader, path)
    await still.confirm()
    assert await title() == "Paid: your cover begins soon"
    await still.pass_time(minutes=11)  # ten of waiting, and what the chain's own time is ahead of ours
    assert await title() == "You are covered"
    await still.pass_time(hours=24)
    assert await title() == "This cover has ended"  # by the clock, before the move
    await still.work()
    text = await page(alice.trader, path)
    for said in (
        "The order was made.",
        "A transaction was sent to pay it.",
        "The payment is safe: the cover is confirmed.",
        "The cover ended.",
    ):
        assert said in text


async def test_the_timeline_is_drawn_to_scale(still: TestWorld, alice: Newcomer) -> None:
    order = await paid(still, alice)
    await still.pass_time(minutes=10, hours=12)
    svg = await source(alice.trader, path_of(order))
    bar = re.search(r'class="covered" x="([0-9.]+)%" y="22" width="([0-9.]+)%"', svg)
    now = re.search(r'class="now"><line x1="([0-9.]+)%"', svg)
    assert bar
    assert now
    assert float(now[1]) == pytest.approx(float(bar[1]) + float(bar[2]) / 2, abs=0.2)
    assert "it is the time in which you are covered" in svg


async def test_an_order_that_was_not_paid_says_why_and_what_next(still: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    await still.pass_time(minutes=16)
    text = await page(alice.trader, path_of(order))
    assert "This price has run out" in text
    assert "Pay " + order["premiumUsd"] not in text
    await still.chain.mine(2 * still.chain.slots_in_an_epoch)
    await still.work(2)
    text = await page(alice.trader, path_of(order))
    assert "This order was cancelled" in text
    assert "the last moment of its price" in text
    assert "we received no payment for it" in text


async def test_a_transaction_that_failed_is_said_beside_the_button_that_pays(
    still: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    wallet, (_, call) = alice.trader.wallet, calls_of(order)
    failed = await still.chain.send(wallet, call.to, call.data)  # nothing was approved
    await alice.trader.submit(order["purchaseOrderId"], failed)
    still.clock.advance(seconds=11)
    await still.chain.mine(still.chain.slots_in_an_epoch)
    await still.work(2)
    text = await page(alice.trader, path_of(order))
    assert "Check and pay" in text
    assert text.count("The transaction failed: nothing was paid, and the order can be paid again.") == 2


async def test_money_for_a_cancelled_order_is_said_to_be_in_suspense(
    still: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    assert "You cancelled it before it was paid." in await page(alice.trader, path_of(order))
    await alice.trader.pay(still.chain, order)
    await still.confirm()
    text = await page(alice.trader, path_of(order))
    address = alice.trader.address
    assert f"{order['premiumUsd']} USDC arrived from {address[:6]}…{address[-4:]}" in text
    assert "in suspense, and will be refunded" in text
    await page(alice.trader, path_of(order) + "/receipt", 404)


async def test_a_receipt_has_all_that_proves_a_payment(still: TestWorld, alice: Newcomer) -> None:
    draft = await alice.order()
    await page(alice.trader, path_of(draft) + "/receipt", 404)
    await alice.trader.pay(still.chain, draft)
    await still.confirm()
    order = await alice.trader.order(draft["purchaseOrderId"])
    text = await page(alice.trader, path_of(draft) + "/receipt")
    for fact in (
        order["purchaseOrderId"],
        order["payTxHash"],
        order["payer"],
        order["checkout"],
        str(order["payment"]["blockNumber"]),
        f"{order['premiumUsd']} USDC",
        "LIQPASS_24H",
        "Base (8453)",
    ):
        assert fact in text
    for moment in ("paidAt", "coverageStartAt", "coverageEndAt"):
        assert f"{order[moment].replace('T', ' ')[:19]} UTC" in text


async def test_all_orders_are_listed_page_by_page_and_what_runs_stands_first(
    still: TestWorld, alice: Newcomer
) -> None:
    made = []
    for _ in range(21):
        still.clock.advance(seconds=1)
        made.append(await alice.order())
        await alice.trader.call("POST", CANCEL, {"purchaseOrderId": made[-1]["purchaseOrderId"]})
    still.clock.advance(seconds=1)
    running = await alice.order()
    first = await source(alice.trader, "/cover")
    assert "Open orders" in words(first)
    listed = re.findall(r'<td[^>]*><span><a href="/orders/(0x[0-9a-f]{64})"', first)
    assert listed == [order["purchaseOrderId"] for order in [running, *made[:1:-1]]]
    following = re.search(r'href="(/cover\?before=[0-9a-f-]+)"', first)
    assert following
    second = await source(alice.trader, following[1])
    assert "Open orders" not in words(second)
    assert re.findall(r'<td[^>]*><span><a href="/orders/(0x[0-9a-f]{64})"', second) == [
        order["purchaseOrderId"] for order in made[1::-1]
    ]
    assert "Older orders" not in words(second)


async def test_pages_allow_nothing_inline_and_are_kept_by_nobody(still: TestWorld, alice: Newcomer) -> None:
    order = await paid(still, alice)
    for path in (path_of(order), path_of(order) + "/receipt", "/cover"):
        async with alice.trader.http.get(alice.trader.api + path) as answer:
            policy = answer.headers["content-security-policy"]
            html = await answer.text()
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-language"] == "en"
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
        assert not re.search(r"<script(?![^>]*(src=|application/json))", html)
        for link in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
            async with alice.trader.http.get(alice.trader.api + link) as answer:
                assert "immutable" in answer.headers["cache-control"]


async def test_a_page_comes_in_the_language_that_is_asked_for(alice: Newcomer) -> None:
    await alice.order()
    asks = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}
    async with alice.trader.http.get(alice.trader.api + "/cover", headers=asks) as answer:
        html = await answer.text()
        assert '<html lang="zh-Hans"' in html
        assert "24 小时" in html
        assert answer.headers["content-language"] == "zh-Hans"
