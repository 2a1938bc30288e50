"""A town whose API and workers are real processes: one worker works, another one waits until it dies.

The chain begins twenty days ago, and blocks come only when the test wants them. So days of cover pass at
once: a cover ends by our clock and the chain's, whichever is behind.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from liqpass.app import clients
from liqpass.clock import system_clock
from liqpass.db import Database, open_database
from liqpass.hexes import to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.reconcile.invariants import broken
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.calm_market import calm_down, read_calm
from liqpass.sandbox.chain import ETHER, USDC, SandboxChain
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import command, environment, write_skus
from liqpass.serving import free_port
from liqpass.settings import Settings
from liqpass.treasury import disbursements, pool
from liqpass.worker import LOCK_CLASS, tasks_of
from tests.ledger.books import STANDING
from tests.outages.gate import WAKE

SPARE_SEC = 60
DAYS_AGO = 20
CAPITAL = 100_000 * USDC
STRAY = 5 * USDC
INST = "BTC-USDT-SWAP"
LEGS = """
    select kind::text, ref, case when k.forward then amount else -amount end as amount
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where ref = any($1::bytea[]) order by kind, ref, leg
"""
WAITING = """
    select (select count(*) from settle_queue) + (select count(*) from transfer_queue) = 0
"""

OWNED = """
    select pid from pg_locks where locktype = 'advisory' and classid = $1::bigint::oid and granted
        and database = (select oid from pg_database where datname = current_database())
"""

Legs = dict[tuple[str, bytes], list[int]]
_numbers = count(1)


@dataclass
class Ordered:
    """A trader's order; money in micro-USDC."""

    trader: Trader
    bind_id: str
    answer: dict[str, object]

    @property
    def ref(self) -> bytes:
        return bytes.fromhex(str(self.answer["purchaseOrderId"])[2:])

    @property
    def premium(self) -> int:
        return int(str(self.answer["premiumAmount"]))

    @property
    def payout(self) -> int:
        return int(str(self.answer["payoutAmount"]))


@dataclass
class Town:
    """What survives the kills, and how to start what does not."""

    chain: SandboxChain
    exchange: SandboxExchange
    owner: asyncpg.Connection
    db: Database
    settings: Settings
    env: dict[str, str]
    folder: Path
    port: int
    stack: AsyncExitStack
    tasks: int = 0
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)
    api: asyncio.subprocess.Process | None = None

    async def start_api(self) -> None:
        """`liqpass serve`, once it answers."""
        started = command(self.env, self.folder, "serve", "--port", str(self.port))
        self.api = await self.stack.enter_async_context(started)

        async def answers() -> bool:
            async with self.nobody() as nobody, nobody.http.get(f"{nobody.api}/healthz") as answer:
                return answer.status == 200

        await until(answers, "the API answers")

    async def kill_api(self) -> None:
        """kill -9."""
        assert self.api is not None
        self.api.kill()
        await self.api.wait()

    async def start_worker(self) -> None:
        """One more `liqpass work`."""
        started = command(self.env, self.folder, "work")
        self.workers.append(await self.stack.enter_async_context(started))

    async def kill_worker(self) -> None:
        """kill -9 of the one that works, as soon as another one waits; that one works then, and one more is
        started."""
        await until(self._both_are_up, "the other worker waits for its turn")
        worker, dead = self.workers.pop(0), await self._owners()
        worker.kill()
        await worker.wait()
        await self.one_works(dead)
        await self.start_worker()

    async def one_works(self, dead: Collection[int] = ()) -> None:
        """Wait until the only worker that is up owns every task: whoever comes later waits for its death.

        `dead` are those of a killed one, which the server may not have missed yet.
        """

        async def owns_all() -> bool:
            owners = await self._owners()
            return len(owners) == self.tasks and owners.isdisjoint(dead)

        await until(owns_all, "every task has an owner")

    async def _both_are_up(self) -> bool:
        named = "select count(*) from pg_stat_activity where application_name like 'liqpass work: %'"
        return bool(await self.owner.fetchval(named) == 2 * self.tasks)

    async def _owners(self) -> set[int]:
        """The server's processes for whoever owns a task."""
        return {row["pid"] for row in await self.owner.fetch(OWNED, LOCK_CLASS)}

    def nobody(self) -> Trader:
        return Trader(f"http://127.0.0.1:{self.port}", self.chain.wallets[0])

    async def bound(self, sku: str) -> tuple[Trader, str]:
        """A newcomer whose position is bound."""
        made = wallet(f"newcomer {next(_numbers)}")
        await self.chain.rpc("anvil_setBalance", [to_hex(made.address), hex(100 * ETHER)])
        await self.chain.mint(made.address, 10_000 * USDC)
        trader = Trader(f"http://127.0.0.1:{self.port}", made)
        await self.stack.enter_async_context(trader)
        await trader.sign_in()
        books = self.exchange.books
        okx = books.add_account()
        books.open_position(okx.uid, INST, contracts=5, lever=10)
        account = await trader.add_key(key_json(books, books.add_key(okx.uid)))
        slot = {"instId": INST, "mgnMode": "isolated", "posSide": "long"}
        return trader, str((await trader.bind(account, slot, sku))["bindId"])

    async def order(self, sku: str = "LIQPASS_24H") -> Ordered:
        """A newcomer's order, not paid."""
        trader, bind_id = await self.bound(sku)
        return Ordered(trader, bind_id, await trader.create_order(bind_id))

    async def pay(self, order: Ordered) -> bytes:
        """Approve and pay; the hash."""
        return await order.trader.pay(self.chain, order.answer)

    async def active(self, sku: str = "LIQPASS_24H") -> Ordered:
        """An order that is paid, and the premium is in the books."""
        order = await self.order(sku)
        await self.pay(order)
        await self.chain.mine(self.chain.slots_in_an_epoch)
        await self.posted({("PREMIUM", order.ref): [order.premium]})
        return order

    async def stray(self) -> bytes:
        """Somebody sends USDC to the treasury by hand; its ref."""
        return ref_of(await self.chain.transfer(self.chain.wallets[1], self.chain.treasury, STRAY))

    async def final_stray(self) -> bytes:
        """The same, and it is final in the books."""
        ref = await self.stray()
        await self.chain.finalize()
        final = "select exists (select from usdc_transfers where tx_hash = $1 and stage = 'FINAL')"
        await until(lambda: self.owner.fetchval(final, ref[:32]), "the transfer is final")
        await self.posted({("RECEIVED", ref): [STRAY]})
        return ref

    async def refund(self, ref: bytes) -> disbursements.Asked:
        """The operator asks for it."""
        return await self.db.run(
            lambda conn: disbursements.refund(
                conn,
                system_clock(),
                os.urandom(RANDOM_BYTES),
                self.settings.chain,
                ref,
                by="a test",
                reason="stray",
            )
        )

    async def posted(self, legs: Legs) -> None:
        """Wait until these legs are there."""
        await until(lambda: self.is_posted(legs), f"posted: {legs}")

    async def is_posted(self, legs: Legs) -> bool:
        """Whether these legs are there; what is there of these kinds and refs may never be anything else."""
        await self.owner.execute(WAKE)
        found: Legs = {key: [] for key in legs}
        for row in await self.owner.fetch(LEGS, [ref for _, ref in legs]):
            if (key := (row["kind"], row["ref"])) in found:
                found[key].append(row["amount"])
        for key, amounts in found.items():
            assert amounts == legs[key][: len(amounts)], f"{key}: {amounts}"
        return found == legs

    async def whole(self) -> None:
        """Nothing waits; the ledger's treasury is the chain's; no invariant is broken."""
        await until(self._as_on_chain, "the books are as the chain is")
        assert await broken(self.owner, system_clock()) == []

    async def _as_on_chain(self) -> bool:
        safe = hex(await self.chain.block_number("safe"))
        data = "0x70a08231" + self.chain.treasury.rjust(32, b"\0").hex()
        asked = {"to": to_hex(self.chain.usdc), "data": data}
        held = int(await self.chain.rpc("eth_call", [asked, safe]), 16)
        booked = await self.owner.fetchval("select balance from ledger_accounts where id = 'TREASURY'")
        return booked == held and bool(await self.owner.fetchval(WAITING))

    async def stands(self, kind: str, ref: bytes) -> int:
        """What a kind stands at for a ref."""
        return int(await self.owner.fetchval(STANDING, kind, ref))


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again, an outage being a no."""
    error: Exception | None = None
    for _ in range(SPARE_SEC * 20):
        try:
            if await holds():
                return
        except OSError as happened:  # the API is not there (yet)
            error = happened
        await asyncio.sleep(0.05)
    raise AssertionError(f"in vain: {what} ({error})")


@asynccontextmanager
async def two_workers(url: str, folder: Path) -> AsyncIterator[Town]:
    """The town on this database: capital in the pool, the API, one worker that works, and one that waits."""
    port = free_port()
    begins = int(time.time()) - DAYS_AGO * 86_400
    async with (
        SandboxChain(slots_in_an_epoch=2, begins=begins, capital=CAPITAL) as chain,
        SandboxExchange(system_clock) as exchange,
        AsyncExitStack() as stack,
    ):
        env = environment(chain, exchange.hosts, api=f"http://127.0.0.1:{port}", skus=write_skus(folder))
        env |= {"DATABASE_URL": url, "LIQPASS_QUOTE_TTL_SEC": "60"}
        owner = await asyncpg.connect(url)
        stack.push_async_callback(owner.close)
        await read_calm(owner.execute, exchange.books.instruments, system_clock())
        calm_down(exchange.books)
        db = await open_database(url, name="test")
        stack.push_async_callback(db.close)
        settings = Settings.from_env(env)
        town = Town(chain, exchange, owner, db, settings, env, folder, port, stack)
        async with clients(settings, db) as of:
            town.tasks = len(tasks_of(of))
        await town.start_worker()
        await asyncio.gather(town.start_api(), town.posted({("OPENING", _chain_ref(chain)): [CAPITAL]}))
        await town.one_works()
        await town.start_worker()
        await db.run(
            lambda conn: pool.deposit(
                conn, system_clock(), os.urandom(RANDOM_BYTES), settings.chain, by="a test", amount=CAPITAL
            )
        )
        yield town


def ref_of(receipt: dict[str, Any]) -> bytes:
    """The ref of a plain transfer."""
    log = receipt["logs"][0]
    return bytes.fromhex(log["transactionHash"][2:]) + int(log["logIndex"], 16).to_bytes(4, "big")


def _chain_ref(chain: SandboxChain) -> bytes:
    return chain.chain_id.to_bytes(8, "big")
