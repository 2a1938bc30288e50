"""Books to export, a node that knows what the treasury holds, and the programs that check what is written."""

import os
import shutil
from collections.abc import AsyncIterator

import asyncpg
import pytest

from liqpass.db import Database
from liqpass.hexes import to_hex
from tests.exports.facts import FINALIZED, HELD_ON_CHAIN, PARTS, Books, block_hash
from tests.exports.node import BalanceNode, balance_node
from tests.schema.rows import CHAIN

ADDRESS = "0x" + "7e" * 20


@pytest.fixture
async def node() -> AsyncIterator[BalanceNode]:
    """It knows the finalized block of `facts`."""
    async with balance_node() as node:
        node.balances[block_hash(FINALIZED)] = HELD_ON_CHAIN
        yield node


@pytest.fixture
def env(node: BalanceNode, database_url: str) -> dict[str, str]:
    """What `liqpass export` needs to know."""
    return {
        "DATABASE_URL": database_url,
        "LIQPASS_CHAIN_ID": str(CHAIN),
        "LIQPASS_RPC_URLS": node.url,
        "LIQPASS_USDC": ADDRESS,
        "LIQPASS_CHECKOUT": ADDRESS,
        "LIQPASS_TREASURY": ADDRESS,
        "LIQPASS_QUOTE_SIGNER_KEY": to_hex(b"\x01" * 32),
    }


@pytest.fixture
async def empty_books(db: Database, database_url: str) -> AsyncIterator[Books]:
    """Nothing is posted yet."""
    owner = await asyncpg.connect(database_url)
    yield Books(owner, db)
    await owner.close()


@pytest.fixture
async def books(empty_books: Books) -> Books:
    """All of `facts`."""
    for part in PARTS:
        await part(empty_books)
    return empty_books


@pytest.fixture(scope="session")
def hledger() -> str:
    """Debian's program; `make test` gets it where Debian's packages can be had."""
    found = shutil.which("hledger")
    if found is None and os.environ.get("CI"):
        pytest.fail("hledger is missing, and CI skips nothing: apt-get install hledger")
    if found is None:
        pytest.skip("hledger is missing: apt-get install hledger, or make test where apt-get works")
    return found
