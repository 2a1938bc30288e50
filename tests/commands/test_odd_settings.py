"""What is set for a role, for a database or in the address does no harm: here it is as it should not be."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from liqpass.connecting import WANTED, look
from liqpass.db import open_database
from tests.clock import SettableClock
from tests.commands import forked
from tests.conftest import on_server
from tests.outages.conftest import page
from tests.world import covered_position, running_world

ODD = {
    "search_path": "elsewhere, public",
    "statement_timeout": "'1ms'",
    "lock_timeout": "'1ms'",
    "transaction_timeout": "'1s'",
    "idle_session_timeout": "'1s'",
    "idle_in_transaction_session_timeout": "'1ms'",
    "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "timezone": "'Asia/Tokyo'",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "client_encoding": "latin1",
    "extra_float_digits": "-5",
    "row_security": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "xmloption": "document",
}
ELSEWHERE = "?options=-csearch_path%3Delsewhere%20-cstatement_timeout%3D1"


@pytest.fixture
async def odd_database(server_url: str, empty_database: str) -> str:
    """A database that has a schema of its own, and every setting as it should not be."""
    name = urlsplit(empty_database).path.strip("/")
    await on_server(empty_database, "create schema elsewhere")
    conn = await asyncpg.connect(server_url)
    known = {row[0].lower() for row in await conn.fetch("select name from pg_settings")}
    for setting, value in ODD.items():
        if setting in known:  # older servers do not know all of them
            await conn.execute(f"alter database {name} set {setting} = {value}")
    await conn.close()
    return empty_database


async def test_a_database_with_odd_settings_is_migrated_and_serves_an_order_from_end_to_end(
    odd_database: str, env: dict[str, str], clock: SettableClock, tmp_path: Path
) -> None:
    for _ in range(2):
        done = await forked.liqpass("migrate", env={"DATABASE_URL": odd_database})
        assert done.status == 0, done.err
    assert done.out == "Nothing to do: the schema is up to date.\n"
    done = await forked.liqpass("check", env={**env, "DATABASE_URL": odd_database})
    assert done.status == 0, done.out

    db = await open_database(odd_database, name="test")
    async with running_world(db, clock, tmp_path) as world, world.trader() as trader:
        _, order = await covered_position(world, trader)
        await trader.pay(world.chain, order)
        await world.confirm()
        assert (await trader.order(str(order["purchaseOrderId"])))["status"] == "ACTIVE"
        assert (await page(world, "/readyz")).checks["database"] == "ok"
    async with db.pool.acquire() as conn:
        assert (await look(conn)).wrong == {}
        shown = {
            name: await conn.fetchval(f"show {name}") for name in WANTED if name != "transaction_timeout"
        }
        assert shown["synchronous_commit"] == "on"
    await db.close()


async def test_the_schema_is_public_whatever_the_address_says(
    empty_database: str, env: dict[str, str]
) -> None:
    await on_server(empty_database, "create schema elsewhere")
    joined = "&" if "?" in empty_database else "?"
    odd = empty_database + ELSEWHERE.replace("?", joined)
    assert (await forked.liqpass("migrate", env={"DATABASE_URL": odd})).status == 0
    for url in (odd, empty_database):
        done = await forked.liqpass("check", env={**env, "DATABASE_URL": url})
        assert done.status == 0, done.out
    conn = await asyncpg.connect(empty_database)
    schemas = await conn.fetch(
        "select distinct schemaname from pg_tables where tablename = 'schema_migrations'"
    )
    await conn.close()
    assert [row[0] for row in schemas] == ["public"]


async def test_a_database_without_the_schema_public_is_said_with_what_to_do(empty_database: str) -> None:
    await on_server(empty_database, "drop schema public")
    done = await forked.liqpass("migrate", env={"DATABASE_URL": empty_database})
    assert (done.status, done.err) == (
        1,
        "liqpass: the database has no schema public: create schema public;\n",
    )
