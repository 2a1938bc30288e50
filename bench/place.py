"""Everything the bench runs on: embedded PostgreSQL with its durable settings, chain, exchange, API and
worker."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import asyncpg

from bench import statements
from bench.slots import many_positions
from bench.standby import standby_of, wait_for_it
from liqpass.clock import system_clock
from liqpass.embedded import EmbeddedPostgres, embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.place import Progress
from liqpass.sandbox.calm_market import calm_down, read_calm
from liqpass.sandbox.chain import USDC, SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.story_books import give_capital
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import command, environment, last_words, write_skus
from liqpass.serving import free_port

SKU = "LIQPASS_24H"
READY_SEC = 60
CAPITAL = 1_000_000_000 * USDC  # for more covers than any round makes


@dataclass(frozen=True)
class Place:
    """What runs, and what is measured on it."""

    server: EmbeddedPostgres
    owner: asyncpg.Connection
    port: int
    api_pid: int
    worker_pid: int
    folder: Path
    positions: bytes
    """A positions answer of the exchange, for the readings of all users."""
    script: Path
    """The loop's statements for pgbench."""
    variables: Mapping[str, str]


@asynccontextmanager
async def running_place(
    traders: int, tell: Progress, *, standby: bool = False, options: Mapping[str, str] | None = None
) -> AsyncIterator[Place]:
    """Start everything, and make one order as a trader does; all of it is stopped and gone at the end.
    `standby`: what is committed is on another server's disk, too. `options`: PostgreSQL's, over the embedded
    server's own."""
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    with (
        TemporaryDirectory(prefix="liqpass-bench-") as name,
        TemporaryDirectory(prefix="liqpass-bench-data-") as data,
        embedded_postgres(Path(data), tell, options) as server,
        standby_of(server) if standby else nullcontext(),
    ):
        folder = Path(name)
        await migrate(server.url, migrations_of(), tell)
        tell("starting anvil, the sandbox exchange, liqpass serve and liqpass work …")
        async with SandboxChain(capital=CAPITAL) as chain, SandboxExchange(system_clock) as exchange:
            await chain.mine_every(1)
            env = environment(chain, exchange.hosts, api=api, skus=write_skus(folder))
            env["DATABASE_URL"] = server.url
            async with (
                command(env, folder, "serve", "--port", str(port)) as serve,
                command(env, folder, "work") as work,
            ):
                owner = await asyncpg.connect(server.url)
                try:
                    if standby:
                        await wait_for_it(owner)
                    await _ready(api, folder, serve, work)
                    await give_capital(env, CAPITAL)
                    calm_down(exchange.books)
                    await read_calm(owner.execute, exchange.books.instruments, system_clock())
                    positions = await _one_order(api, chain, exchange, owner)
                    script = folder / "loop.sql"
                    script.write_text(await statements.script(owner))
                    variables = await statements.variables(owner, traders)
                    yield Place(
                        server, owner, port, serve.pid, work.pid, folder, positions, script, variables
                    )
                finally:
                    await owner.close()


async def _ready(api: str, folder: Path, *commands: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(READY_SEC * 10):
            if any(command.returncode is not None for command in commands):
                break
            try:
                async with http.get(f"{api}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise OSError(f"the API did not become ready\n{last_words(folder)}")


async def _one_order(
    api: str, chain: SandboxChain, exchange: SandboxExchange, owner: asyncpg.Connection
) -> bytes:
    """The loop once by the front door: its rows give pgbench values, its reading is what all users get."""
    key = next(key for key in exchange.test_keys() if key["perm"] == "read_only" and not key["demo"])
    async with Trader(api, chain.wallets[0]) as trader:
        await trader.sign_in()
        account = await trader.add_key(key)
        position = next(p for p in await trader.positions(account) if p["insurable"])
        bound = await trader.bind(account, position, SKU)
        order = await trader.create_order(bound["bindId"])
        await trader.submit(order["purchaseOrderId"], os.urandom(32))
    body: bytes = await owner.fetchval("select body from position_readings")
    return many_positions(body)


def sync_ms(folder: Path, times: int = 50) -> float:
    """How long this disk takes to make 8 KB durable: what every commit waits for."""
    with (folder / "sync").open("wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(times):
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
        return 1000 * (time.perf_counter() - began) / times
