"""What is sent back, in which order, and how much of it is kept for a client that does not read."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.http1.wire import (
    HANGS_SEC,
    HOST,
    answer,
    body_of,
    connected,
    exchanged,
    get,
    post,
    served,
    tell_what_was_asked,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = b"x" * 64 * 1024


async def stream(_scope: Any, _receive: Any, send: Any) -> None:
    """Two parts and an end, of no known length."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"keep-alive")]})
    for part in (b"one", b"", b"two"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def test_an_answer_says_when_it_was_given_and_not_by_what_program() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(get())
        told = await client.answer()
    assert told.headers.keys() == {"date", "content-length"}
    assert told.headers["date"].endswith(" GMT")


async def test_what_has_no_known_length_comes_in_chunks_and_another_request_may_follow() -> None:
    async with served(stream) as port, connected(port) as client:
        for _ in range(2):
            await client.send(get())
            assert (await client.answer()).body == b"onetwo"


@pytest.mark.parametrize(
    ("length", "at_once"), [([], True), ([(b"content-length", b"4")], False)], ids=["stream", "known length"]
)
async def test_the_head_of_a_stream_goes_at_once_and_that_of_a_known_length_with_its_body(
    length: Any, at_once: bool
) -> None:
    """Two sends for each answer would wake its client twice."""
    came: list[bool] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        there, _ = await asyncio.wait({first}, timeout=HANGS_SEC if at_once else 0.3)
        came.append(bool(there))
        await send({"type": "http.response.body", "body": b"body"})

    async with served(app) as port, connected(port) as client:
        first = asyncio.create_task(client.some(len(b"HTTP/1.1 200 ")))
        await client.send(get())
        assert await first == b"HTTP/1.1 200 "
        assert (await client.some(len(b"OK"))) == b"OK"
    assert came == [at_once]


async def test_to_http_1_0_it_comes_until_the_end_of_the_connection() -> None:
    async with served(stream) as port:
        said = await exchanged(port, b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"onetwo"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
async def test_an_answer_that_has_no_body_has_none_whatever_the_application_sends(
    method: str, status: int
) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/streams":
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b"body", "more_body": True})
            await send({"type": "http.response.body", "body": b"body"})
        else:
            await answer(send, b"body", status)

    async with served(app) as port, connected(port) as client:
        for path in ("/", "/streams", "/"):
            await client.send(get(path).replace(b"GET", method.encode(), 1))
            told = await client.answer(to=method)
            assert told.status == status
            assert "transfer-encoding" not in told.headers


@pytest.mark.parametrize("asked", ["connection: close", "Connection: Close", "connection: x, close"])
async def test_a_client_that_wants_to_close_is_told_so(asked: str) -> None:
    async with served(tell_what_was_asked) as port:
        said = await exchanged(port, get("/", asked) + get("/again"))
    assert said.count(b"HTTP/1.1 200 ") == 1
    assert b"\r\nconnection: close\r\n" in said


async def test_an_application_that_fails_is_told_of_without_a_word_of_why() -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        if scope["path"] == "/fails":
            raise ValueError("a secret")

    async with served(app) as port:
        for path in ("/fails", "/says-nothing"):
            said = await exchanged(port, get(path) + get("/again"))
            assert said.startswith(b"HTTP/1.1 500 ")
            assert said.endswith(b"\r\n\r\nInternal Server Error")
            assert said.count(b"HTTP/1.1 ") == 1
            assert b"secret" not in said


@pytest.mark.parametrize("length", [[], [(b"content-length", b"9")]], ids=["chunked", "declared"])
async def test_an_answer_that_breaks_off_does_not_look_whole(length: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("in the middle")

    async with served(app) as port, connected(port) as client:
        await client.send(get())
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()


@pytest.mark.parametrize(
    "headers",
    [
        [(b"location", b"/\r\nset-cookie: a=b")],
        [(b"location", b"/\nset-cookie: a=b")],
        [(b"location", b"/\r")],
        [(b"x\r\ny", b"z")],
        [(b"x", b"\0")],
        [(b"transfer-encoding", b"chunked")],
    ],
)
async def test_a_header_that_would_make_two_is_not_sent(headers: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"", 302, headers)

    async with served(app) as port:
        said = await exchanged(port, get())
    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in said


@pytest.mark.parametrize("body", [b"short", b"much too long"])
async def test_a_body_of_another_length_than_was_said_is_an_error(body: bytes) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        length = [(b"content-length", b"8")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async with served(app) as port, connected(port) as client:
        await client.send(get())
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()


async def test_who_asks_before_sending_a_body_is_told_to_send_once_somebody_wants_it() -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"expect: 100-Continue\r\ncontent-length: 2\r\n\r\n"
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(head)
        assert await client.some(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"{}")
        assert (await client.answer()).told["body"] == "{}"


async def test_who_is_refused_is_not_told_to_send() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"", 413, [(b"connection", b"close")])

    head = b"POST / HTTP/1.1\r\n" + HOST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    async with served(app) as port:
        assert (await exchanged(port, head)).startswith(b"HTTP/1.1 413 ")


async def test_who_sends_without_waiting_is_not_told() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        head = b"POST / HTTP/1.1\r\n" + HOST + b"expect: 100-continue\r\ncontent-length: 0\r\n\r\n"
        await client.send(head)
        assert (await client.answer()).told["body"] == ""


async def test_an_answer_before_its_body_leaves_the_next_request_whole() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/next":
            return await tell_what_was_asked(scope, receive, send)
        await answer(send, b"early")

    async with served(app) as port, connected(port) as client:
        whole = post(PART * 20)
        await client.send(whole[:1000])
        assert (await client.answer()).body == b"early"
        await client.send(whole[1000:] + get("/next"))
        assert (await client.answer()).told["path"] == "/next"


async def test_an_answer_that_closes_reaches_who_sends_all_of_a_body_before_it_reads() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"no", 413, [(b"connection", b"close")])

    async with served(app) as port, connected(port) as client:
        await client.send(post(PART * 100))
        said = await client.rest()
    assert said.endswith(b"\r\n\r\nno")


async def test_requests_that_were_sent_together_are_answered_in_order_one_at_a_time() -> None:
    running = 0
    gate = asyncio.Event()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal running
        assert running == 0
        running += 1
        if scope["path"] == "/0":
            await gate.wait()
        running -= 1
        await answer(send, scope["path"].encode())

    async with served(app) as port, connected(port) as client:
        await client.send(b"".join(get(f"/{number}") for number in range(2000)))
        gate.set()
        for number in range(2000):
            assert (await client.answer()).body == b"/%d" % number


async def test_what_cannot_be_read_is_told_after_the_answers_before_it() -> None:
    async with served(tell_what_was_asked) as port:
        said = await exchanged(port, get("/a") + post(b"b", "/b") + b"BREW\r\n\r\n" + get("/c"))
    assert [part.split(b" ")[0] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]


async def test_of_requests_whose_answers_nobody_reads_few_are_taken() -> None:
    asked = 0

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await answer(send, PART)

    async with served(app) as port, connected(port) as client, AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(client.send(b"".join(get() for _ in range(5_000))))
        before = -1
        while before < asked:
            before = asked
            await asyncio.sleep(0.3)
        assert asked < 1_000  # as much as the system's own buffers hold, and a little
        for _ in range(5_000):
            assert (await client.answer()).body == PART
    assert asked == 5_000


async def test_requests_behind_one_that_takes_long_wait_on_their_way() -> None:
    gate, count = asyncio.Event(), 1_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await answer(send, scope["path"].encode())

    async with served(app) as port, connected(port) as client, asyncio.TaskGroup() as group:
        long = "x: " + "y" * 20_000
        group.create_task(client.send(b"".join(get(f"/{n}", long) for n in range(count))))
        await asyncio.sleep(0)
        assert await client.stuck() > 5_000_000  # of 20 MB: the system's own buffers hold a part
        gate.set()
        for number in range(count):
            assert (await client.answer()).body == b"/%d" % number


async def test_an_application_waits_for_a_slow_reader() -> None:
    sent = 0
    parts = 500

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(parts):
            await send({"type": "http.response.body", "body": PART, "more_body": True})
            sent += 1
        await send({"type": "http.response.body"})

    async with served(app) as port, connected(port) as client:
        await client.send(get())
        before = -1
        while before < sent:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < parts
        assert (await client.answer()).body == PART * parts


async def test_a_body_that_nobody_reads_yet_waits_on_its_way() -> None:
    gate = asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        first = await receive()
        rest = await body_of(receive)
        assert rest is not None
        told = {"first": len(first["body"]), "all": len(first["body"]) + len(rest)}
        await answer(send, json.dumps(told).encode())

    body = PART * 400
    async with served(app) as port, connected(port) as client:
        sending = asyncio.create_task(client.send(post(body)))
        await asyncio.sleep(0)
        assert await client.stuck() > 5_000_000
        gate.set()
        await asyncio.wait_for(sending, HANGS_SEC)
        told = (await client.answer()).told
    assert told["all"] == len(body)
    assert told["first"] < 2 * len(PART)
