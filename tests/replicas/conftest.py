"""A primary of their own for these tests, since whoever copies a server copies all that is on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liqpass.app import reads_of
from liqpass.db import open_database
from liqpass.embedded import SHARED_MEMORY, EmbeddedPostgres, embedded_postgres
from liqpass.hexes import checksum
from liqpass.migrate import migrate, migrations_of
from liqpass.reads import ReadSettings
from liqpass.sandbox.anvil import wallet
from tests.clock import SettableClock
from tests.conftest import in_database, on_server
from tests.replicas.standby import Standby, standby_of
from tests.world import TestWorld, running_world

OPERATOR = wallet("an operator who reads a replica")
FORGETTING = {"fsync": "off", "full_page_writes": "off"}  # what is told of has to be in the log all the same
_numbers = count(1)


@pytest.fixture(scope="module")
def primary() -> Iterator[EmbeddedPostgres]:
    in_memory = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="liqpass-tests-", dir=in_memory) as folder:
        Path(folder).chmod(0o711)
        with embedded_postgres(Path(folder, "primary"), options=FORGETTING) as server:
            yield server


@pytest.fixture
async def books_url(primary: EmbeddedPostgres) -> AsyncIterator[str]:
    """A migrated database of the primary."""
    name = f"books_{next(_numbers)}"
    await on_server(primary.url, f"create database {name}")
    url = in_database(primary.url, name)
    await migrate(url, migrations_of())
    yield url
    await on_server(primary.url, f"drop database {name} with (force)")


@pytest.fixture
async def standby(primary: EmbeddedPostgres, books_url: str) -> AsyncIterator[Standby]:
    """It has that database, too."""
    async with standby_of(primary) as made:
        yield made


@asynccontextmanager
async def world_reading(
    replica_url: str, url: str, clock: SettableClock, folder: Path, *, max_age_sec: int = 600
) -> AsyncIterator[TestWorld]:
    """The whole product on `url`, with a replica to read, and one operator."""
    db = await open_database(url, name="test")
    admins = checksum(OPERATOR.address)
    try:
        async with (
            reads_of(ReadSettings(replica_url, max_age_sec), db, name="test") as reads,
            running_world(db, clock, folder, reads=reads, LIQPASS_ADMIN_WALLETS=admins) as world,
        ):
            yield world
    finally:
        await db.close()
