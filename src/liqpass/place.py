"""The database that a command works on: where it is, opened, and what keeps us out of it.

Nothing of the API is imported here: a command on the books starts sooner, and in less memory, without it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
import structlog

from liqpass.connecting import APP_ROLE, WrongSession
from liqpass.data_folder import default_data_dir
from liqpass.database_url import address_of
from liqpass.db import Database, open_database
from liqpass.embedded import EmbeddedPostgres, embedded_postgres, refuse_where_none
from liqpass.migrate import MigrationError, migrations_of, pending_migrations
from liqpass.migrating import migrate_books, was_migrated
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.reads import COMMANDS_PATIENCE_SEC, Reads, ReadSettings, open_replica, reads_from_env
from liqpass.reconcile.invariants import told
from liqpass.settings import SettingError

log = structlog.get_logger()

WATCH_SEC = 1.0
RAREST_WATCH_SEC = 30.0
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where the database is; `embedded` when LiqPass runs it itself. `replica`: where it may be read, None
    where nowhere else."""

    url: str
    embedded: EmbeddedPostgres | None
    replica: ReadSettings | None = None


@contextmanager
def database_place(
    env: Mapping[str, str], progress: Progress, *, may_be_new: bool = False
) -> Iterator[Place]:
    """DATABASE_URL's server, or the embedded one, started if it does not run, stopped with its last user.
    `may_be_new`: an embedded one that is not there is made; else a folder that was mistyped would be taken
    for books in which nothing stands. Raises SettingError."""
    replica = reads_from_env(env)
    url = env.get("DATABASE_URL", "").strip()
    if url:
        address_of(url)  # what is wrong with it is said before anything is asked
        yield Place(url, None, replica)
        return
    with embedded_postgres(default_data_dir(env), progress, may_be_new=may_be_new) as server:
        yield Place(server.url, server, replica)


def refuse_no_database(env: Mapping[str, str]) -> None:
    """What `database_place` would refuse, and nothing is started. Raises SettingError."""
    if not env.get("DATABASE_URL", "").strip():
        refuse_where_none(default_data_dir(env))


@asynccontextmanager
async def ready_database(
    place: Place, name: str, progress: Progress, *, by_key: bool = False
) -> AsyncIterator[Database]:
    """The application's pool; `by_key` as in `open_database`. An embedded database is brought to this schema;
    another one has to be at it already.

    Raises MigrationError, SettingError.
    """
    if place.embedded is not None:
        await migrate_embedded(place.embedded, progress)
    with named_database_errors():
        db = await open_database(place.url, name=name, by_key=by_key)
    try:
        async with db.pool.acquire() as conn:
            missing = await pending_migrations(conn, migrations_of())
        if missing:
            raise MigrationError(f"migrations are missing ({len(missing)}): run liqpass migrate first")
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def ready_to_read(place: Place, name: str, progress: Progress) -> AsyncIterator[Reads]:
    """For a command that decides nothing: the replica once it has what the primary had at the command's
    beginning, else the primary. Raises MigrationError, SettingError."""
    async with (
        ready_database(place, name, progress) as db,
        open_replica(place.replica, db, name=name, tell=progress) as replica,
    ):
        if replica is not None:
            await replica.look_at_it(COMMANDS_PATIENCE_SEC)
        yield Reads(db, replica)


async def migrate_embedded(server: EmbeddedPostgres, progress: Progress) -> None:
    """Apply what is missing since an earlier version. Broken books are not touched; should a migration break
    them, it is said, and /readyz says it until they are whole. Raises MigrationError, for a database without
    books, too: the demo's folder has one, and so has a restore that failed."""
    if not await was_migrated(server.url):
        raise MigrationError(
            f"the database in {server.data_dir} was never migrated: set LIQPASS_DATA_DIR or DATABASE_URL to "
            "where yours is; liqpass migrate makes this one yours"
        )
    _, broken = await migrate_books(server.url, progress)
    for line in (line for verdict in broken for line in told(verdict)):
        progress(line)


@contextmanager
def named_database_errors() -> Iterator[None]:
    """What keeps us out of the database, in one line. Raises SettingError, MigrationError."""
    try:
        yield
    except WrongSession as wrong:
        raise SettingError("DATABASE_URL", str(wrong)) from None
    except asyncpg.InvalidParameterValueError as error:
        if APP_ROLE not in str(error):
            raise
        raise MigrationError("the database was never migrated: run liqpass migrate first") from None
    except asyncpg.InsufficientPrivilegeError as error:
        if APP_ROLE not in str(error):
            raise SettingError("DATABASE_URL", f"the database does not let us in: {error}") from None
        raise SettingError(
            "DATABASE_URL",
            f"its login may not act as {APP_ROLE}; as a superuser: grant {APP_ROLE} to that login",
        ) from None
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise SettingError("DATABASE_URL", f"the database cannot be reached: {why}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        why = str(error) or type(error).__name__
        raise SettingError("DATABASE_URL", f"the database does not let us in: {why}") from None


async def keep_running(server: EmbeddedPostgres | None) -> None:
    """Start the embedded PostgreSQL again when something kills it; never returns.

    One that does not stay is tried ever more rarely, and why is said once.
    """
    pause, told = WATCH_SEC, False
    while True:
        await asyncio.sleep(pause)
        if server is None or server.pid() is not None:
            pause, told = WATCH_SEC, False
            continue
        why = server.full_disk()
        if not told:
            log.warning("embedded_postgres_gone", why=str(why or "killed"), action="starting it again")
        try:
            await asyncio.to_thread(server.ensure_running)
        except (EmbeddedPostgresError, SettingError) as error:
            if not told and str(error) != str(why):
                log.warning("embedded_postgres_does_not_start", why=str(error))
        pause, told = min(2 * pause, RAREST_WATCH_SEC), True
