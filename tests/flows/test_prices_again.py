"""`liqpass price again`: every price comes out of what is stored with its order and the kept numbers of its
product, also when the file of products is another one since; what does not come out is told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.commands import forked
from tests.commands.cli import Done
from tests.conftest import in_database
from tests.flows.newcomers import newcomer
from tests.world import TestWorld

SHOWN = "premium {premiumUsd}, payout {payoutUsd} USDC, chance {chance:.4f} %"


@pytest.fixture(scope="module")
async def url(town: TestWorld, server_url: str) -> str:
    """Of the town's database."""
    return in_database(server_url, await town.db.pool.fetchval("select current_database()"))


def forget_products(world: TestWorld) -> None:
    """Their file is gone."""
    Path(world.env["LIQPASS_SKUS"]).unlink()


@pytest.fixture(scope="module")
async def orders(town: TestWorld) -> list[dict[str, Any]]:
    """One of each of three products; the file that they were priced with is gone since."""
    made = []
    for sku, lever in (("LIQPASS_8H", 10), ("LIQPASS_24H", 20), ("LIQPASS_30D", 7)):
        async with newcomer(town, lever=lever) as somebody:
            made.append(await somebody.order(sku))
    forget_products(town)
    return made


@pytest.fixture
async def owner(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Whose hand may change what the application's role may not; all is as before after the test."""
    conn = await asyncpg.connect(url)
    kept = await conn.fetch("select * from purchase_orders")
    yield conn
    await conn.executemany(
        "update purchase_orders set premium_amount = $2, chance_ppm = $3, priced_from = $4 where id = $1",
        [(row["id"], row["premium_amount"], row["chance_ppm"], row["priced_from"]) for row in kept],
    )
    await conn.close()


async def again(url: str, *arguments: str) -> Done:
    """The database is all that it needs to know."""
    return await forked.liqpass("price", "again", *arguments, env={"DATABASE_URL": url})


def ref(order: dict[str, Any]) -> bytes:
    return bytes.fromhex(order["purchaseOrderId"][2:])


def shown(order: dict[str, Any]) -> str:
    return SHOWN.format(**order, chance=order["chancePpm"] / 10_000)


async def test_an_order_is_computed_again_from_the_database_alone(
    url: str, town: TestWorld, orders: list[dict[str, Any]]
) -> None:
    version = town.of.products.version
    for order in orders:
        done = await again(url, order["purchaseOrderId"])
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            f"{order['purchaseOrderId']}: equal: {shown(order)}, {order['sku']} of version {version}\n"
        )
    done = await again(url, "--all")
    assert (done.status, done.out) == (
        0,
        "3 orders: 3 equal, 0 priced by the table before, 0 different.\n",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("premium_amount = premium_amount + 10000", "again: {shown}, LIQPASS_8H of version "),
        ("chance_ppm = chance_ppm + 1", "again: {shown}, LIQPASS_8H of version "),
        ("priced_from = replace(priced_from, '\"short_e12\":', '\"short_e12\":999')", "refuses it: "),
        ("priced_from = replace(priced_from, 'LIQPASS_8H', 'OTHER')", "OTHER of version "),
        ("priced_from = '{}'", "is unreadable: Object missing required field "),
        ("priced_from = 'not JSON'", "is unreadable: JSON is malformed"),
    ],
)
async def test_one_that_comes_out_otherwise_is_shown_beside_what_is_stored_and_fails(
    change: str, said: str, url: str, orders: list[dict[str, Any]], owner: asyncpg.Connection
) -> None:
    eight = orders[0]
    await owner.execute(f"update purchase_orders set {change} where purchase_order_id = $1", ref(eight))
    one, everything = await again(url, eight["purchaseOrderId"]), await again(url, "--all")
    assert one.status == everything.status == 1
    assert one.err == everything.err == ""
    assert one.out.startswith(f"{eight['purchaseOrderId']}: stored: premium ")
    assert said.format(shown=shown(eight)) in one.out
    assert everything.out == one.out + "3 orders: 2 equal, 0 priced by the table before, 1 different.\n"


async def test_an_order_of_before_is_told_to_be_that_and_fails_nothing(
    url: str, orders: list[dict[str, Any]], owner: asyncpg.Connection
) -> None:
    before = {"version": "2026-11-22", "sku": "LIQPASS_8H", "facts": {"distance_bps": 900}}
    await owner.execute(
        "update purchase_orders set chance_ppm = null, priced_from = $2 where purchase_order_id = $1",
        ref(orders[0]),
        json.dumps(before),
    )
    one, everything = await again(url, orders[0]["purchaseOrderId"]), await again(url, "--all")
    assert one.status == everything.status == 0
    assert one.out.endswith(": priced by the table before, and is not computed again\n")
    assert everything.out == "3 orders: 2 equal, 1 priced by the table before, 0 different.\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], "name an ORDER by its public id, 0x…, or type --all"),
        (["--all", "0x" + "12" * 32], "name an ORDER by its public id, 0x…, or type --all"),
        (["0x12"], "ORDER is 0x and 64 hexadecimal digits."),
        (["0x" + "12" * 32], "There is no order 0x" + "12" * 32 + "."),
    ],
)
async def test_what_names_no_order_is_one_line(typed: list[str], said: str, url: str) -> None:
    done = await again(url, *typed)
    assert (done.status, done.out, done.err) == (1, "", f"liqpass: {said}\n")
