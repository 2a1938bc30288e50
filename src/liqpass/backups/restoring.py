"""Restoring a backup into an empty database, so that nothing lives again that ended since.

Nothing runs on the database before the last transaction: only that writes which migrations are applied, and
with it all that a restored database has to know of itself.
"""

import asyncio
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec

from liqpass.backups import BackupError, manifest, programs
from liqpass.backups.dumping import NOT_DUMPED
from liqpass.backups.manifest import DUMP, Applied, Contents, Manifest
from liqpass.backups.programs import Progress
from liqpass.connecting import APP_ROLE, connect_as_owner
from liqpass.exposure.limits import Direction
from liqpass.ids import RANDOM_BYTES, uuid7
from liqpass.migrate import last_applied, make_role, migrations_of
from liqpass.vault.api_accounts import ASKED_AGAIN, GIVE_AGAIN

BY = "liqpass restore"
WHY_STOPPED = "restored from a backup: sold again once somebody has looked"
RESTORATIONS = 14  # the migration that makes the table
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
# Entries of the dump's list that a database has already, or that are written last.
LEFT_OUT = (" SCHEMA - public ", " COMMENT - SCHEMA public ", " TABLE DATA public schema_migrations ")
IN_IT = """
    select count(*) from (
        select from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        union all
        select from pg_type where typnamespace = 'public'::regnamespace and typtype = 'e'
        union all
        select from pg_proc where pronamespace = 'public'::regnamespace
    ) as things
"""
MISSING_ROLES = "select name from unnest($1::text[]) as name where to_regrole(name) is null order by name"


async def restore(
    url: str,
    backup: Path,
    now: datetime,
    tell: Progress,
    *,
    chain_id: int | None = None,
    keys_stay: bool = False,
) -> Manifest:
    """The database as it was, and safe to go on with: nobody is signed in, keys wait for their owners' word
    (`keys_stay`: for OKX's alone), nothing is sold, no batch is made, until somebody has looked.

    `chain_id`: the one of the settings, where there are any. Raises BackupError, SettingError,
    MigrationError, and what the database raises; commands then refuse the database, until it is made anew.
    """
    found = manifest.read(backup)
    _check_chain(found.contents, chain_id)
    manifest.check_schema(found, migrations_of())
    tell(f"Reading the dump, {found.size / 1e6:,.1f} MB")
    await asyncio.to_thread(manifest.check_dump, backup, found)
    await _prepared(url, found)
    await _load(url, backup, found, tell)
    conn = await connect_as_owner(url, name=BY)
    try:
        async with conn.transaction():
            await _end(conn, found, now, keys_stay=keys_stay)
        tell("Counting rows for the planner")
        await conn.execute("analyze")
    finally:
        await conn.close()
    return found


def _check_chain(contents: Contents, chain_id: int | None) -> None:
    chains = [one.chain_id for one in contents.chains]
    if chains and chain_id is not None and chain_id not in chains:
        raise BackupError(
            f"the backup is of chain {', '.join(map(str, chains))}, LIQPASS_CHAIN_ID is {chain_id}: name the "
            "backup of this deployment"
        )


async def _prepared(url: str, found: Manifest) -> None:
    """That the database is empty and that all roles are there. Raises BackupError."""
    conn = await connect_as_owner(url, name=BY)
    try:
        if there := await conn.fetchval(IN_IT):
            name = await conn.fetchval("select quote_ident(current_database())")
            raise BackupError(
                f"the database {name} is not empty ({there} tables, types or functions): a backup is only "
                "restored into an empty one. Name one in DATABASE_URL (create database …), or, for the "
                "embedded database, another folder in LIQPASS_DATA_DIR"
            )
        await make_role(conn)
        roles = [role for role in found.contents.roles if role != APP_ROLE]
        if missing := [row["name"] for row in await conn.fetch(MISSING_ROLES, roles)]:
            made = " ".join(f"create role {role};" for role in missing)
            raise BackupError(
                "roles with rights in the backup are not on this server; as a superuser: "
                f"{made} Then restore again"
            )
    finally:
        await conn.close()


async def _load(url: str, backup: Path, found: Manifest, tell: Progress) -> None:
    """All of it or nothing."""
    where, environment = programs.address(url)
    conn = await connect_as_owner(url, name=BY)
    server = conn.get_server_version().major
    await conn.close()
    program = programs.folder_for_dump(found.dumped_by, server) / "pg_restore"
    dump = str(backup / DUMP)
    listed = await programs.run(program, ["--list", dump], environment, tell)
    wanted = [line for line in listed.splitlines() if not any(part in line for part in LEFT_OUT)]
    tell(f"Restoring it with pg_restore {found.dumped_by}")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as list_file:
        list_file.write("\n".join(wanted) + "\n")
        list_file.flush()
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-password", "--verbose"]
        await programs.run(
            program, [*options, f"--use-list={list_file.name}", f"--dbname={where}", dump], environment, tell
        )


async def _end(conn: asyncpg.Connection, found: Manifest, now: datetime, *, keys_stay: bool) -> None:
    """What makes it a database that commands take, in the transaction of the caller."""
    await mark(conn, now, found.made_at, found.contents.schema, found.sha256, keys_stay=keys_stay)
    await conn.executemany(
        """insert into schema_migrations
           select (jsonb_populate_record(null::schema_migrations, $1::text::jsonb)).*""",
        [(_row(one),) for one in found.contents.migrations],
    )


def _row(one: Applied) -> str:
    """As JSON; what is no column of the backup's table is passed over."""
    row = {**msgspec.structs.asdict(one), "applied_at": one.applied_at.isoformat()}
    return json.dumps({**row, "sha256": f"\\x{one.sha256}"})


async def mark_restored(url: str, now: datetime, as_of: datetime, *, keys_stay: bool) -> None:
    """The same for a database that was brought back otherwise. Raises BackupError, and what the database
    raises."""
    conn = await connect_as_owner(url, name=BY)
    try:
        async with conn.transaction():
            schema = await last_applied(conn)
            if not schema:
                raise BackupError("the database was never migrated: there is nothing in it that was restored")
            if as_of > now:
                raise BackupError("--as-of is in the future: name the moment to which the database went back")
            await mark(conn, now, as_of, schema, None, keys_stay=keys_stay)
    finally:
        await conn.close()


async def mark(
    conn: asyncpg.Connection,
    now: datetime,
    as_of: datetime,
    schema: int,
    sha256: str | None,
    *,
    keys_stay: bool,
) -> None:
    """Let nothing live again that ended since `as_of`, in the transaction of the caller: sessions, keys, the
    sale, batches. `schema`: the last migration; `sha256`: of the dump, in hex."""
    for table in NOT_DUMPED:
        if await _has(conn, table):
            await conn.execute(f"delete from {table}")
    if await _has(conn, "api_accounts"):
        why, checked = (ASKED_AGAIN, NEVER) if keys_stay else (GIVE_AGAIN, now)
        await conn.execute(
            """update api_accounts set held_at = $1, held_reason = $2, checked_at = $3
               where revoked_at is null""",
            now, why, checked,
        )  # fmt: skip
    if await _has(conn, "sale_stops"):
        for direction in Direction:
            await conn.execute(
                """insert into sale_stops (id, direction, cause, from_at, stopped_by, reason)
                   select $1, $2, 'OPERATOR', $3, $4, $5
                   where not exists (
                       select from sale_stops where direction = $2 and cause = 'OPERATOR' and until_at is null
                           and ended_at is null)""",
                uuid7(now, os.urandom(RANDOM_BYTES)), direction, now, BY, WHY_STOPPED,
            )  # fmt: skip
    if schema < RESTORATIONS:
        for statement in migrations_of()[RESTORATIONS - 1].statements():
            await conn.execute(statement)
    await conn.execute(
        "insert into restorations (restored_at, backup_made_at, backup_sha256) values ($1, $2, $3)",
        now, as_of, bytes.fromhex(sha256) if sha256 else None,
    )  # fmt: skip


async def _has(conn: asyncpg.Connection, table: str) -> bool:
    return await conn.fetchval("select to_regclass($1) is not null", f"public.{table}") is True
