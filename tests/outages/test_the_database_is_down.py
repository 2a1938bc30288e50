"""The database is gone for a while: callers are told so, nothing is lost, workers take up where they were."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from liqpass.db import Database, open_database
from liqpass.sandbox.trader import Refused
from liqpass.worker import run_worker, tasks_of
from tests.clock import SettableClock
from tests.conftest import in_database, on_server
from tests.flows.newcomers import newcomer
from tests.outages.conftest import behind, page, refusal, state_of
from tests.outages.door import Door
from tests.world import SKU, TestWorld, covered_position, running_world

SPARE_SEC = 30
ENDED = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = $1"
LOCKED = """
    select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
"""


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    """Between the product and its database."""
    host, port = behind(database_url)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    door = Door(connect)
    await door.open()
    yield door
    await door.shut()


@pytest.fixture
def door_url(database_url: str, door: Door) -> str:
    """The database's address through the door."""
    parts = urlsplit(database_url)
    who = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{door.port}", query="sslmode=disable"))


@pytest.fixture
async def shaky(door_url: str, clock: SettableClock, tmp_path: Path) -> AsyncIterator[TestWorld]:
    """A world whose database is behind the door."""
    database = await open_database(door_url, name="shaky test")
    async with running_world(database, clock, tmp_path) as world:
        yield world
    await database.close()


async def test_every_call_says_that_the_database_is_down_and_works_when_it_is_back(
    shaky: TestWorld, door: Door, db: Database
) -> None:
    async with shaky.trader() as trader:
        account, order = await covered_position(shaky, trader)
        order_id = str(order["purchaseOrderId"])
        tx_hash = await trader.pay(shaky.chain, order)
        before = await state_of(db)

        await door.shut()
        slot = {"instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posSide": "long"}
        for call in (
            trader.sign_in(),
            trader.add_key(shaky.key("reads two")),
            trader.positions(account),
            trader.bind(account, slot, SKU),
            trader.submit(order_id, tx_hash),
            trader.order(order_id),
        ):
            refused = await refusal(call)
            assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
            assert refused.body["detail"] == "The database does not answer. Nothing was changed; try again."
            assert refused.body["requestId"]
        said = await page(shaky, "/readyz")
        assert (said.status, said.checks["database"]) == (503, "does not answer")
        assert (await page(shaky, "/healthz")).status == 200
        assert (await page(shaky, "/metrics")).status == 200
        assert await state_of(db) == before

        await door.open()
        await trader.submit(order_id, tx_hash)
        await shaky.confirm()
        assert (await trader.order(order_id))["status"] == "ACTIVE"
    assert (await page(shaky, "/readyz")).status == 200


async def test_a_connection_that_has_been_ended_and_is_not_gone_yet_is_an_outage_like_any_other(
    shaky: TestWorld, door: Door, database_url: str
) -> None:
    async with shaky.trader() as trader, AsyncExitStack() as stack:
        owner = await asyncpg.connect(database_url)
        stack.push_async_callback(owner.close)
        _, order = await covered_position(shaky, trader)
        door.keep_ends()
        refused = None
        while refused is None:  # until one is asked that was told its end and is there all the same
            await owner.execute(ENDED, "shaky test")
            try:
                await trader.order(str(order["purchaseOrderId"]))
            except Refused as it:
                refused = it
        assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
        await door.shut()


async def test_probes_too_take_such_a_connection_for_an_outage(
    shaky: TestWorld, door: Door, database_url: str
) -> None:
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(database_url)
        stack.push_async_callback(owner.close)
        door.keep_ends()
        said = "ok"
        while said == "ok":  # until one is asked that was told its end and is there all the same
            await owner.execute(ENDED, "shaky test")
            said = (await page(shaky, "/readyz")).checks["database"]
        assert said == "does not answer"
        told = ""
        while 'liqpass_orders{status="DRAFT"} NaN' not in told:
            await owner.execute(ENDED, "shaky test")
            answer = await page(shaky, "/metrics")
            assert answer.status == 200
            told = answer.text
        await door.shut()


async def test_a_database_that_its_owner_closes_for_a_while_is_an_outage_like_any_other(
    shaky: TestWorld, door: Door, database_url: str
) -> None:
    """As whoever puts a restored one in its place does."""
    name, server = urlsplit(database_url).path[1:], in_database(database_url, "postgres")
    async with shaky.trader() as trader:
        await trader.sign_in()
        await on_server(server, f"alter database {name} allow_connections false")
        owner = await asyncpg.connect(server)
        await owner.execute(ENDED, "shaky test")
        await owner.close()
        for _ in range(3):  # on a connection that has just ended, and on none
            refused = await refusal(trader.call("GET", "/api/insurance/orders"))
            assert (refused.status, refused.code) == (503, "DATABASE_UNAVAILABLE")
        assert (await page(shaky, "/readyz")).checks["database"] == "does not answer"
        assert (await page(shaky, "/metrics")).status == 200
        await on_server(server, f"alter database {name} allow_connections true")
        assert (await trader.call("GET", "/api/insurance/orders"))["orders"] == []


async def test_orders_that_were_made_together_are_found_though_the_answer_was_lost(
    shaky: TestWorld, door: Door, database_url: str
) -> None:
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(newcomer(shaky)) for _ in range(4)]
        bound = [(await who.bind())["bindId"] for who in people]
        owner = await asyncpg.connect(database_url)
        stack.push_async_callback(owner.close)
        holder = await asyncpg.connect(database_url)
        stack.push_async_callback(holder.close)
        holding = holder.transaction()
        await holding.start()
        await holder.execute("select from ledger_accounts for update")
        calls = [
            asyncio.create_task(told_or_away(who.trader.create_order(bind_id)))
            for who, bind_id in zip(people, bound, strict=True)
        ]
        while await owner.fetchval(LOCKED) < 2:  # noqa: ASYNC110, the first alone, and the others together
            await asyncio.sleep(0.01)
        door.keep_answers()
        await holding.rollback()
        while await owner.fetchval("select count(*) from purchase_orders") < len(people):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        door.cut_the_deaf()
        said = await asyncio.gather(*calls)
        lost = [answer for answer in said if isinstance(answer, str)]
        assert lost == ["DATABASE_UNAVAILABLE"]  # nobody may ask again for a request that was sent alone
        again = [await who.trader.create_order(bind_id) for who, bind_id in zip(people, bound, strict=True)]
        assert [answer for answer in said if answer not in lost] == [
            order for order, answer in zip(again, said, strict=True) if answer not in lost
        ]
        assert await owner.fetchval("select count(*) from purchase_orders") == len(people)


async def told_or_away(call: Awaitable[dict[str, Any]]) -> dict[str, Any] | str:
    """The answer, or the code of the refusal."""
    try:
        return await call
    except Refused as refused:
        return refused.code


async def test_connections_that_the_server_closed_are_opened_again(
    shaky: TestWorld, database_url: str
) -> None:
    async with shaky.trader() as trader:
        await trader.sign_in()
        owner = await asyncpg.connect(database_url)
        closed = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = $1"
        assert all(row[0] for row in await owner.fetch(closed, "shaky test"))
        await owner.close()
        assert (await trader.call("GET", "/api/insurance/orders"))["orders"] == []


async def test_a_running_worker_outlives_the_database_and_settles_what_came_meanwhile(
    shaky: TestWorld, door: Door, door_url: str, db: Database
) -> None:
    # the chain's own pace: nothing here moves the clock
    await shaky.chain.mine_every(1)
    worker = asyncio.create_task(run_worker(shaky.of))
    try:
        async with shaky.trader() as trader:
            _, order = await covered_position(shaky, trader)
            order_id = str(order["purchaseOrderId"])
            await _until_owned(db, len(tasks_of(shaky.of)))
            await door.shut()
            await trader.pay(shaky.chain, order)  # and nobody is told
            await _until_owned(db, 0)
            await door.open()
            await _until_owned(db, len(tasks_of(shaky.of)))
            for _ in range(SPARE_SEC * 10):
                if (await trader.order(order_id))["status"] == "ACTIVE":
                    break
                await asyncio.sleep(0.1)
            shown = await trader.order(order_id)
            moves = [event["toStatus"] for event in shown["history"]]
            assert moves == ["DRAFT", "PAID_PENDING_CONFIRM", "ACTIVE"]
        assert not worker.done()
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def test_a_worker_that_is_told_to_end_does_so_though_its_database_goes_at_the_same_moment(
    shaky: TestWorld, door: Door, db: Database
) -> None:
    for turns in range(12):  # of the event loop, between the one and the other
        worker = asyncio.create_task(run_worker(shaky.of))
        await _until_owned(db, len(tasks_of(shaky.of)))
        await door.shut()
        for _ in range(turns):
            await asyncio.sleep(0)
        worker.cancel()
        ended, _ = await asyncio.wait([worker], timeout=SPARE_SEC)
        assert ended, f"it lives on, {turns} turns after the database"
        await door.open()


async def _until_owned(db: Database, tasks: int) -> None:
    """Wait until that many of the workers' tasks have an owner."""
    owned = -1
    for _ in range(SPARE_SEC * 10):
        async with db.pool.acquire() as conn:
            owned = await conn.fetchval(
                "select count(*) from pg_locks where locktype = 'advisory' and classid = 27761 and granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
        if owned == tasks:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{owned} tasks have an owner, not {tasks}")
