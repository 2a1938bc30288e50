"""The sandbox world as one object: chain, exchange, database, the product's own processes, and where
everything listens."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from liqpass.clock import Clock, system_clock
from liqpass.connecting import connect_as_owner
from liqpass.hexes import checksum, to_hex
from liqpass.migrate import migrate, migrations_of
from liqpass.place import Place, Progress, database_place, keep_running, named_database_errors
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.chain import USDC, SandboxChain
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.npm_parts import fetch_where_missing
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.serving import free_port
from liqpass.settings import SettingError
from liqpass.vault.keys import generate_key

BLOCK_SEC = 1
BATCH_CAPS = (10, 3)  # calls at once that its two endpoints take: Base's public one takes ten
CAPITAL = 1_000_000 * USDC
READY_SEC = 30
OF_DEMOS = "^liqpass_demo_[0-9]{9,11}_[0-9a-f]{8}$"
DROP_TRIES = 50  # what is left after ten seconds, a later demo drops
LEFT_AFTER_SEC = 600
SHORT_SKU = "SANDBOX_SECONDS"
# One more product beside the real ones: a cover that ends while you watch.
SHORT_SKU_TOML = f"""
[[sku]]
id = "{SHORT_SKU}"
title = "8 seconds, to watch a cover end"
duration_sec = 8
delay_sec = 5
max_leverage = 100
min_notional_micro = 1_000_000
max_notional_micro = 250_000_000_000
min_distance_bps = 1
payout_cap_micro = 2_000_000_000
load_bps = 0
fee_micro = 500_000
floor_micro = 1_000_000
payout_ratio_bps = 5_000
most_chance_bps = 3_000
most_premium_bps = 6_000
model = {{ short_weight_bps = 8_000, scale_bps = 8_000, spread_bps = 5_200 }}
"""
# Only in the demo: a cover that is long enough for a liquidation to fall into it, whatever else goes on.
MINUTES_SKU = "SANDBOX_MINUTES"
MINUTES_SKU_TOML = (
    SHORT_SKU_TOML.replace(SHORT_SKU, MINUTES_SKU)
    .replace("8 seconds, to watch a cover end", "10 minutes, to watch a liquidation")
    .replace("duration_sec = 8", "duration_sec = 600")
)


@dataclass(frozen=True)
class World:
    """Everything a story needs. `env` is what every command needs to work on this world."""

    chain: SandboxChain
    exchange: SandboxExchange
    env: Mapping[str, str]
    api: str
    folder: Path

    def state(self) -> dict[str, Any]:
        """Where everything listens and the test keys, for programs (`liqpass demo --state`)."""
        return {
            "api": self.api,
            "rpc": self.chain.url,
            "chainId": self.chain.chain_id,
            "usdc": checksum(self.chain.usdc),
            "checkout": checksum(self.chain.checkout),
            "treasury": checksum(self.chain.treasury),
            "okx": self.exchange.hosts["global"],
            "okxControl": self.exchange.control_url,
            "databaseUrl": self.env["DATABASE_URL"],
            "wallets": [_told(wallet) for wallet in self.chain.wallets],
            "operatorWallet": _told(self.chain.owner),
            "treasuryWallet": _told(self.chain.treasury_wallet),
            "okxKeys": self.exchange.test_keys(),
            "env": dict(self.env),
        }


def _told(wallet: Wallet) -> dict[str, str]:
    return {"address": checksum(wallet.address), "privateKey": to_hex(wallet.key)}


def environment(
    chain: SandboxChain, hosts: Mapping[str, str], *, api: str, skus: Path, rpc_urls: Sequence[str] = ()
) -> dict[str, str]:
    """The product's settings for a sandbox; the database's come on top."""
    enc_key = generate_key().partition("=")[2]
    return {
        "API_KEYS_ENC_KEY": enc_key,
        "LIQPASS_PUBLIC_URL": api,
        "LIQPASS_CHAIN_ID": str(chain.chain_id),
        "LIQPASS_RPC_URLS": ",".join(rpc_urls or [chain.url]),
        "LIQPASS_USDC": checksum(chain.usdc),
        "LIQPASS_CHECKOUT": checksum(chain.checkout),
        "LIQPASS_TREASURY": checksum(chain.treasury),
        "LIQPASS_QUOTE_SIGNER_KEY": to_hex(chain.signer.key),
        "LIQPASS_START_BLOCK": str(chain.start_block),
        "LIQPASS_OKX_HOSTS": ",".join(f"{region}={url}" for region, url in hosts.items()),
        "LIQPASS_SKUS": str(skus),
        "LIQPASS_EXPLORER": "none",
        "LIQPASS_PUBLIC_RPC": chain.url,
        "LIQPASS_EGRESS_IPS": "127.0.0.1",
        "LIQPASS_OKX_PER_SEC": "200",
    }


def write_skus(folder: Path, more: str = "") -> Path:
    """The real products, the short one, and `more`."""
    real = (resources.files("liqpass.pricing") / "skus.toml").read_text(encoding="utf-8")
    path = folder / "skus.toml"
    path.write_text(real + SHORT_SKU_TOML + more, encoding="utf-8")
    return path


@asynccontextmanager
async def sandbox_world(tell: Progress, clock: Clock = system_clock) -> AsyncIterator[World]:
    """Start everything, in the order in which it is needed; stop it in the reverse order.

    Raises OSError and SettingError in words for whoever started it.
    """
    await fetch_where_missing(tell, os.environ)  # before anything is started: said at once when it cannot be
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    with (
        TemporaryDirectory(prefix="liqpass-demo-") as name,
        database_place(os.environ, tell, may_be_new=True) as place,
    ):
        folder = Path(name)
        watcher = asyncio.create_task(keep_running(place.embedded))
        try:
            tell("Starting the chain, with the real USDC code, and the exchange")
            async with (
                SandboxChain(slots_in_an_epoch=2, capital=CAPITAL) as chain,
                RpcProxy(chain.url) as one_provider,
                RpcProxy(chain.url) as another,
                SandboxExchange(clock) as exchange,
                _fresh_database(place, tell) as database_url,
            ):
                await chain.mine_every(BLOCK_SEC)
                skus = write_skus(folder, MINUTES_SKU_TOML)
                one_provider.max_batch, another.max_batch = BATCH_CAPS
                urls = [one_provider.url, another.url]
                env = environment(chain, exchange.hosts, api=api, skus=skus, rpc_urls=urls)
                env["DATABASE_URL"] = database_url
                env["LIQPASS_ADMIN_WALLETS"] = checksum(chain.owner.address)
                tell("Starting liqpass serve and liqpass work")
                async with (
                    command(env, folder, "serve", "--port", str(port)) as serve,
                    command(env, folder, "work") as work,
                ):
                    await _ready(api, folder, serve, work)
                    yield World(chain, exchange, env, api, folder)
        finally:
            watcher.cancel()


@asynccontextmanager
async def _fresh_database(place: Place, tell: Progress) -> AsyncIterator[str]:
    """A database of its own, so that nothing of yours is touched; dropped at the end.

    Those of demos that were killed go now: the name tells their age, and nobody uses them.
    """
    now = int(time.time())
    for left in await _on_server(place.url, "select datname from pg_database where datname ~ $1", OF_DEMOS):
        if now - int(left["datname"].split("_")[2]) > LEFT_AFTER_SEC:
            with suppress(asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
                await _on_server(place.url, f"drop database {left['datname']}")
    name = f"liqpass_demo_{now}_{secrets.token_hex(4)}"
    try:
        await _on_server(place.url, f"create database {name}")
    except asyncpg.InsufficientPrivilegeError:
        raise SettingError(
            "DATABASE_URL",
            "the demo makes a database of its own, which this role may not: ALTER ROLE … CREATEDB",
        ) from None
    url = urlunsplit(urlsplit(place.url)._replace(path=f"/{name}"))
    try:
        await migrate(url, migrations_of(), tell)
        yield url
    finally:
        await _drop(place, name)


async def _drop(place: Place, name: str) -> None:
    """Only a superuser may send autovacuum away: others wait until it is through with the database."""
    for _ in range(DROP_TRIES):
        with suppress(asyncpg.ObjectInUseError, asyncpg.InsufficientPrivilegeError):
            await _on_server(place.url, f"drop database if exists {name} with (force)")
            return
        await asyncio.sleep(0.2)


async def _on_server(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    with named_database_errors():
        conn = await connect_as_owner(url, name="liqpass demo")
    try:
        return list(await conn.fetch(statement, *values))
    finally:
        await conn.close()


@asynccontextmanager
async def command(
    env: Mapping[str, str], folder: Path, name: str, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A LiqPass command as a process of its own; what it says goes to a file in the folder."""
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "liqpass",
            name,
            *arguments,
            env={**os.environ, **env},
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _ready(api: str, folder: Path, *commands: asyncio.subprocess.Process) -> None:
    """Wait until the API says that orders can be taken. Raises OSError with what the commands said."""
    said = "no answer"
    async with aiohttp.ClientSession() as http:
        for _ in range(READY_SEC * 10):
            if any(process.returncode is not None for process in commands):
                break
            try:
                async with http.get(f"{api}/readyz") as answer:
                    said = await answer.text()
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise OSError(f"the API did not become ready: {said}\n{last_words(folder)}")


def last_words(folder: Path) -> str:
    """The ends of what the commands wrote."""
    return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(folder.glob("*.log")))
