"""The load generator, a process of its own: concurrent traders, each on one kept-alive HTTP connection.

A loop is three calls: bind-position, create-order, submit-payment. It knows only as much HTTP as this needs,
so that it takes little of the CPU that it shares with what it measures. Prints each loop as JSON: when it
ended (seconds since 1970) and the milliseconds that each of its calls took.

    python -m bench.traders PORT SKU TRADERS SECONDS FIRST

FIRST is the number of the first user.
"""

import asyncio
import json
import os
import sys
import time
from typing import cast

import uvloop

from bench.slots import INSTRUMENTS, account_of, cookie_of

Loop = tuple[float, list[float]]


class Http(asyncio.Protocol):
    """One connection; one call at a time."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._answered: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        lowered = bytes(self._received[:head]).lower()
        length = int(lowered.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < head + 4 + length or self._answered is None:
            return
        body = bytes(self._received[head + 4 :])
        if not lowered.startswith(b"http/1.1 200"):
            self._answered.set_exception(RuntimeError(body.decode()))
        else:
            self._answered.set_result(body)
        self._received.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("the API closed the connection"))

    async def post(self, path: str, cookie: str, body: str) -> bytes:
        """The body of a 200. Raises RuntimeError with any other answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(
            f"POST /api/insurance/{path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: liqpass_session={cookie}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        return await self._answered


async def trade(port: int, sku: str, first: int, traders: int, until: float) -> list[Loop]:
    """One loop of a trader after another until then."""
    _, http = await asyncio.get_running_loop().create_connection(Http, "127.0.0.1", port)
    loops: list[Loop] = []
    tick = time.perf_counter
    while tick() < until:
        n = first + traders * (len(loops) // len(INSTRUMENTS))
        cookie, inst_id = cookie_of(n), INSTRUMENTS[len(loops) % len(INSTRUMENTS)]
        slot = f'"instId":"{inst_id}","mgnMode":"isolated","posSide":"long","sku":"{sku}"'
        start = tick()
        bound = await http.post("bind-position", cookie, f'{{"apiAccountId":"{account_of(n)}",{slot}}}')
        bind_id = bound.partition(b'"bindId":"')[2][:36].decode()
        ordering = tick()
        order = await http.post("create-order", cookie, f'{{"bindId":"{bind_id}"}}')
        order_id = order.partition(b'"purchaseOrderId":"')[2][:66].decode()
        paying = tick()
        paid = f'{{"purchaseOrderId":"{order_id}","payTxHash":"0x{os.urandom(32).hex()}"}}'
        await http.post("submit-payment", cookie, paid)
        end = tick()
        took = (ordering - start, paying - ordering, end - paying)
        loops.append((time.time(), [1000 * sec for sec in took]))
    return loops


async def main(port: int, sku: str, traders: int, seconds: float, first: int) -> None:
    """All traders at once."""
    until = time.perf_counter() + seconds
    work = (trade(port, sku, first + number, traders, until) for number in range(traders))
    print(json.dumps([loop for loops in await asyncio.gather(*work) for loop in loops]))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
