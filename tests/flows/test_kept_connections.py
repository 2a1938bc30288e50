"""Answers that are given before a body was read whole: whoever heeds what they say of the connection loses
no request. Python's own client does: it goes on where the answer does not say `close`, and sends all it has
before it reads."""

import asyncio
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from liqpass.http1.parsing import MAX_HEADER_BYTES
from tests.flows.refusals import ACCOUNTS, HASH, NONCE, SOME_ID
from tests.world import TestWorld

JSON = {"content-type": "application/json"}
OVER_THE_LIMIT, FAR_OVER = 70_000, 3_000_000
TIMES = 20
HANGS_SEC = 30  # what is answered at all is answered sooner


class Refused(NamedTuple):
    """A request with a body that nobody reads to its end."""

    status: int
    method: str
    path: str
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


EARLY = [
    Refused(413, "POST", NONCE),
    Refused(401, "DELETE", f"{ACCOUNTS}/{SOME_ID}"),
    Refused(403, "POST", NONCE, {"origin": "https://evil.example"}),
    Refused(404, "POST", "/nothing"),
    Refused(405, "PUT", NONCE),
    Refused(200, "GET", "/api/insurance/skus"),
    Refused(303, "GET", f"/orders/{HASH}"),
    Refused(200, "HEAD", "/healthz"),
]


def client(world: TestWorld) -> HTTPConnection:
    host, _, port = world.api.removeprefix("http://").partition(":")
    return HTTPConnection(host, int(port), timeout=HANGS_SEC)


def in_pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 16_384):
        yield body[start : start + 16_384]


def refused_and_next(world: TestWorld, of: Refused, size: int, *, chunked: bool) -> set[tuple[int, int]]:
    """The statuses of that request and of the next one of the same client, of all repetitions."""
    found = set()
    for _ in range(TIMES):
        http = client(world)
        body = b"x" * size
        declared = {} if chunked else {"content-length": str(size)}
        http.request(
            of.method,
            of.path,
            in_pieces(body),
            {**JSON, **of.headers, **declared},
            encode_chunked=chunked,
        )
        first = http.getresponse()
        first.read()
        http.request("GET", "/healthz")
        found.add((first.status, http.getresponse().status))
        http.close()
    return found


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("size", [1_000, OVER_THE_LIMIT, FAR_OVER])
@pytest.mark.parametrize("of", EARLY, ids=lambda of: f"{of.status} {of.method} {of.path[:20]}")
async def test_a_client_that_heeds_the_answer_loses_no_request(
    town: TestWorld, of: Refused, size: int, chunked: bool
) -> None:
    status = 400 if of.status == 413 and size < OVER_THE_LIMIT else of.status
    found = await asyncio.to_thread(refused_and_next, town, of, size, chunked=chunked)
    assert found == {(status, 200)}


async def test_a_short_rest_is_read_and_the_connection_kept(town: TestWorld) -> None:
    def on_one_connection() -> list[int]:
        http, statuses = client(town), []
        for _ in range(TIMES):
            http.request("POST", NONCE, b"x" * OVER_THE_LIMIT, JSON)
            connection = http.sock
            answer = http.getresponse()
            answer.read()
            assert http.sock is connection  # the answer did not say that it is closed
            statuses.append(answer.status)
        http.close()
        return statuses

    assert await asyncio.to_thread(on_one_connection) == [413] * TIMES


async def answer_to(world: TestWorld, request: bytes) -> bytes:
    """All that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.api.rpartition(":")[2]))
    writer.write(request)
    said = await asyncio.wait_for(reader.read(), HANGS_SEC)
    writer.close()
    return said


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (b"413", b"POST /api/auth/nonce HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 70000\r\n\r\n"),
        (b"404", b"POST /nothing HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"),
        (b"400", b"POST /api/auth/nonce HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\nno size\r\n"),
        (b"431", b"GET / HTTP/1.1\r\nx: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n"),
        (b"400", b"no request\r\n\r\n"),
    ],
    ids=["nobody waits for a body", "nor for a short one", "a body that breaks off", "headers", "no HTTP"],
)
async def test_what_cannot_go_on_says_so_and_closes(town: TestWorld, status: bytes, request_: bytes) -> None:
    for _ in range(TIMES):
        said = await answer_to(town, request_.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nhost: x\r\n"))
        assert said.startswith(b"HTTP/1.1 " + status)
        assert b"\r\nconnection: close\r\n" in said
