"""What belongs to requests that are done together is looked up by its key, also by a plan that was made while
tables were small and is used ever after."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from bench.slots import seed
from liqpass.db import Query
from tests.schema.test_queries import shipped_queries

GROW = {"sessions", "api_accounts", "position_readings", "insured_bindings", "purchase_orders"}
SMALL = {"market_instruments"}
USERS = 2_000
TOGETHER = [one for one in shipped_queries() if "with ordinality as rows" in one.sql]


def scans(plan: Any) -> Iterator[dict[str, Any]]:
    """The parts of a plan that find rows in a table, or in an index of one."""
    if (
        "Scan" in plan["Node Type"] and plan["Node Type"] != "Bitmap Heap Scan"
    ):  # its index is a part of its own
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


def test_there_are_statements_of_several_requests() -> None:
    assert {"positions.sql.bind_many", "orders.sql.draft_many", "payments.sql.submit_many"} <= {
        one.name.removeprefix("liqpass.") for one in TOGETHER
    }


async def plan_for_ever(conn: asyncpg.Connection, sql: str) -> Any:
    """The plan that is used for whatever is asked."""
    nothing = ", ".join(["null"] * len((await conn.prepare(sql)).get_parameters()))
    await conn.execute("set local plan_cache_mode = force_generic_plan")
    await conn.execute(f"prepare asked as {sql}")
    plan = await conn.fetchval(f"explain (format json) execute asked({nothing})")
    await conn.execute("deallocate asked")
    return json.loads(plan)[0]["Plan"]


@pytest.mark.parametrize("of", TOGETHER, ids=lambda one: one.name.removeprefix("liqpass."))
async def test_it_reads_no_table_that_grows_but_by_a_key(owner: asyncpg.Connection, of: Query) -> None:
    await seed(owner, USERS, b"{}", datetime(2026, 11, 30, tzinfo=UTC))  # who has not bound or ordered yet
    read = [
        one
        for one in scans(await plan_for_ever(owner, of.sql))
        if {"Relation Name", "Index Name"} & set(one) and one.get("Relation Name") not in SMALL
    ]
    assert {one.get("Relation Name") for one in read} & GROW
    by_no_key = [one for one in read if "Index Cond" not in one]
    assert [(one["Node Type"], one.get("Relation Name"), one.get("Index Name")) for one in by_no_key] == []
