"""LIQPASS_READ_URL: what only reads is read on a replica and said to be; nothing is decided by it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg
import pytest

from liqpass.app import reads_of
from liqpass.db import Connection, Database, open_database
from liqpass.embedded import PORT, EmbeddedPostgres
from liqpass.migrate import migrate, migrations_of
from liqpass.reads import MOST, Reads, ReadSettings, Source
from liqpass.sandbox.trader import Trader
from liqpass.treasury.disbursements import withdraw
from tests.clock import SettableClock
from tests.conftest import in_database, on_server
from tests.outages.door import Door
from tests.replicas.conftest import OPERATOR, world_reading
from tests.replicas.standby import Standby, standby_of
from tests.world import TestWorld, covered_position

FROM_REPLICA = "Read from a replica"
WHO = "select pg_is_in_recovery()"
LEAVE = "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'"
SPARE_SEC = 120


@asynccontextmanager
async def reading(
    replica_url: str, database_url: str, max_age_sec: int = 600
) -> AsyncIterator[tuple[Reads, Database]]:
    """As a server has it: the replica was looked at."""
    db = await open_database(database_url, name="test")
    try:
        async with reads_of(ReadSettings(replica_url, max_age_sec), db, name="test") as reads:
            yield reads, db
    finally:
        await db.close()


async def asked_of(reads: Reads) -> tuple[bool, Source]:
    """Whether a standby answered."""
    return await reads.look(lambda conn: conn.fetchval(WHO))


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    """What it says once it says something."""
    for _ in range(SPARE_SEC * 50):
        if found := await holds():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("in vain")


async def until_read(reads: Reads) -> Source:
    """A standby answered."""

    async def answered() -> Source | None:
        standby, source = await asked_of(reads)
        return source if standby else None

    found: Source = await until(answered)
    return found


async def until_not_read(reads: Reads, why: str) -> None:
    """The primary answers, for that reason."""

    async def said() -> bool:
        assert reads.replica is not None
        return not (await asked_of(reads))[0] and why in (reads.replica.why_not or "")

    await until(said)


async def text_of(trader: Trader, path: str) -> str:
    async with trader.http.get(trader.api + path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def ready(world: TestWorld) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(world.api + "/readyz") as answer:
        said: dict[str, Any] = await answer.json()
        return said


def orders_today(page: str) -> int:
    found = re.search(r'id="today".*?Orders made</dt><dd>(\d+)', page, re.DOTALL)
    assert found, page
    return int(found[1])


async def owe(world: TestWorld) -> None:
    """Something is to be paid out, which operators write a batch for."""
    of, to = world.of, world.chain.wallets[1].address
    terms = of.settings.chain, 5_000_000, to
    await world.db.run(
        lambda conn: withdraw(conn, of.clock(), bytes(10), *terms, by="the tests", reason="to be seen")
    )


async def test_operators_read_the_replica_and_a_whole_cover_is_sold_while_it_stands_still(
    standby: Standby, books_url: str, clock: SettableClock, tmp_path: Path
) -> None:
    async with (
        world_reading(standby.url(books_url), books_url, clock, tmp_path) as world,
        Trader(world.api, OPERATOR) as operator,
        world.trader() as trader,
    ):
        await operator.sign_in()

        async def from_replica() -> str | None:
            page = await text_of(operator, "/operator")
            return page if FROM_REPLICA in page else None

        assert orders_today(await until(from_replica)) == 0
        await owe(world)
        await standby.has_all_of(books_url)
        page = await until(from_replica)
        # what decides stands where the primary is shown
        assert "Ready for a Safe batch: 1" in page
        assert not re.search("<button[^>]*>Write the Safe batch", page)
        assert re.search("<button[^>]*>Write the Safe batch", await text_of(operator, "/operator/suspense"))
        await standby.pause()

        _, order = await covered_position(world, trader)
        await trader.pay(world.chain, order)
        await world.confirm()
        # whoever acted sees at once what became of it
        assert (await trader.order(str(order["purchaseOrderId"])))["status"] == "ACTIVE"
        # who only looks is told how old it is
        page = await until(from_replica)
        assert orders_today(page) == 0
        assert re.search(r"what was changed in the last \d+ (second|minute)s? may not be in it yet", page)
        assert re.fullmatch(r"read from, and at most \d+\.\d s old", (await ready(world))["replica"])

        await standby.go_on()
        await standby.has_all_of(books_url)
        assert orders_today(await text_of(operator, "/operator")) == 1
        metrics = await text_of(operator, "/metrics")
        assert re.search(r"^liqpass_replica_age_seconds \d", metrics, re.MULTILINE)
        assert re.search(r'^liqpass_reads_total{server="replica"} [1-9]', metrics, re.MULTILINE)


async def test_what_was_kept_before_a_look_is_in_it_once_the_replica_has_it(
    standby: Standby, books_url: str
) -> None:
    async with reading(standby.url(books_url), books_url) as (reads, _):
        await until_read(reads)
        await on_server(books_url, "create table probe (n integer); grant select on probe to liqpass_app")
        await standby.has_all_of(books_url)
        found, source = await reads.look(lambda conn: conn.fetchval("select count(*) from probe"))
        assert (found, source.age_sec is not None) == (0, True)


async def test_nothing_can_be_written_whoever_answers(standby: Standby, books_url: str) -> None:
    async def written(conn: Connection) -> None:
        await conn.execute("delete from sessions")

    async with reading(standby.url(books_url), books_url) as (reads, db):
        await until_read(reads)
        for one in (reads, Reads(db)):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await one.look(written)


async def test_one_that_is_too_old_is_not_read_until_it_has_caught_up(
    standby: Standby, books_url: str
) -> None:
    async with reading(standby.url(books_url), books_url, max_age_sec=1) as (reads, _):
        await until_read(reads)
        await standby.pause()
        await on_server(books_url, "create table later (n integer)")
        await until_not_read(reads, "older than the 1 s of LIQPASS_READ_MAX_AGE_SEC")
        await standby.go_on()
        await until_read(reads)


async def test_one_that_stands_still_with_its_primary_is_not_old(standby: Standby, books_url: str) -> None:
    """When it last heard of a change says nothing where there is none."""
    async with reading(standby.url(books_url), books_url, max_age_sec=1) as (reads, _):
        await until_read(reads)
        for _ in range(5):
            await asyncio.sleep(0.5)  # longer than a replica may be old, all in all
            await until_read(reads)
            assert reads.replica is not None and reads.replica.why_not is None


async def test_one_that_is_killed_is_read_again_when_it_is_back(standby: Standby, books_url: str) -> None:
    killed = False

    async def half(conn: Connection) -> bool:
        nonlocal killed
        on_standby: bool = await conn.fetchval(WHO)
        if not killed:
            killed = True
            standby.kill()
        while on_standby:  # until it notices that its postmaster is gone
            await conn.fetchval("select pg_sleep(0.01)")
        return on_standby

    async with reading(standby.url(books_url), books_url) as (reads, _):
        await until_read(reads)
        assert await reads.look(half) == (False, Source())  # begun there, answered by the primary
        await asyncio.to_thread(standby.start)
        await until_read(reads)


async def test_one_that_is_promoted_is_not_read(standby: Standby, books_url: str) -> None:
    async with reading(standby.url(books_url), books_url) as (reads, _):
        await until_read(reads)
        await standby.promote()
        assert await asked_of(reads) == (False, Source())
        await until_not_read(reads, "it is no standby (was it promoted?)")


async def test_a_look_that_is_in_the_way_of_replay_goes_to_the_primary(
    primary: EmbeddedPostgres, books_url: str
) -> None:
    """PostgreSQL cancels what holds back its standby, by max_standby_streaming_delay."""
    async with (
        standby_of(primary, "-c max_standby_streaming_delay=0") as standby,
        reading(standby.url(books_url), books_url) as (reads, _),
    ):
        await on_server(books_url, "create table probe as select 1 as n")
        await on_server(books_url, "grant select on probe to liqpass_app")
        await standby.has_all_of(books_url)
        await until_read(reads)

        async def looked(conn: Connection) -> bool:
            on_standby: bool = await conn.fetchval(WHO)
            await conn.fetchval("select count(*) from probe")
            if on_standby:
                await on_server(books_url, "delete from probe")
                await on_server(books_url, "vacuum probe")
                while True:
                    await conn.fetchval("select pg_sleep(0.01)")
            return on_standby

        assert await reads.look(looked) == (False, Source())
        await until_read(reads)


async def test_one_that_is_not_read_is_told_but_where_it_is_and_who_logs_in_there_is_not_everybodys_business(
    standby: Standby, books_url: str, clock: SettableClock, tmp_path: Path
) -> None:
    url = standby.url(books_url).replace("postgres@", "someones_login@")
    async with (
        world_reading(url, books_url, clock, tmp_path) as world,
        Trader(world.api, OPERATOR) as operator,
    ):
        replica = world.of.reads.replica
        assert replica is not None

        async def said() -> str | None:
            return replica.why_not

        assert "someones_login" in await until(said)
        assert (await ready(world))["replica"] == "not read from, the primary is: it does not let us in"
        assert "\nliqpass_replica_age_seconds +Inf\n" in await text_of(operator, "/metrics")


async def test_another_database_is_not_read(standby: Standby, books_url: str, database_url: str) -> None:
    """Neither another one of the same server, nor the same one of another server."""
    other = in_database(books_url, "another")
    await on_server(books_url, f"create database another template {urlsplit(books_url).path[1:]}")
    await standby.has_all_of(books_url)
    for url in (standby.url(other), database_url):
        async with reading(url, books_url) as (reads, _):
            await until_not_read(reads, "it is no replica of this database")
    await on_server(books_url, "drop database another with (force)")


async def test_when_another_database_has_taken_its_name_no_other_is_read(
    standby: Standby, books_url: str
) -> None:
    """As a restored one takes it, while the server runs on."""
    name = urlsplit(books_url).path[1:]
    server = in_database(books_url, "postgres")
    await on_server(server, f"create database restored template {name}")
    async with reading(standby.url(books_url), books_url) as (reads, _):
        await until_read(reads)
        await on_server(server, f"alter database {name} allow_connections false")
        await on_server(server, LEAVE.format(name))
        await on_server(server, f"alter database {name} rename to replaced")
        await on_server(server, f"alter database restored rename to {name}")
        await on_server(books_url, "create table only_restored (n integer)")
        await standby.has_all_of(books_url)

        async def restored(conn: Connection) -> tuple[bool, bool]:
            there = "select to_regclass('only_restored') is not null"
            return await conn.fetchval(WHO), await conn.fetchval(there)

        async def seen() -> bool:
            (on_standby, newer), _ = await reads.look(restored)
            assert newer, "the one that was replaced"
            return on_standby

        await until(seen)
    await on_server(server, "drop database replaced with (force)")


async def test_one_without_the_newest_migration_is_not_read_before_it_has_it(
    primary: EmbeddedPostgres,
) -> None:
    await on_server(primary.url, "create database older")
    url = in_database(primary.url, "older")
    await migrate(url, migrations_of()[:-1])
    async with standby_of(primary) as standby:
        await standby.pause()
        await migrate(url, migrations_of())
        async with reading(standby.url(url), url) as (reads, _):
            await until_not_read(reads, "migrations are missing there (1)")
            await standby.go_on()
            await until_read(reads)
    await on_server(primary.url, "drop database older with (force)")


async def test_of_several_the_next_standby_is_read_when_one_is_promoted(
    primary: EmbeddedPostgres, standby: Standby, books_url: str
) -> None:
    async with standby_of(primary) as other:
        folders = f"{standby.folder},{other.folder}"
        url = standby.url(books_url).replace(quote(str(standby.folder)), folders)
        async with reading(f"{url}&target_session_attrs=standby", books_url) as (reads, _):
            await until_read(reads)
            await standby.promote()
            await on_server(standby.url(books_url), "create table only_there (n integer)")
            await until_read(reads)
            found, _ = await reads.look(lambda conn: conn.fetchval("select to_regclass('only_there')"))
            assert found is None


async def test_who_finds_all_connections_to_it_taken_asks_the_primary_and_it_stays_read(
    standby: Standby, books_url: str
) -> None:
    enough, began = asyncio.Event(), 0

    async def slow(conn: Connection) -> bool:
        nonlocal began
        on_standby: bool = await conn.fetchval(WHO)
        began += on_standby
        await enough.wait()
        return on_standby

    async def all_taken() -> bool:
        return began == MOST

    async with reading(standby.url(books_url), books_url) as (reads, _):
        await until_read(reads)
        looking = [asyncio.create_task(reads.look(slow)) for _ in range(MOST)]
        await until(all_taken)
        assert await asked_of(reads) == (False, Source())
        assert reads.replica is not None and reads.replica.why_not is None
        enough.set()
        assert all(standby for standby, _ in await asyncio.gather(*looking))
        await until_read(reads)


async def test_while_the_primary_is_away_the_replica_is_read_until_it_is_as_old_as_may_be(
    primary: EmbeddedPostgres, standby: Standby, books_url: str
) -> None:
    socket = f"{primary.socket_dir}/.s.PGSQL.{PORT}"
    door = Door(lambda: asyncio.open_unix_connection(socket))
    await door.open()
    away = f"postgresql://postgres@127.0.0.1:{door.port}{urlsplit(books_url).path}?sslmode=disable"
    async with reading(standby.url(books_url), away, max_age_sec=3) as (reads, _):
        await until_read(reads)
        await door.shut()
        on_standby, source = await asked_of(reads)
        assert on_standby and source.age_sec is not None

        async def too_old() -> bool:
            try:
                standby, source = await asked_of(reads)
            except OSError:
                return True
            assert standby and source.age_sec is not None
            return False

        await until(too_old)
        await door.open()
        await until_read(reads)
