"""A request's body: it comes within a time, and an answer that does not wait for all of it says so."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from litestar.types import HTTPScope, Receive

from liqpass.http1.exchange import BODY_IS_HERE
from liqpass.problems import Problem

BODY_SEC = 20.0  # for all of it: whoever sends half of one would hold a connection for ever
# Of a body that nobody wants any more so much is read, for so long, that the connection can be kept.
REST_BYTES = 1024 * 1024
REST_SEC = 2.0


class Body:
    """What of a request's body has come.

    Its rest stands before the next request of the same connection: where it is long in coming, that cannot be
    kept, and the client has to hear of it in the answer, lest it loses its next request.
    """

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._length = int(headers.get(b"content-length", 0))  # the server refuses what is no number
        self._announced = self._length > 0 or b"transfer-encoding" in headers
        self._held_back = b"expect" in headers
        self._receive = receive
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self._is_here: Callable[[], bool] = extensions.get(BODY_IS_HERE, lambda: False)
        self._began = time.monotonic()
        self._read = 0
        self._over = self._whole = False

    async def receive(self) -> Any:
        """ASGI's: the body within BODY_SEC; what comes after it, that the client left, may take any time.
        Raises Problem BODY_TOO_SLOW, and MALFORMED_JSON for a body that breaks off."""
        if self._over:
            return await self._receive()
        if self._is_here():
            message = await self._next()
        else:
            message = await self._in_time()
        if self._announced and self._over and not self._whole:
            raise Problem("MALFORMED_JSON", "The body broke off before its end.")
        return message

    async def _in_time(self) -> Any:
        try:
            async with asyncio.timeout(self._left()):
                return await self._next()
        except TimeoutError:
            why = f"The body did not come within {BODY_SEC:.0f} seconds."
            raise Problem("BODY_TOO_SLOW", why) from None

    def _left(self) -> float:
        return BODY_SEC - (time.monotonic() - self._began)

    async def leaves_room(self) -> bool:
        """Whether another request can come after this one, now that the answer is known: what still comes
        is read, if it is short and quick."""
        if self._over:
            return self._whole or not self._announced
        left = min(REST_SEC, self._left())
        if self._announced and self._length <= REST_BYTES and not self._held_back and left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    while not self._over and self._read <= REST_BYTES:
                        await self._next()
        return self._whole or not self._announced

    async def _next(self) -> Any:
        self._held_back = False  # who asks before it sends (Expect: 100-continue) is told to send now
        message: Any = await self._receive()
        self._read += len(message.get("body", b""))
        came = 0 < self._length <= self._read  # the server may tell the end apart: nobody has to ask for it
        self._whole = message["type"] == "http.request" and (came or not message.get("more_body"))
        self._over = self._whole or message["type"] != "http.request"
        return message
