"""`liqpass check`: settings, database, migrations, node, contract, exchange hosts, keys; one line each."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

import aiohttp
import asyncpg

from liqpass import app
from liqpass.app import Clients, checkout_terms, clients
from liqpass.chain.rpc import Node, NodeError
from liqpass.chain.verify import sale_obstacles, verify
from liqpass.clock import system_clock
from liqpass.db import Database, open_database
from liqpass.exchange.errors import ExchangeError
from liqpass.migrate import MigrationError, migrations_of, pending_migrations
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.serving import Place
from liqpass.settings import SettingError, Settings
from liqpass.vault import keys


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is in order, what was seen or what to do."""

    name: str
    ok: bool
    said: str


async def findings(env: Mapping[str, str], place: Place) -> AsyncIterator[Finding]:
    """All checks in order; one that fails does not hide those behind it."""
    settings = None
    try:
        settings = Settings.from_env(env)
        yield Finding("settings", True, "all there and well formed")
    except SettingError as error:
        yield Finding("settings", False, str(error))
    db = None
    try:
        db = await open_database(place.url, name="liqpass check", size=2)
        yield Finding("database", True, await _server(db))
        yield await _migrations(db)
    except (OSError, asyncpg.PostgresError, EmbeddedPostgresError) as error:
        yield Finding("database", False, f"{error}: is DATABASE_URL right, and was liqpass migrate run?")
    if settings is not None and db is not None:
        async with clients(settings, db, system_clock) as of:
            async for finding in _outside(of):
                yield finding
    if db is not None:
        await db.close()


async def _server(db: Database) -> str:
    async with db.pool.acquire() as conn:
        version = await conn.fetchval("show server_version")
        return f"PostgreSQL {version}, connected as {await conn.fetchval('select current_user')}"


async def _migrations(db: Database) -> Finding:
    try:
        async with db.pool.acquire() as conn:
            missing = await pending_migrations(conn, migrations_of())
    except MigrationError as error:
        return Finding("migrations", False, str(error))
    if missing:
        return Finding("migrations", False, f"{len(missing)} missing: liqpass migrate")
    return Finding("migrations", True, f"{len(migrations_of())} applied, none missing")


async def _outside(of: Clients) -> AsyncIterator[Finding]:
    for node in of.nodes:
        yield await _node(of, node.name, node)
    yield await _contract(of)
    for region in of.settings.okx_hosts:
        yield await _exchange(of, region)
    unopened = await keys.check(of.db, of.keyring)
    said = f"{len(unopened)} sealed secrets do not open: liqpass keys check" if unopened else "all open"
    yield Finding("keys", not unopened, said)


async def _node(of: Clients, name: str, node: Node) -> Finding:
    try:
        chain_id = int(str(await node.call("eth_chainId", [])), 16)
    except NodeError as error:
        return Finding(f"node {name}", False, str(error))
    wanted = of.settings.chain.chain_id
    said = f"chain {chain_id}" + ("" if chain_id == wanted else f", but LIQPASS_CHAIN_ID is {wanted}")
    return Finding(f"node {name}", chain_id == wanted, said)


async def _contract(of: Clients) -> Finding:
    chain = of.settings.chain
    ask = partial(app.ask_any, of.nodes)
    try:
        wrong = [row for row in await verify(ask, chain.checkout, checkout_terms(chain)) if not row.ok]
        obstacles = [] if wrong else await sale_obstacles(ask, chain.checkout, chain.usdc, chain.treasury)
    except NodeError as error:
        return Finding("contract", False, f"the node does not answer: {error}")
    if wrong:
        return Finding("contract", False, "; ".join(f"{row.name}: {row.detail}" for row in wrong))
    return Finding(
        "contract", not obstacles, " ".join(obstacles) or "is the committed one, for these settings"
    )


async def _exchange(of: Clients, region: str) -> Finding:
    try:
        shown = await of.gateway.server_time(region)
    except (ExchangeError, aiohttp.ClientError) as error:
        return Finding(f"exchange {region}", False, str(error))
    apart = abs((of.clock() - shown).total_seconds())
    return Finding(f"exchange {region}", apart < 20, f"answers; clocks are {apart:.1f} s apart")
