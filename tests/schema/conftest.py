"""Connections whose work is undone after each test; databases and a server that nobody has migrated."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from liqpass.connecting import APP_ROLE
from liqpass.embedded import embedded_postgres
from tests.conftest import QUICK, copy_database, in_database, on_server

_numbers = count(1)


@pytest.fixture(scope="session")
async def connection(server_url: str, template: str) -> AsyncIterator[asyncpg.Connection]:
    """To a migrated database in which nothing is ever committed."""
    name = f"{template}_schema"
    await copy_database(server_url, template, name)
    conn = await asyncpg.connect(in_database(server_url, name))
    yield conn
    await conn.close()
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def owner(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The owner of a migrated database; whatever a test does there is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()


@pytest.fixture
async def app(owner: asyncpg.Connection) -> asyncpg.Connection:
    """The same, as the application's role."""
    await owner.execute(f"set local role {APP_ROLE}")
    return owner


@pytest.fixture
async def empty_database(server_url: str, template: str) -> AsyncIterator[str]:
    """A database without anything in it, gone after the test."""
    name = f"{template}_empty_{next(_numbers)}"
    await on_server(server_url, f"create database {name}")
    yield in_database(server_url, name)
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def untouched_server() -> Iterator[str]:
    """A server of its own, since roles belong to the server and not to a database."""
    with (
        TemporaryDirectory(prefix="liqpass-tests-") as folder,
        embedded_postgres(Path(folder), options=QUICK) as server,
    ):
        yield server.url


@pytest.fixture
async def roleless(untouched_server: str) -> AsyncIterator[str]:
    """A server on which there is no role of the application; it ends as it began."""
    yield untouched_server
    conn = await asyncpg.connect(untouched_server)
    try:
        for row in await conn.fetch("select datname from pg_database where datname like 'test_%'"):
            await conn.execute(f"drop database {row['datname']} with (force)")
        await conn.execute(f"drop role if exists {APP_ROLE}")
        for row in await conn.fetch("select rolname from pg_roles where rolname like 'test_%'"):
            await conn.execute(f"drop role {row['rolname']}")
    finally:
        await conn.close()
