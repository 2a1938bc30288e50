"""How many event streams one user may hold open in one process."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from tests.world import TestWorld, covered_position


async def begun(answer: aiohttp.ClientResponse) -> None:
    """Wait for the stream's first event."""
    async for raw in answer.content:
        if raw.startswith(b"data: "):
            return
    raise AssertionError("the stream ended")


async def test_a_user_holds_eight_streams_open_and_a_closed_one_makes_room(world: TestWorld) -> None:
    async with world.trader() as alice, AsyncExitStack() as stack:
        _, order = await covered_position(world, alice)
        path = f"/api/insurance/orders/{order['purchaseOrderId']}/events"
        get = alice.http.get
        streams = [await stack.enter_async_context(get(alice.api + path)) for _ in range(8)]
        for stream in streams:
            assert stream.headers["Cache-Control"] == "no-store"
            assert stream.headers["X-Accel-Buffering"] == "no"
            await begun(stream)
        async with get(alice.api + path) as ninth:
            said: dict[str, Any] = await ninth.json(content_type=None)
            assert (ninth.status, said["code"]) == (429, "TOO_MANY_REQUESTS")
            assert said["retryAfterSec"] > 0
        streams[0].close()
        while True:
            async with get(alice.api + path) as again:
                if again.status == 200:
                    return
            await asyncio.sleep(0.05)


async def test_streams_whose_reader_is_gone_before_they_begin_hold_no_place(world: TestWorld) -> None:
    async with world.trader() as alice:
        _, order = await covered_position(world, alice)
        path = f"/api/insurance/orders/{order['purchaseOrderId']}/events"
        cookie = "; ".join(f"{c.key}={c.value}" for c in alice.http.cookie_jar)
        port = int(alice.api.rpartition(":")[2])
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\n\r\n".encode())
            await writer.drain()
            writer.transport.abort()
        while True:
            async with alice.http.get(alice.api + path) as answer:
                if answer.status == 200:
                    return await begun(answer)
            await asyncio.sleep(0.05)


async def test_hundreds_of_open_connections_leave_room_for_the_next_one(world: TestWorld) -> None:
    async with AsyncExitStack() as stack:
        host, _, port = world.api.removeprefix("http://").partition(":")
        for _ in range(300):
            _, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        http = await stack.enter_async_context(aiohttp.ClientSession(world.api))
        async with http.get("/healthz", timeout=aiohttp.ClientTimeout(total=10)) as answer:
            assert answer.status == 200
