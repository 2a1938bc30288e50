"""The examples in deploy/pgbouncer as an operator takes them, with Debian's PgBouncer and their logins."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from liqpass.connecting import APP_ROLE
from liqpass.db import open_database
from liqpass.sandbox.chain import SandboxChain
from liqpass.serving import free_port
from tests.commands import forked
from tests.commands.cli import ended, hear, start
from tests.commands.pgbouncer import NEWER, example_logins, keeps_statements, running_pgbouncer
from tests.commands.test_poolers import BY_TRANSACTION, one_line, ready

READING = (
    ("pool", "show"),
    ("claims", "list"),
    ("reconcile", "breaks"),
    ("check", "--books"),
    ("keys", "check"),
)


@pytest.fixture
async def logins(database_url: str) -> AsyncIterator[None]:
    """Those beside the examples."""
    async with example_logins(database_url):
        yield


async def acts_as(url: str) -> tuple[str, str]:
    """Who a connection of the application is, and who logged in."""
    db = await open_database(url, name="test")
    try:
        async with db.pool.acquire() as conn:
            ((user, login),) = await conn.fetch("select current_user::text, session_user::text")
            return user, login
    finally:
        await db.close()


async def test_by_session_all_of_it_runs_as_a_login_that_may_only_become_the_application(
    env: dict[str, str], chain: SandboxChain, logins: None
) -> None:
    await chain.mine(1)
    database = env["DATABASE_URL"]
    async with running_pgbouncer(database, login="liqpass_login", example="session.ini") as pooler:
        assert await acts_as(pooler.url) == (APP_ROLE, "liqpass_login")
        through, port = {**env, "DATABASE_URL": pooler.url}, free_port()
        serve = await start("serve", "--port", str(port), env=through)
        work = await start("work", env=through)
        await asyncio.gather(hear(serve.stderr, "Ctrl-C"), hear(work.stderr, "task_owned"))
        assert (await ready(port))["checks"]["database"] == "ok"
        for command in READING:
            done = await forked.liqpass(*command, env=through)
            assert done.status == 0, (command, done)
        for process in (serve, work):
            process.terminate()
            assert (await ended(process)).status == 0
        # it may not do what only the schema's owner may
        refused = await forked.liqpass("migrate", env={"DATABASE_URL": pooler.url})
        assert refused.status == 1


async def test_the_login_may_not_read_or_write_before_it_is_the_application(
    env: dict[str, str], logins: None
) -> None:
    parts = urlsplit(env["DATABASE_URL"])
    url = parts._replace(netloc=f"liqpass_login@{parts.netloc.rpartition('@')[2]}").geturl()
    conn = await asyncpg.connect(url)
    try:
        for statement in ("select * from purchase_orders", "delete from sessions", "create table t ()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
    finally:
        await conn.close()


async def test_by_transaction_serve_and_commands_run_and_work_goes_by_session(
    env: dict[str, str], chain: SandboxChain, logins: None
) -> None:
    if NEWER is None or not keeps_statements(NEWER):
        pytest.skip("there is no PgBouncer 1.21 or newer here")
    await chain.mine(1)
    database = env["DATABASE_URL"]
    async with running_pgbouncer(
        database, login="liqpass_pooled", example="transaction.ini", program=NEWER
    ) as pooler:
        assert await acts_as(pooler.url) == (APP_ROLE, "liqpass_pooled")
        through, port = {**env, "DATABASE_URL": pooler.url}, free_port()
        for name in ("work", "migrate"):
            said = one_line(await forked.liqpass(name, env=through))
            assert f"{BY_TRANSACTION}, and liqpass {name} needs some of its own" in said
            assert "pool_mode = session" in said and f"or lead liqpass {name} past the pooler" in said
        serve = await start("serve", "--port", str(port), env=through)
        work = await start("work", env={**env, "DATABASE_URL": f"{pooler.url}_by_session"})
        await asyncio.gather(hear(serve.stderr, "Ctrl-C"), hear(work.stderr, "task_owned"))
        assert (await ready(port))["checks"]["database"] == "ok"
        for command in READING:
            done = await forked.liqpass(*command, env=through)
            assert done.status == 0, (command, done)
        for process in (serve, work):
            process.terminate()
            assert (await ended(process)).status == 0


async def test_a_migration_is_not_begun_through_a_pooler_by_transaction(empty_database: str) -> None:
    if NEWER is None or not keeps_statements(NEWER):
        pytest.skip("there is no PgBouncer 1.21 or newer here")
    settings = {"pool_mode": "transaction", "max_prepared_statements": "100"}
    async with running_pgbouncer(empty_database, program=NEWER, **settings) as pooler:
        said = one_line(await forked.liqpass("migrate", env={"DATABASE_URL": pooler.url}))
    assert "and liqpass migrate needs some of its own" in said
    conn = await asyncpg.connect(empty_database)
    assert await conn.fetchval("select to_regclass('schema_migrations')") is None
    await conn.close()
