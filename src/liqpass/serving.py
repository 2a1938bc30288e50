"""What long-running commands share: the database they work on, the HTTP server, the end by signal."""

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from liqpass.app import AsgiApp
from liqpass.db import APP_ROLE, Database, open_database
from liqpass.embedded import EmbeddedPostgres, default_data_dir, embedded_postgres
from liqpass.migrate import MigrationError, migrations_of, pending_migrations
from liqpass.migrating import migrate_books
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.pricing.skus import load_products
from liqpass.reconcile.invariants import told
from liqpass.settings import SettingError, Settings
from liqpass.vault.cipher import KeyRing

log = structlog.get_logger()

BELOW_CLIENTS = range(20_000, 32_768)  # Linux gives clients ports from 32768 on
WATCH_SEC = 1.0
# Browsers send a few. Taking hundreds of kilobytes of cookies apart would cost more than any answer.
MAX_HEADER_BYTES = 32 * 1024
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where the database is; `embedded` when LiqPass runs it itself."""

    url: str
    embedded: EmbeddedPostgres | None


def well_formed(env: Mapping[str, str]) -> Settings:
    """All settings, the key ring's and the products' own rules included. Raises SettingError."""
    settings = Settings.from_env(env)
    KeyRing.from_env(settings.api_keys_enc_key)
    load_products(settings.skus_path)
    return settings


@contextmanager
def database_place(env: Mapping[str, str], progress: Progress) -> Iterator[Place]:
    """DATABASE_URL's server, or the embedded one, started if it does not run, stopped with its last user."""
    url = env.get("DATABASE_URL", "").strip()
    if url:
        yield Place(url, None)
        return
    with embedded_postgres(default_data_dir(env), progress) as server:
        yield Place(server.url, server)


@asynccontextmanager
async def ready_database(place: Place, name: str, progress: Progress) -> AsyncIterator[Database]:
    """The application's pool. The embedded database is migrated by itself; another one has to be already.

    Raises MigrationError, SettingError.
    """
    if place.embedded is not None:
        await migrate_embedded(place.url, progress)
    with named_database_errors():
        db = await open_database(place.url, name=name)
    try:
        async with db.pool.acquire() as conn:
            missing = await pending_migrations(conn, migrations_of())
        if missing:
            raise MigrationError(f"migrations are missing ({len(missing)}): run liqpass migrate first")
        yield db
    finally:
        await db.close()


async def migrate_embedded(url: str, progress: Progress) -> None:
    """Apply what is missing. Broken books are not touched; should a migration break them, it is said, and
    /readyz says it until they are whole. Raises MigrationError."""
    _, broken = await migrate_books(url, progress)
    for line in (line for verdict in broken for line in told(verdict)):
        progress(line)


@contextmanager
def named_database_errors() -> Iterator[None]:
    """What keeps us out of the database, in one line. Raises SettingError, MigrationError."""
    try:
        yield
    except asyncpg.ClientConfigurationError:
        # its own words may hold a part of the password
        raise SettingError(
            "DATABASE_URL", "is no address such as postgresql://user:password@host:5432/liqpass"
        ) from None
    except asyncpg.InvalidParameterValueError as error:
        if APP_ROLE not in str(error):
            raise
        raise MigrationError("the database was never migrated: run liqpass migrate first") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error) or type(error).__name__
        raise SettingError("DATABASE_URL", f"the database does not let us in: {why}") from None


async def keep_running(server: EmbeddedPostgres | None) -> None:
    """Start the embedded PostgreSQL again when something kills it; never returns."""
    while True:
        await asyncio.sleep(WATCH_SEC)
        if server is None or server.pid() is not None:
            continue
        log.warning("embedded_postgres_gone", action="starting it again")
        with suppress(EmbeddedPostgresError):
            await asyncio.to_thread(server.ensure_running)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, and that the kernel gives to no client before it is used."""
    for port in random.SystemRandom().sample(BELOW_CLIENTS, 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind((host, port))
            return port
    raise OSError(f"no port of {host} is free")


class Listening(NamedTuple):
    """Where a server answers, and the task that ends with it."""

    url: str
    task: "asyncio.Task[None]"

    async def until_it_ends(self) -> None:
        """Raises OSError: a process whose server has ended must not go on living deaf."""
        await asyncio.wait([self.task])
        raise OSError("the HTTP server ended by itself")


@asynccontextmanager
async def listening(app: AsgiApp, host: str, port: int) -> AsyncIterator[Listening]:
    """Serve an ASGI application inside this event loop; yields once it accepts connections.

    Raises OSError where it cannot listen.
    """
    _refuse_used_port(host, port)
    logging.getLogger("_granian").setLevel(logging.WARNING)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEADER_BYTES),
        http2_settings=HTTP2Settings(max_headers_size=MAX_HEADER_BYTES),
        log_enabled=False,
        websockets=False,
    )
    task = asyncio.create_task(server.serve())
    try:
        await _accepting(host, port, task)
        yield Listening(f"http://{host}:{port}", task)
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(task, 5)


def _refuse_used_port(host: str, port: int) -> None:
    """granian shares a port with whoever listens there already, and the kernel then deals out requests."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise OSError(f"cannot listen at {host}:{port}: {os.strerror(error.errno or 0)}") from None


async def _accepting(host: str, port: int, task: "asyncio.Task[None]") -> None:
    for _ in range(200):
        if task.done():
            break
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise OSError(f"cannot listen at {host}:{port}")


async def until_stopped(*work: Awaitable[object]) -> None:
    """Run `work` until SIGINT or SIGTERM; an error in any part ends all of it and is raised."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(part) for part in work]
    waiter = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (*tasks, waiter):
            task.cancel()
        await asyncio.gather(*tasks, waiter, return_exceptions=True)
