"""However a connection's bytes are cut into packets: the same requests, answered in order."""

import asyncio
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqpass.http1.parsing import Head, Parser, Refused
from tests.http1.wire import HOST, connected, get, served, tell_what_was_asked


class Request(NamedTuple):
    """As it is sent, and what the application has to be given."""

    sent: bytes
    method: str
    path: str
    body: str


OFFER = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
bodies = st.binary(max_size=300) | st.just(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """One that is understood: with and without a body, declared or in chunks, offering HTTP/2 or not."""
    path = "/" + draw(st.text("abc/.-_~", max_size=20))
    more = draw(st.sampled_from([b"", b"x:\r\n", b"x-y:  z \r\n", b"cookie: " + b"c" * 700 + b"\r\n"]))
    more += draw(st.sampled_from([b"", OFFER]))
    how = draw(st.sampled_from(["nothing", "declared", "chunked"]))
    if how == "nothing":
        first = draw(st.sampled_from([b"", b"\r\n"]))
        return Request(first + f"GET {path} HTTP/1.1\r\n".encode() + HOST + more + b"\r\n", "GET", path, "")
    line, body = f"POST {path} HTTP/1.1\r\n".encode(), draw(bodies)
    if how == "declared":
        framed = b"content-length: %d\r\n\r\n" % len(body) + body
    else:
        cuts = sorted(draw(st.sets(st.integers(0, len(body)), max_size=5)) | {0, len(body)})
        chunks = b"".join(b"%x\r\n%b\r\n" % (end - begin, body[begin:end]) for begin, end in pairwise(cuts))
        trailers = draw(st.sampled_from([b"", b"t: u\r\n"]))
        framed = b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n"
    return Request(line + HOST + more + framed, "POST", path, body.decode("latin-1"))


BAD = [b"", b"BREW / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nx : y\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0"]
streams = st.tuples(st.lists(requests(), min_size=1, max_size=25), st.sampled_from(BAD))


def cut(data: bytes, rng: Any) -> list[bytes]:
    """Into packets: of one byte each, of a few, or of many."""
    longest = rng.choice([1, 3, 20, 400, 5000])
    pieces = []
    while data:
        size = rng.randint(1, longest)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


class Found:
    """A listener that notes down."""

    def __init__(self) -> None:
        self.requests = list[list[Any]]()

    def head_came(self, head: Head) -> None:
        self.requests.append([head, b"", False])

    def body_came(self, part: bytes) -> None:
        assert not self.requests[-1][2]
        self.requests[-1][1] += part

    def request_ended(self) -> None:
        self.requests[-1][2] = True


def found(pieces: list[bytes]) -> tuple[list[list[Any]], int]:
    """All requests, and the status of a refusal."""
    listener = Found()
    parser = Parser(listener)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                rest = parser.feed(rest)
    except Refused as refused:
        return listener.requests, refused.status
    return listener.requests, 0


@settings(max_examples=150, deadline=None)
@given(streams, st.randoms(use_true_random=False))
def test_the_same_requests_are_found(stream: tuple[list[Request], bytes], rng: Any) -> None:
    sent, bad = stream
    data = b"".join(request.sent for request in sent) + bad
    whole = found([data])
    assert found(cut(data, rng)) == whole
    assert [
        (head.method, head.raw_path.decode(), body.decode("latin-1"), over) for head, body, over in whole[0]
    ] == [(request.method, request.path, request.body, True) for request in sent]
    assert whole[1] == (400 if bad else 0)


async def ask(port: int, stream: tuple[list[Request], bytes], rng: Any) -> None:
    """Send it in packets, read meanwhile, and hold each answer against its request."""
    sent, bad = stream
    data = b"".join(request.sent for request in sent) + (bad or get("/last", "connection: close"))
    async with connected(port) as client:

        async def send() -> None:
            for piece in cut(data, rng):
                await client.send(piece)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            for request in sent:
                told = (await client.answer()).told
                assert (told["method"], told["path"], told["body"]) == (
                    request.method,
                    request.path,
                    request.body,
                )
            assert (await client.answer()).status == (400 if bad else 200)
            assert await client.rest() == b""


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=30, deadline=None)
@given(st.lists(streams, min_size=1, max_size=8), st.randoms(use_true_random=False))
async def test_many_clients_at_once_get_each_its_own_answers(
    all_streams: list[tuple[list[Request], bytes]], rng: Any
) -> None:
    async with served(tell_what_was_asked, connections=5) as port, asyncio.TaskGroup() as group:
        for stream in all_streams:
            group.create_task(ask(port, stream, rng))
