"""What is measured: places of this tree and of an earlier one, each a process of its own (`told.py`) with its
own PostgreSQL, API and worker."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import asyncpg
import msgspec

from bench.counters import Counters, read_counters
from bench.earlier import HERE, environment
from bench.processes import Memory, cpu_sec, family, memory

IDLE_SEC = 5
PATIENCE_SEC = 60  # for a process that was told to end; then it is killed


class Told(msgspec.Struct, frozen=True):
    """What a place says of itself when it is up."""

    port: int
    pids: dict[str, int]
    """The first process of each part."""
    url: str
    bin_dir: str
    log: str
    """Of PostgreSQL."""
    folder: str
    script: str
    """The loop's statements for pgbench."""
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """A running place. `of`: which commit, "" is this tree's."""

    of: str
    told: Told
    process: asyncio.subprocess.Process
    owner: asyncpg.Connection
    halves: Iterator[int] = field(default_factory=lambda: cycle((0, 1)))
    """Which half of its users trades next."""

    @property
    def suffix(self) -> str:
        """What tells its sides from those of others in a table."""
        return f" {self.of}" if self.of else ""

    async def seed(self, users: int) -> None:
        """Forget all former rounds and make so many users, whose accounts have been read just now."""
        read_at = datetime.now(UTC)
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(f"{json.dumps([users, read_at.isoformat()])}\n".encode())
        await _line(self.process, self.of)

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each part so far."""
        return {name: cpu_sec(pid) for name, pid in self.told.pids.items()}

    def memory(self) -> dict[str, Memory]:
        """Of each part now."""
        return {f"{name}{self.suffix}": memory(family(pid)) for name, pid in self.told.pids.items()}


@asynccontextmanager
async def running_server(tree: Path, of: str, *words: str) -> AsyncIterator[Server]:
    """Start that tree's place; all of it is stopped and gone at the end. `words`: what told.py is told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(HERE / "bench" / "told.py"), *words),
        env=environment(tree),
        cwd=tree,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: its end is that of its stdin
    )
    try:
        told = msgspec.json.decode(await _line(process, of), type=Told)
        owner = await asyncpg.connect(told.url)
        try:
            yield Server(of, told, process, owner)
        finally:
            await owner.close()
    finally:
        await _ended(process)


async def _line(process: asyncio.subprocess.Process, of: str) -> bytes:
    assert process.stdout is not None  # noqa: S101
    line = await process.stdout.readline()
    if not line:
        raise OSError(f"the place of {of or 'this tree'} has ended: what it said is above")
    return line


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE_SEC)
    except TimeoutError:
        process.kill()
        await process.wait()


async def idle(servers: Sequence[Server]) -> dict[str, Counters]:
    """What each database does in a second while nobody trades: the worker's looking."""
    before = [await read_counters(server.owner) for server in servers]
    await asyncio.sleep(IDLE_SEC)
    after = [await read_counters(server.owner) for server in servers]
    found = zip(servers, before, after, strict=True)
    return {server.of: now.since(was).times(1 / IDLE_SEC) for server, was, now in found}
