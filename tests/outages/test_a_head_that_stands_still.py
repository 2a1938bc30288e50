"""A head that stands still while some endpoint shows a later one is told, with the endpoint and its words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liqpass.db import Database
from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.clock import SettableClock
from tests.commands.forked import liqpass
from tests.outages.conftest import Answer, metric, page
from tests.world import TestWorld, covered_position, running_world

NO_BATCH = "maximum 0 calls in 1 batch"


@pytest.fixture
async def two(db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[TestWorld]:
    """A world whose product asks two endpoints."""
    async with running_world(db, clock, tmp_path, second_endpoint=True) as world:
        yield world


def _host(node: RpcProxy) -> str:
    return node.url.removeprefix("http://")


def _refuses_logs(node: RpcProxy) -> None:
    """It answers everything but what the product lives on."""
    node.max_logs = -1


async def _ready(world: TestWorld) -> Answer:
    world.clock.advance(seconds=16)  # what endpoints said is kept for some seconds
    return await page(world, "/readyz")


async def test_what_a_single_endpoint_refuses_is_told_at_once(world: TestWorld) -> None:
    await world.work()
    _refuses_logs(world.node)
    await world.work()
    said = await _ready(world)
    assert said.status == 200
    assert f"{_host(world.node)} refused eth_getLogs: query returned more than -1 results" in said.text
    assert await metric(world, "liqpass_chain_remark") == 1
    assert await metric(world, "liqpass_chain_view_doubtful") == 0
    world.node.max_logs = None
    await world.work()
    assert "refused" not in (await _ready(world)).text


async def test_an_endpoint_that_refuses_even_single_calls_is_told_at_once_and_as_silent(
    world: TestWorld,
) -> None:
    await world.work()
    world.node.max_batch = 0
    said = await _ready(world)
    assert f"{_host(world.node)} refused eth_chainId: {NO_BATCH}" in said.text, "no worker has met it yet"
    assert await metric(world, f'liqpass_endpoint_answers{{endpoint="{_host(world.node)}"}}') == 0
    world.node.max_batch = None
    await _ready(world)
    assert await metric(world, f'liqpass_endpoint_answers{{endpoint="{_host(world.node)}"}}') == 1


async def test_a_safe_head_that_stands_is_told_with_who_shows_more_and_the_others_words(
    two: TestWorld, database_url: str
) -> None:
    second = two.second_node
    assert second is not None
    async with two.trader() as trader:
        _, order = await covered_position(two, trader)
        await two.work()
        assert (await _ready(two)).status == 200
        _refuses_logs(second)
        await trader.pay(two.chain, order)
        await two.confirm()
        await two.chain.finalize()
        await two.work()
        assert (await _ready(two)).status == 200, "a moment is no standing still"
        for _ in range(3):
            await two.pass_time(minutes=1)
            await two.work()
        said = await _ready(two)
        assert said.status == 503
        told = said.checks["watcher"]
        assert told.startswith("the safe head has not reached block ")
        assert f"which {_host(two.node)} showed 196 s ago: " in told
        assert f"{_host(second)} refused eth_getLogs" in told
        assert await metric(two, 'liqpass_chain_waited_seconds{head="safe"}') > 120
        assert await metric(two, 'liqpass_chain_waited_seconds{head="finalized"}') > 120
        assert await metric(two, 'liqpass_chain_waited_seconds{head="read"}') == 0

        done = await liqpass("check", env={**two.env, "DATABASE_URL": database_url})
        assert done.status == 1
        (line,) = [line for line in done.out.splitlines() if " watcher: " in line]
        assert line.startswith("FAIL")
        assert f"{_host(second)} refused eth_getLogs" in line

        second.max_logs = None
        await two.work()
        assert (await _ready(two)).status == 200
        assert await metric(two, 'liqpass_chain_waited_seconds{head="safe"}') == 0
        assert (await trader.order(str(order["purchaseOrderId"])))["status"] == "ACTIVE"


async def test_what_waits_to_become_final_for_dust_alone_is_a_remark_and_stops_no_sale(
    world: TestWorld,
) -> None:
    await world.work()

    def crowded(method: str, params: list[object], result: object) -> object:
        return [] if method == "eth_getBlockReceipts" else result

    world.node.rewrite, world.node.max_logs = crowded, 0
    await world.chain.mint(world.chain.treasury, 5)
    await world.chain.finalize()
    await world.work()
    await _ready(world)
    await world.pass_time(minutes=3)
    await world.chain.mine(1)
    await world.work()
    said = await _ready(world)
    assert said.checks["watcher"] == "ok"
    assert "the finalized head has not reached block" in said.text
    assert "has no receipts of block" in said.text


async def test_a_head_that_its_endpoint_takes_back_is_waited_for_no_longer(world: TestWorld) -> None:
    """An endpoint was on another fork for a moment: at its height ours would be in hours."""

    def far_ahead(method: str, params: list[object], result: object) -> object:
        if method == "eth_getBlockByNumber" and params[0] in ("latest", "safe", "finalized"):
            assert isinstance(result, dict)
            return {**result, "number": hex(int(result["number"], 16) + 500)}
        return result

    await world.work()
    world.node.rewrite = far_ahead
    await _ready(world)
    assert await metric(world, 'liqpass_chain_waited_seconds{head="safe"}') == 0
    await world.pass_time(minutes=1)
    await _ready(world)
    assert await metric(world, 'liqpass_chain_waited_seconds{head="safe"}') > 60, "it is shown still"
    world.node.rewrite = None
    for _ in range(2):
        await world.pass_time(minutes=2)
        await world.chain.mine(1)
        await world.work()
        said = await _ready(world)
    assert (said.status, said.checks["watcher"]) == (200, "ok")
