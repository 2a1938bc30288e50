"""DATABASE_URL leads to a PgBouncer: by session all is as without it, otherwise one line says what to set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from liqpass.connecting import APP_ROLE, KEEPALIVES, SESSION
from liqpass.sandbox.chain import SandboxChain
from liqpass.serving import free_port
from tests.commands import forked
from tests.commands.cli import SPARE_SEC, Done, ended, hear, liqpass, start
from tests.commands.pgbouncer import keeps_statements, pgbouncer, running_pgbouncer
from tests.commands.test_check import lines
from tests.conftest import on_server

DROPPED = ", ".join([*SESSION, *KEEPALIVES, "role", "options"])
BY_TRANSACTION = "the pooler that DATABASE_URL leads to gives each transaction another connection"
BY_SESSION = "let it pool by session (PgBouncer: pool_mode = session)"
STATEMENTS = "switch them on (PgBouncer 1.21 and newer: max_prepared_statements = 500)"
ALL = (
    ("serve", "--port", str(free_port())),
    ("work",),
    ("migrate",),
    ("pool", "show"),
    ("reconcile", "breaks"),
    ("keys", "check"),
    ("check", "--books"),
)
# whoever writes and is not the application fails, in the API and in the worker
TRAP = f"""
create function trap() returns trigger language plpgsql as
    $$ begin raise exception 'written by %', current_user; end $$;
create trigger trap before insert or update on signin_nonces
    for each row when (current_user <> '{APP_ROLE}') execute function trap();
create trigger trap before insert or update on chain_cursors
    for each row when (current_user <> '{APP_ROLE}') execute function trap();
"""


@asynccontextmanager
async def a_login(database_url: str, groups: str = f"in role {APP_ROLE}") -> AsyncIterator[str]:
    """A role that may log in, and be the application; gone at the end."""
    name = f"test_login_{urlsplit(database_url).path.rpartition('/')[2]}"
    await on_server(database_url, f"create role {name} login password 'test' {groups}")
    try:
        yield name
    finally:
        await on_server(database_url, f"drop role {name}")


def one_line(done: Done) -> str:
    """What a command said that could not begin."""
    assert (done.status, done.out) == (1, ""), done
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("liqpass: DATABASE_URL: ")
    return done.err


async def ready(port: int) -> dict[str, Any]:
    """What /readyz says, asked until it is content."""
    said: dict[str, Any] = {}
    async with aiohttp.ClientSession() as http:
        for _ in range(SPARE_SEC * 5):
            async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                said = await answer.json()
                if answer.status == 200:
                    return said
            await asyncio.sleep(0.2)
    raise AssertionError(f"in vain: {said}")


@pytest.mark.parametrize("dropped", ["", DROPPED], ids=["refuses", "drops"])
async def test_by_session_everybody_acts_as_the_application(
    dropped: str, env: dict[str, str], chain: SandboxChain
) -> None:
    await chain.mine(1)  # the chain of all these tests may be older than /readyz bears
    await on_server(env["DATABASE_URL"], TRAP)
    async with pgbouncer(env["DATABASE_URL"], pool_mode="session", ignore_startup_parameters=dropped) as url:
        through, port = {**env, "DATABASE_URL": url}, free_port()
        serve, work = (
            await start("serve", "--port", str(port), env=through),
            await start("work", env=through),
        )
        await asyncio.gather(hear(serve.stderr, "Ctrl-C"), hear(work.stderr, "Ctrl-C"))
        assert (await ready(port))["checks"]["database"] == "ok"
        async with aiohttp.ClientSession() as http:
            address = "0x" + "12" * 20
            nonce = f"http://127.0.0.1:{port}/api/auth/nonce"
            async with http.post(nonce, json={"address": address}) as answer:
                assert answer.status == 200, await answer.text()
        done = await liqpass("check", env=through)
        assert done.status == 0, done.out
        assert lines(done)["database"][0][1].endswith(f", connected as {APP_ROLE}")
        for process in (serve, work):
            process.terminate()
            assert (await ended(process)).status == 0


async def test_a_database_can_be_migrated_through_a_pooler_by_session(empty_database: str) -> None:
    async with pgbouncer(empty_database, pool_mode="session", ignore_startup_parameters=DROPPED) as url:
        done = await liqpass("migrate", env={"DATABASE_URL": url})
    assert (done.status, done.out.split(":")[1]) == (0, " the schema is up to date.\n"), done.err


@pytest.mark.parametrize(
    ("dropped", "round_robin", "commands"),
    [(DROPPED, "0", ALL), (DROPPED, "1", ALL[:1]), ("", "0", ALL[:1])],
    ids=["last used first", "in turn", "no start parameters"],
)
async def test_by_transaction_every_command_ends_with_the_setting_that_cures_it(
    dropped: str, round_robin: str, commands: tuple[tuple[str, ...], ...], env: dict[str, str]
) -> None:
    settings = {"server_round_robin": round_robin, "ignore_startup_parameters": dropped}
    if keeps_statements():
        settings["max_prepared_statements"] = "0"
    async with pgbouncer(env["DATABASE_URL"], pool_mode="transaction", **settings) as url:
        through = {**env, "DATABASE_URL": url}
        for command in commands:
            said = one_line(await forked.liqpass(*command, env=through))
            assert BY_TRANSACTION in said and BY_SESSION in said and STATEMENTS in said
        ((ok, found),) = lines(await forked.liqpass("check", env=through))["database"]
        assert (ok, STATEMENTS in found) == (False, True)


async def test_by_statement_every_command_ends_with_the_setting_that_cures_it(env: dict[str, str]) -> None:
    async with pgbouncer(env["DATABASE_URL"], pool_mode="statement") as url:
        for command in ALL[:2]:
            said = one_line(await forked.liqpass(*command, env={**env, "DATABASE_URL": url}))
            assert "allows no transactions" in said and BY_SESSION in said


async def test_by_transaction_with_prepared_statements_the_login_has_to_be_the_application_by_itself(
    env: dict[str, str],
) -> None:
    """PgBouncer before 1.21 cannot keep them, and is refused for that."""
    kept = {"max_prepared_statements": "100"} if keeps_statements() else {}
    database = env["DATABASE_URL"]
    async with a_login(database) as login:
        async with pgbouncer(database, login=login, pool_mode="transaction", **kept) as url:
            said = one_line(await forked.liqpass("pool", "show", env={**env, "DATABASE_URL": url}))
        if not kept:
            assert STATEMENTS in said
            return
        assert f"acts as {login} instead of {APP_ROLE}" in said
        for statement in said.strip().partition("nobody else uses: ")[2].split("; "):
            await on_server(database, statement)
        async with pgbouncer(database, login=login, pool_mode="transaction", **kept) as url:
            through = {**env, "DATABASE_URL": url}
            assert (await forked.liqpass("check", env=through)).status == 0
            assert (await forked.liqpass("pool", "show", env=through)).status == 0
            assert "liqpass work needs some of its own" in one_line(await forked.liqpass("work", env=through))


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_a_pool_that_is_full_is_said_and_not_waited_for(mode: str, env: dict[str, str]) -> None:
    """PgBouncer lets a client wait for two minutes, others for ever."""
    settings = {"pool_mode": mode, "default_pool_size": "1", "ignore_startup_parameters": DROPPED}
    async with pgbouncer(env["DATABASE_URL"], query_wait_timeout="60", **settings) as url:
        said = one_line(await forked.liqpass("pool", "show", env={**env, "DATABASE_URL": url}))
        assert "no connection became free" in said and "default_pool_size" in said


async def test_a_login_that_may_not_be_the_application_is_said_with_what_to_do(env: dict[str, str]) -> None:
    async with (
        a_login(env["DATABASE_URL"], groups="") as login,
        pgbouncer(env["DATABASE_URL"], login=login, pool_mode="session") as url,
    ):
        for command in ALL[:2]:
            said = one_line(await forked.liqpass(*command, env={**env, "DATABASE_URL": url}))
            assert f"may not act as {APP_ROLE}; as a superuser: grant {APP_ROLE} to" in said


@pytest.mark.parametrize("round_robin", ["0", "1"], ids=["last used first", "in turn"])
async def test_several_poolers_by_transaction_at_one_port_are_found_out_whichever_answers(
    round_robin: str, env: dict[str, str]
) -> None:
    """PgBouncer uses one core: several share a port (so_reuseport), and the kernel deals connections out."""
    database = env["DATABASE_URL"]
    settings = {"pool_mode": "transaction", "so_reuseport": "1", "server_round_robin": round_robin}
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_pgbouncer(database, **settings))
        for _ in range(2):
            more = running_pgbouncer(database, port=first.port, **settings)
            await stack.enter_async_context(more)
        for _ in range(15):
            said = one_line(await forked.liqpass("pool", "show", env={**env, "DATABASE_URL": first.url}))
            assert BY_TRANSACTION in said
