"""The watcher over time: catching up, dying, several at once, halting, beginning."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import asyncpg
import pytest

from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome, lift_halt
from liqpass.db import Database
from liqpass.sandbox.anvil import Anvil
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy
from tests.chain.conftest import Watched


async def test_catching_up_goes_step_by_step_and_the_cursor_shows_it(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    start = int(str((await watched.cursor())["safe_number"]))
    watched.nodes[0].stride.size = 20
    endpoint.max_range = watched.nodes[0].blocks.size = 8
    await watched.pay(1)
    await chain.mine(30)
    await watched.pay(2)
    await chain.mine(20)
    latest = await chain.block_number()
    report = await watched.good_step()
    assert report.blocks_left == latest - start - 20
    cursor = await watched.cursor()
    assert cursor["finalized_number"] == cursor["safe_number"] == start + 20
    assert cursor["latest_number"] == latest
    assert await watched.stages() == {1: "FINAL"}
    while (await watched.good_step()).blocks_left:
        pass
    assert await watched.stages() == {1: "FINAL", 2: "FINAL"}
    assert (await watched.cursor())["safe_number"] == await chain.block_number("safe")


async def test_a_payment_made_while_the_watcher_was_away_is_found_from_the_cursor_on(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, open_node: Callable[[str], Node]
) -> None:
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(300)
    watched.nodes = [open_node(endpoint.url)]
    endpoint.max_range = watched.nodes[0].blocks.size = 100
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}


async def test_the_chain_may_move_while_it_is_read_and_nothing_is_taken_from_that(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    await watched.pay(1)
    before = await watched.everything()
    requests: list[list[Request]] = []

    async def shake(batch: list[Request]) -> None:
        requests.append(batch)
        if len(requests) == 2:
            await chain.reorg(1)

    endpoint.before = shake
    report = await watched.step()
    assert report.outcome is Outcome.MOVED
    assert await watched.everything() == before
    assert (await watched.good_step()).added == 0


async def test_a_new_block_while_the_chain_is_read_does_no_harm(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()

    async def grow(_: list[Request]) -> None:
        await chain.mine(1)

    endpoint.before = grow
    await watched.pay(1)
    await watched.good_step()
    assert await watched.stages() == {1: "SEEN"}


async def test_a_watcher_killed_before_its_transaction_ends_leaves_nothing_behind(
    watched: Watched, db: Database
) -> None:
    await watched.good_step()
    before = await watched.everything()
    await watched.pay(1)
    # The second table cannot be written, as if the process died between the two.
    async with db.pool.acquire() as reader, reader.transaction():
        await reader.execute("lock table usdc_transfers in share mode")
        dying = asyncio.create_task(watched.step())
        async with asyncio.timeout(20):
            while not await db.pool.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
    assert await watched.everything() == before
    await watched.good_step()
    assert await watched.stages() == {1: "SEEN"}


async def test_of_two_watchers_at_once_the_later_is_rolled_back_whole(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    await watched.pay(1)
    quick = Watched(watched.db, chain, watched.settings, watched.clock, [Node(chain.url)])
    waiting = asyncio.Event()
    go_on = asyncio.Event()

    async def hold(_: list[Request]) -> None:
        waiting.set()
        await go_on.wait()

    endpoint.before = hold
    slow = asyncio.create_task(watched.step())
    await waiting.wait()
    await quick.good_step()
    await chain.reorg(1)
    await quick.good_step()
    assert await quick.stages() == {1: "DROPPED"}
    stored = await quick.everything()
    go_on.set()
    assert (await slow).outcome is Outcome.OVERTAKEN
    assert await quick.everything() == stored
    await quick.nodes[0].close()


async def test_many_watchers_at_once_store_each_payment_once(watched: Watched, chain: SandboxChain) -> None:
    await watched.good_step()
    for order in range(1, 4):
        await watched.pay(order)
    reports = await asyncio.gather(*(watched.step() for _ in range(8)))
    outcomes = {report.outcome for report in reports}
    assert Outcome.GOOD in outcomes
    assert outcomes <= {Outcome.GOOD, Outcome.OVERTAKEN}
    assert list(await watched.stages()) == [1, 2, 3]
    await chain.finalize()
    await asyncio.gather(*(watched.step() for _ in range(8)))
    assert await watched.stages() == {1: "FINAL", 2: "FINAL", 3: "FINAL"}


async def test_a_final_payment_cannot_be_changed_by_anybody(watched: Watched, chain: SandboxChain) -> None:
    await watched.pay(1)
    await chain.finalize()
    await watched.good_step()
    for table in ("premium_payments", "usdc_transfers"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await watched.db.pool.execute(f"update {table} set stage = 'DROPPED'")


async def test_a_reorg_below_finalized_halts_the_watcher_until_the_halt_is_lifted(
    watched: Watched, chain: SandboxChain
) -> None:
    await watched.pay(1)
    await chain.finalize()
    await watched.good_step()
    before = await watched.everything()
    await chain.reorg(9)
    report = await watched.step()
    assert report.outcome is Outcome.HALTED
    assert "was final as" in str(report.detail)
    assert "LIQPASS_RPC_URLS" in str(report.detail)
    await chain.mine(1)
    assert (await watched.step()) == report
    assert (await watched.everything())[:2] == before[:2]
    assert await lift_halt(watched.db, watched.settings)
    assert not await lift_halt(watched.db, watched.settings)
    assert (await watched.step()).outcome is Outcome.HALTED


async def test_a_chain_made_anew_and_shorter_halts_the_watcher_when_a_final_payment_shows_it(
    watched: Watched, chain: SandboxChain, open_node: Callable[[str], Node]
) -> None:
    await watched.pay(1)
    paid_in = await chain.block_number()
    await chain.mine(60)
    await watched.good_step()
    async with Anvil(chain_id=chain.chain_id, slots_in_an_epoch=1) as anew:
        watched.nodes = [open_node(anew.url)]
        await anew.mine(10)
        report = await watched.step()
        assert report.outcome is Outcome.DOUBTFUL
        assert "The node is late, or the chain was made anew." in str(report.detail)
        await anew.mine(paid_in)
        report = await watched.step()
        assert report.outcome is Outcome.HALTED
        assert "begin with a fresh database" in str(report.detail)


async def test_a_new_chain_can_be_watched_from_its_first_block(
    watched: Watched, open_node: Callable[[str], Node]
) -> None:
    watched.settings = replace(watched.settings, start_block=0)
    async with Anvil(chain_id=8453, slots_in_an_epoch=32) as anew:
        watched.nodes = [open_node(anew.url)]
        await watched.good_step()
        cursor = await watched.cursor()
        assert [cursor[f"{head}_number"] for head in ("finalized", "safe", "latest")] == [0, 0, 0]
        await anew.mine(3)
        await watched.good_step()
        cursor = await watched.cursor()
        assert [cursor[f"{head}_number"] for head in ("finalized", "safe", "latest")] == [0, 0, 3]


async def test_a_start_block_above_finalized_is_where_reading_begins(
    watched: Watched, chain: SandboxChain
) -> None:
    await watched.pay(1)
    start = await chain.block_number() + 1
    watched.settings = replace(watched.settings, start_block=start)
    await watched.good_step()
    assert (await watched.cursor())["finalized_number"] == await chain.block_number("finalized")
    await watched.pay(2)
    await watched.good_step()
    await chain.finalize()
    await watched.good_step()
    assert await watched.stages() == {2: "FINAL"}
