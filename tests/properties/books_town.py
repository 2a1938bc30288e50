"""What the machine of the books needs of a town: what can happen, and what can be asked past the product."""

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from liqpass.app import Clients, clients
from liqpass.db import Database, open_database
from liqpass.reconcile.invariants import Finding, broken
from liqpass.reconcile.runs import reconcile
from liqpass.worker import Task, tasks_of
from tests.clock import SettableClock
from tests.properties.books_model import Chain, Order

# They ask the exchange, tidy up after sessions and bindings, or only look: nothing of that moves money.
MOVES_NO_MONEY = {
    "recheck keys",
    "purge",
    "unordered bindings",
    "check books",
    "reconcile",
    "gather evidence",
    "watch positions",
    "note what is held",
}
STANDING = """
    select t.kind::text, t.ref, sum(case when k.forward then t.amount else -t.amount end)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit) group by t.kind, t.ref
"""
BREAKS = "select type::text, subject from reconciliation_breaks where closed_at is null"
# Wipes a test's database; all of its pool may stand behind one cover. The triggers that keep what is
# append-only are the owner's to switch off.
FORGET = """
    set session_replication_role = replica;
    do $$ declare name text; begin
        for name in select tablename from pg_tables where schemaname = 'public'
            and tablename not in ('schema_migrations', 'order_moves', 'claim_moves', 'ledger_kinds',
                'ledger_accounts', 'exposure_limits')
        loop execute format('delete from %I', name); end loop;
    end $$;
    update ledger_accounts set balance = 0;
    update exposure_limits set share_bps = 10000;
    set session_replication_role = origin;
"""
WAITING = "select exists (select from settle_queue) or exists (select from transfer_queue)"


class Town(ABC):
    """What survives a restart: chain, clock and database. `of` and `db` are the present process's.

    `deposited` is the capital that the pool has from the beginning, out of what the treasury held.
    """

    chain: Chain
    safe_after: int  # blocks
    deposited = 0

    def __init__(self, url: str, clock: SettableClock, owner: asyncpg.Connection) -> None:
        self.url, self.clock, self.owner = url, clock, owner
        self.of: Clients
        self.db: Database
        self._process = AsyncExitStack()

    # What happens; each town does it in its way

    @abstractmethod
    async def order(self, what: int) -> tuple[bytes | None, Order]:
        """Somebody new orders one of the products: the order's public id, None when the capital is short, and
        its terms."""

    @abstractmethod
    async def cancel(self, order_id: bytes) -> bool:
        """An order's user cancels it; whether it is cancelled now."""

    @abstractmethod
    async def pay(self, order_id: bytes, who: int, amount: int, *, twist: int = 0) -> None:
        """Somebody pays that much for an order through the checkout. `twist` changes what does not matter."""

    @abstractmethod
    async def come(self, who: int, amount: int) -> None:
        """Somebody sends USDC to the treasury by hand, or through an old checkout."""

    @abstractmethod
    async def leave(self, to: bytes, amount: int) -> None:
        """The treasury's owners send USDC."""

    @abstractmethod
    async def mine(self, blocks: int) -> None:
        """Empty blocks of the present time."""

    @abstractmethod
    async def replace(self, depth: int, back: int, shift: int) -> None:
        """The last blocks are replaced. Of their transactions those whose bit is set in `back` stand in a new
        one, behind `shift` logs of somebody else."""

    @abstractmethod
    async def bring_back(self, which: int) -> None:
        """A transaction that left the chain is sent again."""

    @abstractmethod
    async def pass_time(self, seconds: int, *, with_block: bool) -> None:
        """Time passes for us, and for the chain if it has a block."""

    @abstractmethod
    def address(self, who: int) -> bytes:
        """The address of somebody who pays."""

    @abstractmethod
    def fresh(self, what: str) -> bytes:
        """32 bytes that nobody has seen before."""

    @abstractmethod
    async def treasury(self) -> int:
        """What the treasury holds at the safe head."""

    # The product

    async def start(self) -> None:
        """A new process: a pool of its own, clients of its own."""
        self.db = await open_database(self.url, name="test", size=4)
        self._process.push_async_callback(self.db.close)
        self.of = await self._process.enter_async_context(clients(self.settings(), self.db, self.clock))

    @abstractmethod
    def settings(self) -> Any:
        """The product's settings."""

    async def stop(self) -> None:
        """The process ends."""
        await self._process.aclose()

    async def restart(self) -> None:
        """It ends, and another one begins."""
        await self.stop()
        await self.start()

    def tasks(self) -> list[Task]:
        """What the worker does with money."""
        return [task for task in tasks_of(self.of) if task.name not in MOVES_NO_MONEY]

    async def waiting(self) -> bool:
        """Whether anything waits to be settled or booked."""
        return bool(await self.owner.fetchval(WAITING))

    async def standing(self) -> dict[tuple[str, bytes], int]:
        """What every kind stands at for every ref, zeros left out."""
        found = await self.owner.fetch(STANDING)
        return {(row["kind"], row["ref"]): row["stands"] for row in found if row["stands"]}

    async def accounts(self) -> dict[str, int]:
        """All balances."""
        found = await self.owner.fetch("select id::text, balance from ledger_accounts")
        return {row["id"]: row["balance"] for row in found}

    async def broken(self) -> list[Finding]:
        """The invariants that do not hold."""
        return await broken(self.owner, self.clock())

    async def breaks(self) -> set[tuple[str, str]]:
        """Make a run of reconciliation: type and subject of every break that is open after it."""
        await reconcile(self.db, self.of.nodes, self.of.settings.chain, self.clock)
        return {(row["type"], row["subject"]) for row in await self.owner.fetch(BREAKS)}
