"""The step that reads the market, before the sandbox exchange: one of each for the tests of a file, in which
every test lists an instrument of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from liqpass.db import Database, open_database
from liqpass.exchange.okx import OkxGateway
from liqpass.market.reading import volatilities
from liqpass.market.step import read_due
from liqpass.market.volatility import Volatility
from liqpass.market.wanting import want
from liqpass.sandbox.okx_server import SandboxExchange
from tests.clock import SettableClock
from tests.conftest import copy_database, in_database, on_server

_numbers = count(1)
HOUR_MS = 3_600_000


@dataclass
class Market:
    """`inst_id` is this test's own instrument; `now` can be moved, and requests are paced by a time of
    their own, so that nobody waits."""

    db: Database
    okx: SandboxExchange
    gateway: OkxGateway
    clock: SettableClock
    inst_id: str = ""

    def add(self, *, mark: str = "100", **more: Any) -> str:
        """One more instrument."""
        self.inst_id = f"COIN{next(_numbers)}-USDT-SWAP"
        self.okx.books.list_instrument(self.inst_id, mark=mark, **more)
        return self.inst_id

    async def want(self, *inst_ids: str) -> None:
        """Somebody holds them (this test's own)."""
        async with self.db.pool.acquire() as conn:
            await want(conn, inst_ids or [self.inst_id], self.clock())

    async def read(self, **later: float) -> Volatility | None:
        """Time passes; what is due is read; what is known of this test's instrument then."""
        self.clock.advance(**later)
        await read_due(self.db, self.gateway, self.clock)
        return await self.newest()

    async def newest(self) -> Volatility | None:
        """What a price could be made of now."""
        async with self.db.pool.acquire() as conn:
            return (await volatilities(conn, [self.inst_id], self.clock())).get(self.inst_id)

    async def instrument(self) -> Any:
        """Its row: failures, trouble, due_at, …"""
        rows = await self.db.pool.fetch("select * from market_instruments where inst_id = $1", self.inst_id)
        return rows[0]

    async def remarks(self) -> list[str]:
        """What was odd about the candles that were read last."""
        found: list[str] = await self.db.pool.fetchval(
            "select remarks from volatilities where inst_id = $1 order by read_at desc limit 1", self.inst_id
        )
        return found

    def hour_ms(self, ago: int) -> int:
        """When the hour began that was so many before this one."""
        now_ms = int(self.clock().timestamp() * 1000)
        return now_ms - now_ms % HOUR_MS - ago * HOUR_MS

    def tell(self, ago: int, row: list[Any] | None, *, bar: str = "1H") -> None:
        """Of the hour (or day) that began so long ago the exchange tells this, or nothing."""
        length = HOUR_MS if bar == "1H" else 24 * HOUR_MS
        now_ms = int(self.clock().timestamp() * 1000)
        self.okx.books.tell_candle(self.inst_id, now_ms - now_ms % length - ago * length, bar=bar, row=row)


@pytest.fixture(scope="module")
async def floor(server_url: str, template: str) -> AsyncIterator[Market]:
    """Without an instrument."""
    name = f"{template}_market_{next(_numbers)}"
    await copy_database(server_url, template, name)
    db = await open_database(in_database(server_url, name), name="test")
    clock, passed = SettableClock(datetime(2026, 3, 4, 5, 16, tzinfo=UTC)), count(0, 10)
    async with SandboxExchange(clock, monotonic=lambda: float(next(passed))) as okx:
        gateway = OkxGateway(okx.hosts, clock, monotonic=lambda: float(next(passed)), sleep=_no_sleep)
        yield Market(db, okx, gateway, clock)
        await gateway.close()
    await db.close()
    await on_server(server_url, f"drop database {name} with (force)")


async def _no_sleep(_seconds: float) -> None:
    return


@pytest.fixture
async def market(floor: Market) -> AsyncIterator[Market]:
    """With one, wanted; two days after the test before, so that nothing of that is wanted any more."""
    floor.clock.now = floor.clock.now.replace(hour=5, minute=16, second=0) + timedelta(days=2)
    floor.add()
    await floor.want()
    yield floor
    floor.okx.faults.heal()
