"""One request and its answer: what the application sees of a connection (ASGI)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS_LINES = {status.value: f"HTTP/1.1 {status} {status.phrase}\r\n".encode() for status in HTTPStatus}
WITHOUT_BODY = (204, 304)
# The server's extension of ASGI: a function that says whether more of the body can be had without waiting.
BODY_IS_HERE = "liqpass.body_is_here"

Headers = Iterable[tuple[bytes, bytes]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Wire(Protocol):
    """What an exchange asks of its connection."""

    def write(self, data: bytes) -> None:
        """Nothing, once the client is gone."""

    def date(self) -> bytes:
        """The line that says when."""

    async def drained(self) -> None:
        """Until a slow reader has read enough."""

    def wanted(self) -> None:
        """The application waits for more of the body."""

    def answered(self) -> None:
        """The answer is out, whole."""

    def broke_off(self, *, orderly: bool) -> None:
        """There will be no more of the answer: because nobody waits for it, or else because of a failure."""


class Exchange:
    """A request whose head has come."""

    __slots__ = (
        "_answers_chunked", "_answers_nothing", "_body", "_head", "_held_back", "_left", "_news", "_told",
        "_wire", "begun", "gone", "keep", "more", "over", "scope",
    )  # fmt: skip

    def __init__(self, wire: Wire, scope: dict[str, Any], *, keep: bool, held_back: bool) -> None:
        self.scope = scope
        self.keep = keep  # the connection, after this answer
        self.more = True  # of the body is still to come
        self.gone = False  # nothing more comes from the client
        self.begun = self.over = False  # the answer
        self._wire = wire
        self._body = b""
        self._told = False  # the application has the body's end
        self._held_back = held_back  # the client waits for a word before it sends (Expect: 100-continue)
        self._news = asyncio.Event()
        self._left: int | None = None  # of the answer's body, where its length was said
        self._head = b""  # of an answer, until its body comes
        self._answers_chunked = self._answers_nothing = False

    def came(self, body: bytes) -> int:
        """More of the body; how much of it waits for the application by now."""
        if self.over:
            return 0
        self._body += body
        self._news.set()
        return len(self._body)

    def came_whole(self) -> None:
        """That was all of it."""
        self.more = False
        self._news.set()

    def leave(self) -> None:
        """Nothing more comes: the client is gone, or we are about to go. Who listens for it is told."""
        self.gone = True
        self._news.set()

    def body_is_here(self) -> bool:
        """Whether `receive` has something to tell at once."""
        return not self._told and (bool(self._body) or not self.more)

    async def run(self, app: App) -> None:
        """Have it answered, whatever happens, once the answer before it is on its way."""
        self.scope["extensions"] = {BODY_IS_HERE: self.body_is_here}
        try:
            await self._wire.drained()
            await app(self.scope, self.receive, self.send)
        except Exception:
            log.exception("answer_failed")
        finally:
            if not self.over:
                self._give_up()
            self.scope.pop("extensions", None)  # a circle, which only Python's collector would find

    async def receive(self) -> dict[str, Any]:
        """ASGI's: a part of the body, or, after its end, that the client left."""
        if self._held_back:
            self._held_back = False
            if self.more and not self.begun:
                self._wire.write(CONTINUE)
        while self._told or (self.more and not self._body):
            if self.gone or self.over:
                return {"type": "http.disconnect"}
            self._news.clear()
            self._wire.wanted()
            await self._news.wait()
        body, self._body, self._told = self._body, b"", not self.more
        return {"type": "http.request", "body": body, "more_body": self.more}

    async def send(self, message: Any) -> None:
        """ASGI's: the answer's head, then its body in parts. Raises RuntimeError for what breaks HTTP."""
        if message["type"] == "http.response.start" and not self.begun:
            self._begin(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.begun and not self.over:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))
            if not self.over:
                await self._wire.drained()
        else:
            raise RuntimeError(f"{message['type']} has no place here")

    def _begin(self, status: int, headers: Headers) -> None:
        lines = [STATUS_LINES[status], self._wire.date()]
        keep = self.keep
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":  # what becomes of it is said below
                keep = keep and value != b"close"
                continue
            elif name == b"transfer-encoding":
                raise RuntimeError("how an answer is transferred is the server's to say")
            lines.append(b"%b: %b\r\n" % (name, value))
        self._answers_nothing = status in WITHOUT_BODY or self.scope["method"] == "HEAD"
        if self._left is None and not self._answers_nothing:
            if self.scope["http_version"] == "1.1":
                self._answers_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                keep = False
        if not keep:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
            raise RuntimeError("a header holds the end of a line")
        self.keep, self.begun, self._head = keep, True, head + b"\r\n"
        if self._left is None:  # a stream, of which nothing need be there yet
            self._send(b"")

    def _send(self, body: bytes) -> None:
        """With the head, once."""
        data, self._head = self._head + body, b""
        if data:
            self._wire.write(data)

    def _go_on(self, body: bytes, *, more: bool) -> None:
        if self._answers_nothing:
            body = b""
        elif self._answers_chunked:
            last = b"" if more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, last) if body else last
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the answer's body is not of the length that was said")
        self._send(body)
        if not more:
            self.over = True
            self._news.set()
            self._wire.answered()

    def _give_up(self) -> None:
        """The application has ended without an answer, or in the middle of one."""
        if self.begun:
            self._send(b"")
            self.over = True
            self._wire.broke_off(orderly=self.gone)
        else:
            self._left = None
            words = b"Internal Server Error"
            length = (b"content-length", b"%d" % len(words))
            self.tell(500, [(b"content-type", b"text/plain"), length], words)

    def tell(self, status: int, headers: Headers, body: bytes) -> None:
        """An answer of the server's own, after which it closes."""
        self.keep = False
        self._begin(status, headers)
        self._go_on(body, more=False)
