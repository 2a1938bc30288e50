"""A real PgBouncer between a command and its database."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from liqpass.database_url import address_of
from liqpass.postgres_programs import system_account
from liqpass.serving import free_port
from tests.conftest import on_server

SPARE_SEC = 30
EXAMPLES = Path(__file__).parents[2] / "deploy" / "pgbouncer"
LOGINS = ("liqpass_login", "liqpass_pooled")
PASSWORD = "change me"  # of the logins beside the examples
THE_SERVER = "host=db.example port=5432 dbname=liqpass"
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
PROGRAM = shutil.which("pgbouncer", path=PATH)
NEWER = shutil.which("pgbouncer-1.24", path=PATH) or PROGRAM


@dataclass
class PgBouncer:
    """One that runs; `url` is the database's address through it."""

    url: str
    port: int
    command: list[str]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until it listens."""
        self.process = await asyncio.create_subprocess_exec(*self.command, stderr=asyncio.subprocess.DEVNULL)
        await _listening(self.process, self.port)

    async def kill(self) -> None:
        """As if the machine had taken it."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def pgbouncer(database_url: str, *, login: str | None = None, **settings: str) -> AsyncIterator[str]:
    """The database's address through it. It logs in at the server as `login`, else as the address says."""
    async with running_pgbouncer(database_url, login=login, **settings) as running:
        yield running.url


@asynccontextmanager
async def running_pgbouncer(
    database_url: str,
    *,
    login: str | None = None,
    example: str = "",
    program: str | None = PROGRAM,
    port: int | str = 0,
    **settings: str,
) -> AsyncIterator[PgBouncer]:
    """The same, to be killed and started again. `example`: begin with that file of deploy/pgbouncer. `port`:
    0 is a free one."""
    if program is None:
        pytest.skip("there is no PgBouncer here: apt-get install pgbouncer")
    port = int(port or free_port())
    account = system_account() if os.geteuid() == 0 else None  # it does not run as root
    with TemporaryDirectory(prefix="liqpass-tests-") as folder:
        shown = (EXAMPLES / example).read_text("utf-8") if example else ""
        name, written = _configured(
            folder, database_url, login, {"listen_port": str(port), **settings}, shown
        )
        command = [program, *(("-u", account.pw_name) if account else ()), written]
        who = f"{login}:{quote(PASSWORD)}" if example else "anybody"
        running = PgBouncer(f"postgresql://{who}@127.0.0.1:{port}/{name}", port, command)
        await running.start()
        try:
            yield running
        finally:
            await running.kill()


@asynccontextmanager
async def example_logins(database_url: str) -> AsyncIterator[None]:
    """Those of login.sql; roles belong to the whole server, so they are gone at the end."""
    for login in LOGINS:
        await on_server(database_url, f"drop role if exists {login}")
    await on_server(database_url, (EXAMPLES / "login.sql").read_text("utf-8"))
    try:
        yield
    finally:
        for login in LOGINS:
            await on_server(database_url, f"drop role {login}")


def _configured(
    folder: str, database_url: str, login: str | None, settings: dict[str, str], shown: str
) -> tuple[str, str]:
    """The database's name, and the file of settings. Of an example all counts but where the server is, who is
    trusted, and what the test says: what stands later counts. (A second head of the same section would set
    all to what is usual.)"""
    address = address_of(database_url)
    ((host, port),) = address.hosts
    known = address.arguments
    behind: dict[str, object] = {"host": host, "port": port, "dbname": known["database"]}
    usual = {"listen_addr": "127.0.0.1", "unix_socket_dir": ""}
    if shown:
        assert THE_SERVER in shown
        name, entries = "liqpass", shown.replace(THE_SERVER, _joined(behind))
        usual |= {"server_tls_sslmode": "disable", "auth_file": _users(folder, login)}
    else:
        behind["user"] = login or known["user"]
        if login is None and "password" in known:
            behind["password"] = known["password"]
        name = str(known["database"])
        entries = f"[databases]\n{name} = {_joined(behind)}\n[pgbouncer]"
        usual |= {"auth_type": "any", "default_pool_size": "60"}
    own = [f"{name} = {value}" for name, value in {**usual, **settings}.items()]
    written = Path(folder, "pgbouncer.ini")
    written.write_text("\n".join([entries, *own, ""]))
    return name, str(written)


def _joined(values: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _users(folder: str, login: str | None) -> str:
    """The file of who may log in, which PgBouncer's own user reads."""
    Path(folder).chmod(0o755)
    users = Path(folder, "userlist.txt")
    users.write_text(f'"{login}" "{PASSWORD}"\n')
    return str(users)


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(SPARE_SEC * 50):
        assert process.returncode is None, "PgBouncer does not like its settings"
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("PgBouncer does not listen")


def keeps_statements(program: str | None = PROGRAM) -> bool:
    """Whether this PgBouncer can give a transaction the statements that its client prepared: since 1.21."""
    assert program is not None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in said.split()[1].split(".")[:2]] >= [1, 21]
