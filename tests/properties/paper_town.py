"""The product's own workers on a chain of paper: a clean database for each example, and time set by hand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from liqpass.app import Clients, clients
from liqpass.db import Database, open_database
from liqpass.hexes import checksum
from liqpass.orders import sql as orders_sql
from liqpass.sandbox.anvil import wallet
from liqpass.settings import Settings
from liqpass.vault.keys import generate_key
from liqpass.worker import Task, tasks_of
from tests.clock import SettableClock
from tests.properties.paper_chain import CHAIN_ID, CHECKOUT, TREASURY, USDC, PaperChain, served
from tests.schema import rows

# They ask the exchange, or tidy up after sessions and bindings: nothing of that is about money.
NOT_OF_MONEY = {"recheck keys", "purge", "unordered bindings", "check books", "reconcile"}
STANDING = """
    select t.kind::text, t.ref, sum(case when k.forward then t.amount else -t.amount end)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit) group by t.kind, t.ref
"""
# The triggers that keep what is append-only are the owner's to switch off.
FORGET = """
    set session_replication_role = replica;
    do $$ declare name text; begin
        for name in select tablename from pg_tables where schemaname = 'public'
            and tablename not in ('schema_migrations', 'order_moves', 'ledger_kinds', 'ledger_accounts')
        loop execute format('delete from %I', name); end loop;
    end $$;
    update ledger_accounts set balance = 0;
    set session_replication_role = origin;
"""


class PaperTown:
    """What survives a restart: chain, clock and database. `of` and `db` are the present process's."""

    def __init__(self, url: str, chain: PaperChain, clock: SettableClock, owner: asyncpg.Connection) -> None:
        self.url, self.chain, self.clock, self.owner = url, chain, clock, owner
        self.of: Clients
        self.db: Database
        self._process = AsyncExitStack()
        self._rpc = ""

    async def start(self, rpc: str) -> None:
        """A new process: a pool of its own, clients of its own."""
        self._rpc = rpc
        self.db = await open_database(self.url, name="test", size=4)
        self._process.push_async_callback(self.db.close)
        self.of = await self._process.enter_async_context(clients(settings(rpc), self.db, self.clock))

    async def stop(self) -> None:
        """The process ends."""
        await self._process.aclose()

    async def restart(self) -> None:
        """It ends, and another one begins."""
        await self.stop()
        await self.start(self._rpc)

    def tasks(self) -> list[Task]:
        """What the worker does with money."""
        return [task for task in tasks_of(self.of) if task.name not in NOT_OF_MONEY]

    async def order(
        self, number: int, premium: int, payout: int, delay: timedelta, duration: timedelta, ttl: timedelta
    ) -> bytes | None:
        """Somebody new has bound a position and orders; the order's public id, None when capital is short.

        The binding is written by hand, the order by the product's statement.
        """
        now, user, account = self.clock(), number.to_bytes(20, "big"), UUID(int=number)
        public_id = self.chain.fresh("order")
        slot: dict[str, object] = {"user_id": user, "exchange_uid": str(number)}
        held: dict[str, object] = {
            **slot,
            "exchange": "okx",
            "inst_id": "BTC-USDT-SWAP",
            "mgn_mode": "isolated",
        }
        held |= {"pos_side": "long", "api_account_id": account, "binding_id": account}
        await rows.account(self.owner, user_id=user, id=account, uid=str(number), api_key=str(number))
        await rows.insert(self.owner, "insured_positions", **held)
        await rows.binding(self.owner, **slot, id=account, api_account_id=account, sku="X", created_at=now)
        terms = (premium, payout, "{}", int(delay.total_seconds()), int(duration.total_seconds()), now + ttl)
        try:
            made = await self.db.run(
                lambda conn: orders_sql.draft(
                    conn, user, account, public_id, account, "X", *terms, CHAIN_ID, CHECKOUT, now, "1", 1
                ),
                one_statement=True,
            )
        except asyncpg.CheckViolationError as error:
            assert error.constraint_name == "never_overdrawn"
            return None
        assert made is not None
        return public_id

    async def cancel(self, public_id: bytes) -> str:
        """Its user cancels an order: where it stands after that."""
        user = await self.owner.fetchval(
            "select user_id from order_refs where purchase_order_id = $1", public_id
        )
        now = self.clock()
        return str(await self.db.run(lambda conn: orders_sql.cancel(conn, user, public_id, now)))

    async def standing(self) -> dict[tuple[str, bytes], int]:
        """What every kind stands at for every ref, zeros left out."""
        found = await self.owner.fetch(STANDING)
        return {(row["kind"], row["ref"]): row["stands"] for row in found if row["stands"]}

    async def accounts(self) -> dict[str, int]:
        """All balances."""
        found = await self.owner.fetch("select id::text, balance from ledger_accounts")
        return {row["id"]: row["balance"] for row in found}


def settings(rpc: str) -> Settings:
    """Of a deployment on the paper chain; its exchange is never asked."""
    return Settings.from_env(
        {
            "API_KEYS_ENC_KEY": generate_key(bytes).partition("=")[2],
            "LIQPASS_PUBLIC_URL": "http://127.0.0.1:1",
            "LIQPASS_CHAIN_ID": str(CHAIN_ID),
            "LIQPASS_RPC_URLS": rpc,
            "LIQPASS_USDC": checksum(USDC),
            "LIQPASS_CHECKOUT": checksum(CHECKOUT),
            "LIQPASS_TREASURY": checksum(TREASURY),
            "LIQPASS_QUOTE_SIGNER_KEY": wallet("quote signer").key.hex(),
            "LIQPASS_START_BLOCK": "1",
            "LIQPASS_OKX_HOSTS": "global=http://127.0.0.1:1",
        }
    )


@asynccontextmanager
async def paper_town(url: str, *, held: int, begins: datetime) -> AsyncIterator[PaperTown]:
    """In a database that is the test's own, and clean afterwards and before; the treasury of the fresh chain
    has held that much from the beginning."""
    owner = await asyncpg.connect(url)
    chain = PaperChain(held, begins)
    town = PaperTown(url, chain, SettableClock(begins), owner)
    try:
        await owner.execute(FORGET)
        async with served(chain) as rpc:
            await town.start(rpc)
            yield town
            await town.stop()
    finally:
        await owner.close()
