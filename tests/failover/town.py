"""A town on a cluster: traders who buy without end, a watcher that settles, claims that are paid; `serve` and
`work` are processes of their own, and know of the cluster what an operator types into DATABASE_URL.

Traders do what people do: who gets no answer, or is told to try again, asks again. What they were told with
a 2xx is kept here, by nobody else, and looked for in the end.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg

from liqpass.clock import system_clock
from liqpass.connecting import connect_as_owner
from liqpass.hexes import checksum, to_hex
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.calm_market import calm_down, read_calm
from liqpass.sandbox.chain import ETHER, USDC, SandboxChain
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.story_books import give_capital
from liqpass.sandbox.trader import Refused, Trader
from liqpass.sandbox.world import command, environment, last_words, write_skus
from liqpass.serving import free_port
from tests.failover.cluster import Cluster, until

T = TypeVar("T")
SKU, INST = "LIQPASS_30D", "BTC-USDT-SWAP"
SLOT = {"instId": INST, "mgnMode": "isolated", "posSide": "long"}
CAPITAL = 10_000_000 * USDC
DAYS_AGO = 20
PATIENCE_SEC = 60  # a trader's, for one answer
_numbers = count(1)


@dataclass
class Sold:
    """What one trader did."""

    trader: Trader
    uid: str
    account: str
    order: dict[str, Any]
    tx_hash: bytes = b""
    claim: str = ""

    @property
    def id(self) -> str:
        return str(self.order["purchaseOrderId"])


@dataclass
class Town:
    """`told`: what was answered with a 2xx, by kind; `unanswered`: how often people had to ask again, and
    why; `sold_at`: when an order was answered."""

    cluster: Cluster
    chain: SandboxChain
    exchange: SandboxExchange
    env: dict[str, str]
    folder: Path
    api: str
    stack: AsyncExitStack
    told: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unanswered: Counter[str] = field(default_factory=Counter)
    sold_at: list[float] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)
    people: list[asyncio.Task[None]] = field(default_factory=list)
    closing: bool = False
    serve: asyncio.subprocess.Process | None = None

    async def serves(self) -> None:
        """`liqpass serve`, anew where there is one: it remembers nothing."""
        if self.serve is not None:
            self.serve.kill()
            await self.serve.wait()
        words = ("serve", "--port", self.api.rpartition(":")[2])
        self.serve = await self.stack.enter_async_context(command(self.env, self.folder, *words))

    async def again(self, call: Callable[[], Awaitable[T]]) -> T:
        """Asked until it is answered."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SEC):
                    return await call()
            except Refused as refused:
                if refused.status < 500 and refused.code != "TOO_MANY_REQUESTS":
                    raise
                self.unanswered[f"{refused.status} {refused.code}"] += 1
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.unanswered[type(error).__name__] += 1
            await asyncio.sleep(0.2)

    async def buys(self, number: int) -> Sold:
        """A newcomer's way from the wallet to the submitted payment."""
        made = wallet(f"buyer {number}")
        await self.chain.rpc("anvil_setBalance", [to_hex(made.address), hex(ETHER)])
        await self.chain.mint(made.address, 10_000 * USDC)
        trader = await self.stack.enter_async_context(Trader(self.api, made))
        await self.again(trader.sign_in)
        books = self.exchange.books
        okx = books.add_account()
        books.open_position(okx.uid, INST, contracts=5, lever=10)
        key = key_json(books, books.add_key(okx.uid))
        account = await self.again(lambda: trader.add_key(key))
        self.told["key"].append(account)
        bound = await self.again(lambda: self.bound(trader, account))
        self.told["binding"].append(bound)
        order = await self.again(lambda: trader.create_order(bound))
        self.sold_at.append(time.monotonic())
        self.told["order"].append(str(order["purchaseOrderId"]))
        sold = Sold(trader, okx.uid, account, order)
        sold.tx_hash = await trader.pay(self.chain, order)
        await self.again(lambda: trader.submit(sold.id, sold.tx_hash))
        self.told["submitted"].append(sold.id)
        self.sold.append(sold)
        return sold

    async def bound(self, trader: Trader, account: str) -> str:
        """What was seen is what is bound: looked at anew after each outage."""
        await trader.positions(account)
        return str((await trader.bind(account, SLOT, SKU))["bindId"])

    async def keeps_buying(self) -> None:
        """One after the other, until the town closes."""
        while not self.closing:
            await self.buys(next(_numbers))

    async def keeps_claiming(self) -> None:
        """Every fifth position is liquidated, once it is covered; its owner claims, an operator approves."""
        operator = await self.stack.enter_async_context(Trader(self.api, self.chain.owner))
        await self.again(operator.sign_in)
        seen = 0
        while not self.closing:
            if seen == len(self.sold):
                await asyncio.sleep(0.1)
                continue
            sold, seen = self.sold[seen], seen + 1
            if seen % 5 == 2:
                await self._claims(sold, operator)

    async def _claims(self, sold: Sold, operator: Trader) -> None:
        await self.becomes(sold, "ACTIVE")
        self.exchange.books.liquidate(sold.uid, INST)
        body = {"purchaseOrderId": sold.id}
        asked = await self.again(lambda: sold.trader.call("POST", "/api/insurance/claims", body))
        sold.claim = str(asked["claimId"])
        self.told["claim"].append(sold.claim)
        tries = count(1)

        async def payable() -> bool:
            if next(tries) % 50 == 0:  # what a worker had taken that was cut off is nobody's for a minute
                await self.again(lambda: sold.trader.call("POST", "/api/insurance/claims", body))
            path = f"/api/insurance/claims/{sold.claim}"
            return bool((await self.again(lambda: sold.trader.call("GET", path)))["status"] == "PAYABLE")

        await until(payable, self.cluster, f"the claim of {sold.id} is payable", spare_sec=300)
        path, tries = f"/api/admin/claims/{sold.claim}/approve", count(1)

        async def approve() -> None:
            is_first = next(tries) == 1
            try:
                await operator.call("POST", path, {"reason": "shown"})
            except Refused as refused:
                # nobody else approves: a try before was done, and its answer lost
                if is_first or refused.code != "CLAIM_NOT_OPEN":
                    raise

        await self.again(approve)
        self.told["approved"].append(sold.claim)

    async def becomes(self, sold: Sold, status: str) -> None:
        """Wait until its owner sees that."""

        async def is_so() -> bool:
            return bool((await self.again(lambda: sold.trader.order(sold.id)))["status"] == status)

        await until(is_so, self.cluster, f"{sold.id} is {status}")

    async def sells(self, more: int) -> None:
        """Wait until so many more orders were taken."""
        wanted = len(self.sold_at) + more

        async def is_so() -> bool:
            assert not self.broken(), self.broken()
            return len(self.sold_at) >= wanted

        try:
            await until(is_so, self.cluster, f"{more} more orders", spare_sec=180)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.unanswered}\n{last_words(self.folder)}") from None

    def broken(self) -> list[BaseException]:
        """What ended a trader who should have gone on."""
        done = [task for task in self.people if task.done() and not task.cancelled()]
        return [error for task in done if (error := task.exception())]

    async def closes(self) -> None:
        """Whoever is amid it comes to an end, and nobody comes any more."""
        self.closing = True
        await asyncio.gather(*self.people)

    async def rows(self, query: str, *values: object) -> list[asyncpg.Record]:
        """What the database says, past the product."""
        conn = await connect_as_owner(self.env["DATABASE_URL"], name="test")
        try:
            return list(await conn.fetch(query, *values))
        finally:
            await conn.close()

    async def typed(self, *words: str) -> tuple[int | None, str]:
        """A command of the product: exit status, and what it said."""
        log = self.folder / f"{words[0]}.log"
        log.unlink(missing_ok=True)
        async with command(self.env, self.folder, *words) as process:
            await process.wait()
        return process.returncode, log.read_text()


@asynccontextmanager
async def town_on(cluster: Cluster, folder: Path, traders: int) -> AsyncIterator[Town]:
    """The product on this cluster, and so many traders who buy."""
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    begins = int(time.time()) - DAYS_AGO * 86_400
    async with (
        SandboxChain(slots_in_an_epoch=2, begins=begins, capital=CAPITAL) as chain,
        SandboxExchange(system_clock) as exchange,
        AsyncExitStack() as stack,
    ):
        await chain.mine_every(1)
        env = environment(chain, exchange.hosts, api=api, skus=write_skus(folder))
        env |= {"DATABASE_URL": cluster.url(), "LIQPASS_ADMIN_WALLETS": checksum(chain.owner.address)}
        town = Town(cluster, chain, exchange, env, folder, api, stack)
        await _database(cluster)
        await town.serves()
        await stack.enter_async_context(command(env, folder, "work"))
        await give_capital(env, CAPITAL)
        owner = await connect_as_owner(env["DATABASE_URL"], name="test")
        await read_calm(owner.execute, exchange.books.instruments, system_clock())
        await owner.close()
        calm_down(exchange.books)
        town.people += [asyncio.create_task(town.keeps_buying()) for _ in range(traders)]
        town.people.append(asyncio.create_task(town.keeps_claiming()))
        try:
            yield town
        finally:
            for task in town.people:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


async def _database(cluster: Cluster) -> None:
    owner = await connect_as_owner(cluster.url("postgres"), name="test")
    await owner.execute("create database liqpass")
    await owner.close()
    await migrate(cluster.url(), migrations_of())
