"""Following one order as it moves, and listing all of them."""

import asyncio
from typing import Any

from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

ORDERS, CANCEL = "/api/insurance/orders", "/api/insurance/cancel"


async def events_of(alice: Newcomer, order: dict[str, Any], count: int, last_id: str = "") -> list[str]:
    """The ids and statuses of the next `count` server-sent events; all there are when the stream ends."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    url = f"{alice.trader.api}{ORDERS}/{order['purchaseOrderId']}/events"
    found: list[str] = []
    number = ""
    async with alice.trader.http.get(url, headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        async for raw in answer.content:
            line = raw.decode().strip()
            if line.startswith("id: "):
                number = line[4:]
            if line.startswith("data: "):
                found.append(line)
            if len(found) == count:
                break
    assert all('"toStatus"' in line for line in found)
    assert number
    return [line.split('"toStatus":"')[1].split('"')[0] for line in found]


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
    url = f"{alice.trader.api}{ORDERS}/{order['purchaseOrderId']}/events"
    async with alice.trader.http.get(url, headers={"Last-Event-ID": "4"}) as answer:
        assert answer.status == 204


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
