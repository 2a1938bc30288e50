"""All that runs in a soak: chain, endpoints, exchange, database, two servers, two workers, their owners."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from liqpass.app import Clients, clients
from liqpass.chain import watcher
from liqpass.db import Database, open_database
from liqpass.hexes import checksum, to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.anvil import Wallet, encode_call, wallet
from liqpass.sandbox.calm_market import calm_down
from liqpass.sandbox.chain import ETHER, USDC, SandboxChain
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import environment, write_skus
from liqpass.serving import free_port
from liqpass.settings import Settings
from liqpass.treasury.opening import open_books
from liqpass.treasury.pool import deposit
from soak.blocks import Blocks
from soak.clock import SharedClock, make_clock_file
from soak.people import People
from soak.process import CLOCK, WHO
from soak.record import Holder, Record
from soak.schedule import FINAL
from soak.server import Server, running_server
from soak.wire import Endpoint, Exchange
from tests.exposure.shares import all_of_it

TOP = Path(__file__).resolve().parents[1]
BEGINS = datetime(2026, 11, 22, 12, tzinfo=UTC)
CAPITAL = 300_000 * USDC
SPARE_SEC = 120
QUOTE_SEC = 5_400  # time passes in steps of up to an hour: who pays at once shall not always be late
FASTER = 40.0  # the exchange's limits are by real seconds, of which there are few


# More than blocks are ever made, reorgs' too: anvil would lose the chain's state, and say nothing.
STATES = 30_000


@dataclass
class Process:
    """One of the product's, which somebody starts again when it has ended, as systemd does."""

    who: int
    arguments: list[str]
    env: dict[str, str]
    folder: Path
    running: asyncio.subprocess.Process | None = None
    starts: int = 0
    wanted: bool = True
    frozen: bool = False

    async def keep(self) -> None:
        """Start it, and again whenever it has ended, until nobody wants it."""
        while self.wanted:
            with (self.folder / f"{self.arguments[0]}-{self.who}.log").open("ab") as log:
                self.running = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "soak.process",
                    *self.arguments,
                    env=self.env,
                    stdout=log,
                    stderr=log,
                    preexec_fn=end_with_parent,
                )
            self.starts += 1
            await self.running.wait()
            self.frozen = False
            await asyncio.sleep(0.2)

    def signal(self, number: signal.Signals) -> None:
        """To this process alone."""
        if self.running is not None and self.running.returncode is None:
            self.frozen = number == signal.SIGSTOP
            with suppress(ProcessLookupError):
                self.running.send_signal(number)

    async def end(self) -> None:
        """For good."""
        self.wanted = False
        if self.running is not None and self.running.returncode is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            await self.running.wait()


@dataclass
class Town:
    """Everything that a soak does something to."""

    clock: SharedClock
    chain: SandboxChain
    blocks: Blocks
    endpoints: list[Endpoint]
    exchange: SandboxExchange
    okx: Exchange
    server: Server
    of: Clients
    processes: list[Process]
    people: People
    record: Record
    holders: list[Holder]
    desk: list[Holder]
    keepers: list["asyncio.Task[None]"] = field(default_factory=list)

    async def up(self) -> None:
        """Wait until both servers answer, and as many as are wanted run."""
        for api in self.people.apis:
            await until_answers(api)


async def until_answers(api: str) -> None:
    """Its /healthz, sooner or later."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for _ in range(SPARE_SEC * 10):
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with http.get(f"{api}/healthz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{api} does not come up")


@asynccontextmanager
async def running_town(folder: Path, seed: int, accounts: int, record: Record) -> AsyncIterator[Town]:
    """All of it, with capital in the pool; everything is stopped and gone at the end, but for the logs."""
    make_clock_file(folder / "clock", BEGINS)
    clock = SharedClock(folder / "clock")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server())
        chain = SandboxChain(
            slots_in_an_epoch=FINAL // 2,
            begins=int(BEGINS.timestamp()) - 3600,
            capital=CAPITAL,
            states=STATES,
        )
        await stack.enter_async_context(chain)
        proxies = [await stack.enter_async_context(RpcProxy(chain.url, free_port())) for _ in range(2)]
        exchange = SandboxExchange(clock, seed=seed, regions=("global",), monotonic=_faster)
        await stack.enter_async_context(exchange)
        calm_down(exchange.books)
        await migrate(server.past_the_door, migrations_of())
        ports = [free_port(), free_port()]
        apis = [f"http://127.0.0.1:{port}" for port in ports]
        operators = [wallet("Ada, an operator"), wallet("Bob, an operator")]
        env = environment(
            chain,
            exchange.hosts,
            api=apis[0],
            skus=write_skus(folder),
            rpc_urls=[one.url for one in proxies],
        ) | {
            "DATABASE_URL": server.url,
            "LIQPASS_ADMIN_WALLETS": ",".join(checksum(who.address) for who in operators),
            "LIQPASS_CLAIM_ONE_APPROVES_UP_TO": "60",
            "LIQPASS_OKX_PER_SEC": "400",
            "LIQPASS_QUOTE_TTL_SEC": str(QUOTE_SEC),
        }
        db = await open_database(server.url, name="liqpass soak")
        stack.push_async_callback(_closed, db)
        of = await stack.enter_async_context(clients(Settings.from_env(env), db, clock))
        blocks = Blocks(chain)
        people = People(apis, blocks, exchange.books, record)
        town = Town(
            clock=clock,
            chain=chain,
            blocks=blocks,
            endpoints=[Endpoint(n, proxy, record) for n, proxy in enumerate(proxies)],
            exchange=exchange,
            okx=Exchange(exchange.faults, record),
            server=server,
            of=of,
            processes=[_process(n, folder, env, ports) for n in range(4)],
            people=people,
            record=record,
            holders=[],
            desk=[],
        )
        await _settled_in(town, stack, accounts, operators)
        stack.push_async_callback(_ended, town)
        town.keepers += [asyncio.create_task(process.keep()) for process in town.processes]
        await town.up()
        yield town


async def _settled_in(town: Town, stack: AsyncExitStack, accounts: int, operators: list[Wallet]) -> None:
    """Wallets with money, accounts at the exchange, a pool; from here on blocks come when they are mined."""
    chain = town.chain
    town.people.fake_usdc = await chain.deploy_usdc()
    for number in range(accounts):
        who = wallet(f"soak trader {number}")
        await chain.rpc("anvil_setBalance", [to_hex(who.address), hex(1000 * ETHER)])
        await chain.mint(who.address, 1_000_000 * USDC)
        mint = encode_call("mint(address,uint256)", who.address, 1_000_000 * USDC)
        await chain.transact(chain.usdc_master, town.people.fake_usdc, mint)
        trader = await stack.enter_async_context(Trader(town.people.apis[0], who))
        okx = town.exchange.books.add_account(balance=10**9)
        town.holders.append(Holder(number, who, trader, okx))
    for number, who in enumerate(operators):
        trader = await stack.enter_async_context(Trader(town.people.apis[0], who))
        town.desk.append(Holder(-1 - number, who, trader, town.exchange.books.add_account()))
    await chain.finalize()
    await chain.set_automine(False)
    of, settings = town.of, town.of.settings.chain
    await watcher.step(of.db, of.nodes, settings, of.clock)
    if not await open_books(of.db, of.nodes, settings, of.clock):
        raise RuntimeError("the books could not be opened")
    await of.db.run(
        lambda conn: deposit(
            conn, of.clock(), os.urandom(RANDOM_BYTES), settings, by="the soak", amount=CAPITAL
        )
    )
    await all_of_it(of.db)


def _faster() -> float:
    """Real seconds, many times as quick."""
    return time.monotonic() * FASTER


def _process(who: int, folder: Path, env: dict[str, str], ports: list[int]) -> Process:
    """0 and 1 serve, 2 and 3 work."""
    arguments = ["serve", "--port", str(ports[who])] if who < 2 else ["work"]
    more = {CLOCK: str(folder / "clock"), WHO: str(who), "PYTHONPATH": f"{TOP / 'src'}:{TOP}"}
    return Process(who, [*arguments, "--log-level", "WARNING"], {**os.environ, **env, **more}, folder)


async def _closed(db: Database) -> None:
    with suppress(Exception):
        await asyncio.wait_for(db.close(), 10)


async def _ended(town: Town) -> None:
    for keeper in town.keepers:
        keeper.cancel()
    for process in town.processes:
        await process.end()


def moment_of(seconds: int) -> datetime:
    """Of unix seconds, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
