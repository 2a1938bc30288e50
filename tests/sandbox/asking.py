"""The sandbox exchange over HTTP, with a clock that a test sets: signed as its owner's program does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from liqpass.exchange.signing import sign, timestamp_of
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_control import Faults
from liqpass.sandbox.okx_server import SandboxExchange
from tests.clock import SettableClock

Rows = list[dict[str, Any]]

BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"
POSITIONS, HISTORY = "account/positions", "account/positions-history"
BILLS, BILLS_ARCHIVE = "account/bills", "account/bills-archive"
ORDERS, ORDERS_ARCHIVE = "trade/orders-history", "trade/orders-history-archive"
FILLS, FILLS_HISTORY = "trade/fills", "trade/fills-history"


@dataclass(frozen=True)
class Reader:
    """One account of the exchange and the key that reads it."""

    okx: SandboxExchange
    clock: SettableClock
    uid: str

    @property
    def books(self) -> Books:
        return self.okx.books

    @property
    def faults(self) -> Faults:
        return self.okx.faults

    async def ask(self, path: str, **query: str) -> tuple[int, bytes]:
        """Status and body, whatever it is."""
        wanted = {"instType": "SWAP"} if path.startswith("trade/") else {}
        url = URL(f"{self.okx.hosts['global']}/api/v5/{path}").with_query({**wanted, **query})
        key = next(key for key in self.okx.test_keys() if key["uid"] == self.uid)
        now = timestamp_of(self.clock())
        sent = {
            "OK-ACCESS-KEY": str(key["apiKey"]),
            "OK-ACCESS-SIGN": sign(str(key["secret"]), now, "GET", url.raw_path_qs),
            "OK-ACCESS-TIMESTAMP": now,
            "OK-ACCESS-PASSPHRASE": str(key["passphrase"]),
        }
        async with aiohttp.ClientSession() as session, session.get(url, headers=sent) as response:
            return response.status, await response.read()

    async def rows(self, path: str, **query: str) -> Rows:
        """What is shown."""
        status, body = await self.ask(path, **query)
        assert status == 200, (path, query, body)
        return list(msgspec.json.decode(body)["data"])


@asynccontextmanager
async def somebody(**account: Any) -> AsyncIterator[Reader]:
    """An account without positions; the exchange counts no request as too soon."""
    clock, ticks = SettableClock(datetime(2026, 3, 1, tzinfo=UTC)), count()
    async with SandboxExchange(clock, monotonic=lambda: 10.0 * next(ticks)) as okx:
        uid = okx.books.add_account(**account).uid
        okx.books.add_key(uid)
        yield Reader(okx, clock, uid)
