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


async def all_of_it_runs(env: dict[str, str], *, work: dict[str, str]) -> None:
    """`serve`, `work` (with an environment of its own) and the commands that read."""
    port = free_port()
    processes = [await start("serve", "--port", str(port), env=env), await start("work", env=work)]
    await asyncio.gather(hear(processes[0].stderr, "Ctrl-C"), hear(processes[1].stderr, "task_owned"))
    assert (await ready(port))["checks"]["database"] == "ok"
    for command in READING:
        done = await forked.liqpass(*command, env=env)
        assert done.status == 0, (command, done)
    for process in processes:
        process.terminate()
        assert (await ended(process)).status == 0


async def test_by_session_all_of_it_runs_as_a_login_that_may_only_become_the_application(
    env: dict[str, str], chain: SandboxChain, logins: None
) -> None:
    await chain.mine(1)
    database = env["DATABASE_URL"]
    async with running_pgbouncer(database, login="liqpass_login", example="session.ini") as pooler:
        assert await acts_as(pooler.url) == (APP_ROLE, "liqpass_login")
        through = {**env, "DATABASE_URL": pooler.url}
        await all_of_it_runs(through, work=through)
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
        through = {**env, "DATABASE_URL": pooler.url}
        for name in ("work", "migrate"):
            said = one_line(await forked.liqpass(name, env=through))
            assert f"{BY_TRANSACTION}, and liqpass {name} needs some of its own" in said
            assert "pool_mode = session" in said and f"or lead liqpass {name} past the pooler" in said
        await all_of_it_runs(through, work={**env, "DATABASE_URL": f"{pooler.url}_by_session"})


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
