"""A server with an application of the test, and a client that speaks bytes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from liqpass.app import AsgiApp
from liqpass.serving import free_port, listening

HANGS_SEC = 30  # what is answered at all is answered sooner
HOST = b"host: x\r\n"


class Answer(NamedTuple):
    """As it was read: names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        """The document."""
        return json.loads(self.body)


class Client:
    """A connection; everything waits for HANGS_SEC at most."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.server: tuple[str, int] = writer.get_extra_info("peername")

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), HANGS_SEC)

    async def stuck(self) -> int:
        """How many bytes are still to be sent once the other side takes no more."""
        left, before = self._writer.transport.get_write_buffer_size(), -1
        while left != before:
            await asyncio.sleep(0.3)
            left, before = self._writer.transport.get_write_buffer_size(), left
        return left

    def close_half(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def cut(self) -> None:
        """Leave without a word."""
        self._writer.transport.abort()

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        return await asyncio.wait_for(self._reader.read(), HANGS_SEC)

    async def some(self, count: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(count), HANGS_SEC)

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), HANGS_SEC)
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        pairs = [line.split(": ", 1) for line in lines]
        names = [name.lower() for name, _ in pairs]
        assert len(set(names)) == len(names), f"a header twice: {names}"
        assert first.startswith("HTTP/1.1 ")
        return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}

    async def answer(self, *, to: str = "GET") -> Answer:
        """The next one, that says how long it is."""
        status, headers = await self.head()
        assert not {"content-length", "transfer-encoding"} <= headers.keys()
        if to == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if "content-length" in headers:
            return Answer(status, headers, await self.some(int(headers["content-length"])))
        assert headers["transfer-encoding"] == "chunked"
        parts = []
        while size := int(await asyncio.wait_for(self._reader.readuntil(), HANGS_SEC), 16):
            parts.append((await self.some(size + 2))[:-2])
        assert await self.some(2) == b"\r\n"
        return Answer(status, headers, b"".join(parts))


@asynccontextmanager
async def served(app: AsgiApp, **limits: Any) -> AsyncIterator[int]:
    """The port of a server that is there for the block."""
    port = free_port()
    async with listening(app, "127.0.0.1", port, **limits):
        yield port


@asynccontextmanager
async def connected(port: int, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    """Closed at the end."""
    client = Client(*await asyncio.wait_for(asyncio.open_connection(host, port), HANGS_SEC))
    try:
        yield client
    finally:
        client.close()


async def exchanged(port: int, request: bytes) -> bytes:
    """All that is answered to these bytes, until the server closes."""
    async with connected(port) as client:
        await client.send(request)
        return await client.rest()


def get(path: str = "/", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


def post(body: bytes, path: str = "/", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def body_of(receive: Any) -> bytes | None:
    """All of a request's body; None where it breaks off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def answer(send: Any, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
    """One of a known length."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def tell_what_was_asked(scope: Any, receive: Any, send: Any) -> None:
    """An application: the answer is the request, as the application got it."""
    body = await body_of(receive)
    asked = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "version": scope["http_version"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": None if body is None else body.decode("latin-1"),
    }
    await answer(send, json.dumps(asked).encode(), 200 if body is not None else 400)
