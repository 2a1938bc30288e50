"""What falls due is found among thousands of orders of which nothing is: by the rows that are read, not by
time.

Each query of the worker's batches runs on books of many orders, of which a few are due. What it reads, as
PostgreSQL counts it in every scan, must not come near the number of those that are not."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from bench.books import end_at, write_books
from bench.moving import ALIVE, CHAIN, bare_statements, write_due
from liqpass.claims.policy import POLICIES
from liqpass.db import QUERIES
from liqpass.payments.settle import BATCH
from tests.conftest import copy_database, in_database, on_server

ORDERS, OPEN, DUE, ENDED = 1_000, 20_000, 5, 2
FEW = OPEN / 10
"""Rows of a table: those of the books themselves are so few that PostgreSQL may read them all."""
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = AT + timedelta(minutes=2)
SETTLEABLE = (
    *(CHAIN.chain_id, NOW, list(POLICIES), [one.claim_window_sec for one in POLICIES.values()]),
    *(NOW - timedelta(seconds=min(one.claim_window_sec for one in POLICIES.values())), BATCH, 0),
)
PAID = [sha256(number.to_bytes(8, "big") + b"public").digest() for number in range(4 * DUE) if number % 4 < 2]


# Orders that wait to be paid, and as many covers that run: nothing of them is due for an hour. As
# wide as real ones, else to read them all would be cheap.
_OPEN = """
    insert into purchase_orders (user_id, id, purchase_order_id, binding_id, sku, premium_amount,
        payout_amount, priced_from, status, event_seq, coverage_delay_sec, duration_sec, pay_before, chain_id,
        checkout, created_at)
    select u, gen_random_uuid(), sha256(int8send(i) || 'open'), gen_random_uuid(), 'LIQPASS_8H', 1, 1,
        repeat('x', 1800), 'DRAFT', 1, 600, 86400, at + interval '1 h' + i * interval '1 s', $3::bigint, u,
        at - interval '1 min'
    from generate_series(1, $1::int) i,
        lateral (select substr(sha256(int8send(i % 999)), 1, 20) as u, $2::timestamptz as at) l
"""
_RUNNING = """
    update purchase_orders set status = 'ACTIVE', pay_tx_hash = purchase_order_id, payer = user_id,
        submitted_at = created_at, paid_at = created_at, coverage_start_at = created_at + interval '600 s',
        coverage_end_at = created_at + interval '87000 s'
    where payout_amount = 1 and get_byte(purchase_order_id, 0) < 128
"""
_OPEN_COVERS = """
    insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at)
    select o.user_id, o.id, o.purchase_order_id, '1', o.coverage_end_at
    from purchase_orders o left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    where o.status = 'ACTIVE' and w.order_id is null
"""


@pytest.fixture(scope="module")
async def among_many(server_url: str, template: str) -> AsyncIterator[asyncpg.Connection]:
    """Books in which nothing is due, many open orders, and twenty beside them. Ten were never paid. Ten were
    paid: five wait to be settled, three are covered and over by NOW, two are over and were seen
    alive since."""
    name = f"{template}_many"
    await copy_database(server_url, template, name)
    conn = await asyncpg.connect(in_database(server_url, name))
    await write_books(conn, CHAIN, AT, ORDERS)
    await end_at(conn, CHAIN.chain_id, CHAIN.tip, bytes(32), NOW)
    async with conn.transaction():
        await conn.execute("set local session_replication_role = replica")
        await conn.execute(_OPEN, OPEN, AT, CHAIN.chain_id)
        await conn.execute(_RUNNING)
        await conn.execute(_OPEN_COVERS)
    await write_due(conn, DUE, AT)
    for step, upto in (("settle", DUE), ("expire", ENDED)):
        for statement in bare_statements()[step]:
            await conn.fetch(statement, 1, upto)
    await conn.execute(ALIVE)
    yield conn
    await conn.close()
    await on_server(server_url, f"drop database {name} with (force)")


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Each scan of a table, and how many rows it read in all its loops."""
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")
    if name := plan.get("Relation Name"):
        rows = plan["Actual Rows"] + sum(plan.get(kind, 0) for kind in dropped)
        yield name, rows * plan["Actual Loops"]
    for below in plan.get("Plans", ()):
        yield from scans(below)


async def read(conn: asyncpg.Connection, name: str, *args: object) -> dict[str, float]:
    """Rows that a query of the product reads, by table; what it changes is rolled back."""
    sql = next(one.sql for one in QUERIES if one.name == f"liqpass.{name}")
    transaction = conn.transaction()
    await transaction.start()
    explained = await conn.fetchval(f"explain (analyze, timing off, format json) {sql}", *args)
    await transaction.rollback()
    found: dict[str, float] = {}
    for table, rows in scans(json.loads(explained)[0]["Plan"]):
        found[table] = found.get(table, 0) + rows
    return found


CASES = [
    pytest.param("payments.sql.take_queue", (CHAIN.chain_id, BATCH, 0), id="payments to settle"),
    pytest.param("payments.sql.cancel_late", (CHAIN.chain_id, NOW, BATCH, 0), id="late orders"),
    # few at once: for two hundred, PostgreSQL thinks no more of reading ten thousand that run
    pytest.param("payments.sql.expire_over", (NOW, DUE, 0, CHAIN.chain_id), id="ended covers"),
    pytest.param(
        "payments.sql.pending_without_payment",
        (CHAIN.chain_id, NOW, BATCH),
        id="hashes to ask for",
    ),
    pytest.param("treasury.sql.take_queue", (CHAIN.chain_id, BATCH, 0), id="transfers to book"),
    pytest.param("payments.sql.lock_orders", (PAID,), id="whom payments name"),
    pytest.param("payments.sql.payments_of", (CHAIN.chain_id, PAID), id="all that pays an order"),
    pytest.param("claims.covers.sql.lock_settleable", SETTLEABLE, id="covers to settle"),
]


@pytest.mark.parametrize(("name", "args"), CASES)
async def test_what_is_due_is_found_without_reading_what_is_not(
    among_many: asyncpg.Connection, name: str, args: tuple[object, ...]
) -> None:
    found = await read(among_many, name, *args)
    assert {table: rows for table, rows in found.items() if rows > FEW} == {}


def expected(plan: dict[str, Any]) -> Iterator[tuple[str, str | None, float]]:
    """How each scan of orders and covers is to be made, and how many rows PostgreSQL expects of it."""
    if plan.get("Relation Name") in ("purchase_orders", "watched_covers"):
        yield plan["Node Type"], plan.get("Index Name"), plan["Plan Rows"]
    for below in plan.get("Plans", ()):
        yield from expected(below)


@pytest.mark.parametrize(
    ("name", "args", "which"),
    [
        pytest.param("payments.sql.cancel_late", [CHAIN.chain_id, NOW, BATCH, 0], 0, id="late orders"),
        pytest.param("payments.sql.expire_over", [NOW, BATCH, 0, CHAIN.chain_id], 3, id="ended covers"),
        pytest.param(
            "payments.sql.pending_without_payment", [CHAIN.chain_id, NOW, BATCH], 0, id="hashes to ask for"
        ),
        pytest.param("claims.covers.sql.lock_settleable", list(SETTLEABLE), 0, id="covers to settle"),
    ],
)
async def test_for_a_chain_without_orders_it_is_looked_for_as_for_any_other(
    among_many: asyncpg.Connection, name: str, args: list[object], which: int
) -> None:
    """PostgreSQL knows which chains occur. For one that does not, it read all open orders of the others: half
    a second and more, each second, where there were millions."""
    sql = next(one.sql for one in QUERIES if one.name == f"liqpass.{name}")
    plans = []
    for chain_id in (CHAIN.chain_id, CHAIN.chain_id + 1):
        args[which] = chain_id
        plans.append(json.loads(await among_many.fetchval(f"explain (format json) {sql}", *args))[0]["Plan"])
    assert list(expected(plans[0])) == list(expected(plans[1])) != []


async def test_what_is_due_is_found_at_all(among_many: asyncpg.Connection) -> None:
    """The fixture's few are due: what reads nothing would find nothing either."""
    sql = {one.name.removeprefix("liqpass."): one.sql for one in QUERIES}
    found = {}
    for case in CASES:
        name: Any
        args: Any
        name, args = case.values
        transaction = among_many.transaction()
        await transaction.start()
        rows = await among_many.fetch(sql[name], *args)
        await transaction.rollback()
        found[str(case.id)] = rows[0]["count"] if rows and "count" in rows[0] else len(rows)
    assert found == {
        "payments to settle": DUE,
        "late orders": 2 * DUE,
        "ended covers": DUE - ENDED,
        "hashes to ask for": found["hashes to ask for"],
        "transfers to book": DUE,
        "whom payments name": 2 * DUE,
        "all that pays an order": 2 * DUE,
        "covers to settle": ENDED,
    }


async def test_a_query_that_reads_everything_is_seen(among_many: asyncpg.Connection) -> None:
    transaction = among_many.transaction()
    await transaction.start()
    await among_many.execute("drop index purchase_orders_ending")
    found = await read(among_many, "payments.sql.expire_over", NOW, BATCH, 0, CHAIN.chain_id)
    await transaction.rollback()
    assert found["purchase_orders"] > OPEN / 4
