"""Whoever sends half a body holds a connection for some seconds, and no longer."""

import asyncio

import pytest

from liqpass import bodies
from tests.world import TestWorld, covered_position

HANGS_SEC = 30  # what is answered at all is answered sooner


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SEC", 0.5)


async def test_half_a_body_is_refused_in_the_end(world: TestWorld) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.api.rpartition(":")[2]))
    head = "POST /api/auth/nonce HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    writer.write(f'{head}content-length: 60\r\n\r\n{{"address": '.encode())
    answer = await asyncio.wait_for(reader.read(), HANGS_SEC)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert b'"code":"BODY_TOO_SLOW"' in answer


async def test_a_stream_of_events_may_last_longer_than_a_body(world: TestWorld) -> None:
    async with world.trader() as alice:
        _, order = await covered_position(world, alice)
        path = f"/api/insurance/orders/{order['purchaseOrderId']}"
        async with alice.http.get(f"{alice.api}{path}/events") as stream:
            await asyncio.sleep(1)
            await alice.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
            async for raw in stream.content:
                if b"CANCELLED_BY_USER" in raw:
                    return
        raise AssertionError("the stream ended")
