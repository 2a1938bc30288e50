"""Making a backup: one moment of the database, dumped by pg_dump, and what that moment was."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from liqpass import __version__
from liqpass.backups import BackupError, manifest, programs
from liqpass.backups.manifest import DUMP, PREFIX, Applied, Contents, LastRun, Manifest, ReadChain
from liqpass.backups.programs import Progress
from liqpass.connecting import connect_as_owner
from liqpass.data_folder import why_not
from liqpass.hexes import to_hex

# Who is signed in is no part of a backup: what was ended after it would live again, and its owner is back
# with one signature.
NOT_DUMPED = ("sessions", "signin_nonces")
KEYS = """
    select coalesce(substring(sealed from '^v1[.]([A-Za-z0-9_-]{1,32})[.]'), '') as key_id,
        count(*) as secrets
    from api_accounts cross join unnest(array[secret_enc, passphrase_enc]) as sealed
    where sealed is not null
    group by 1 order by 1
"""
ROLES = """
    select distinct grantee::regrole::text as role
    from pg_class c cross join aclexplode(c.relacl) as acl (grantor, grantee, privilege, grantable)
    where c.relnamespace = 'public'::regnamespace and grantee not in (0, c.relowner)
    order by 1
"""


class Taken(NamedTuple):
    """A backup that was made, and older ones that were deleted for it."""

    path: Path
    manifest: Manifest
    gone: list[Path]


async def take(url: str, folder: Path, now: datetime, tell: Progress, *, keep: int | None = None) -> Taken:
    """Back up a database into a new folder in `folder`; the vault's keys are not in it. `keep`: how many
    backups to leave there. Raises BackupError, SettingError, and what the database raises."""
    with _alone_in(folder):
        name = f"{PREFIX}{now:%Y%m%dT%H%M%SZ}"
        if (folder / name).exists():
            raise BackupError(f"{folder / name} is there already: try again in a second")
        unfinished = folder / f".{name}.unfinished"
        try:
            with _on_disk(folder):
                _begin(unfinished)
            made = await _dumped(url, unfinished, now, tell)
            with _on_disk(folder):
                manifest.write(unfinished, made)
                manifest.fsync(unfinished)
                unfinished.rename(folder / name)
                manifest.fsync(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        with _on_disk(folder):
            return Taken(folder / name, made, manifest.let_go(folder, keep, folder / name) if keep else [])


def _begin(unfinished: Path) -> None:
    """The folder and the file that pg_dump will write to, closed to all others from the beginning."""
    unfinished.mkdir(mode=0o700)
    os.close(os.open(unfinished / DUMP, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _on_disk(folder: Path) -> Iterator[None]:
    """What the disk refuses is not the database's fault. Raises BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"{error.filename or folder}: {error.strerror}: see that there is room and that it may be written"
        ) from None


def opened(folder: Path) -> int:
    """Its descriptor; it is made if it is not there. Raises BackupError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BackupError(f"{folder} cannot be used: {why_not(error)}") from None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One backup at a time into a folder: what another left unfinished there is dead, and goes."""
    descriptor = opened(folder)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup is being made in {folder}: wait until it is there") from None
        for left in folder.glob(f".{PREFIX}*.unfinished"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


async def _dumped(url: str, folder: Path, now: datetime, tell: Progress) -> Manifest:
    """The dump, and the manifest of it: both of one moment."""
    where, environment = programs.address(url)
    conn = await connect_as_owner(url, name="liqpass backup")
    try:
        now = await _moment_of(conn, now, tell)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            await conn.execute("set local idle_in_transaction_session_timeout = 0")
            contents = await contents_of(conn)
            if not contents.schema:
                raise BackupError("the database was never migrated: there is nothing to back up")
            dumped_by, bin_dir = programs.folder_for(contents.server_version)
            snapshot = await conn.fetchval("select pg_export_snapshot()")
            size = await conn.fetchval("select pg_database_size(current_database())")
            tell(f"Dumping the database, {_megabytes(size)} MB, with pg_dump {dumped_by}")
            left_out = [f"--exclude-table-data=public.{name}" for name in NOT_DUMPED]
            options = ["--format=custom", "--schema=public", f"--snapshot={snapshot}", *left_out]
            out = folder / DUMP
            await programs.run(
                bin_dir / "pg_dump",
                [*options, "--no-password", "--verbose", f"--file={out}", f"--dbname={where}"],
                environment,
                tell,
            )
    finally:
        await conn.close()
    with _on_disk(folder):
        manifest.fsync(out)
        sha256, size = await asyncio.to_thread(manifest.sha256_of, out), out.stat().st_size
    return Manifest(manifest.FORMAT, now, __version__, dumped_by, size, sha256, contents)


async def _moment_of(conn: asyncpg.Connection, now: datetime, tell: Progress) -> datetime:
    """The moment to which this would bring a database back: of a standby that of the last commit it has seen,
    which may be long ago. What was paid after it has to be looked for after a restore. Raises BackupError."""
    ((standby, seen),) = await conn.fetch("select pg_is_in_recovery(), pg_last_xact_replay_timestamp()")
    if not standby:
        return now
    if seen is None:
        raise BackupError(
            "this server is a standby and has seen no commit since it was started, how old it is cannot be "
            "said: back up the primary, or try again"
        )
    moment: datetime = min(now, seen)
    tell(f"This server is a standby: the backup is of {moment:%Y-%m-%dT%H:%M:%SZ}")
    return moment


async def contents_of(conn: asyncpg.Connection) -> Contents:
    """What stands in the database, as the transaction of the caller sees it."""
    applied = chains = run = keys = None
    if await _has(conn, "schema_migrations"):
        applied = await conn.fetch("select * from schema_migrations order by number")
    if await _has(conn, "chain_cursors"):
        chains = await conn.fetch("select * from chain_cursors order by chain_id")
    if await _has(conn, "reconciliation_runs"):
        run = await conn.fetchrow(
            "select id, sha256, finished_at from reconciliation_runs order by id desc limit 1"
        )
    if await _has(conn, "api_accounts"):
        keys = {row["key_id"]: row["secrets"] for row in await conn.fetch(KEYS)}
    return Contents(
        server_version=conn.get_server_version().major,
        migrations=[_applied(row) for row in applied or []],
        chains=[
            ReadChain(
                row["chain_id"],
                row["finalized_number"],
                to_hex(row["finalized_hash"]),
                row["latest_number"],
                row["read_at"],
            )
            for row in chains or []
        ],
        last_run=LastRun(run["id"], to_hex(run["sha256"]), run["finished_at"]) if run else None,
        key_ids={key_id: secrets for key_id, secrets in (keys or {}).items() if key_id},
        secrets_of_no_key=(keys or {}).get("", 0),
        roles=[row["role"] for row in await conn.fetch(ROLES)],
    )


def _applied(row: asyncpg.Record) -> Applied:
    return Applied(row["number"], row["name"], row["sha256"].hex(), row["applied_at"], row.get("needs"))


async def _has(conn: asyncpg.Connection, table: str) -> bool:
    return await conn.fetchval("select to_regclass($1) is not null", f"public.{table}") is True


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f}"
