"""The whole product in one test process: real HTTP, PostgreSQL, chain and exchange; time is set by hand."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from liqpass.app import Clients, clients, create_app
from liqpass.chain import watcher
from liqpass.db import Database
from liqpass.pricing.versions import keep
from liqpass.reads import Reads
from liqpass.sandbox.calm_market import read_calm
from liqpass.sandbox.chain import USDC, SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import environment, write_skus
from liqpass.serving import free_port, listening
from liqpass.settings import Settings
from liqpass.treasury.opening import open_books
from liqpass.treasury.pool import deposit
from liqpass.worker import tasks_of
from tests.clock import SettableClock

SKU = "LIQPASS_24H"
CAPITAL = 1_000_000 * USDC
RECENTLY = timedelta(minutes=10)


@dataclass(frozen=True)
class TestWorld:
    """`node` stands between the product and the chain and can be made to fail; `of` is the product's inside,
    for what no door shows."""

    __test__ = False

    api: str
    clock: SettableClock
    chain: SandboxChain
    node: RpcProxy
    second_node: RpcProxy | None
    exchange: SandboxExchange
    db: Database
    of: Clients
    env: Mapping[str, str]

    def trader(self, number: int = 0) -> Trader:
        """A trader with the wallet of that number, not signed in."""
        return Trader(self.api, self.chain.wallets[number])

    def key(self, label: str = "reads one") -> dict[str, str | bool]:
        """One of the exchange's test keys by its label."""
        return next(key for key in self.exchange.test_keys() if key["label"] == label)

    async def work(self, times: int = 1) -> None:
        """Let every background task do one step, that many times."""
        await self.read_market(unless_within=RECENTLY)
        for _ in range(times):
            await step_all(self.of)

    async def read_market(self, *, unless_within: timedelta = timedelta()) -> None:
        """How instruments move is read now: prices are known for an hour."""
        instruments = self.exchange.books.instruments
        await read_calm(self.db.pool.execute, instruments, self.clock(), unless_within=unless_within)

    async def confirm(self) -> None:
        """Mine until what is paid now is at the safe head, and let the workers see it."""
        await self.work()
        await self.chain.mine(self.chain.slots_in_an_epoch)
        await self.work(2)

    async def chain_time(self, moment: datetime) -> None:
        """Mine a block of that moment, or a second later."""
        _, _, newest = await self.chain.block()
        await self.chain.warp(max(0, int(moment.timestamp()) - newest))

    async def pass_time(self, **by: float) -> None:
        """Time passes for everybody: the product, the exchange, the chain."""
        before = self.clock.now
        self.clock.advance(**by)
        await self.chain.warp(int((self.clock.now - before).total_seconds()))
        await self.read_market()


@asynccontextmanager
async def running_world(
    database: Database,
    clock: SettableClock,
    folder: Path,
    *,
    second_endpoint: bool = False,
    reads: Reads | None = None,
    **env: str,
) -> AsyncIterator[TestWorld]:
    """Everything up; `env` changes settings."""
    async with (
        SandboxChain(slots_in_an_epoch=4, capital=CAPITAL) as chain,
        RpcProxy(chain.url) as node,
        RpcProxy(chain.url) as second,
        SandboxExchange(clock) as exchange,
    ):
        port = free_port()
        api = f"http://127.0.0.1:{port}"
        urls = [node.url, second.url] if second_endpoint else [node.url]
        made = environment(chain, exchange.hosts, api=api, skus=write_skus(folder), rpc_urls=urls)
        settings = Settings.from_env({**made, **env})
        async with (
            clients(settings, database, clock, reads) as of,
            listening(create_app(of), "127.0.0.1", port),
        ):
            second_node = second if second_endpoint else None
            await fund_pool(of)
            await keep(database, of.products, clock())
            world = TestWorld(api, clock, chain, node, second_node, exchange, database, of, {**made, **env})
            await world.read_market()
            yield world


async def step_all(of: Clients) -> None:
    """Each background task once, in the table's order, errors raised; but for the market, which is calm."""
    for task in tasks_of(of):
        if task.name != "read the market":
            await task.step()


async def fund_pool(of: Clients) -> None:
    """The books begin, and what the treasury holds from the beginning becomes capital."""
    chain = of.settings.chain
    await watcher.step(of.db, of.nodes, chain, of.clock)
    assert await open_books(of.db, of.nodes, chain, of.clock)
    await of.db.run(
        lambda conn: deposit(conn, of.clock(), os.urandom(10), chain, by="the tests", amount=CAPITAL)
    )


async def covered_position(world: TestWorld, trader: Trader, sku: str = SKU) -> tuple[str, dict[str, object]]:
    """Sign in, hand over the first key, and bind the first insurable position: account and order."""
    await trader.sign_in()
    account = await trader.add_key(world.key())
    position = next(p for p in await trader.positions(account) if p["insurable"])
    bound = await trader.bind(account, position, sku)
    return account, await trader.create_order(bound["bindId"])
