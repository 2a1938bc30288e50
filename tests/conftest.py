"""What every test may ask for: a migrated database of its own, and a clock that it sets."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from liqpass.db import Database, open_database
from liqpass.embedded import SHARED_MEMORY, embedded_postgres
from liqpass.migrate import migrate, migrations_of
from tests.clock import SettableClock
from tests.world import TestWorld, running_world

ROOM_BYTES = 8 * 2**30  # more than the databases of four workers ever take
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# The folders whose files take longest: begun last, one of these would keep a single worker busy to the end.
LONG = (
    "failover",
    "soak",
    "outages",
    "storms",
    "seen",
    "commands",
    "web",
    "properties",
    "conformance",
    "reconcile",
    "exports",
    "review",
    "flows",
)
_numbers = count(1)

# Nothing is timed in a test, no example of a property either: the machine may have other work to do.
settings.register_profile(
    "untimed", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """eth-account (by way of py_ecc) lifts the limit of recursion to 100,000 when it is imported, and JSON
    nested that deep then overruns the C stack. `serve` and `work` do not import it; tests do."""
    sys.setrecursionlimit(1_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files go to whichever worker is free next, in this order."""
    ranks = {Path(__file__).parent / folder: rank for rank, folder in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.parent, len(LONG)))


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
def clock() -> SettableClock:
    """Stands at the present moment, in whole seconds."""
    return SettableClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server: DATABASE_URL's, else an embedded one that ends with the tests."""
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL")
        if not url:
            # Not pytest's own folder: root's PostgreSQL runs as another user, who may not enter that.
            folder = stack.enter_context(TemporaryDirectory(prefix="liqpass-tests-", dir=in_memory()))
            url = stack.enter_context(embedded_postgres(Path(folder), options=QUICK)).url
        yield url


def in_memory() -> str | None:
    """Where there is much of it: a database for every test is five hundred files, written and unlinked."""
    there = SHARED_MEMORY.is_dir() and disk_usage(SHARED_MEMORY).free > ROOM_BYTES
    return str(SHARED_MEMORY) if there else None


@pytest.fixture(scope="session")
async def template(server_url: str) -> AsyncIterator[str]:
    """The name of a migrated database, to be copied."""
    name = f"liqpass_test_{os.getpid()}"
    await on_server(server_url, f"create database {name}")
    await migrate(in_database(server_url, name), migrations_of())
    yield name
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A fresh migrated database, gone after the test."""
    name = f"{template}_{next(_numbers)}"
    await copy_database(server_url, template, name)
    yield in_database(server_url, name)
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The application's own view of the fresh database."""
    database = await open_database(database_url, name="test")
    yield database
    await database.close()


async def copy_database(server_url: str, template: str, name: str) -> None:
    """Make one like the template: file by file, which takes a third of what logging every page takes."""
    await on_server(server_url, f"create database {name} template {template} strategy file_copy")


async def on_server(url: str, statement: str) -> None:
    """Run one statement as the owner of the server. Copying waits until nobody uses the template; dropping,
    until autovacuum is out of it: only a superuser may send that away."""
    conn = await asyncpg.connect(url)
    try:
        for _ in range(50):
            try:
                await conn.execute(statement)
                return
            except (asyncpg.ObjectInUseError, asyncpg.InsufficientPrivilegeError):
                await asyncio.sleep(0.1)
        raise AssertionError(f"the server is still busy: {statement}")
    finally:
        await conn.close()


@pytest.fixture
async def world(db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[TestWorld]:
    """The whole product, a fresh one for this test."""
    async with running_world(db, clock, tmp_path) as running:
        yield running
