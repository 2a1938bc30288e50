"""A chain and an exchange for all commands, and settings with which they work on a database of the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liqpass.clock import system_clock
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.world import environment, write_skus
from tests.conftest import in_database, on_server


@pytest.fixture(scope="session")
async def chain() -> AsyncIterator[SandboxChain]:
    async with SandboxChain() as chain:
        yield chain


@pytest.fixture(scope="session")
async def exchange() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as exchange:
        yield exchange


@pytest.fixture
def env(chain: SandboxChain, exchange: SandboxExchange, database_url: str, tmp_path: Path) -> dict[str, str]:
    """All settings, good ones, and a migrated database."""
    made = environment(chain, exchange.hosts, api="http://127.0.0.1:8000", skus=write_skus(tmp_path))
    return {**made, "DATABASE_URL": database_url}


@pytest.fixture
async def empty_database(server_url: str, template: str) -> AsyncIterator[str]:
    """A database that nobody has migrated."""
    name = f"{template}_empty"
    await on_server(server_url, f"create database {name}")
    yield in_database(server_url, name)
    await on_server(server_url, f"drop database {name} with (force)")
