"""The database server of a soak, and what can happen to it. Processes reach it through a door on loopback.

Another engine (a cluster that fails over, say) takes this one's place by having the same calls.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from liqpass.embedded import PORT, EmbeddedPostgres, embedded_postgres
from liqpass.postgres_programs import EmbeddedPostgresError, run_as
from liqpass.serving import free_port
from tests.outages.door import Door

DISK_MIB = 1024
TRIES = 50  # to start it, a tenth of a second apart
# A crash of the server loses nothing that was written to the kernel: only a machine's end would.
OPTIONS = {"fsync": "off", "max_wal_size": "96MB", "max_connections": "200"}
NAMED = "select pid from pg_stat_activity where application_name like 'liqpass %' and pid <> pg_backend_pid()"


class Server:
    """`url` leads through the door, `owner` past it: the soak's own look at the tables."""

    def __init__(self, postgres: EmbeddedPostgres, disk: Path | None) -> None:
        self._postgres, self._disk = postgres, disk
        socket = str(postgres.socket_dir / f".s.PGSQL.{PORT}")
        self._door = Door(lambda: asyncio.open_unix_connection(socket))
        self._door.port = free_port()  # below those that clients are given: nobody takes it while it is shut
        self._turns, self._filling = asyncio.Lock(), asyncio.Lock()
        self._full = False
        self.past_the_door = postgres.url

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._door.port}/liqpass"

    async def open(self) -> None:
        """Let everybody through."""
        await self._door.open()

    async def shut(self) -> None:
        """For good."""
        await self._door.shut()

    async def owner(self) -> asyncpg.Connection:
        """A connection past the door, as soon as the server takes one."""
        for _ in range(600):
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return await asyncpg.connect(self.past_the_door)
            await asyncio.sleep(0.1)
        raise RuntimeError(f"the database does not come back: {self._postgres.log}")

    async def connections(self, way: str, seed: int) -> None:
        """All are cut; or those that were answered and did not hear it; or the server ends a few."""
        if way == "backends":
            await self._backends(random.Random(seed))  # noqa: S311
            return
        async with self._turns:
            if way == "deaf":
                self._door.keep_answers()
                await asyncio.sleep(0.05)
                self._door.cut_the_deaf()
                return
            await self._door.shut()
            await self._door.open()

    async def _backends(self, draw: random.Random) -> None:
        owner = await self.owner()
        try:
            found = [row["pid"] for row in await owner.fetch(NAMED)]
            for pid in draw.sample(found, min(len(found), 5)):
                await owner.execute("select pg_terminate_backend($1)", pid)
        finally:
            await owner.close()

    async def restart(self, way: str) -> None:
        """`immediate` and `fast` as pg_ctl means them; `kill`: the whole server at once."""
        async with self._turns:
            await asyncio.to_thread(self._end, way)
            await asyncio.to_thread(self._start)

    async def stands(self) -> None:
        """It runs, whatever happened to it. Nobody else starts it at the same moment."""
        async with self._turns:
            await asyncio.to_thread(self._start)

    async def fill_disk(self) -> None:
        """Not a byte is left for it, where it has a disk of its own."""
        if self._disk is not None:
            async with self._filling:
                self._full = True
                await asyncio.to_thread(_fill, self._disk / "everything else")

    async def free_disk(self) -> None:
        """There is room again, and it runs."""
        if self._disk is not None:
            async with self._filling:  # not while it is still being filled
                (self._disk / "everything else").unlink(missing_ok=True)
                self._full = False
        await self.stands()

    def _end(self, way: str) -> None:
        pid = self._postgres.pid()
        if pid is None:
            return
        if way == "kill":
            os.kill(pid, signal.SIGKILL)
            return
        command = [str(self._postgres.bin_dir / "pg_ctl"), "-D", ".", "-m", way, "-w", "-t", "20", "stop"]
        done = run_as(self._postgres.account, self._postgres.cluster, command)
        if done.returncode and (pid := self._postgres.pid()) is not None:
            os.kill(pid, signal.SIGKILL)

    def _start(self) -> None:
        for _ in range(TRIES):
            with suppress(EmbeddedPostgresError):
                self._postgres.ensure_running()
                return
            if self._full:
                return  # it cannot, until there is room again
            time.sleep(0.1)
        self._postgres.ensure_running()


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    """A server of its own; on a disk of its own where root may mount one. Not where the logs are: root's
    PostgreSQL runs as another user, who may not enter everybody's folders."""
    with (
        TemporaryDirectory(prefix="liqpass-soak-data-") as name,
        _disk_at(Path(name)) as disk,
        embedded_postgres(Path(name) / "data", options=OPTIONS) as postgres,
    ):
        server = Server(postgres, disk)
        await server.open()
        try:
            yield server
        finally:
            await server.free_disk()
            await server.shut()


@contextmanager
def _disk_at(folder: Path) -> Iterator[Path | None]:
    """The folder, if it is a disk now."""
    folder.chmod(0o755)
    how = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "liqpass-soak", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(how, check=False, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
