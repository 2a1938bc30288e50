"""The commands that run on a database: what each does between opening it and closing it."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog
import typer

from liqpass.app import Clients, ask_any, checkout_terms, clients, create_app, reads_of
from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node
from liqpass.chain.verify import verify
from liqpass.db import DATABASE_AWAY, TRY_AGAIN, end_if_told
from liqpass.migrate import MigrationError
from liqpass.migrating import migrate_books
from liqpass.place import (
    Place,
    Progress,
    database_place,
    keep_running,
    migrate_embedded,
    named_database_errors,
    ready_database,
)
from liqpass.pricing import versions
from liqpass.reconcile.invariants import told
from liqpass.serving import listening, room_for_connections, until_stopped, well_formed
from liqpass.settings import ChainSettings, SettingError, Settings, chain_from_env, required
from liqpass.supervised import tell_supervisor
from liqpass.vault.cipher import KeyRing

if TYPE_CHECKING:
    from liqpass.vault.keys import Unopened

log = structlog.get_logger()

ASK_AGAIN_SEC = 5.0
KEEP_AGAIN_SEC = 1.0
KEPT_LATER = (*DATABASE_AWAY, *TRY_AGAIN)
# which setting a difference speaks of, by how the row's name begins; any other row: the checkout's address
SETTING_OF_ROW = (
    ("chain id", "LIQPASS_CHAIN_ID"),
    ("USDC", "LIQPASS_USDC"),
    ("checkout token", "LIQPASS_USDC"),
    ("checkout treasury", "LIQPASS_TREASURY"),
    ("checkout signer", "LIQPASS_QUOTE_SIGNER_KEY"),
)
HOW_TO_MAKE_A_KEY = "make one with: liqpass keys generate"


async def serve_api(env: Mapping[str, str], host: str, port: int, tell: Progress) -> None:
    """`liqpass serve`: until a signal, or until the contract turns out to be not the one of the settings."""
    connections = room_for_connections(tell)
    settings = await checked_settings({"LIQPASS_PUBLIC_URL": f"http://{host}:{port}", **env})
    with database_place(env, tell) as place:
        async with (
            ready_database(place, "liqpass serve", tell, by_key=True) as db,
            reads_of(place.replica, db, name="liqpass serve") as reads,
            clients(settings, db, reads=reads) as of,
        ):
            await _keep_products(of)
            async with listening(create_app(of), host, port, connections) as here:
                tell(f"LiqPass answers at {here.url} (documentation: {here.url}/docs). Ctrl-C ends it.")
                tell_supervisor(os.environ, f"answers at {here.url}")
                await until_stopped(
                    here.until_it_ends(),
                    keep_running(place.embedded),
                    _verify_until_sure(of),
                    _keep_products_until_sure(of),
                )


async def work_tasks(env: Mapping[str, str], metrics_port: int | None, tell: Progress) -> None:
    """`liqpass work`: until a signal."""
    from liqpass.connecting import refuse_shared
    from liqpass.worker import run_worker

    settings = await checked_settings(env)
    with database_place(env, tell) as place:
        async with ready_database(place, "liqpass work", tell) as db, clients(settings, db) as of:
            refuse_shared(db.way, "liqpass work")
            if metrics_port is not None:
                _show_metrics(metrics_port)
            tell("LiqPass watches the chain and the clock. Ctrl-C ends it.")
            tell_supervisor(os.environ, "watches the chain and the clock")
            await until_stopped(keep_running(place.embedded), run_worker(of), _verify_until_sure(of))


def _show_metrics(port: int) -> None:
    from prometheus_client import start_http_server

    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        raise OSError(f"--metrics-port {port} cannot be listened at: {error.strerror}") from None


async def checked_settings(env: Mapping[str, str]) -> Settings:
    """The settings, held against the deployed contract before anything is started; when no node answers it
    is started all the same: unknown is not failed. Raises SettingError."""
    settings = well_formed(env)
    async with AsyncExitStack() as stack:
        urls = settings.chain.rpc_urls
        nodes = tuple([await stack.enter_async_context(Node(url)) for url in urls])
        try:
            await _verify(nodes, settings.chain)
        except NodeError as error:
            log.warning("contract_not_verified_yet", why=str(error))
    return settings


async def _verify_until_sure(of: Clients) -> None:
    """Ask until a node answers, then never return; a difference ends the command."""
    while True:
        try:
            await _verify(of.nodes, of.settings.chain)
            break
        except NodeError:
            await asyncio.sleep(ASK_AGAIN_SEC)
    await asyncio.Event().wait()


async def _verify(nodes: tuple[Node, ...], chain: ChainSettings) -> None:
    rows = await verify(partial(ask_any, nodes), chain.checkout, checkout_terms(chain))
    wrong = next((row for row in rows if not row.ok), None)
    if wrong is not None:
        setting = next((s for begin, s in SETTING_OF_ROW if wrong.name.startswith(begin)), "LIQPASS_CHECKOUT")
        raise SettingError(setting, f"{wrong.name}: {wrong.detail} (liqpass contract verify shows all)")


async def _keep_products(of: Clients) -> None:
    """Keep the numbers that are sold from here on; a database that takes no changes now makes no order
    either, so it is started all the same. Raises SettingError."""
    try:
        await versions.keep(of.db, of.products, of.clock())
    except KEPT_LATER as error:
        log.warning("products_not_kept_yet", why=str(error) or type(error).__name__)


async def _keep_products_until_sure(of: Clients) -> None:
    """Try until the database has them, then never return; other numbers end the command."""
    while True:
        try:
            await versions.keep(of.db, of.products, of.clock())
            break
        except KEPT_LATER:
            end_if_told()
            await asyncio.sleep(KEEP_AGAIN_SEC)
    await asyncio.Event().wait()


async def lift_the_halt(env: Mapping[str, str], tell: Progress) -> None:
    """`liqpass lift-halt`."""
    from liqpass.chain.watcher import lift_halt

    chain = chain_from_env(env)
    with database_place(env, tell) as place:
        async with ready_database(place, "liqpass lift-halt", tell) as db:
            lifted = await lift_halt(db, chain)
    typer.echo("The watcher goes on." if lifted else "The watcher was not halted.")


async def migrate_database(env: Mapping[str, str], tell: Progress, *, anyway: bool) -> None:
    """`liqpass migrate`: exit status 1 when the books are broken before it or after it."""
    with database_place(env, tell, may_be_new=True) as place, named_database_errors():
        applied, broken = await migrate_books(place.url, tell, anyway=anyway)
    done = {0: "Nothing to do", 1: "1 migration applied"}.get(
        len(applied), f"{len(applied)} migrations applied"
    )
    typer.echo(f"{done}: the schema is up to date.")
    if broken:
        typer.echo("\n".join(line for verdict in broken for line in told(verdict)))
        raise MigrationError("the books are broken after it: liqpass check --books shows all of it")


async def check_all(env: Mapping[str, str], tell: Progress) -> None:
    """`liqpass check`: a line each; exit status 1 when one is not in order."""
    from liqpass import check

    good = True
    with ExitStack() as stack:
        place: Place | str
        try:
            place = stack.enter_context(database_place(env, tell))
            if place.embedded is not None:
                await migrate_embedded(place.embedded, tell)
        except (SettingError, MigrationError) as error:
            place = str(error)
        async for finding in check.findings(env, place):
            good = good and finding.ok
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.said}")
    if not good:
        raise typer.Exit(1)


async def check_books(env: Mapping[str, str], tell: Progress) -> None:
    """`liqpass check --books`: the invariants, a line each; exit status 1 when one does not hold. Nothing is
    migrated: it serves to see why that is refused."""
    from liqpass import check

    good = True
    with database_place(env, tell) as place:
        async for verdict in check.books(place):
            good = good and verdict.holds
            typer.echo("\n".join(told(verdict)))
    if not good:
        raise typer.Exit(1)


async def rewrap_secrets(env: Mapping[str, str], tell: Progress) -> None:
    """`liqpass keys rewrap`."""
    from liqpass.vault import keys

    keyring = KeyRing.from_env(required(env, "API_KEYS_ENC_KEY", HOW_TO_MAKE_A_KEY))
    with database_place(env, tell) as place:
        async with ready_database(place, "liqpass keys", tell) as db:
            done = await keys.rewrap(db, keyring, lambda seen, total: tell(f"{seen} of {total} accounts"))
    typer.echo(f"{done.rewritten} of {done.seen} accounts sealed anew.")
    _show_unopened(done.unopened)


async def check_secrets(env: Mapping[str, str], tell: Progress) -> None:
    """`liqpass keys check`."""
    from liqpass.vault import keys

    keyring = KeyRing.from_env(required(env, "API_KEYS_ENC_KEY", HOW_TO_MAKE_A_KEY))
    with database_place(env, tell) as place:
        async with ready_database(place, "liqpass keys", tell) as db:
            found = await keys.check(db, keyring, lambda seen, total: tell(f"{seen} of {total} accounts"))
    _show_unopened(found.unopened)
    typer.echo("All sealed secrets open.")
    if found.old_layout:
        typer.echo(
            f"{found.old_layout} have the old layout, not bound to their row: type liqpass keys rewrap"
        )


def _show_unopened(unopened: "list[Unopened]") -> None:
    for row in unopened:
        typer.echo(f"FAIL  user {row.user} account {row.account_id} {row.column}: {row.why}")
    if unopened:
        raise MigrationError(
            f"{len(unopened)} secrets do not open: is the key that sealed them in API_KEYS_ENC_KEY?"
        )
