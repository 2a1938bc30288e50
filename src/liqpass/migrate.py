"""Numbered SQL files, applied once: all that are missing in one transaction, under one advisory lock. Words
that are added to an enum can be used after a commit only: the file that adds them ends the transaction
(COMMITTED).

Runs as the owner of the schema (the role of DATABASE_URL); the application acts as APP_ROLE.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg

from liqpass.connecting import APP_ROLE, connect_as_owner
from liqpass.db import Connection

FOLDER = Path(__file__).parent / "migrations"
LOCK_KEY = 0x6C69717061737301  # "liqpass" and 1: the migration lock of this database
MINIMUM_SERVER = 150000
COMMITTED = "-- liqpass: committed before the next file"
# The file's word that servers of the version before may go on, and come back.
RUNS_FOR = re.compile(r"^-- liqpass: a version that knows (\d{4}) runs on it$", re.MULTILINE)

# What a `;` has no meaning in, and the `;` that ends a statement.
_PARTS = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|(;)", re.DOTALL)

_CREATE_ROLE = f"""
do $$
begin
    if not exists (select from pg_roles where rolname = '{APP_ROLE}') then
        create role {APP_ROLE} nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;  -- another database of this server made it a moment ago: roles belong to the server
end
$$;
do $$
begin
    if not pg_has_role(current_user, '{APP_ROLE}', 'SET') then
        execute format('grant {APP_ROLE} to %I', current_user);
    end if;
exception
    when undefined_column or invalid_parameter_value then
        if not pg_has_role(current_user, '{APP_ROLE}', 'MEMBER') then  -- before PostgreSQL 16
            execute format('grant {APP_ROLE} to %I', current_user);
        end if;
    when unique_violation or internal_error then
        null;  -- the same: granted a moment ago (an existing grant says "tuple concurrently updated")
end
$$;
"""

_CREATE_TABLE = """
create table if not exists schema_migrations (
    number integer primary key,
    name text not null,
    sha256 bytea not null check (length(sha256) = 32),
    applied_at timestamptz not null default now(),
    needs integer
)
"""
_HAS_NEEDS = """
select exists (select from pg_attribute
    where attrelid = 'schema_migrations'::regclass and attname = 'needs' and not attisdropped)
"""


class MigrationError(Exception):
    """The files and the database do not fit; the message says what to do."""


@dataclass(frozen=True)
class Migration:
    """One file `NNNN_what.sql`."""

    number: int
    name: str
    sql: str = field(repr=False)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.sql.encode()).digest()

    @property
    def committed(self) -> bool:
        """Whether what comes after it needs it to be committed."""
        return self.sql.startswith(COMMITTED)

    @property
    def needs(self) -> int | None:
        """Which migration a version has to know to run on it; None: this very one."""
        named = RUNS_FOR.search(self.sql)
        return int(named[1]) if named else None

    def statements(self) -> Iterator[str]:
        """They are sent one by one: poolers and other servers' front ends do not all take many at once."""
        begin = 0
        for part in _PARTS.finditer(self.sql):
            if part[2]:
                yield self.sql[begin : part.end()]
                begin = part.end()
        if self.sql[begin:].strip():
            yield self.sql[begin:]


def migrations_of(folder: Path = FOLDER) -> list[Migration]:
    """The files of a folder in the order of their numbers, which begin at 1 and leave nothing out."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)", path.stem)
        if not match:
            raise MigrationError(f"{path.name}: a migration is called NNNN_what_it_does.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the numbers in {folder} must be 1, 2, 3, … without gaps or repeats")
    return found


async def migrate(
    url: str, migrations: list[Migration], progress: Callable[[str], None] = lambda _: None
) -> list[Migration]:
    """Apply what is missing and return it. Raises MigrationError for an edited, unknown or failing file."""
    conn = await connect_as_owner(url, name="liqpass migrate")
    try:
        if conn.get_server_version().major * 10000 < MINIMUM_SERVER:
            raise MigrationError("PostgreSQL 15 or newer is needed: point DATABASE_URL at one")
        done: list[Migration] = []
        while applied := await _apply_together(conn, migrations, progress):
            done += applied
            if not applied[-1].committed:
                break
        return done
    finally:
        await conn.close()


async def _apply_together(
    conn: asyncpg.Connection, migrations: list[Migration], progress: Callable[[str], None]
) -> list[Migration]:
    """What is missing, up to a file that has to be committed; one transaction."""
    done = []
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock($1)", LOCK_KEY)
        await _prepare(conn)
        for migration in _pending(await _applied(conn), migrations):
            progress(f"migration {migration.number:04d} {migration.name}")
            await _apply(conn, migration)
            done.append(migration)
            if migration.committed:
                break
    return done


async def pending_migrations(
    conn: asyncpg.Connection | Connection, migrations: list[Migration]
) -> list[Migration]:
    """What `migrate` would apply; `conn` may be the application's. Newer ones of the database that need no
    more than is known here are none of it. Raises as `migrate` does."""
    if await conn.fetchval("select to_regclass('schema_migrations')") is None:
        return migrations
    return _pending(await _applied(conn), migrations)


async def last_applied(conn: asyncpg.Connection | Connection) -> int:
    """The number of the newest migration that the database has; 0 when it has none."""
    if await conn.fetchval("select to_regclass('schema_migrations')") is None:
        return 0
    return max(await _applied(conn), default=0)


async def make_role(conn: asyncpg.Connection) -> None:
    """The application's role, where the server has none, and that we may act as it. Raises MigrationError."""
    try:
        async with conn.transaction():
            await conn.execute(_CREATE_ROLE)
    except asyncpg.InsufficientPrivilegeError as error:
        made = await conn.fetchval("select exists (select from pg_roles where rolname = $1)", APP_ROLE)
        me = await conn.fetchval("select quote_ident(current_user)")
        raise MigrationError(
            f"the role of DATABASE_URL, {me}, may not make the role {APP_ROLE} or act as it. As a superuser: "
            f"{'' if made else f'create role {APP_ROLE} nologin; '}grant {APP_ROLE} to {me};"
        ) from error


async def _prepare(conn: asyncpg.Connection) -> None:
    await make_role(conn)
    try:
        async with conn.transaction():
            await conn.execute(_CREATE_TABLE)
            if not await conn.fetchval(_HAS_NEEDS):
                await conn.execute("alter table schema_migrations add column needs integer")
    except asyncpg.InvalidSchemaNameError as error:
        raise MigrationError("the database has no schema public: create schema public;") from error
    except asyncpg.InsufficientPrivilegeError as error:
        me = await conn.fetchval("select quote_ident(current_user)")
        here = await conn.fetchval("select quote_ident(current_database())")
        raise MigrationError(
            f"the role of DATABASE_URL, {me}, may not make tables in its database. As a superuser: "
            f"alter database {here} owner to {me};"
        ) from error
    # Whoever waits for a lock on a table makes everybody behind it wait.
    await conn.execute("set local lock_timeout = '10s'")


class Applied(NamedTuple):
    """What the database says of a migration. `needs` as of the file."""

    sha256: bytes
    needs: int | None


async def _applied(conn: asyncpg.Connection | Connection) -> dict[int, Applied]:
    """By number. The column `needs` may not be there yet."""
    rows = await conn.fetch(
        "select number, sha256, (to_jsonb(m) ->> 'needs')::integer as needs from schema_migrations m "
        "order by number"
    )
    return {row["number"]: Applied(row["sha256"], row["needs"]) for row in rows}


def _pending(applied: dict[int, Applied], migrations: list[Migration]) -> list[Migration]:
    known = {m.number: m for m in migrations}
    for number, (sha256, needs) in applied.items():
        if number not in known:
            if needs in known:
                continue
            raise MigrationError(
                f"the database has migration {number:04d}, this version does not: update LiqPass"
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"{number:04d}_{known[number].name}.sql was edited after it was applied: "
                "put it back as it was and write the change as a new migration"
            )
    return [m for m in migrations if m.number not in applied]


async def _apply(conn: asyncpg.Connection, migration: Migration) -> None:
    try:
        for statement in migration.statements():
            await conn.execute(statement)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.number:04d}_{migration.name}.sql: {error}") from error
    await conn.execute(
        "insert into schema_migrations (number, name, sha256, needs) values ($1, $2, $3, $4)",
        migration.number,
        migration.name,
        migration.sha256,
        migration.needs,
    )
