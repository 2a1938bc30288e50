"""A treasury on a chain that every test finds as it was made, the worker's steps, and the books."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest

from liqpass.chain import watcher
from liqpass.chain.rpc import Node
from liqpass.db import Connection, Database
from liqpass.hexes import to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.ledger.book import DEBIT_SIDE, Account
from liqpass.ledger.posting import balances
from liqpass.payments import settle
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.chain import USDC, SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.settings import ChainSettings
from liqpass.treasury import booking, disbursements, pool, suspense
from liqpass.treasury.records import Suspended
from tests.chain.conftest import chain
from tests.clock import SettableClock
from tests.flows.conftest import alice

__all__ = ["alice", "chain"]

CAPITAL = 1_000 * USDC
FAR = 2**40  # a deadline that no test reaches
NOBODYS = {"by": "Ada", "reason": "a test"}


@dataclass
class Desk:
    """Whoever looks after the treasury: lets the worker work, and says whose money is whose."""

    db: Database
    chain: SandboxChain
    node: RpcProxy
    settings: ChainSettings
    clock: SettableClock
    nodes: list[Node]
    url: str

    async def watch(self) -> None:
        """One step of the watcher."""
        report = await watcher.step(self.db, self.nodes, self.settings, self.clock)
        assert report.outcome is watcher.Outcome.GOOD, report

    async def work(self) -> None:
        """One step of the watcher, of settling, of booking."""
        await self.watch()
        await self.settle()
        await self.book()

    async def settle(self) -> None:
        while await self.db.run(
            lambda conn: settle.settle_changed(conn, self.clock(), self.settings.chain_id)
        ):
            pass

    async def book(self) -> None:
        await booking.step(self.db, self.nodes, self.settings, self.clock)

    async def confirm(self) -> None:
        """What is on chain now becomes safe."""
        await self.chain.mine(self.chain.slots_in_an_epoch)
        await self.work()

    async def finalize(self) -> None:
        """What is on chain now becomes final."""
        await self.chain.finalize()
        await self.work()

    async def send(self, amount: int, trader: Wallet | None = None) -> bytes:
        """Somebody sends USDC to the treasury by hand; the ref of it."""
        receipt = await self.chain.transfer(trader or self.chain.wallets[0], self.chain.treasury, amount)
        return ref_of_log(receipt["logs"][0])

    async def pay_unknown_order(self, order: int, amount: int, trader: Wallet | None = None) -> bytes:
        """Somebody pays a quote of our signer for an order that nobody has made; the ref of the payment."""
        calls = self.chain.quote_calls(order.to_bytes(32, "big"), amount, FAR)
        receipt = await self.chain.wait(await self.chain.pay(trader or self.chain.wallets[0], calls))
        return ref_of_log(
            next(log for log in receipt["logs"] if log["address"] == to_hex(self.chain.checkout))
        )

    async def pay_out(self, to: bytes, amount: int) -> bytes:
        """What the treasury's owners do; the hash."""
        receipt = await self.chain.transfer(self.chain.treasury_wallet, to, amount)
        return bytes.fromhex(receipt["transactionHash"][2:])

    async def books(self) -> dict[str, int]:
        """All balances but those of zero; debits equal credits."""
        found = await self.db.run(balances)
        debits = sum(amount for account, amount in found.items() if account in DEBIT_SIDE)
        assert debits == sum(found.values()) - debits
        return {str(account): amount for account, amount in found.items() if amount}

    async def balance(self, account: Account) -> int:
        return (await self.books()).get(account, 0)

    async def in_suspense(self) -> list[Suspended]:
        """Except the opening balance."""
        found = await self.db.run(lambda conn: suspense.items(conn, self.settings))
        return [item for item in found if len(item.ref) == 36]

    async def refund(
        self, ref: bytes, *, amount: int | None = None, to: bytes | None = None
    ) -> disbursements.Asked:
        self.clock.advance(seconds=1)
        return await self.db.run(
            lambda conn: disbursements.refund(
                conn,
                self.clock(),
                os.urandom(RANDOM_BYTES),
                self.settings,
                ref,
                to=to,
                amount=amount,
                **NOBODYS,
            )
        )

    async def withdraw(self, amount: int, to: bytes) -> disbursements.Asked:
        self.clock.advance(seconds=1)
        return await self.db.run(
            lambda conn: disbursements.withdraw(
                conn, self.clock(), os.urandom(RANDOM_BYTES), self.settings, amount, to, **NOBODYS
            )
        )

    async def cancel(self, text: str) -> None:
        await self.db.run(
            lambda conn: disbursements.cancel(conn, self.clock(), self.settings, text, **NOBODYS)
        )

    async def batch(self, *, again: bool = False) -> disbursements.Batch:
        return await disbursements.make_batch(self.db, self.nodes, self.settings, self.clock(), again=again)

    async def deposit(self, amount: int | None = None, ref: bytes | None = None) -> pool.Deposited:
        return await self.db.run(lambda conn: self.deposit_by(conn, amount, ref))

    async def deposit_by(
        self, conn: Connection, amount: int | None = None, ref: bytes | None = None
    ) -> pool.Deposited:
        return await pool.deposit(
            conn,
            self.clock(),
            os.urandom(RANDOM_BYTES),
            self.settings,
            by="Ada",
            amount=amount,
            ref=ref,
        )

    async def legs(self) -> int:
        """How much was ever posted."""
        return int(await self.db.pool.fetchval("select count(*) from ledger_transfers"))

    async def waiting(self) -> int:
        """Transactions in the queue."""
        return int(await self.db.pool.fetchval("select count(*) from transfer_queue"))

    async def owner(self, statements: str) -> None:
        """What somebody with all rights does in the database by hand."""
        conn = await asyncpg.connect(self.url)
        try:
            await conn.execute(statements)
        finally:
            await conn.close()

    async def queue_everything(self) -> None:
        """As if all of the chain had just been stored."""
        await self.db.pool.execute(
            """insert into transfer_queue (chain_id, tx_hash)
               select chain_id, tx_hash from usdc_transfers
               union select chain_id, tx_hash from premium_payments
               on conflict do nothing"""
        )


def ref_of_log(log: dict[str, str]) -> bytes:
    """Transaction and log index."""
    return bytes.fromhex(log["transactionHash"][2:]) + int(log["logIndex"], 16).to_bytes(4, "big")


@pytest.fixture(scope="session")
async def shared_chain() -> AsyncIterator[SandboxChain]:
    """safe is 4 blocks behind the head, finalized 8; every transaction mines a block."""
    async with SandboxChain(slots_in_an_epoch=4, capital=CAPITAL) as chain:
        yield chain


@pytest.fixture
async def new_desk(
    chain: SandboxChain, db: Database, database_url: str, clock: SettableClock
) -> AsyncIterator[Desk]:
    """Before the first step."""
    settings = ChainSettings(
        chain_id=chain.chain_id,
        rpc_urls=(),
        usdc=chain.usdc,
        checkout=chain.checkout,
        treasury=chain.treasury,
        quote_signer_key=chain.signer.key,
        confirmation="safe",
        start_block=chain.start_block,
    )
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(RpcProxy(chain.url))
        node = await stack.enter_async_context(Node(proxy.url))
        yield Desk(db, chain, proxy, settings, clock, [node], database_url)


@pytest.fixture
async def desk(new_desk: Desk) -> Desk:
    """The books are open; what the treasury held is in suspense."""
    await new_desk.work()
    assert await new_desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}
    return new_desk
