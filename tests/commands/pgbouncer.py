"""A real PgBouncer between a command and its database."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liqpass.database_url import address_of
from liqpass.postgres_programs import system_account
from liqpass.serving import free_port

SPARE_SEC = 30
PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@asynccontextmanager
async def pgbouncer(database_url: str, *, login: str | None = None, **settings: str) -> AsyncIterator[str]:
    """The database's address through it. It logs in at the server as `login`, else as the address says."""
    if PROGRAM is None:
        pytest.skip("there is no PgBouncer here: apt-get install pgbouncer")
    port = free_port()
    account = system_account() if os.geteuid() == 0 else None  # it does not run as root
    with TemporaryDirectory(prefix="liqpass-tests-") as folder:
        name, written = _configured(folder, database_url, login, {"listen_port": str(port), **settings})
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *(("-u", account.pw_name) if account else ()), written, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await _listening(process, port)
            yield f"postgresql://anybody@127.0.0.1:{port}/{name}"
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _configured(
    folder: str, database_url: str, login: str | None, settings: dict[str, str]
) -> tuple[str, str]:
    """The database's name, and the file of settings."""
    address = address_of(database_url)
    ((host, port),) = address.hosts
    known = address.arguments
    behind = {"host": host, "port": port, "user": login or known["user"]}
    if login is None and "password" in known:
        behind["password"] = known["password"]
    usual = {"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_type": "any", "default_pool_size": "60"}
    lines = [
        "[databases]",
        f"{known['database']} = {' '.join(f'{name}={value}' for name, value in behind.items())}",
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in {**usual, **settings}.items()),
    ]
    written = Path(folder, "pgbouncer.ini")
    written.write_text("\n".join(lines) + "\n")
    return str(known["database"]), str(written)


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(SPARE_SEC * 50):
        assert process.returncode is None, "PgBouncer does not like its settings"
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("PgBouncer does not listen")


def keeps_statements() -> bool:
    """Whether this PgBouncer can give a transaction the statements that its client prepared: since 1.21."""
    assert PROGRAM is not None
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in said.split()[1].split(".")[:2]] >= [1, 21]
