"""Requests out of the bytes of a connection: llhttp, and what it leaves to its caller. Pure: bytes come in.

It takes as long a head as is sent, skips the body of a request that offers another protocol, and takes
what a proxy in front may read otherwise.
"""

from typing import NamedTuple, Protocol

from httptools import (
    HttpParserError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
    HttpRequestParser,
    parse_url,
)

# Browsers send a few. Taking hundreds of kilobytes of cookies apart would cost more than any answer.
MAX_HEADER_BYTES = 32 * 1024
MAX_HEADERS = 100
# At so many more it is no longer waited for the end of a head, of trailers, of a chunk's extension.
SPACES = 4 * 1024

Header = tuple[bytes, bytes]


class Refused(Exception):  # noqa: N818
    """Bytes that are no request for us, and the status that says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Head(NamedTuple):
    """A request's. `keep`: whether another one may follow; `held_back`: whether its body waits for a word."""

    method: str
    version: str
    raw_path: bytes
    query: bytes
    headers: list[Header]
    keep: bool
    held_back: bool


class Listener(Protocol):
    """Who is told what was found, in the order of the bytes."""

    def head_came(self, head: Head) -> None:
        """A request begins."""

    def body_came(self, part: bytes) -> None:
        """More of its body."""

    def request_ended(self) -> None:
        """That was all of it."""


class Parser:
    """Of one connection's bytes, in pieces of any length."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._llhttp: HttpRequestParser | None = HttpRequestParser(self)
        self._url, self._headers = b"", list[Header]()
        self._head_bytes = 0
        self._in_body = False
        self._known = False  # what is parsed was found before
        self._fed = 0  # bytes since anything was found in them

    @property
    def in_head(self) -> bool:
        """Whether a head has begun, and is not all there."""
        return self._fed > 0 and not self._in_body

    def close(self) -> None:
        """Let go of it: it holds its parts, and they hold it."""
        self._llhttp = None

    def feed(self, piece: bytes) -> bytes:
        """Take it; what is to be given again is returned. Raises Refused, and nothing may follow then."""
        if self._llhttp is None:
            return b""
        self._fed += len(piece)
        try:
            self._llhttp.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            self._stay()
            return piece[upgrade.args[0] :]
        except HttpParserError as error:
            why = error.__context__
            raise why if isinstance(why, Refused) else Refused(400) from None
        if self._fed > MAX_HEADER_BYTES + SPACES:
            raise Refused(431)
        return b""

    def _stay(self) -> None:
        """Another protocol was offered (h2c), which is as if it was not. As llhttp skips the body then, a new
        one is told how long that is."""
        self._llhttp = HttpRequestParser(self)
        if framing := self._framing():
            self._known = True
            self._llhttp.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
            self._known = False

    def _framing(self) -> bytes:
        lengths = (b"content-length", b"transfer-encoding")
        return b"".join(b"%b: %b\r\n" % line for line in self._headers if line[0] in lengths)

    # what llhttp calls

    def on_message_begin(self) -> None:
        if not self._known:
            self._url, self._headers, self._head_bytes, self._fed = b"", [], 0, 1

    def on_url(self, url: bytes) -> None:
        if not self._known:
            self._grow(len(url))
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._known:
            return
        self._grow(len(name) + len(value) + 4)
        if not self._in_body:  # else it is a trailer, which nobody asks for
            self._headers.append((name.lower(), value.rstrip(b" \t")))
            if len(self._headers) > MAX_HEADERS:
                raise Refused(431)

    def _grow(self, by: int) -> None:
        self._head_bytes += by
        if self._head_bytes > MAX_HEADER_BYTES:
            raise Refused(431)

    def on_headers_complete(self) -> None:
        if self._known or self._llhttp is None:
            return
        self._fed, self._in_body = 0, True
        method, version = self._llhttp.get_method().decode(), self._llhttp.get_http_version()
        if version not in ("1.0", "1.1"):
            raise Refused(505)
        raw_path, query = _target(self._url, method)
        newer = version == "1.1"
        named = _named(self._headers, newer=newer)
        keep = newer and self._llhttp.should_keep_alive()
        held_back = newer and named.get(b"expect", b"").lower() == b"100-continue"
        self._listener.head_came(Head(method, version, raw_path, query, self._headers, keep, held_back))

    def on_body(self, body: bytes) -> None:
        self._fed = 0
        self._listener.body_came(body)

    def on_message_complete(self) -> None:
        if self._llhttp is not None and self._llhttp.should_upgrade() and self._framing():
            return  # the body was skipped, and is still to come
        self._fed, self._in_body = 0, False
        self._listener.request_ended()


def _named(headers: list[Header], *, newer: bool) -> dict[bytes, bytes]:
    """The headers by name, where all read the same end of the body and the same host. Raises Refused."""
    named = dict(headers)
    if len(named) < len(headers):  # llhttp refuses a second Content-Length itself
        names = [name for name, _ in headers]
        if names.count(b"host") > 1 or names.count(b"transfer-encoding") > 1:
            raise Refused(400)
    coding = named.get(b"transfer-encoding")
    if coding is not None and not (newer and coding.lower() == b"chunked"):
        raise Refused(400)
    if newer and b"host" not in named:
        raise Refused(400)
    return named


def _target(url: bytes, method: str) -> tuple[bytes, bytes]:
    """The path and the query of a request's target. Raises Refused."""
    if b"#" in url:
        raise Refused(400)
    if url[:1] == b"/" or (url == b"*" and method == "OPTIONS"):
        path, _, query = url.partition(b"?")
        return path, query
    try:
        parsed = parse_url(url)
    except HttpParserInvalidURLError:
        raise Refused(400) from None
    if not parsed.schema or not parsed.host:
        raise Refused(400)
    return parsed.path or b"/", parsed.query or b""
