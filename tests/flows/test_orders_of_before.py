"""An order that was priced by the table before, without a chance and from other facts, lives on: it is shown,
paid, covered, watched, claimed, bundled, paid out and exported."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from liqpass.claims import bundle
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.trader import Trader
from tests.commands.forked import liqpass
from tests.conftest import in_database
from tests.flows.newcomers import Newcomer, newcomer, shared_world
from tests.world import TestWorld

CLAIMS = "/api/insurance/claims"
MADE_OF = "select priced_from from purchase_orders where purchase_order_id = $1"
TABLE_BEFORE = "update purchase_orders set chance_ppm = null, priced_from = $2 where purchase_order_id = $1"


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product with an operator."""
    owner = checksum(wallet("checkout owner").address)
    folder = tmp_path_factory.mktemp("before")
    async with shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=owner) as world:
        yield world


async def url_of(world: TestWorld, server_url: str) -> str:
    return in_database(server_url, await world.db.pool.fetchval("select current_database()"))


async def as_before(world: TestWorld, server_url: str, order: dict[str, Any]) -> None:
    """The row as the version before wrote it: no side, distance in basis points, no market, no time."""
    owner = await asyncpg.connect(await url_of(world, server_url))
    ref = bytes.fromhex(order["purchaseOrderId"][2:])
    made_from = json.loads(await owner.fetchval(MADE_OF, ref))
    facts = made_from["facts"]
    before = {
        "version": "2026-11-22",
        "sku": made_from["sku"],
        "facts": {
            **{name: facts[name] for name in ("leverage_centi", "margin_micro", "notional_micro")},
            "distance_bps": facts["distance_ppm"] // 100,
        },
        **{name: made_from[name] for name in ("position", "position_sha256", "read_at")},
    }
    assert await owner.execute(TABLE_BEFORE, ref, msgspec.json.encode(before).decode()) == "UPDATE 1"
    await owner.close()


async def page(who: Trader, path: str) -> str:
    async with who.http.get(who.api + path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def covered(world: TestWorld, who: Newcomer, order: dict[str, Any]) -> None:
    """Paid, and the cover has begun."""
    await who.trader.pay(world.chain, order)
    await world.confirm()
    shown = await who.trader.order(order["purchaseOrderId"])
    assert shown["status"] == "ACTIVE"
    starts = datetime.fromisoformat(shown["coverageStartAt"]) - world.clock()
    await world.pass_time(seconds=(starts + timedelta(seconds=5)).total_seconds())
    await world.work(2)


async def test_it_is_shown_paid_claimed_bundled_approved_and_exported(
    town: TestWorld, server_url: str, tmp_path: Path
) -> None:
    async with newcomer(town) as alice, Trader(town.api, town.chain.owner) as operator:
        bound = await alice.bind()
        order = await alice.trader.create_order(bound["bindId"])
        await as_before(town, server_url, order)
        order_id = order["purchaseOrderId"]

        # shown, and answered again as it was
        shown = await alice.trader.order(order_id)
        assert (shown["chancePpm"], shown["premiumAmount"]) == (None, order["premiumAmount"])
        (listed,) = (await alice.trader.call("GET", "/api/insurance/orders"))["orders"]
        assert listed["chancePpm"] is None
        again = await alice.trader.create_order(bound["bindId"])
        assert again == {**order, "chancePpm": None}
        assert order["premiumUsd"] in await page(alice.trader, f"/orders/{order_id}")

        # paid, watched and liquidated
        await covered(town, alice, order)
        await page(alice.trader, f"/orders/{order_id}")
        town.exchange.books.liquidate(alice.okx.uid, "BTC-USDT-SWAP")
        await town.pass_time(minutes=6)
        await town.work(2)
        (claim,) = (await alice.trader.call("GET", CLAIMS))["claims"]
        assert (claim["status"], claim["amount"]) == ("PAYABLE", order["payoutAmount"])

        # bundled: anybody comes to the same verdict
        async with alice.trader.http.get(f"{town.api}{CLAIMS}/{claim['claimId']}/bundle") as answer:
            content = await answer.read()
        assert claim["bundleSha256"] == f"0x{sha256(content).hexdigest()}"
        assert bundle.replayed(content).same

        # approved by an operator, who is shown it, too
        await operator.sign_in()
        await page(operator, f"/operator/claims/{claim['claimId']}")
        body = {"reason": "shown", "amount": claim["amount"]}
        await operator.call("POST", f"/api/admin/claims/{claim['claimId']}/approve", body)
        (claim,) = (await alice.trader.call("GET", CLAIMS))["claims"]
        assert claim["status"] == "APPROVED"

    env = {**town.env, "DATABASE_URL": await url_of(town, server_url)}
    for table in ("transfers", "claims"):
        path = tmp_path / f"{table}.csv"
        done = await liqpass("export", "--table", table, "--format", "csv", "--out", str(path), env=env)
        assert (done.status, done.err) == (0, "")
        assert order_id in path.read_text()
