"""Books to export, a node that knows what the treasury holds, and the programs that check what is written."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from liqpass.db import open_database
from liqpass.hexes import to_hex
from tests.conftest import copy_database, in_database, on_server
from tests.exports.facts import FINALIZED, HELD_ON_CHAIN, Books, block_hash
from tests.exports.node import BalanceNode, balance_node
from tests.schema.rows import CHAIN

ADDRESS = "0x" + "7e" * 20


@pytest.fixture
async def node() -> AsyncIterator[BalanceNode]:
    """It knows the finalized block of `facts`."""
    async with balance_node() as node:
        node.balances[block_hash(FINALIZED)] = HELD_ON_CHAIN
        yield node


@pytest.fixture(scope="session")
async def books(server_url: str, template: str) -> AsyncIterator[Books]:
    """All of `facts`, for all tests: none of them changes anything in it."""
    name = f"{template}_books"
    await copy_database(server_url, template, name)
    async with books_at(in_database(server_url, name)) as books:
        await books.write_all()
        yield books
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def empty_books(database_url: str) -> AsyncIterator[Books]:
    """A test's own; nothing is posted yet."""
    async with books_at(database_url) as books:
        yield books


@pytest.fixture
async def own_books(empty_books: Books) -> Books:
    """All of `facts`, to be spoiled."""
    await empty_books.write_all()
    return empty_books


@pytest.fixture
def env(node: BalanceNode, books: Books) -> dict[str, str]:
    """What `liqpass export` needs to know of the books of all tests."""
    return settings(node, books.url)


@pytest.fixture
def own_env(node: BalanceNode, database_url: str) -> dict[str, str]:
    """The same of a test's own books."""
    return settings(node, database_url)


@asynccontextmanager
async def books_at(url: str) -> AsyncIterator[Books]:
    """Connected to this database."""
    owner, db = await asyncpg.connect(url), await open_database(url, name="test")
    yield Books(owner, db, url)
    await db.close()
    await owner.close()


def settings(node: BalanceNode, url: str) -> dict[str, str]:
    """A database of `facts`, and the one node."""
    return {
        "DATABASE_URL": url,
        "LIQPASS_CHAIN_ID": str(CHAIN),
        "LIQPASS_RPC_URLS": node.url,
        "LIQPASS_USDC": ADDRESS,
        "LIQPASS_CHECKOUT": ADDRESS,
        "LIQPASS_TREASURY": ADDRESS,
        "LIQPASS_QUOTE_SIGNER_KEY": to_hex(b"\x01" * 32),
    }


@pytest.fixture(scope="session")
def hledger() -> str:
    """Debian's program; `make test` gets it where Debian's packages can be had."""
    found = shutil.which("hledger")
    if found is None and os.environ.get("CI"):
        pytest.fail("hledger is missing, and CI skips nothing: apt-get install hledger")
    if found is None:
        pytest.skip("hledger is missing: apt-get install hledger, or make test where apt-get works")
    return found
