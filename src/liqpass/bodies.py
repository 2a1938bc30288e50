"""A request's body: it comes within a time, and an answer that does not wait for all of it says so."""

import asyncio
from contextlib import suppress
from typing import Any

from litestar.types import HTTPScope, Receive

from liqpass.problems import Problem

BODY_SEC = 20.0  # for all of it: whoever sends half of one would hold a connection for ever
# Of a body that nobody wants any more so much is read, for so long, that the connection can be kept.
REST_BYTES = 1024 * 1024
REST_SEC = 2.0


class Body:
    """What of a request's body has come.

    Over HTTP/1.1 its rest stands before the next request of the same connection. Where an answer is out and
    the rest is not in, the server (hyper) closes without having said so: the client's next request is lost.
    And whoever closes while the other side still sends destroys the answer on its way. Over HTTP/2 the
    server resets the stream, and some clients then forget the answer.
    """

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._length = int(headers.get(b"content-length", 0))  # the server refuses what is no number
        self._announced = self._length > 0 or b"transfer-encoding" in headers
        self._in_the_way = self._announced and scope["http_version"].startswith("1")
        self._held_back = b"expect" in headers
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + BODY_SEC
        self._read = 0
        self._over = self._whole = False

    async def receive(self) -> Any:
        """ASGI's: the body within BODY_SEC; what comes after it, that the client left, may take any time.
        Raises Problem BODY_TOO_SLOW, and MALFORMED_JSON for a body that breaks off."""
        if self._over:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._next()
        except TimeoutError:
            why = f"The body did not come within {BODY_SEC:.0f} seconds."
            raise Problem("BODY_TOO_SLOW", why) from None
        if self._announced and self._over and not self._whole:
            raise Problem("MALFORMED_JSON", "The body broke off before its end.")
        return message

    async def leaves_room(self) -> bool:
        """Whether another request can come after this one, now that the answer is known: what still comes
        is read, if it is short and quick."""
        if self._over:
            return self._whole or not self._in_the_way
        left = self._until - asyncio.get_running_loop().time()
        if self._announced and self._length <= REST_BYTES and not self._held_back and left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(REST_SEC, left)):
                    while not self._over and self._read <= REST_BYTES:
                        await self._next()
        return self._whole or not self._in_the_way

    async def linger(self) -> None:
        """Read for a while what still comes after an answer that closes the connection."""
        if self._announced and not self._over and not self._held_back:
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_SEC):
                    while not self._over:
                        await self._next()

    async def _next(self) -> Any:
        self._held_back = False  # who asks before it sends (Expect: 100-continue) is told to send now
        message: Any = await self._receive()
        self._read += len(message.get("body", b""))
        # the server tells the end apart; over HTTP/1.1 it follows from the length: nobody has to ask for it
        came = self._in_the_way and 0 < self._length <= self._read
        self._whole = message["type"] == "http.request" and (came or not message.get("more_body"))
        self._over = self._whole or message["type"] != "http.request"
        return message
