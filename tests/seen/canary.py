"""A running product whose every secret is unmistakable: `serve` and `work` as processes, on the database that
comes with LiqPass, in a folder that can be searched."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg

from liqpass.clock import system_clock
from liqpass.embedded import SHARED_MEMORY, embedded_postgres
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.sandbox.story_books import give_capital
from liqpass.sandbox.trader import Refused, Trader, signed
from liqpass.sandbox.world import CAPITAL, command, environment, last_words, write_skus
from liqpass.serving import free_port
from tests.commands.forked import liqpass
from tests.seen.echo import Echo

STEM = 'Kanari"7/+<&>\\'
API_KEY = "Kolibri-4e1f-4c1b-9a53-8a8b2d7c6e5f"  # in the database as it is: by it a key is found again
SECRET, PASSPHRASE = f"{STEM}secret{STEM}", f"{STEM}passphrase{STEM}"
WRONG = f"{STEM}wrong"
VAULT = f"{STEM}vault".ljust(32, "!").encode()
NEXT_VAULT = f"{STEM}next".ljust(32, "!").encode()
OF_NODE = f"{STEM}node"
DEBUG = ("--log-level", "DEBUG")


class Listener(Trader):
    """A trader who keeps every byte that the server sent, and every signature sent to it."""

    heard: list[bytes]
    signatures: list[str]

    @property
    def secrets(self) -> list[str]:
        """Of its sessions."""
        return [cookie.value for cookie in self.http.cookie_jar if "session" in cookie.key]

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """As a trader's, but kept."""
        self.signatures += [str(body["signature"])] if isinstance(body, dict) and "signature" in body else []
        async with self.http.request(method, self.api + path, json=body, params=query) as answer:
            self.heard.append(await answer.read())
            said = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Refused(answer.status, said)
            return said

    async def look(self, path: str) -> int:
        """At a page, or at what is no JSON."""
        async with self.http.get(path if path.startswith("http") else self.api + path) as answer:
            self.heard.append(await answer.read())
            return answer.status

    async def signed_text(self) -> dict[str, str]:
        """What would open one more session."""
        asked = await self.call("POST", "/api/auth/nonce", {"address": self.address})
        signature = to_hex(signed(asked["message"].encode(), self.wallet.key))
        return {"message": asked["message"], "signature": signature}


@dataclass(frozen=True)
class Cage:
    """The world around the canary. `env`: what every command is told; `folder`: where the processes write."""

    chain: SandboxChain
    exchange: SandboxExchange
    okx: Echo
    node: Echo
    env: dict[str, str]
    api: str
    metrics_port: int
    folder: Path
    data: Path
    serving: int  # a process
    key: Mapping[str, str]
    uid: str

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[int]:
        """While a worker runs; its process. Each begins with a step of every task."""
        words = ("--metrics-port", str(self.metrics_port), *DEBUG)
        async with command(self.env, self.folder, "work", *words) as work:
            yield work.pid

    async def owner(self) -> asyncpg.Connection:
        """The database, as its owner."""
        with embedded_postgres(self.data) as server:
            return await asyncpg.connect(server.url)

    @property
    def logs(self) -> dict[str, bytes]:
        """What the processes wrote."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*.log"))}


def sealing(ring: Mapping[str, bytes]) -> str:
    """A key ring as API_KEYS_ENC_KEY has it."""
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in ring.items())


def planted(exchange: SandboxExchange) -> Key:
    """A read-only key of an account with two positions, whose parts cannot be mistaken."""
    books = exchange.books
    uid = books.add_account().uid
    for name in ("BTC-USDT-SWAP", "ETH-USDT-SWAP"):
        books.open_position(uid, name, contracts=5, lever=10)
    key = Key(uid, API_KEY, SECRET, PASSPHRASE, "read_only", "label", "")
    books.keys[API_KEY] = key
    return key


@asynccontextmanager
async def cage() -> AsyncIterator[Cage]:
    """Everything up, at log level DEBUG."""
    shared = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
    port, metrics_port = free_port(), free_port()
    with (
        TemporaryDirectory(prefix="canary-") as name,
        TemporaryDirectory(prefix="canary-", dir=shared) as data,
    ):
        folder = Path(name)
        async with (
            SandboxChain(slots_in_an_epoch=2, capital=CAPITAL) as chain,
            RpcProxy(chain.url) as proxy,
            SandboxExchange(system_clock) as exchange,
            Echo(exchange.hosts["global"]) as okx,
            Echo(proxy.url) as node,
        ):
            await chain.mine_every(1)
            api = f"http://127.0.0.1:{port}"
            hosts, skus = {**exchange.hosts, "global": okx.url}, write_skus(folder)
            env = environment(chain, hosts, api=api, skus=skus) | {
                "API_KEYS_ENC_KEY": sealing({"k1": VAULT}),
                "LIQPASS_RPC_URLS": address_of(node),
                "LIQPASS_ADMIN_WALLETS": checksum(chain.owner.address),
                "LIQPASS_DATA_DIR": data,
                "DATABASE_URL": "",
            }
            assert (await liqpass("migrate", env=env)).status == 0
            async with command(env, folder, "serve", "--port", str(port), *DEBUG) as serve:
                key = {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}
                here = Cage(
                    *(chain, exchange, okx, node, env, api, metrics_port, folder, Path(data)),
                    *(serve.pid, key, planted(exchange).uid),
                )
                async with here.at_work():
                    await ready(api, folder)
                    await give_capital(env, chain.capital)
                yield here


def address_of(node: Echo) -> str:
    """With the key of a plan wherever one can stand."""
    key = quote(OF_NODE, safe="")
    return node.url.replace("://", f"://ann:{key}@") + f"/v2/{key}?key={key}"


async def ready(api: str, folder: Path) -> None:
    """Wait for it. Raises AssertionError with what the processes said."""
    async with aiohttp.ClientSession() as http:

        async def is_ready() -> bool:
            try:
                async with http.get(f"{api}/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        try:
            await until(is_ready)
        except AssertionError:
            raise AssertionError(last_words(folder)) from None


async def until(so: Callable[[], Awaitable[bool]], tries: int = 600) -> None:
    """Look again and again. Raises AssertionError when it does not become so."""
    for _ in range(tries):
        if await so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not so: {so.__qualname__}")


def processes(besides: tuple[int, ...]) -> list[bytes]:
    """Arguments and environment of every process that can be seen; `besides`: of these, the arguments."""
    read = list[bytes]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                read.append((entry / "cmdline").read_bytes())
                read.append(b"" if int(entry.name) in besides else (entry / "environ").read_bytes())
    return read
