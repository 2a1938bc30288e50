"""The database answers, and does not do what it is asked: read-only, locked, full. Callers are told so, and
all works again as soon as the database does."""

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from liqpass.db import Database, open_database
from tests.clock import SettableClock
from tests.commands import forked
from tests.commands.test_check import lines
from tests.conftest import on_server
from tests.outages.conftest import page, refusal
from tests.world import TestWorld, running_world

READ_ONLY = "read-only: default_transaction_read_only is on, look why (a disk that is full?)"
ANSWERS = {
    "25006": "The database takes no changes at present. Nothing was changed; try again.",
    "55P03": "Too much happens at once here. Nothing was changed; try again.",
    "40001": "Too much happens at once here. Nothing was changed; try again.",
}
OTHERWISE = "The database does not answer. Nothing was changed; try again."


def named(database_url: str) -> str:
    """The database's name."""
    return urlsplit(database_url).path.strip("/")


async def test_a_database_that_turns_read_only_is_said_to_be_that_and_works_again_when_it_writes(
    world: TestWorld, db: Database, server_url: str, database_url: str
) -> None:
    guard = f"alter database {named(database_url)} %s default_transaction_read_only"
    async with world.trader() as trader:
        await trader.sign_in()
        await on_server(database_url, guard % "set" + " = on")
        await db.pool.expire_connections()  # as a server that fails over ends them

        refused = await refusal(trader.sign_in())
        assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
        assert refused.body["detail"] == ANSWERS["25006"]
        said = await page(world, "/readyz")
        assert (said.status, said.checks["database"]) == (503, READ_ONLY)
        done = await forked.liqpass("check", env={**world.env, "DATABASE_URL": database_url})
        assert (done.status, lines(done)["database"]) == (1, [(False, READ_ONLY)])
        assert (await trader.call("GET", "/api/insurance/orders"))["orders"] == []  # what can be read, is

        await on_server(server_url, guard % "reset")
        await trader.sign_in()
    assert (await page(world, "/readyz")).checks["database"] == "ok"


async def test_while_no_server_takes_changes_callers_are_told_so_and_not_that_something_went_wrong(
    server_url: str, database_url: str, clock: SettableClock, tmp_path: Path
) -> None:
    guard = f"alter database {named(database_url)} %s default_transaction_read_only"
    url = f"{database_url}&target_session_attrs=read-write"
    database = await open_database(url, name="test")
    async with running_world(database, clock, tmp_path) as world:
        await on_server(database_url, guard % "set" + " = on")
        await database.pool.expire_connections()
        async with world.trader() as trader:
            refused = await refusal(trader.sign_in())
            assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
            said = await page(world, "/readyz")
            assert (said.status, said.checks["database"]) == (503, "does not answer")
            done = await forked.liqpass("check", env={**world.env, "DATABASE_URL": url})
            ((_, why),) = lines(done)["database"]
            assert why.endswith("takes changes at present")
            await on_server(server_url, guard % "reset")
            await trader.sign_in()
    await database.close()


@pytest.mark.parametrize(
    "state",
    [
        "08006",
        "25006",
        "25P03",
        "25P04",
        "26000",
        "28P01",
        "40001",
        "42P05",
        "53100",
        "53300",
        "55P03",
        "57014",
        "57P01",
        "57P03",
        "57P05",
        "58030",
    ],
)
async def test_whatever_the_database_gives_as_its_reason_nothing_was_changed_and_it_can_be_asked_again(
    state: str, world: TestWorld, database_url: str
) -> None:
    await on_server(
        database_url,
        f"""
        create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no' using errcode = '{state}'; end $$;
        create trigger refuse before insert on signin_nonces for each row execute function refuse()
        """,
    )
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{world.api}/api/auth/nonce", json={"address": "0x" + "12" * 20}) as answer,
    ):
        said = await answer.json()
    assert (answer.status, said["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert said["detail"] == ANSWERS.get(state, OTHERWISE)
    await on_server(database_url, "drop trigger refuse on signin_nonces")
    async with world.trader() as trader:
        await trader.sign_in()


async def test_a_command_that_writes_ends_with_a_line(world: TestWorld, database_url: str) -> None:
    await on_server(
        database_url, f"alter database {named(database_url)} set default_transaction_read_only = on"
    )
    done = await forked.liqpass("lift-halt", env={**world.env, "DATABASE_URL": database_url})
    assert done.status == 1
    assert done.err.startswith(
        "liqpass: DATABASE_URL: the database does not do it at present: cannot execute "
    )
    assert done.err.count("\n") == 1


async def test_a_connection_that_acts_as_somebody_else_is_told_and_used_no_more(
    world: TestWorld, db: Database
) -> None:
    async with db.pool.acquire() as conn:
        login = await conn.fetchval("select session_user")
        await conn.execute("set role none; set search_path = elsewhere")
    said = await page(world, "/readyz")
    assert said.status == 503
    assert said.checks["database"] == (
        f"a connection to the database acts as {login} instead of liqpass_app, "
        "search_path is 'elsewhere' instead of 'public'"
    )
    assert (await page(world, "/readyz")).checks["database"] == "ok"
