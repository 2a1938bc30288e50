"""PostgreSQL nodes under Patroni over etcd, as deploy/patroni/patroni.yml has them, all on loopback.

A node's way to etcd, and everybody else's way to its PostgreSQL and its Patroni, lead through doors: shut,
they cut the node off from the others. Its own port stays open: whoever used it before still gets there.
"""

import asyncio
import json
import os
import pwd
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from liqpass.postgres_programs import give
from liqpass.serving import free_port
from tests.conftest import in_memory
from tests.failover.keeper import below
from tests.failover.programs import TOP, Programs, programs
from tests.outages.door import Door

CONFIGURATION = TOP / "deploy" / "patroni" / "patroni.yml"
SECRET = "for-tests-alone"
SPARE_SEC = 120
PATIENCE = aiohttp.ClientTimeout(2)


class Keeper:
    """The process that starts all others, and ends them when we are gone."""

    def __init__(self, process: asyncio.subprocess.Process, programs: Programs) -> None:
        self._process, self.programs = process, programs

    async def start(self, command: list[str], env: dict[str, str], log: Path) -> int:
        """The process id of a command that runs on."""
        account = self.programs.account
        asked = {
            "command": command,
            "env": {**self.programs.env, **env},
            "log": str(log),
            "user": account.pw_uid if account else None,
            "group": account.pw_gid if account else None,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        return int(await self._process.stdout.readline())


@dataclass
class Node:
    """One machine: a Patroni with its PostgreSQL."""

    name: str
    folder: Path
    keeper: Keeper
    doors: dict[str, Door]
    etcd_door: Door
    ports: dict[str, int]
    """Where its PostgreSQL and its Patroni really listen."""
    patroni: int = 0
    is_cut_off: bool = True

    async def start(self) -> None:
        """Its Patroni, which starts the rest."""
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        through = {name: f"127.0.0.1:{door.port}" for name, door in self.doors.items()}
        env = {
            "PATRONI_NAME": self.name,
            "PATRONI_ETCD3_HOSTS": f"127.0.0.1:{self.etcd_door.port}",
            "PATRONI_ETCD3_USE_PROXIES": "true",  # else it would ask etcd where else it is
            "PATRONI_POSTGRESQL_LISTEN": at["postgres"],
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": through["postgres"],
            "PATRONI_POSTGRESQL_DATA_DIR": str(self.data),
            "PATRONI_POSTGRESQL_BIN_DIR": str(self.keeper.programs.postgres),
            "PATRONI_POSTGRESQL_PGPASS": str(self.folder / "pgpass"),
            "PATRONI_RESTAPI_LISTEN": at["patroni"],
            "PATRONI_RESTAPI_CONNECT_ADDRESS": through["patroni"],
            "PATRONI_RESTAPI_USERNAME": "patroni",
            "PATRONI_RESTAPI_PASSWORD": SECRET,
            "PATRONI_SUPERUSER_USERNAME": "postgres",
            "PATRONI_SUPERUSER_PASSWORD": SECRET,
            "PATRONI_REPLICATION_USERNAME": "replicator",
            "PATRONI_REPLICATION_PASSWORD": SECRET,
        }
        command = [*self.keeper.programs.patroni, str(self.folder.parent / CONFIGURATION.name)]
        self.patroni = await self.keeper.start(command, env, self.folder / "patroni.log")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def pids(self) -> list[int]:
        """Every process of this machine that is alive, Patroni first: it would start PostgreSQL again."""
        found = [self.patroni, *below(self.patroni)]
        with suppress(OSError, ValueError, IndexError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            if str(self.data) in Path(f"/proc/{postmaster}/cmdline").read_text().replace("\0", " "):
                found += [postmaster, *below(postmaster)]
        return list(dict.fromkeys(filter(_lives, found)))

    def leave_alone(self) -> None:
        """Its PostgreSQL goes on with no Patroni to tell it anything, wherever it stood still."""
        os.kill(self.patroni, signal.SIGKILL)
        self.signal(signal.SIGCONT)

    def signal(self, sign: signal.Signals, *, but: tuple[int, ...] = ()) -> None:
        """To all of it; what was forked meanwhile gets it, too."""
        told: set[int] = set(but)
        while new := [pid for pid in self.pids() if pid not in told]:
            for pid in new:
                told.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, sign)

    async def cut_off(self) -> None:
        """Nobody of the others is reached, nor reaches it."""
        self.is_cut_off = True
        for door in (self.etcd_door, *self.doors.values()):
            await door.shut()

    async def joined_again(self) -> None:
        """The network is whole (again)."""
        if not self.is_cut_off:
            return
        self.is_cut_off = False
        for door in (self.etcd_door, *self.doors.values()):
            await door.open()

    async def says(self, path: str) -> int:
        """The status of Patroni's answer; 0 where there is none."""
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{self.ports['patroni']}", timeout=PATIENCE) as http,
                http.get(path) as answer,
            ):
                return answer.status
        return 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Cluster:
    """The nodes, and where they keep who leads."""

    nodes: list[Node]
    keeper: Keeper
    folder: Path
    etcd: int = 0
    faulted: list[Node] = field(default_factory=list)

    def url(self, database: str = "liqpass") -> str:
        """As an operator writes it: all hosts, and whoever of them may be written to."""
        hosts = ",".join(f"127.0.0.1:{node.ports['postgres']}" for node in self.nodes)
        return f"postgresql://postgres:{SECRET}@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=2"

    async def leader(self, *, other_than: Node | None = None) -> Node:
        """Wait until one of them leads, and another one has every commit of it."""
        found: list[Node] = []

        async def leads() -> bool:
            found[:] = [n for n in self.nodes if n is not other_than and await n.says("/primary") == 200]
            return bool(found)

        await until(leads, self, "one of them leads")
        return found[0]

    async def _members(self) -> list[dict[str, Any]]:
        """As the leader sees them."""
        leader = await self.leader()
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with (
                aiohttp.ClientSession(
                    f"http://127.0.0.1:{leader.ports['patroni']}", timeout=PATIENCE
                ) as http,
                http.get("/cluster") as answer,
            ):
                return list((await answer.json())["members"])
        return []

    async def standby(self) -> Node:
        """Wait until there is one that has every commit."""
        found: list[Node] = []

        async def is_there() -> bool:
            found[:] = [node for node in self.nodes if await node.says("/synchronous") == 200]
            return bool(found)

        await until(is_there, self, "there is a synchronous standby")
        return found[0]

    async def _asked(self, method: str, path: str, body: object) -> None:
        leader = await self.leader()
        headers = {"Authorization": aiohttp.encode_basic_auth("patroni", SECRET)}
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{leader.ports['patroni']}", headers=headers) as http,
            http.request(method, path, json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def all_follow(self) -> None:
        """Wait until every node but the leader follows it."""

        async def follow() -> bool:
            members = await self._members()
            states = [member["state"] for member in members if member["role"] != "leader"]
            return len(members) == len(self.nodes) and states == ["streaming"] * (len(self.nodes) - 1)

        await until(follow, self, "all others follow the leader")
        await self.standby()

    async def switch_over(self) -> None:
        """The leader hands over to the standby that has every commit."""
        leader, standby = await self.leader(), await self.standby()
        await self._asked("post", "/switchover", {"leader": leader.name, "candidate": standby.name})

    def last_words(self) -> str:
        """The ends of what they wrote."""
        logs = sorted(self.folder.glob("*/*.log"))
        return "\n".join(f"--- {log.parent.name}/{log.name}\n{log.read_text()[-3000:]}" for log in logs)


async def until(
    holds: Callable[[], Awaitable[bool]], cluster: Cluster, what: str, spare_sec: float = SPARE_SEC
) -> None:
    """Ask again and again."""
    for _ in range(int(spare_sec * 10)):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"in vain: {what}\n{cluster.last_words()}")


@asynccontextmanager
async def running_cluster(size: int, *, hurried: bool = False) -> AsyncIterator[Cluster]:
    """So many nodes, one leading and the others following; all processes are gone at the end. `hurried`: they
    look every second, not as often as the file says."""
    with TemporaryDirectory(prefix="liqpass-tests-", dir=in_memory()) as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            keeper = await stack.enter_async_context(_keeper(programs(folder)))
            account = keeper.programs.account
            give(account, folder)
            _configured(account, folder, hurried=hurried)
            _made(account, folder / "etcd")
            etcd, port = await _etcd(keeper, folder / "etcd")
            nodes = []
            for number in range(1, size + 1):
                nodes.append(await stack.enter_async_context(_node(keeper, folder / f"pg{number}", port)))
            stack.enter_context(_sockets_gone(nodes))
            cluster = Cluster(nodes, keeper, folder, etcd)
            for node in nodes:
                await node.start()
            await cluster.leader()
            await cluster.all_follow()
            yield cluster


def _configured(account: pwd.struct_passwd | None, folder: Path, *, hurried: bool) -> None:
    """The file as it is, but for how often they look."""
    text = CONFIGURATION.read_text()
    for usual, sooner in (("loop_wait: 5", "loop_wait: 1"), ("retry_timeout: 5", "retry_timeout: 3")):
        assert usual in text
        text = text.replace(usual, sooner) if hurried else text
    (folder / CONFIGURATION.name).write_text(text)
    give(account, folder / CONFIGURATION.name)


def _made(account: pwd.struct_passwd | None, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    give(account, folder)


@asynccontextmanager
async def _keeper(of: Programs) -> AsyncIterator[Keeper]:
    pipe = asyncio.subprocess.PIPE
    keeper = [sys.executable, "-m", "tests.failover.keeper"]
    process = await asyncio.create_subprocess_exec(
        *keeper, cwd=TOP, stdin=pipe, stdout=pipe, start_new_session=True
    )
    try:
        yield Keeper(process, of)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _etcd(keeper: Keeper, folder: Path) -> tuple[int, int]:
    """Its process and its port."""
    client, peer = free_port(), free_port()
    here, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    command = [keeper.programs.etcd, "--name", "one", "--data-dir", str(folder / "data")]
    command += ["--listen-client-urls", here, "--advertise-client-urls", here]
    command += ["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers]
    command += ["--initial-cluster", f"one={peers}"]
    return await keeper.start(command, {"ETCD_UNSUPPORTED_ARCH": "arm64"}, folder / "etcd.log"), client


@asynccontextmanager
async def _node(keeper: Keeper, folder: Path, etcd: int) -> AsyncIterator[Node]:
    _made(keeper.programs.account, folder)
    ports = {"postgres": free_port(), "patroni": free_port()}
    doors = {name: Door(partial(asyncio.open_connection, "127.0.0.1", port)) for name, port in ports.items()}
    node = Node(
        folder.name, folder, keeper, doors, Door(partial(asyncio.open_connection, "127.0.0.1", etcd)), ports
    )
    await node.joined_again()
    try:
        yield node
    finally:
        await node.cut_off()


@contextmanager
def _sockets_gone(nodes: list[Node]) -> Iterator[None]:
    """What a killed PostgreSQL leaves where its build makes sockets."""
    try:
        yield
    finally:
        for node in nodes:
            for path in Path("/tmp").glob(f".s.PGSQL.{node.ports['postgres']}*"):  # noqa: S108
                path.unlink(missing_ok=True)
