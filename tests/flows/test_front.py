"""The calls of an order's loop are answered before the framework: the same as by it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import structlog
from litestar.types import Receive, Scope, Send

from liqpass import bodies
from liqpass.front import MOST_BYTES, front
from liqpass.hexes import to_hex
from liqpass.signin.sessions import Token
from tests.flows.newcomers import SLOT, Newcomer
from tests.world import SKU, TestWorld

BIND, CREATE, SUBMIT = (
    f"/api/insurance/{name}" for name in ("bind-position", "create-order", "submit-payment")
)
JSON = {"content-type": "application/json"}
ITS_OWN = {"x-request-id", "date"}
COOKIE = "liqpass_session"
TOKEN = Token(bytes(range(32)))


async def answer(alice: Newcomer, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
    """Status, headers and document of an answer, but for what every answer has of its own."""
    async with alice.trader.http.post(f"{alice.trader.api}{path}", data=body, headers=JSON) as told:
        document = await told.json(content_type=None)
        document.pop("requestId", None)
        headers = {name.lower(): value for name, value in told.headers.items()}
        return told.status, {n: v for n, v in headers.items() if n not in ITS_OWN}, document


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """So that it comes chunked, which the front leaves to the framework."""
    yield body[:5]
    yield body[5:]


async def same_from_both(alice: Newcomer, path: str, body: dict[str, Any] | bytes) -> tuple[int, Any]:
    """What both say."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at_front, behind = await answer(alice, path, raw), await answer(alice, path, in_pieces(raw))
    assert at_front == behind
    return at_front[0], at_front[2]


async def test_an_order_is_bound_made_and_paid_alike(world: TestWorld, alice: Newcomer) -> None:
    status, bound = await same_from_both(alice, BIND, {"apiAccountId": alice.account, **SLOT, "sku": SKU})
    assert (status, bound["status"]) == (200, "DRAFT")
    status, order = await same_from_both(alice, CREATE, {"bindId": bound["bindId"]})
    assert (status, order["status"]) == (200, "DRAFT")
    told = {"purchaseOrderId": order["purchaseOrderId"], "payTxHash": to_hex(b"\7" * 32)}
    assert await same_from_both(alice, SUBMIT, told) == (200, {"ok": True, "status": "PAID_PENDING_CONFIRM"})


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (BIND, {"apiAccountId": str(uuid4()), **SLOT, "sku": SKU}, "API_ACCOUNT_NOT_FOUND"),
        (BIND, {"apiAccountId": "x", **SLOT, "sku": SKU}, "INVALID_FIELD"),
        (BIND, {**SLOT, "sku": SKU}, "MISSING_FIELDS"),
        (BIND, {"apiAccountId": str(uuid4()), **SLOT, "instId": "\n", "sku": SKU}, "INVALID_FIELD"),
        (CREATE, {"bindId": str(uuid4())}, "BINDING_NOT_FOUND"),
        (CREATE, {"bindId": 5}, "INVALID_FIELD"),
        (CREATE, [1], "MALFORMED_JSON"),
        (CREATE, b'{"bindId": ', "MALFORMED_JSON"),
        (CREATE, b'{"bindId": "\xff"}', "MALFORMED_JSON"),
        (SUBMIT, {"purchaseOrderId": "0x1", "payTxHash": to_hex(b"\7" * 32)}, "INVALID_FIELD"),
        (SUBMIT, {"purchaseOrderId": to_hex(b"\1" * 32), "payTxHash": to_hex(b"\7" * 32)}, "ORDER_NOT_FOUND"),
    ],
)
async def test_what_is_refused_is_refused_alike(
    world: TestWorld, alice: Newcomer, path: str, body: Any, code: str
) -> None:
    status, told = await same_from_both(alice, path, body)
    assert (status >= 400, told["code"]) == (True, code)


async def test_without_a_session_both_say_so(world: TestWorld, alice: Newcomer) -> None:
    await world.db.pool.execute("update sessions set revoked_at = $1", world.clock.now)
    binding = {"apiAccountId": alice.account, **SLOT, "sku": SKU}
    paying = {"purchaseOrderId": to_hex(b"\1" * 32), "payTxHash": to_hex(b"\7" * 32)}
    for path, body in ((BIND, binding), (CREATE, {"bindId": str(uuid4())}), (SUBMIT, paying)):
        status, told = await same_from_both(alice, path, body)
        assert (status, told["code"]) == (401, "NOT_SIGNED_IN")


class Asked(msgspec.Struct):
    """A call's body."""

    much: int


PLAIN = {b"content-type": b"application/json", b"cookie": f"a=b; {COOKIE}={TOKEN.cookie}".encode()}


@pytest.mark.parametrize(
    ("headers", "body", "by"),
    [
        ({}, b'{"much":1}', "the front"),
        ({b"cookie": f"{COOKIE}={TOKEN.cookie}".encode()}, b'{"much":1}', "the front"),
        ({b"cookie": b""}, b'{"much":1}', "the framework"),
        ({b"cookie": f"{COOKIE}=x; {COOKIE}={TOKEN.cookie}".encode()}, b'{"much":1}', "the framework"),
        ({b"expect": b"100-continue"}, b'{"much":1}', "the framework"),
        ({b"content-type": b"text/plain"}, b'{"much":1}', "the framework"),
        ({}, b'{"much":"x"}', "the framework"),
        ({}, b'{"much":1' + b" " * MOST_BYTES + b"}", "the framework"),
    ],
)
async def test_the_front_answers_what_is_plain_and_leaves_the_rest_as_it_came(
    headers: dict[bytes, bytes], body: bytes, by: str
) -> None:
    said, heard = list[str](), list[bytes]()

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        said.append("the framework")
        parts: list[Any] = [await receive()]
        while parts[-1]["more_body"]:
            parts.append(await receive())
        heard.append(b"".join([part["body"] for part in parts]))

    async def much(token: Token, asked: Asked) -> Asked:
        assert token == TOKEN
        said.append("the front")
        heard.append(b'{"much":%d}' % asked.much)
        return asked

    coming = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
    ]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(_: Any) -> None:
        """Nobody listens."""

    async def refuse(_: Send, error: Exception) -> None:
        raise error

    length = {b"content-length": b"%d" % len(body)}
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/much",
        "headers": [*{**PLAIN, **length, **headers}.items()],
    }
    await front(framework, {"/much": (Asked, much)}, COOKIE, refuse)(scope, receive, send)
    assert (said, heard) == ([by], [body])


async def test_a_body_that_breaks_off_is_refused_like_any_other_and_no_failure_of_ours(
    world: TestWorld, alice: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SEC", 0.5)
    (cookie,) = alice.trader.http.cookie_jar
    head = (
        f"POST {CREATE} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"cookie: {cookie.key}={cookie.value}\r\ncontent-length: 60\r\n\r\n"
    )
    with structlog.testing.capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(world.api.rpartition(":")[2]))
        writer.write(f'{head}{{"bindId": '.encode())
        said = await reader.read()  # until the time for it is over
        writer.close()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"BODY_TOO_SLOW"' in said
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    async with alice.trader.http.get(f"{alice.trader.api}/metrics") as told:
        assert f'liqpass_http_request_seconds_count{{method="POST",route="{CREATE}",status="408"}} 1.0' in (
            await told.text()
        )
