"""A real standby of a real primary, with PostgreSQL's own programs; it can be hindered as standbys are."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import asyncpg

from liqpass.embedded import PORT, EmbeddedPostgres
from liqpass.postgres_programs import give, run_as
from tests.conftest import on_server

SPARE_SEC = 120
QUICK = "-c fsync=off -c listen_addresses='' -c shared_buffers=16MB"


@dataclass(frozen=True)
class Standby:
    """One in `folder`, which is its socket's, too."""

    primary: EmbeddedPostgres
    folder: Path
    options: str

    def url(self, database_url: str) -> str:
        """The address of that database of the primary, here."""
        name = urlsplit(database_url).path.strip("/")
        return f"postgresql://postgres@/{name}?host={quote(str(self.folder))}&port={PORT}"

    async def ask(self, statement: str) -> object:
        """As its owner."""
        conn = await asyncpg.connect(self.url("postgresql:///postgres"))
        try:
            return await conn.fetchval(statement)
        finally:
            await conn.close()

    async def pause(self) -> None:
        """From now on nothing that happens is seen here."""
        await self.ask("select pg_wal_replay_pause()")
        await self._until("pg_get_wal_replay_pause_state() = 'paused'")

    async def go_on(self) -> None:
        """It is seen again."""
        await self.ask("select pg_wal_replay_resume()")

    async def has_all_of(self, database_url: str) -> None:
        """Wait until it has what the primary has now."""
        conn = await asyncpg.connect(database_url)
        try:
            at = await conn.fetchval("select pg_current_wal_flush_lsn()::text")
        finally:
            await conn.close()
        await self._until(f"pg_last_wal_replay_lsn() >= '{at}'")

    async def _until(self, holds: str) -> None:
        for _ in range(SPARE_SEC * 100):
            if await self.ask(f"select {holds}"):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"in vain: {holds}")

    async def promote(self) -> None:
        """It is a primary of its own now."""
        assert await self.ask("select pg_promote()")

    def start(self) -> None:
        """Whatever a killed one left, or the copy of a running one brought along."""
        for lock in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
            (self.folder / lock).unlink(missing_ok=True)
        for _ in range(100):  # what a killed one has left behind ends by itself, a little later
            if self._starts():
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def _starts(self) -> bool:
        where = f"-c unix_socket_directories={self.folder} -c port={PORT}"
        return self._pg_ctl("-l", "log", "-w", "-o", f"{QUICK} {where} {self.options}", "start")

    def kill(self) -> None:
        """As a power cut does."""
        os.kill(int((self.folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def stop(self) -> None:
        self._pg_ctl("-m", "immediate", "-w", "stop")

    def _pg_ctl(self, *arguments: str) -> bool:
        command = [str(self.primary.bin_dir / "pg_ctl"), "-D", ".", *arguments]
        return run_as(self.primary.account, self.folder, command).returncode == 0


@asynccontextmanager
async def standby_of(primary: EmbeddedPostgres, options: str = "") -> AsyncIterator[Standby]:
    """One that streams from it, gone at the end; `options` are of its command line."""
    await allow_standbys(primary)
    with TemporaryDirectory(prefix="liqpass-tests-", dir=primary.data_dir.parent) as outer:
        give(primary.account, Path(outer))
        folder = Path(outer, "standby")
        source = f"host={primary.socket_dir} port={PORT} user=postgres"
        command = [str(primary.bin_dir / "pg_basebackup"), "-D", str(folder), "-R", "-N", "-c", "fast"]
        copied = await asyncio.to_thread(run_as, primary.account, Path("/"), [*command, "-d", source])
        assert copied.returncode == 0, copied.stderr
        standby = Standby(primary, folder, options)
        await asyncio.to_thread(standby.start)
        try:
            await standby.ask("select 1")
            yield standby
        finally:
            await asyncio.to_thread(standby.stop)
            shutil.rmtree(folder, ignore_errors=True)


async def allow_standbys(primary: EmbeddedPostgres) -> None:
    """The embedded server lets nobody copy it; whoever may write its files may change that."""
    rule, access = "local replication all trust", primary.cluster / "pg_hba.conf"
    if rule not in access.read_text():
        access.write_text(f"{access.read_text()}{rule}\n")
        await on_server(primary.url, "select pg_reload_conf()")
