"""One client's connection: what comes is answered in the order in which it came, and in time."""

import asyncio
from collections import deque
from typing import Any
from urllib.parse import unquote

from liqpass.http1.exchange import Exchange
from liqpass.http1.house import House
from liqpass.http1.parsing import Head, Parser, Refused

HEAD_SEC = 30.0  # for a head to come, from the answer before it on: whoever sends half of one holds a place
LINGER_SEC = 2.0  # after an answer that closes: who closes while the other side still sends destroys it
# The parser stops at no request's end: it is given so many bytes at once, lest it finds hundreds of requests.
PIECE = 2048
BODY_AHEAD = 64 * 1024  # of a body that nobody has asked for yet


class Connection(asyncio.BufferedProtocol):
    """A client's. The first of `_requests` is being answered; `_reading` is the one whose body is coming."""

    def __init__(self, house: House) -> None:
        self.lost: asyncio.Future[None] = house.loop.create_future()
        self._house = house
        self._transport: asyncio.Transport
        self._parser = Parser(self)
        self._requests: deque[Exchange] = deque()
        self._reading: Exchange | None = None
        self._refusal = 0  # is told after the answers that are under way
        self._held = b""  # came while there was enough to do
        self._paused = False
        self._ended = False  # the client sends nothing more
        self._deaf = False  # nothing more is taken
        self._until: float | None = None  # so long something is waited for from the client
        self._written = 0
        self._stuck_at: int | None = None  # where in all that was written the client was found not to read on
        self._writable = asyncio.Event()
        self._writable.set()

    # what asyncio tells

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self._house.connections.add(self)
        self._await_head()
        self._timer = self._house.loop.call_later(self._house.head_sec, self._tick)
        if self._house.stopping:
            self.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._deaf, self._held = True, b""
        self._parser.close()
        for exchange in self._requests:
            exchange.leave()
        self._writable.set()
        self._house.connections.discard(self)
        self.lost.set_result(None)
        self._house.left()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._house.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._take(bytes(self._house.buffer[:nbytes]))

    def eof_received(self) -> bool:
        """Whole requests are answered all the same; who listens for the client's leaving is told of it."""
        self._ended = True
        if self._deaf or not self._requests:
            return False
        self._requests[-1].keep = False
        for exchange in self._requests:
            exchange.leave()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _tick(self) -> None:
        """End what has waited long enough for its client: for a head, for reading anything of an answer."""
        now = self._house.loop.time()
        unsent = self._transport.get_write_buffer_size()
        before, self._stuck_at = self._stuck_at, self._written - unsent if unsent else None
        if unsent and before == self._stuck_at:
            return self.abort()
        if not unsent and self._until is not None and now >= self._until:
            if self._deaf or self._requests or not self._parser.in_head:
                return self._transport.close()
            return self._refuse(408)
        wait = self._house.head_sec if self._until is None or unsent else max(self._until - now, 0.001)
        self._timer = self._house.loop.call_later(wait, self._tick)

    # what the server wants

    def stop(self) -> None:
        if self._requests and not self._requests[0].over:
            while len(self._requests) > 1:
                self._requests.pop()
            self._requests[0].keep = False
            if not self._requests[0].more:
                self._requests[0].leave()
        elif not self._deaf:
            self._deaf = True
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    # what an exchange asks

    def date(self) -> bytes:
        return self._house.date()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    async def drained(self) -> None:
        if not self._writable.is_set():
            await self._writable.wait()

    def wanted(self) -> None:
        if not self._held:
            self._resume()

    def answered(self) -> None:
        if self._deaf:
            return
        if not self._requests[0].keep:
            self._end()
        elif self._requests[0].more:
            self._await_head()  # what still comes of its body is dropped
        else:
            self._next()

    def broke_off(self, *, orderly: bool) -> None:
        if orderly:
            self._end()
        else:
            self.abort()

    def _next(self) -> None:
        """The first one is over."""
        self._requests.popleft()
        if self._requests:
            self._start()
        held, self._held = self._held, b""
        self._take(held)
        if not self._held:
            self._resume()
        if self._requests or self._deaf:
            return
        if self._refusal:
            self._tell_refusal()
        else:
            self._await_head()

    def _start(self) -> None:
        self._until = None
        task = self._house.loop.create_task(self._requests[0].run(self._house.app))
        self._house.tasks.add(task)
        task.add_done_callback(self._house.tasks.discard)

    def _await_head(self) -> None:
        self._until = self._house.loop.time() + self._house.head_sec

    def _end(self) -> None:
        """Say that nothing more comes, and wait for the client to have read it."""
        if self._transport.is_closing():
            return
        self._deaf, self._held = True, b""
        if self._ended:
            self._transport.close()
            return
        self._transport.write_eof()
        self._resume()
        self._until = self._house.loop.time() + LINGER_SEC
        self._timer.cancel()
        self._timer = self._house.loop.call_later(LINGER_SEC, self._tick)

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # bytes that come

    def _take(self, data: bytes) -> None:
        while data and not self._deaf and not self._refusal:
            if self._requests and self._reading is None:  # the next one waits for its turn
                self._held = data
                return self._pause()
            piece, data = data[:PIECE], data[PIECE:]
            try:
                data = self._parser.feed(piece) + data
            except Refused as refused:
                self._refuse(refused.status)

    def _refuse(self, status: int) -> None:
        """Nothing can be made of what comes: it is told in its turn."""
        self._refusal = status
        if self._reading is None:
            if not self._requests:
                self._tell_refusal()
        elif self._reading.over:
            self._end()
        else:
            self._reading.keep = False
            self._reading.leave()

    def _tell_refusal(self) -> None:
        exchange = Exchange(self, {"method": "", "http_version": "1.1"}, keep=False, held_back=False)
        self._requests.append(exchange)
        exchange.tell(self._refusal, *self._house.refusal(self._refusal))

    # what the parser finds

    def head_came(self, head: Head) -> None:
        path = head.raw_path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.version,
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "root_path": "",
            "method": head.method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.headers,
        }
        keep = head.keep and not self._house.stopping
        self._reading = Exchange(self, scope, keep=keep, held_back=head.held_back)
        self._requests.append(self._reading)
        if len(self._requests) == 1:
            self._start()

    def body_came(self, part: bytes) -> None:
        if self._reading is not None and self._reading.came(part) > BODY_AHEAD:
            self._pause()

    def request_ended(self) -> None:
        if (reading := self._reading) is not None:
            self._reading = None
            reading.came_whole()
            if reading.over:
                self._next()


def _address(name: Any) -> tuple[str, int] | None:
    """Without what IPv6 adds; None where there is none any more."""
    return (name[0], name[1]) if isinstance(name, tuple) else None
