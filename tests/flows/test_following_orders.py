"""Following one order as it moves, and listing all of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from liqpass.hexes import to_hex
from liqpass.orders import following
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

ORDERS, CANCEL = "/api/insurance/orders", "/api/insurance/cancel"


class Told(NamedTuple):
    """One server-sent event."""

    event: str
    id: str
    data: Any


async def told(answer: aiohttp.ClientResponse) -> AsyncIterator[Told]:
    """The stream's events; comments are passed over."""
    fields: dict[str, str] = {}
    async for raw in answer.content:
        name, _, value = raw.decode().strip().partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Told(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


async def events_of(alice: Newcomer, order: dict[str, Any], count: int, last_id: str = "") -> list[str]:
    """The statuses of the next `count` moves; all there are when the stream ends."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    found: list[Told] = []
    async with alice.trader.http.get(url_of(alice, order), headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        async for event in told(answer):
            found += [event] if event.event == "order" else []
            if len(found) == count:
                break
    assert [event.id for event in found] == [str(event.data["seq"]) for event in found]
    return [event.data["toStatus"] for event in found]


def url_of(alice: Newcomer, order: dict[str, Any]) -> str:
    """Where the order's events are told."""
    return f"{alice.trader.api}{ORDERS}/{order['purchaseOrderId']}/events"


async def test_the_event_stream_delivers_each_move_once_and_goes_on_after_the_last_event(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    follower = asyncio.create_task(events_of(alice, order, 4))
    tx_hash = await alice.trader.pay(world.chain, order)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    assert await events_of(alice, order, 2) == ["DRAFT", "PAID_PENDING_CONFIRM"]
    await world.confirm()
    assert await events_of(alice, order, 1, last_id="2") == ["ACTIVE"]
    await world.pass_time(hours=25)
    await world.work()
    moves = ["DRAFT", "PAID_PENDING_CONFIRM", "ACTIVE", "EXPIRED"]
    assert await asyncio.wait_for(follower, 10) == moves
    # the stream of an order that is over ends by itself
    assert await asyncio.wait_for(events_of(alice, order, 99), 10) == moves
    assert await asyncio.wait_for(events_of(alice, order, 99, last_id="3"), 10) == ["EXPIRED"]
    # and a browser that has seen its end is told not to come back
    async with alice.trader.http.get(url_of(alice, order), headers={"Last-Event-ID": "4"}) as answer:
        assert answer.status == 204


async def test_the_event_stream_tells_where_the_payment_stands_at_the_beginning_and_when_that_changes(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    async with alice.trader.http.get(url_of(alice, order)) as answer:
        payments = (event async for event in told(answer) if event.event == "payment")
        assert await anext(payments) == ("payment", "", None)

        tx_hash = await alice.trader.pay(world.chain, order)
        await world.work()
        seen = await anext(payments)
        assert (seen.id, seen.data["stage"], seen.data["txHash"]) == ("", "SEEN", to_hex(tx_hash))
        assert seen.data == (await alice.trader.order(order["purchaseOrderId"]))["payment"]

        await world.chain.mine(world.chain.slots_in_an_epoch)
        await world.work(2)
        safe = await anext(payments)
        assert safe.data == {**seen.data, "stage": "SAFE"}

        blocks = await world.chain.block_number() - seen.data["blockNumber"] + 1
        await world.chain.reorg(blocks)
        await world.work(2)
        gone = await anext(payments)
        assert gone.data == {**seen.data, "stage": "DROPPED"}


async def test_a_sign_of_life_is_a_comment_alone(
    monkeypatch: pytest.MonkeyPatch, world: TestWorld, alice: Newcomer
) -> None:
    """Whoever listens to messages without a name would hear an empty one with every sign."""
    monkeypatch.setattr(following, "HEARTBEAT_POLLS", 1)
    order = await alice.order()
    blocks: list[bytes] = []
    async with alice.trader.http.get(url_of(alice, order)) as answer:
        while sum(block.startswith(b":") for block in blocks) < 2:
            blocks.append(await asyncio.wait_for(answer.content.readuntil(b"\r\n\r\n"), 10))
    assert [block for block in blocks if block.startswith(b":")] == [b": waiting\r\n\r\n"] * 2
    assert all(block.startswith((b":", b"id: ", b"event: ")) for block in blocks)


async def test_who_comes_back_to_an_event_stream_is_told_the_payment_first_and_of_a_closed_order_as_well(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    headers = {"Last-Event-ID": "3"}
    async with alice.trader.http.get(url_of(alice, order), headers=headers) as answer:
        first = await anext(told(answer))
        assert (first.event, first.id, first.data["stage"]) == ("payment", "", "SAFE")
    await world.pass_time(hours=25)
    await world.work()
    async with alice.trader.http.get(url_of(alice, order), headers=headers) as answer:
        assert [event.event async for event in told(answer)] == ["order", "payment"]


async def test_orders_are_listed_newest_first_page_by_page(world: TestWorld, alice: Newcomer) -> None:
    made = []
    for _ in range(5):
        world.clock.advance(seconds=1)
        order = await alice.order()
        await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
        made.append(order["id"])
    pages, query = [], {"limit": "2"}
    while True:
        page = await alice.trader.call("GET", ORDERS, **query)
        pages.append([order["id"] for order in page["orders"]])
        if page["next"] is None:
            break
        query = {"limit": "2", "before": page["next"]}
    assert [id_ for page in pages for id_ in page] == made[::-1]
    assert [len(page) for page in pages] == [2, 2, 1]
