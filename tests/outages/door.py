"""A door in front of a server: shut, it breaks every connection and refuses new ones, on the same port."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Door:
    """`connect` opens a connection to the server behind; `await door.open()` and give away `door.port`."""

    def __init__(self, connect: Connect) -> None:
        self.port = 0
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] | None = None
        self._tells_ends = True
        self._is_shut = asyncio.Event()

    async def open(self) -> None:
        """Let everybody through (again)."""
        self._is_shut.clear()
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Whoever is passing is cut off, whoever comes is refused."""
        self._is_shut.set()
        if self._server is not None:
            self._server.close()
        for writer in list(self._passing):
            writer.transport.abort()

    def keep_answers(self) -> None:
        """From now on what the server says is heard by nobody."""
        self._deaf = set()

    def cut_the_deaf(self) -> None:
        """Cut off those who were answered and did not hear it; the others hear again."""
        for writer in self._deaf or ():
            writer.transport.abort()
        self._deaf = None

    def keep_ends(self) -> None:
        """From now on nobody hears that the server has hung up, as over a way that is slow to tell it."""
        self._tells_ends = False

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await self._connect()
        except OSError:  # nobody is behind it at present
            writer.transport.abort()
            return
        both = {writer, behind_writer}
        self._passing |= both
        try:
            await asyncio.gather(self._ask(reader, behind_writer), self._answer(behind_reader, writer))
        finally:
            self._passing -= both

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _copy(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _copy(reader, writer, lambda: self._is_heard(writer))
        if not self._tells_ends:
            await self._is_shut.wait()
        writer.close()

    def _is_heard(self, writer: asyncio.StreamWriter) -> bool:
        if self._deaf is not None:
            self._deaf.add(writer)
        return self._deaf is None


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_heard: Callable[[], bool] = lambda: True
) -> None:
    with suppress(ConnectionError):
        while received := await reader.read(65536):
            if is_heard():
                writer.write(received)
                await writer.drain()
