"""What is a request, what is refused, and what the application is given."""

from typing import Any

import pytest

from liqpass.http1.parsing import MAX_HEADER_BYTES, MAX_HEADERS, SPACES
from tests.http1.wire import HOST, connected, exchanged, get, post, served, tell_what_was_asked

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"
LINE = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n"
MUST_NOT_FOLLOW = get("/smuggled")

REFUSED = {
    "a length and chunks": POST + HOST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + HOST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "one length twice": POST + HOST + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths": POST + HOST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "two lengths in a line": POST + HOST + b"content-length: 2, 2\r\n\r\n{}",
    "a signed length": POST + HOST + b"content-length: +2\r\n\r\n{}",
    "a length below nothing": POST + HOST + b"content-length: -2\r\n\r\n{}",
    "a length in hex": POST + HOST + b"content-length: 0x2\r\n\r\n{}",
    "an empty length": POST + HOST + b"content-length: \r\n\r\n",
    "a length of 21 digits": POST + HOST + b"content-length: 100000000000000000002\r\n\r\n{}",
    "another coding": POST + HOST + b"transfer-encoding: gzip\r\n\r\n",
    "another coding before": POST + HOST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "another coding after": POST + HOST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding like it": POST + HOST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + HOST + b"transfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + HOST + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunks before they were invented": b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": LINE + HOST + b"x: a\r\n b\r\n\r\n",
    "a folded first line": LINE + b" x: a\r\n" + HOST + b"\r\n",
    "line feeds alone": b"GET / HTTP/1.1\nhost: x\n\n",
    "a line feed alone in it": LINE + b"x: a\nhost: x\r\n\r\n",
    "a carriage return alone": LINE + HOST + b"x: a\rb\r\n\r\n",
    "a space before the colon": LINE + HOST + b"x : a\r\n\r\n",
    "a header without a name": LINE + HOST + b": a\r\n\r\n",
    "a header without a colon": LINE + HOST + b"x\r\n\r\n",
    "a null in a header": LINE + HOST + b"x: a\0b\r\n\r\n",
    "a null in a name": LINE + HOST + b"x\0: a\r\n\r\n",
    "a null in the path": b"GET /a\0b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bare byte in the path": b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": LINE + b"\r\n",
    "two hosts": LINE + HOST + HOST + b"\r\n",
    "an authority": b"GET x:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a star that asks for something": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target without a scheme": b"GET x/y HTTP/1.1\r\n" + HOST + b"\r\n",
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
async def test_what_others_may_read_otherwise_is_refused(request_: bytes) -> None:
    asked = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)
        await tell_what_was_asked(scope, receive, send)

    async with served(app) as port:
        said = await exchanged(port, request_ + MUST_NOT_FOLLOW)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in said
    assert b'"code":"MALFORMED_JSON"' in said
    assert asked == []


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/2.0"])
async def test_another_version_is_refused(version: bytes) -> None:
    async with served(tell_what_was_asked) as port:
        said = await exchanged(port, b"GET / " + version + b"\r\n" + HOST + b"\r\n" + MUST_NOT_FOLLOW)
    assert said.startswith(b"HTTP/1.1 505 ")
    assert said.count(b"HTTP/1.1 ") == 1


async def test_a_line_without_a_version_is_refused() -> None:
    async with served(tell_what_was_asked) as port:
        assert b" 505 " in (await exchanged(port, b"GET /\r\n\r\n" + MUST_NOT_FOLLOW)).split(b"\r\n")[0]


BREAKS_OFF = {
    "no size": b"x\r\n{}\r\n0\r\n\r\n",
    "a size below nothing": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size and a space": b"2 \r\n{}\r\n0\r\n\r\n",
    "a size of 18 digits": b"100000000000000002\r\n{}\r\n0\r\n\r\n",
    "line feeds alone": b"2\n{}\n0\n\n",
    "more than was said": b"2\r\n{}x\r\n0\r\n\r\n",
    "a length in trailers": b"2\r\n{}\r\n0\r\ncontent-length: 9\r\n\r\n",
    "a coding in trailers": b"2\r\n{}\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
    "a null": b"2\0\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", BREAKS_OFF.values(), ids=BREAKS_OFF)
async def test_a_body_in_chunks_that_are_none_breaks_off(chunks: bytes) -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(CHUNKED + chunks + MUST_NOT_FOLLOW)
        broken = await client.answer()
        assert (broken.status, broken.told["body"]) == (400, None)
        assert broken.headers["connection"] == "close"
        assert await client.rest() == b""


CHUNKS = {
    "plain": b"2\r\n{}\r\n0\r\n\r\n",
    "one by one": b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "a size with zeros": b"0002\r\n{}\r\n000\r\n\r\n",
    "an extension": b'2;a=b;c="d"\r\n{}\r\n0;e\r\n\r\n',
    "trailers": b"2\r\n{}\r\n0\r\nhost: y\r\nx: z\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
async def test_a_body_in_chunks_is_put_together_and_the_next_request_is_found(chunks: bytes) -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(CHUNKED + chunks + get("/next"))
        first, second = await client.answer(), await client.answer()
        assert first.told["body"] == "{}"
        assert first.told["headers"] == [["host", "x"], ["transfer-encoding", "chunked"]]
        assert second.told["path"] == "/next"


@pytest.mark.parametrize(
    ("target", "path", "raw", "query"),
    [
        ("/", "/", "/", ""),
        ("/a?b=c&d=%20e", "/a", "/a", "b=c&d=%20e"),
        ("/a?b?c", "/a", "/a", "b?c"),
        ("/a%2fb%20c", "/a/b c", "/a%2fb%20c", ""),
        ("/%e2%82%ac%00", "/€\0", "/%e2%82%ac%00", ""),
        ("/%ff%", "/�%", "/%ff%", ""),
        ("//a//b", "//a//b", "//a//b", ""),
        ("/a/../b;c", "/a/../b;c", "/a/../b;c", ""),
        ("http://other:1/a?b", "/a", "/a", "b"),
        ("http://other", "/", "/", ""),
        ("http://other?b", "/", "/", "b"),
    ],
)
async def test_a_target_becomes_a_path_and_a_query(target: str, path: str, raw: str, query: str) -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(get(target))
        told = (await client.answer()).told
    assert (told["path"], told["raw_path"], told["query"]) == (path, raw, query)


async def test_a_star_is_asked_for_options() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await client.answer()).told["path"] == "*"


async def test_headers_come_as_they_were_sent_but_for_their_names() -> None:
    headers = b"X-A:  b c \r\nx-a: \xfc\r\nEmpty:\r\nHost: x\r\n"
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(b"\r\n\r\n" + LINE + headers + b"\r\n")
        told = (await client.answer()).told["headers"]
    assert told == [["x-a", "b c"], ["x-a", "ü"], ["empty", ""], ["host", "x"]]


OFFER = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__")
AS_BODY = get("/smuggled")


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "apart"])
@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (f"content-length: {len(AS_BODY)}", AS_BODY),
        ("transfer-encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(AS_BODY), AS_BODY)),
    ],
    ids=["declared", "chunked"],
)
async def test_an_offer_of_another_protocol_changes_nothing(framing: str, sent: bytes, apart: bool) -> None:
    head = "\r\n".join(["POST / HTTP/1.1", "host: x", *OFFER, framing, "", ""]).encode()
    async with served(tell_what_was_asked) as port, connected(port) as client:
        if apart:
            await client.send(head)
            await client.send(b"")
        await client.send((b"" if apart else head) + sent + get("/next", *OFFER) + get("/last"))
        assert (await client.answer()).told["body"] == AS_BODY.decode()
        assert [(await client.answer()).told["path"] for _ in range(2)] == ["/next", "/last"]


async def test_a_websocket_that_is_offered_is_a_plain_request() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(get("/a", "connection: upgrade", "upgrade: websocket", "sec-websocket-key: x"))
        assert (await client.answer()).status == 200


def padded(size: int) -> bytes:
    """A head of so many bytes, as they are counted: the target, names, values, and four for each header."""
    return get("/", "x: " + "y" * (size - len("/") - len("host") - len("x") - 4 - len("x") - 4))


async def test_a_head_is_as_long_as_may_be_and_no_longer() -> None:
    async with served(tell_what_was_asked) as port:
        async with connected(port) as client:
            await client.send(padded(MAX_HEADER_BYTES))
            assert (await client.answer()).status == 200
        said = await exchanged(port, padded(MAX_HEADER_BYTES + 1))
    assert said.startswith(b"HTTP/1.1 431 ")


async def test_there_are_as_many_headers_as_may_be_and_no_more() -> None:
    async with served(tell_what_was_asked) as port:
        async with connected(port) as client:
            await client.send(get("/", *["a: b"] * (MAX_HEADERS - 1)))
            assert (await client.answer()).status == 200
        assert (await exchanged(port, get("/", *["a: b"] * MAX_HEADERS))).startswith(b"HTTP/1.1 431 ")


ENDLESS = {
    "a target": (b"GET /", b"a" * 1000),
    "a name": (LINE, b"a" * 1000),
    "a value": (LINE + b"a: ", b"b" * 1000),
    "spaces before a value": (LINE + b"a:", b" " * 1000),
    "headers": (LINE, b"a: b\r\n" * 100),
    "empty lines": (b"", b"\r\n" * 500),
    "a chunk's extension": (CHUNKED + b"2;", b"a" * 1000),
    "a chunk's size": (CHUNKED, b"0" * 1000),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n" * 100),
    "a trailer": (CHUNKED + b"0\r\na: ", b"b" * 1000),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
async def test_what_never_ends_is_refused(begin: bytes, more: bytes) -> None:
    async with served(tell_what_was_asked) as port:
        said = await exchanged(port, begin + more * (2 * (MAX_HEADER_BYTES + SPACES) // len(more)))
    assert said.split(b" ")[1] in (b"400", b"431")
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in said


async def test_a_body_comes_with_a_get_too() -> None:
    async with served(tell_what_was_asked) as port, connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"content-length: 2\r\n\r\n{}" + post(b"x"))
        assert (await client.answer()).told["body"] == "{}"
        assert (await client.answer()).told["body"] == "x"
