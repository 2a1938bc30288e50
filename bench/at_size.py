"""A database with books at size, a chain whose treasury holds what they say, `liqpass reconcile` on both."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bench.books import Chain, end_at, write_books
from bench.faults import Break, strike
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.world import environment, write_skus

FIRST_BLOCK = 10_000_000
BALANCE_DIFFERS: Break = ("BALANCE_DIFFERS", "")


class RunFailedError(Exception):
    """A reconciliation did not come to its end; what it said."""


@dataclass
class BooksAtSize:
    """`env` is what commands need to work on these books. `client`: the process of the command that runs."""

    owner: asyncpg.Connection
    chain: SandboxChain
    env: Mapping[str, str]
    client: int | None = None

    async def strike(self) -> frozenset[Break]:
        """Damage them: what has to be found. The chain shows what really came in and left."""
        treasury, held = self.chain.treasury, await self.chain.usdc_balance(self.chain.treasury)
        struck = await strike(self.owner, treasury)
        await _hold(self.chain, held + struck.chain)
        await self.owner.execute("truncate chain_cursors")
        await _end_here(self.owner, self.chain)
        booked = await self.owner.fetchval("select balance from ledger_accounts where id = 'TREASURY'")
        return struck.breaks | ({BALANCE_DIFFERS} if booked != held + struck.chain else set())

    async def reconcile(self) -> bytes:
        """What `liqpass reconcile --format json` prints, as a process. Raises RunFailedError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liqpass", "reconcile", "--format", "json",
            env={**os.environ, **self.env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=end_with_parent,
        )  # fmt: skip
        self.client = process.pid
        out, said = await process.communicate()
        self.client = None
        if process.returncode not in (0, 1) or not out:
            raise RunFailedError(said.decode()[-2000:])
        return out


def breaks_of(document: bytes) -> frozenset[Break]:
    """The breaks that the command printed."""
    return frozenset(_named(one) for one in json.loads(document)["breaks"])


def _named(one: Mapping[str, str | None]) -> Break:
    return str(one["type"]), one["purchaseOrderId"] or one["txHash"] or ""


@asynccontextmanager
async def books_at_size(url: str, folder: Path, orders: int) -> AsyncIterator[BooksAtSize]:
    """Books of so many orders in the fresh, migrated database, up to now."""
    at = datetime.now(UTC).replace(microsecond=0)
    async with SandboxChain(first_block=FIRST_BLOCK) as chain:
        owner = await asyncpg.connect(url)
        try:
            where = Chain(chain.chain_id, chain.checkout, chain.treasury, FIRST_BLOCK)
            await _hold(chain, await write_books(owner, where, at, orders))
            await _end_here(owner, chain)
            env = environment(chain, {"global": chain.url}, api=chain.url, skus=write_skus(folder))
            yield BooksAtSize(owner, chain, {**env, "DATABASE_URL": url})
        finally:
            await owner.close()


async def _hold(chain: SandboxChain, amount: int) -> None:
    """Let the treasury hold so much, finally."""
    missing = amount - await chain.usdc_balance(chain.treasury)
    if missing > 0:
        await chain.mint(chain.treasury, missing)
    elif missing < 0:
        await chain.transfer(chain.treasury_wallet, chain.owner.address, -missing)
    await chain.finalize()


async def _end_here(owner: asyncpg.Connection, chain: SandboxChain) -> None:
    number, block_hash, seconds = await chain.block("finalized")
    await end_at(owner, chain.chain_id, number, block_hash, datetime.fromtimestamp(seconds, UTC))
