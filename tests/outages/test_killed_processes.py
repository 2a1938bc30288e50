"""kill -9 of `liqpass work` and of the embedded PostgreSQL amid payments: none is lost, none counts twice.

The commands are processes of their own on an embedded PostgreSQL of their own; chain and exchange are the
sandbox's, and blocks come every second.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from liqpass.app import clients
from liqpass.chain.checkout import PREMIUM_PAID_TOPIC
from liqpass.clock import system_clock
from liqpass.db import open_database
from liqpass.embedded import EmbeddedPostgres, embedded_postgres
from liqpass.hexes import to_hex
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.calm_market import calm_down, read_calm
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import command, environment, last_words, write_skus
from liqpass.serving import free_port
from liqpass.settings import Settings
from liqpass.worker import tasks_of
from tests.world import CAPITAL, fund_pool

SPARE_SEC = 60
SKU = "LIQPASS_24H"
OWNERS = """
select objid::int, string_agg(pid::text, ',') from pg_locks
where locktype = 'advisory' and classid = 27761 and granted group by objid
"""


@dataclass
class Town:
    """What survives the kills, and how to start what does not."""

    chain: SandboxChain
    exchange: SandboxExchange
    server: EmbeddedPostgres
    env: dict[str, str]
    api: str
    folder: Path
    stack: AsyncExitStack
    tasks: int = 0
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)

    async def start_worker(self) -> None:
        """One more `liqpass work`; ended with the test if it still runs."""
        worker = command(self.env, self.folder, "work")
        self.workers.append(await self.stack.enter_async_context(worker))

    async def kill_oldest_worker(self) -> None:
        """kill -9."""
        worker = self.workers.pop(0)
        worker.kill()
        await worker.wait()

    async def order(self, number: int) -> tuple[Trader, dict[str, object]]:
        """A signed-in trader with an order for one of the positions, not paid."""
        key = [k for k in self.exchange.test_keys() if k["perm"] == "read_only"][number]
        trader = Trader(self.api, self.chain.wallets[number])
        await self.stack.enter_async_context(trader)
        await trader.sign_in()
        account = await trader.add_key(key)
        position = next(p for p in await trader.positions(account) if p["insurable"])
        order = await trader.create_order((await trader.bind(account, position, SKU))["bindId"])
        self.orders.append(str(order["purchaseOrderId"]))
        return trader, order

    async def rows(self, query: str) -> list[asyncpg.Record]:
        """What the database says, past the product."""
        conn = await asyncpg.connect(self.server.url, timeout=30)
        try:
            return list(await conn.fetch(query))
        finally:
            await conn.close()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    # not pytest's own folder: root's PostgreSQL runs as another user, who may not enter that
    with TemporaryDirectory(prefix="liqpass-tests-") as data:
        folder, port = tmp_path, free_port()
        api = f"http://127.0.0.1:{port}"
        with embedded_postgres(Path(data)) as server:
            async with (
                SandboxChain(slots_in_an_epoch=2, capital=CAPITAL) as chain,
                SandboxExchange(system_clock) as exchange,
                AsyncExitStack() as stack,
            ):
                env = environment(chain, exchange.hosts, api=api, skus=write_skus(folder))
                env |= {"DATABASE_URL": "", "LIQPASS_DATA_DIR": data}
                town = Town(chain, exchange, server, env, api, folder, stack)
                await chain.mine_every(1)
                await migrate(server.url, migrations_of())
                await stack.enter_async_context(command(env, folder, "serve", "--port", str(port)))
                await town.start_worker()
                await until(lambda: _ready(api), "the API is ready")
                town.tasks = await _tasks_of_a_funded_town(town, server.url)
                yield town


async def _tasks_of_a_funded_town(town: Town, url: str) -> int:
    """How many tasks a worker has; covers can be sold from now on."""
    database = await open_database(url, name="test")
    async with clients(Settings.from_env(town.env), database) as of:
        tasks = len(tasks_of(of))
        await fund_pool(of)
        await read_calm(database.pool.execute, town.exchange.books.instruments, system_clock())
        calm_down(town.exchange.books)
    await database.close()
    return tasks


async def _ready(api: str) -> bool:
    async with Trader(api, SandboxChain().wallets[0]) as nobody, nobody.http.get(f"{api}/readyz") as answer:
        return answer.status == 200


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again, an outage being a no."""
    error: Exception | None = None
    for _ in range(SPARE_SEC * 5):
        try:
            if await holds():
                return
        except Exception as happened:  # the database is gone, the API says 503 or breaks off
            error = happened
        await asyncio.sleep(0.2)
    raise AssertionError(f"in vain: {what} ({error})")


async def _all_active(town: Town) -> bool:
    rows = await town.rows("select status::text from purchase_orders")
    return [row["status"] for row in rows] == ["ACTIVE"] * len(town.orders)


async def each_payment_counts_once(town: Town) -> None:
    """The books against the chain: every order active once, every event of the checkout one row."""
    try:
        await until(lambda: _all_active(town), "every paid order is active")
    except AssertionError as late:
        raise AssertionError(f"{late}\n{last_words(town.folder)}") from None
    active = await town.rows("select order_id from order_events where to_status = 'ACTIVE'")
    assert len({row["order_id"] for row in active}) == len(active) == len(town.orders)
    logs = await town.chain.rpc(
        "eth_getLogs",
        [{"topics": [to_hex(PREMIUM_PAID_TOPIC)], "fromBlock": "0x0", "toBlock": "latest"}],
    )
    on_chain = {(log["transactionHash"], int(log["logIndex"], 16)) for log in logs}
    stored = await town.rows("select '0x' || encode(tx_hash, 'hex') as tx, log_index from premium_payments")
    assert len(on_chain) == len(town.orders)
    assert {(row["tx"], row["log_index"]) for row in stored} == on_chain
    matched = await town.rows("select outcome::text from payment_settlements")
    assert [row["outcome"] for row in matched] == ["MATCHED"] * len(town.orders)


async def test_a_worker_killed_amid_payments_loses_none_and_counts_none_twice(town: Town) -> None:
    traders = [await town.order(number) for number in range(4)]
    for place, (trader, order) in enumerate(traders):
        tx_hash = await trader.pay(town.chain, order)
        if place % 2 == 0:  # the other browsers are gone before they tell
            await trader.submit(str(order["purchaseOrderId"]), tx_hash)
        if place >= 2:  # the later ones are seen by the worker before it dies, the first two are not yet
            await until(partial(_is_seen, town, tx_hash), "the payment is seen")
        await town.kill_oldest_worker()
        await town.start_worker()
    await each_payment_counts_once(town)


async def _is_seen(town: Town, tx_hash: bytes) -> bool:
    return bool(await town.rows(f"select 1 from premium_payments where tx_hash = '\\x{tx_hash.hex()}'"))


async def test_postgresql_killed_amid_payments_is_started_again_by_the_commands(town: Town) -> None:
    traders = [await town.order(number) for number in range(3)]
    for trader, order in traders:
        await trader.pay(town.chain, order)
        killed = town.server.pid()
        assert killed is not None
        _kill_all_of(killed)
        await until(partial(_runs_again, town, killed), "PostgreSQL runs again")
    await each_payment_counts_once(town)
    await until(lambda: _ready(town.api), "the API is ready again")
    for (trader, _), order_id in zip(traders, town.orders, strict=True):
        assert (await trader.order(order_id))["status"] == "ACTIVE"


def _kill_all_of(postmaster: int) -> None:
    """The server and every process that it has started."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for pid in (postmaster, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


async def _runs_again(town: Town, killed: int) -> bool:
    return town.server.pid() not in (None, killed) and bool(await town.rows("select 1"))


async def test_each_task_has_one_owner_and_another_worker_takes_over_when_it_is_killed(town: Town) -> None:
    await until(lambda: _owned_by_all(town), "every task has an owner")
    first = await town.rows(OWNERS)
    await town.start_worker()
    await until(lambda: _two_workers(town), "the second worker waits for its turn")
    assert await town.rows(OWNERS) == first
    assert all("," not in row["string_agg"] for row in first)
    trader, order = await town.order(0)
    await trader.pay(town.chain, order)
    await town.kill_oldest_worker()
    await until(lambda: _owned_anew(town, first), "the second worker owns every task")
    await each_payment_counts_once(town)


async def _owned_by_all(town: Town) -> bool:
    return len(await town.rows(OWNERS)) == town.tasks


async def _owned_anew(town: Town, before: list[asyncpg.Record]) -> bool:
    now = await town.rows(OWNERS)
    return len(now) == town.tasks and not {row["string_agg"] for row in now} & {
        row["string_agg"] for row in before
    }


async def _two_workers(town: Town) -> bool:
    rows = await town.rows("select 1 from pg_stat_activity where application_name like 'liqpass work: %'")
    return len(rows) == 2 * town.tasks
