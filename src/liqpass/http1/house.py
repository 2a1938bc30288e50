"""What all connections of a server share, and their end."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from liqpass.http1.exchange import App

READ_BYTES = 16 * 1024  # at a time


class Guest(Protocol):
    """A connection, as it is ended."""

    lost: "asyncio.Future[None]"

    def stop(self) -> None:
        """Close, after the answer that is under way."""

    def abort(self) -> None:
        """Cut it off."""


class House:
    """What all connections of a server share.

    `refusal`: what is told with a status to whoever could not be understood: headers and body.
    """

    def __init__(
        self,
        app: App,
        refusal: Callable[[int], tuple[list[tuple[bytes, bytes]], bytes]],
        left: Callable[[], None],
        head_sec: float,
    ) -> None:
        self.app, self.refusal, self.left, self.head_sec = app, refusal, left, head_sec
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(READ_BYTES))  # what is read is copied out of it at once
        self.connections: set[Guest] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = False
        self._second, self._date = 0, b""

    def date(self) -> bytes:
        """The header's line."""
        now = int(time.time())
        if now != self._second:
            self._second, self._date = now, f"date: {formatdate(now, usegmt=True)}\r\n".encode()
        return self._date

    async def end(self, within_sec: float) -> None:
        """Answer what is under way, end streams, take nothing more; what is not over by then is cut off."""
        self.stopping = True
        lost = [connection.lost for connection in self.connections]
        for connection in list(self.connections):
            connection.stop()
        if waited := [*self.tasks, *lost]:
            await asyncio.wait(waited, timeout=within_sec)
        for connection in list(self.connections):
            connection.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
