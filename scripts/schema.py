"""Writes src/liqpass/schema.sql anew, from a database made by the migrations: `make schema`.

Run it after adding a migration. It uses an embedded PostgreSQL that is thrown away. The tests use `dump` too:
a database built from the file and one made by the migrations must give the same.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from liqpass.embedded import embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.postgres_programs import readable_programs

FILE = Path(__file__).parents[1] / "src" / "liqpass" / "schema.sql"
REFERENCE_TABLES = ("order_moves", "claim_moves", "ledger_accounts", "ledger_kinds", "exposure_limits")
# Comments, session settings, psql's commands; and the number that PostgreSQL 17.12 gives to the columns of
# every table it makes, which other versions' pg_dump write down.
NOISE = re.compile(r"--|\\|SET |SELECT pg_cata|ALTER TABLE ONLY .* SET \(pg_attver=\d+\);$")
HEAD = """\
-- The whole schema as the migrations leave it, to be read in one piece. Made by `make schema`, held equal to
-- the migrations by a test. A database is made by `liqpass migrate`, never from this file.
"""


class ServerTooNewError(RuntimeError):
    """No pg_dump of this machine reads a server of that version."""


def dump(url: str) -> str:
    """The schema of a database, and the rows of its reference tables, as SQL that PostgreSQL 15 takes too.

    Without comments, owners, session settings and psql commands: nothing of the server or the day is in it.
    Raises ServerTooNewError.
    """
    schema = _pg_dump(url, "--schema-only")
    rows = _pg_dump(url, "--data-only", "--column-inserts", *(f"--table={name}" for name in REFERENCE_TABLES))
    return told(schema + rows)


def told(dumped: str) -> str:
    """What pg_dump wrote, without what two databases of the same schema need not have in common."""
    lines = [line for line in dumped.splitlines() if not NOISE.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _pg_dump(url: str, *options: str) -> str:
    for program in _programs():
        command = [program, "--no-owner", *options, url]
        done = subprocess.run(
            command, check=False, capture_output=True, encoding="utf-8", env={**os.environ, "LC_ALL": "C"}
        )
        if done.returncode == 0:
            return done.stdout
        if "server version mismatch" not in done.stderr:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
    raise ServerTooNewError(done.stderr.strip())


def _programs() -> Iterator[Path | str]:
    """The wheel's pg_dump, which reads servers up to its own version; then the machine's."""
    yield readable_programs(Path(), None, print) / "pg_dump"
    if found := shutil.which("pg_dump"):
        yield found
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))


def main() -> None:
    """Write the file."""
    with (
        TemporaryDirectory(prefix="liqpass-schema-") as folder,
        embedded_postgres(Path(folder), options={"fsync": "off"}) as server,
    ):
        asyncio.run(migrate(server.url, migrations_of()))
        FILE.write_text(f"{HEAD}\n{dump(server.url)}", encoding="utf-8")


if __name__ == "__main__":
    main()
