"""Writes src/liqpass/schema.sql anew, from a database made by the migrations: `make schema`.

Run it after adding a migration. It uses an embedded PostgreSQL that is thrown away. The tests use `dump` too:
a database built from the file and one made by the migrations must give the same.
"""

import asyncio
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from liqpass.embedded import embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.postgres_programs import readable_programs

FILE = Path(__file__).parents[1] / "src" / "liqpass" / "schema.sql"
REFERENCE_TABLES = ("order_moves", "ledger_accounts", "ledger_kinds")
HEAD = """\
-- The whole schema as the migrations leave it, to be read in one piece. Made by `make schema`, held equal to
-- the migrations by a test. A database is made by `liqpass migrate`, never from this file.
"""


def dump(url: str) -> str:
    """The schema of a database, and the rows of its reference tables, as SQL that PostgreSQL 15 takes too.

    Without comments, owners, session settings and psql commands: nothing of the server or the day is in it.
    """
    schema = _pg_dump(url, "--schema-only")
    rows = _pg_dump(url, "--data-only", "--column-inserts", *(f"--table={name}" for name in REFERENCE_TABLES))
    noise = re.compile(r"--|\\|SET |SELECT pg_cata")
    lines = [line for line in (schema + rows).splitlines() if not noise.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _pg_dump(url: str, *options: str) -> str:
    program = readable_programs(Path(), None, print) / "pg_dump"
    return subprocess.run(
        [program, "--no-owner", *options, url], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


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
