"""How connections end: by time, by the client, by the server; and how many there are at once."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from liqpass import serving
from liqpass.serving import free_port, listening
from tests.http1.wire import (
    HANGS_SEC,
    HOST,
    Client,
    answer,
    body_of,
    connected,
    get,
    post,
    served,
    tell_what_was_asked,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD_SEC = 0.4
LONGER = 3 * HEAD_SEC


class Streams:
    """An application that sends events until its client leaves; `left` counts who was told so."""

    def __init__(self) -> None:
        self.begun = self.left = 0
        self.news = asyncio.Event()

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        assert await body_of(receive) == b""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        self.begun += 1
        self.news.set()
        assert (await receive())["type"] == "http.disconnect"
        self.left += 1
        self.news.set()

    async def until(self, begun: int, left: int) -> None:
        async with asyncio.timeout(HANGS_SEC):
            while (self.begun, self.left) != (begun, left):
                self.news.clear()
                await self.news.wait()


# by time


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_who_says_nothing_is_left(sent: bytes) -> None:
    async with served(tell_what_was_asked, head_sec=HEAD_SEC) as port, connected(port) as client:
        await client.send(sent)
        assert b"HTTP/1.1 200" not in await client.rest()


async def test_who_says_nothing_after_an_answer_is_left() -> None:
    async with served(tell_what_was_asked, head_sec=HEAD_SEC) as port, connected(port) as client:
        await client.send(get())
        assert (await client.answer()).status == 200
        assert await client.rest() == b""


@pytest.mark.parametrize("before", [b"", get()], ids=["the first", "the second"])
async def test_half_a_head_is_refused_in_the_end_however_slowly_it_grows(before: bytes) -> None:
    async with served(tell_what_was_asked, head_sec=HEAD_SEC) as port, connected(port) as client:
        await client.send(before)
        if before:
            await client.answer()
        await client.send(b"GET / HTTP/1.1\r\nx: ")
        ending = asyncio.create_task(client.rest())
        while not ending.done():
            await client.send(b"y")
            await asyncio.sleep(0.02)
    assert (await ending).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_may_take_longer_than_a_head() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(LONGER)
        await tell_what_was_asked(scope, receive, send)

    async with served(app, head_sec=HEAD_SEC) as port, connected(port) as client:
        await client.send(get("/a") + get("/b"))
        assert [(await client.answer()).told["path"] for _ in range(2)] == ["/a", "/b"]


async def test_a_body_may_take_longer_than_a_head() -> None:
    async with served(tell_what_was_asked, head_sec=HEAD_SEC) as port, connected(port) as client:
        whole = post(b"x" * 10)
        await client.send(whole[:-5])
        await asyncio.sleep(LONGER)
        await client.send(whole[-5:])
        assert (await client.answer()).told["body"] == "x" * 10


async def test_a_body_that_nobody_wants_any_more_does_not_come_for_ever() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"early")

    async with served(app, head_sec=HEAD_SEC) as port, connected(port) as client:
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n")
        assert (await client.answer()).body == b"early"
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"1\r\nx\r\n")
                await asyncio.sleep(0.01)


async def test_who_reads_nothing_of_an_answer_is_left_and_who_reads_slowly_is_not() -> None:
    part, parts = b"x" * 100_000, 300
    over = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(parts):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        over.set()

    async with served(app, head_sec=HEAD_SEC) as port:
        async with connected(port) as client:
            await client.send(get())
            await client.head()
            await asyncio.wait_for(over.wait(), HANGS_SEC)  # what is sent to nobody goes nowhere
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                while True:
                    await client.some(len(part))
        async with connected(port) as client:
            await client.send(get())
            await client.head()
            for _ in range(20):
                await asyncio.sleep(HEAD_SEC / 4)
                await client.some(1_000_000)
            await client.some(9 * 1_000_000)


# by the client


@pytest.mark.parametrize("how", ["close", "cut", "close_half"])
async def test_a_stream_whose_reader_leaves_is_told_so(how: str) -> None:
    streams = Streams()
    async with served(streams) as port, connected(port) as client:
        await client.send(get())
        await client.head()
        getattr(client, how)()
        await streams.until(begun=1, left=1)


async def test_a_stream_whose_reader_leaves_before_it_begins_is_told_so() -> None:
    streams = Streams()
    async with served(streams) as port:
        for _ in range(20):
            async with connected(port) as client:
                await client.send(get())
                client.cut()
        async with connected(port) as client:
            await client.send(get())
            await client.head()
            await streams.until(begun=streams.begun, left=streams.begun - 1)


async def test_who_closes_its_half_is_still_answered() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(post(b"a") + get("/b"))
        client.close_half()
        first, second = await client.answer(), await client.answer()
        assert (first.told["body"], second.told["path"]) == ("a", "/b")
        assert await client.rest() == b""


async def test_who_closes_its_half_in_a_body_has_broken_off() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(post(b"abc")[:-1])
        client.close_half()
        said = await client.answer()
        assert (said.status, said.told["body"]) == (400, None)
        assert await client.rest() == b""


async def test_who_leaves_in_the_middle_of_an_answer_harms_no_other() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/waits":
            await gate.wait()
        await tell_what_was_asked(scope, receive, send)

    async with served(app) as port, connected(port) as other:
        async with connected(port) as client:
            await client.send(get("/waits") + get("/never"))
            client.cut()
        await other.send(get("/a"))
        assert (await other.answer()).status == 200
        gate.set()
        await other.send(get("/b"))
        assert (await other.answer()).status == 200


# how many


async def test_so_many_are_taken_at_once_and_the_next_one_waits_for_one_to_leave() -> None:
    async with served(tell_what_was_asked, connections=3) as port, AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(connected(port)) for _ in range(3)]
        for client in inside:
            await client.send(get())
            await client.answer()
        async with connected(port) as next_one:
            await next_one.send(get("/next"))
            answered = asyncio.create_task(next_one.answer())
            for client in inside:
                await client.send(get())
                await client.answer()
            assert not answered.done()
            inside[1].close()
            assert (await answered).told["path"] == "/next"


async def test_places_come_back_however_connections_end() -> None:
    async with served(tell_what_was_asked, connections=2, head_sec=HEAD_SEC) as port:
        for number in range(40):
            async with connected(port) as client:
                if number % 4 == 0:
                    await client.send(get("/", "connection: close"))
                elif number % 4 == 1:
                    await client.send(b"BREW\r\n\r\n")
                elif number % 4 == 2:
                    await client.send(get())
                    client.cut()
        async with connected(port) as one, connected(port) as two:
            for client in (one, two):
                await client.send(get())
                assert (await client.answer()).status == 200


async def test_a_used_port_is_refused_and_a_free_one_is_free_again_afterwards() -> None:
    port = free_port()
    for _ in range(2):
        async with listening(tell_what_was_asked, "127.0.0.1", port):
            with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
                async with listening(tell_what_was_asked, "127.0.0.1", port):
                    pass


async def test_it_listens_at_an_address_of_ipv6() -> None:
    port = free_port()
    async with listening(tell_what_was_asked, "::1", port) as here:
        assert here.url == f"http://[::1]:{port}"
        async with connected(port, "::1") as client:
            await client.send(get())
            assert (await client.answer()).status == 200


# by the server


@asynccontextmanager
async def ending(app: Any) -> AsyncIterator[tuple[Client, Client, asyncio.Event, "asyncio.Task[None]"]]:
    """Two clients, what ends the server, and the task that is over once it has ended."""
    stop, port = asyncio.Event(), free_port()
    ready = asyncio.Event()

    async def serve() -> None:
        async with listening(app, "127.0.0.1", port):
            ready.set()
            await stop.wait()

    task = asyncio.create_task(serve())
    await ready.wait()
    async with connected(port) as one, connected(port) as two:
        yield one, two, stop, task
    await task


async def test_what_is_under_way_is_answered_and_nothing_more_is_begun() -> None:
    begun, gate = list[str](), asyncio.Event()
    under_way = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        if scope["path"] == "/waits":
            under_way.set()
            await gate.wait()
        await tell_what_was_asked(scope, receive, send)

    async with ending(app) as (busy, idle, stop, task):
        await idle.send(get("/idle"))
        assert "connection" not in (await idle.answer()).headers
        await busy.send(get("/waits") + get("/never"))
        await under_way.wait()
        stop.set()
        assert await idle.rest() == b""
        with pytest.raises(ConnectionError):
            _, port = busy.server
            await asyncio.open_connection("127.0.0.1", port)
        assert not task.done()
        gate.set()
        assert (await busy.answer()).headers["connection"] == "close"
        assert await busy.rest() == b""
    assert begun == ["/idle", "/waits"]


async def test_a_body_that_is_coming_is_waited_for() -> None:
    async with ending(tell_what_was_asked) as (client, _, stop, _task):
        whole = post(b"abc")
        await client.send(whole[:-1])
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.sleep(0.1)
        await client.send(whole[-1:])
        assert (await client.answer()).told["body"] == "abc"
        assert await client.rest() == b""


async def test_streams_are_told_and_end() -> None:
    streams = Streams()
    async with ending(streams) as (one, two, stop, task):
        for client in (one, two):
            await client.send(get())
            await client.head()
        await streams.until(begun=2, left=0)
        stop.set()
        await one.rest()
        await two.rest()
        await asyncio.wait_for(task, HANGS_SEC)
    assert streams.left == 2


async def test_what_is_never_over_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "END_SEC", 0.3)
    cancelled = asyncio.Event()

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with ending(app) as (client, _, stop, task):
        await client.send(get())
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.wait_for(task, HANGS_SEC)
        assert cancelled.is_set()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()


async def test_nothing_is_left_open() -> None:
    before = open_sockets()
    async with served(tell_what_was_asked) as port, AsyncExitStack() as stack:
        for _ in range(20):
            client = await stack.enter_async_context(connected(port))
            await client.send(get())
            await client.answer()
    await asyncio.sleep(0.1)
    assert open_sockets() == before


def open_sockets() -> int:
    """Of this process."""
    found = 0
    for number in range(3, 4096):
        try:
            with socket.socket(fileno=number) as own:
                own.detach()
                found += 1
        except OSError:
            continue
    return found
