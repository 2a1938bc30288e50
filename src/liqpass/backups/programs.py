"""PostgreSQL's own programs, run on the database of DATABASE_URL: which of them fit its server, how they are
told where it is without a secret in their arguments, what they say while they work."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from liqpass.backups import BackupError
from liqpass.database_url import address_of, refused
from liqpass.postgres_programs import client_programs

Progress = Callable[[str], None]

# What both libpq and asyncpg look at; PGOPTIONS, say, only libpq does.
HANDED_ON = re.compile(r"PATH|HOME|PG(HOST|PORT|USER|PASSWORD|PASSFILE|DATABASE|SERVICE|SERVICEFILE|SSL\w+)")
WORKING_ON = re.compile(r'(?:dumping contents of|processing data for) table "public\.(\w+)"')
LAST_WORDS = 5
# From this version on pg_restore sets what an older server does not know.
SETS_MORE = 17


def folder_for(server: int) -> tuple[int, Path]:
    """The oldest programs that read a server of this major version, and their own. Raises BackupError."""
    found = client_programs()
    for major, folder in found:
        if major >= server:
            return major, folder
    newest = f"the newest here are of {found[-1][0]}" if found else "there are none here"
    raise BackupError(
        f"pg_dump and pg_restore of PostgreSQL {server} or newer are needed, {newest}: install its client "
        f"programs (Debian: postgresql-client-{server}), and let PATH lead to them"
    )


def folder_for_dump(dumped_by: int, server: int) -> Path:
    """Programs that read a dump and write to such a server. Raises BackupError."""
    major, folder = folder_for(dumped_by)
    if major >= SETS_MORE > server:
        raise BackupError(
            f"the backup was made of a newer PostgreSQL and does not go into PostgreSQL {server}: restore it "
            f"into PostgreSQL {dumped_by}"
        )
    return folder


def address(url: str) -> tuple[str, dict[str, str]]:
    """A database's address for programs, and what they find in their environment: a password is in no
    process list. Raises SettingError."""
    address_of(url)
    scheme, _, rest = url.strip().partition("://")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    who, _, where = authority.rpartition("@")
    user, _, password = who.partition(":")
    kept = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        match unquote(name):
            case "password":
                password = value or password
            case "sslpassword":
                raise refused("sslpassword cannot be handed to pg_dump: use a key without a password")
            case "database":
                kept.append(f"dbname={value}")
            case "ssl":
                kept.append("sslmode=require")
            case _:
                kept.append(part)
    told = {name: value for name, value in os.environ.items() if HANDED_ON.fullmatch(name)}
    if password:
        told["PGPASSWORD"] = unquote(password)
    bare = f"{scheme}://{user}@{where}/{path}" if user else f"{scheme}://{where}/{path}"
    return bare + (f"?{'&'.join(kept)}" if kept else ""), {**told, "LC_ALL": "C"}


async def run(program: Path, arguments: Sequence[str], environment: dict[str, str], tell: Progress) -> str:
    """Run it to its end; what it wrote. Whatever ends us ends it, too. Raises BackupError, with its words."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None  # noqa: S101
    try:
        written, said = await asyncio.gather(process.stdout.read(), _heard(process.stderr, tell))
        status = await process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if status:
        raise BackupError(f"{program.name} failed: {' '.join(said[-LAST_WORDS:]) or f'exit status {status}'}")
    return written.decode(errors="replace")


async def _heard(stderr: asyncio.StreamReader, tell: Progress) -> list[str]:
    """Its errors; of the rest, which table it has come to is told, at most once in two seconds."""
    errors, loop, told_at = list[str](), asyncio.get_running_loop(), 0.0
    while raw := await stderr.readline():
        line = raw.decode(errors="replace").strip()
        if found := WORKING_ON.search(line):
            if loop.time() - told_at > 2:
                told_at = loop.time()
                tell(f"  table {found[1]}")
        elif "error:" in line or "FATAL" in line or "ERROR" in line or errors:
            errors.append(line)
    return errors
