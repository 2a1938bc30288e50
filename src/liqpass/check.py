"""`liqpass check`: settings, database, migrations, keys, watcher, node, contract, exchange: a line each."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp

from liqpass.app import ask_any, checkout_terms
from liqpass.chain.failures import NodeError
from liqpass.chain.heads import HeadsShown, waiting, what_it_gives
from liqpass.chain.rpc import Node
from liqpass.chain.stored import cursor_of
from liqpass.chain.verify import sale_obstacles, verify
from liqpass.chain.view import Cursor
from liqpass.clock import Clock, system_clock
from liqpass.connecting import look, read_only
from liqpass.db import Database, open_database
from liqpass.exchange.errors import ExchangeError
from liqpass.exchange.okx import OkxGateway
from liqpass.exposure import told
from liqpass.exposure.reading import shown
from liqpass.health import WATCHER_LATE
from liqpass.market import standing as market
from liqpass.migrate import MigrationError, last_applied, migrations_of, pending_migrations
from liqpass.place import Place, named_database_errors
from liqpass.pricing.skus import Products, load_products
from liqpass.pricing.versions import are_kept
from liqpass.reads import COMMANDS_PATIENCE_SEC, open_replica
from liqpass.reconcile.invariants import Verdict, each
from liqpass.serving import well_formed
from liqpass.settings import ChainSettings, SettingError, Settings
from liqpass.treasury.before_batches import unsettled
from liqpass.vault import keys
from liqpass.vault.cipher import KeyRing
from liqpass.watching import alarms

CLOCKS_APART_SEC = 20
REACHED_SEC = 3


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is in order, what was seen or what to do."""

    name: str
    ok: bool
    said: str


async def findings(env: Mapping[str, str], place: Place | str) -> AsyncIterator[Finding]:
    """All checks in order; one that fails does not hide those behind it. `place`: or why there is none."""
    settings = None
    try:
        settings = well_formed(env)
        yield Finding("settings", True, "all there and well formed")
    except SettingError as error:
        yield Finding("settings", False, str(error))
    if isinstance(place, str):
        yield Finding("database", False, place)
    else:
        async for finding in _database(place, settings):
            yield finding
    if settings is not None:
        async for finding in _outside(settings, system_clock):
            yield finding


async def books(place: Place) -> AsyncIterator[Verdict]:
    """Every invariant of the books. Raises SettingError, MigrationError."""
    with named_database_errors():
        db = await open_database(place.url, name="liqpass check --books", size=1)
    try:
        async with db.pool.acquire() as conn:
            since = await last_applied(conn)
            if not since:
                raise MigrationError("the database was never migrated: run liqpass migrate first")
            async for verdict in each(conn, system_clock(), since=since):
                yield verdict
    finally:
        await db.close()


async def _database(place: Place, settings: Settings | None) -> AsyncIterator[Finding]:
    try:
        with named_database_errors():
            db = await open_database(place.url, name="liqpass check", size=2)
    except (SettingError, MigrationError) as error:
        yield Finding("database", False, str(error))
        return
    try:
        yield await _server(db, place)
        migrations = await _migrations(db)
        yield migrations
        if migrations.ok and place.replica is not None:
            yield await _replica(db, place)
        if migrations.ok and (restored := await _restored(db)):
            yield restored
        if migrations.ok and settings is not None:
            yield await _keys(db, KeyRing.from_env(settings.api_keys_enc_key))
            for finding in await _claims(db, system_clock):
                yield finding
            yield await _sale(db, system_clock)
            yield await _products(db, load_products(settings.skus_path))
            yield await _prices(db, system_clock)
            async with open_nodes(settings.chain) as nodes:
                yield await _watcher(db, HeadsShown(nodes, settings.chain, system_clock))
    finally:
        await db.close()


async def _server(db: Database, place: Place) -> Finding:
    where = f", the embedded one in {place.embedded.data_dir}" if place.embedded else ""
    async with db.pool.acquire() as conn:
        version = await conn.fetchval("show server_version")
        seen = await look(conn)
    if said := read_only(seen):
        return Finding("database", False, said)
    return Finding("database", True, f"PostgreSQL {version}{where}, connected as {seen.user}")


async def _replica(db: Database, place: Place) -> Finding:
    async with open_replica(place.replica, db, name="liqpass check", tell=lambda _line: None) as replica:
        if replica is None:
            return Finding("replica", True, "none is named")
        await replica.look_at_it(COMMANDS_PATIENCE_SEC)
        return Finding("replica", replica.why_not is None, replica.standing())


async def _migrations(db: Database) -> Finding:
    try:
        async with db.pool.acquire() as conn:
            missing, newest = await pending_migrations(conn, migrations_of()), await last_applied(conn)
    except MigrationError as error:
        return Finding("migrations", False, str(error))
    if missing:
        return Finding("migrations", False, f"{len(missing)} missing: liqpass migrate")
    said = f"{len(migrations_of())} applied, none missing"
    if newest > len(migrations_of()):
        said += f"; the database has {newest:04d} of a newer version, on which this one runs: update it soon"
    return Finding("migrations", True, said)


async def _restored(db: Database) -> Finding | None:
    async with db.pool.acquire() as conn:
        found = await unsettled(conn)
    if found is None:
        return None
    of = f"a backup of {found.backup_made_at:%Y-%m-%dT%H:%M:%SZ}"
    what = "no batch is made until liqpass suspense after-restore, see docs/backups.md"
    return Finding("restore", False, f"the database came back from {of}: {what}")


async def _keys(db: Database, keyring: KeyRing) -> Finding:
    found = await keys.check(db, keyring)
    if found.unopened:
        return Finding("keys", False, f"{len(found.unopened)} sealed secrets do not open: liqpass keys check")
    if found.old_layout:
        return Finding("keys", False, f"{found.old_layout} are not bound to their row: liqpass keys rewrap")
    return Finding("keys", True, "every sealed secret opens")


async def _claims(db: Database, clock: Clock) -> tuple[Finding, Finding]:
    """Covers that are not seen because no worker runs are in order, as a watcher is that does not."""
    async with db.pool.acquire() as conn:
        now = clock()
        found = await alarms.alarms(conn, now)
    late, waiting = alarms.unseen(found, now), alarms.waiting(found, now)
    said = "; ".join(late) or f"{found.sight.watched} watched, each seen in time"
    slow = alarms.too_slow(found, now)
    kept = "; ".join(waiting) or f"{sum(one.claims for one in found.claims)}, none that waits too long"
    return Finding("covers", not slow, said), Finding("claims", not waiting, kept)


async def _sale(db: Database, clock: Clock) -> Finding:
    """What operators stopped themselves is in order."""
    async with db.pool.acquire() as conn:
        found = await shown(conn, clock())
    said = " ".join(told.remarks(found)) or "both directions are sold, and have room"
    return Finding("exposure", not told.tripped(found), said)


async def _products(db: Database, products: Products) -> Finding:
    """A version that was never sold is in order: this is asked before liqpass serve is started, too."""
    try:
        async with db.pool.acquire() as conn:
            kept = await are_kept(conn, products)
    except SettingError as error:
        return Finding("products", False, str(error))
    said = "with the numbers that are kept" if kept else "not kept yet: liqpass serve does it at its start"
    return Finding("products", True, f"version {products.version}, {said}")


async def _prices(db: Database, clock: Clock) -> Finding:
    """Instruments that are not read because no worker runs are in order, as covers are."""
    async with db.pool.acquire() as conn:
        now = clock()
        found = await market.standing(conn, now)
    unpriced = found.unpriced(now)
    all_well = f"{len(found.wanted)} instruments wanted, {len(found.wanted) - len(unpriced)} with a price"
    odd = market.oddities(found)
    if odd:
        all_well += f", {len(odd)} of odd candles ({'; '.join(odd[: market.TOLD])})"
    said = "; ".join(market.remarks(found, now)) or all_well
    return Finding("prices", not any(one.failures for one in unpriced), said)


async def _watcher(db: Database, heads: HeadsShown) -> Finding:
    """A watcher that does not run is in order: this is asked before it is started, too. It is said."""
    cursor = await _cursor(db, heads)
    for _ in range(REACHED_SEC):  # what it is about to reach is no finding
        if cursor is None or cursor.halted or not (await heads.compared(cursor)).behind:
            break
        await asyncio.sleep(1)
        cursor = await _cursor(db, heads)
    shown = await heads.compared(cursor)
    if cursor is None:
        return Finding("watcher", True, "has not begun: liqpass work begins")
    if cursor.halted is not None:
        return Finding("watcher", False, f"halted: {cursor.halted}")
    now = heads.clock()
    if shown.behind and cursor.doubt:
        return Finding("watcher", False, waiting(shown.behind[-1], now, cursor.doubt))
    since = int((now - cursor.read_at).total_seconds())
    if since > WATCHER_LATE.total_seconds():
        return Finding(
            "watcher", True, f"last good view of the chain {since} s ago: liqpass work, once started, goes on"
        )
    behind = int((now - cursor.latest_time).total_seconds())
    if behind > WATCHER_LATE.total_seconds():
        return Finding("watcher", False, f"the endpoints show no block younger than {behind} s")
    remark = f"; {cursor.doubt}" if cursor.doubt else ""
    return Finding("watcher", True, f"has read the chain up to block {cursor.latest_number}{remark}")


async def _cursor(db: Database, heads: HeadsShown) -> Cursor | None:
    async with db.pool.acquire() as conn:
        return await cursor_of(conn, heads.chain.chain_id)


@asynccontextmanager
async def open_nodes(chain: ChainSettings) -> AsyncIterator[tuple[Node, ...]]:
    """The configured endpoints."""
    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(Node(url)) for url in chain.rpc_urls])


async def _outside(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(open_nodes(settings.chain))
        for node in nodes:
            yield await _node(node, settings.chain)
        yield await _contract(nodes, settings.chain)
        gateway = OkxGateway(settings.okx_hosts, clock)
        stack.push_async_callback(gateway.close)
        for region in settings.okx_hosts:
            yield await _exchange(gateway, region, clock)


async def _node(node: Node, chain: ChainSettings) -> Finding:
    """Asked for as much at once as the product ever asks: what it says of little tells nothing of that."""
    name = f"node {node.name}"
    try:
        chain_id = int(str(await node.call("eth_chainId", [])), 16)
        if chain_id != chain.chain_id:
            return Finding(name, False, f"chain {chain_id}, but LIQPASS_CHAIN_ID is {chain.chain_id}")
        return Finding(name, True, f"chain {chain_id}, {await what_it_gives(node, chain)}")
    except NodeError as error:
        return Finding(name, False, str(error))


async def _contract(nodes: tuple[Node, ...], chain: ChainSettings) -> Finding:
    ask = partial(ask_any, nodes)
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


async def _exchange(gateway: OkxGateway, region: str, clock: Clock) -> Finding:
    try:
        shown = await gateway.server_time(region)
    except (ExchangeError, aiohttp.ClientError) as error:
        return Finding(f"exchange {region}", False, str(error))
    apart = abs((clock() - shown).total_seconds())
    said = f"answers; clocks are {apart:.1f} s apart"
    return Finding(f"exchange {region}", apart < CLOCKS_APART_SEC, said)
