"""The watcher on a real EVM node and a real PostgreSQL: payments come, blocks go, endpoints fail."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from liqpass.chain import reading
from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome, lift_halt
from liqpass.db import Database
from liqpass.sandbox.anvil import Anvil
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy
from tests.chain.conftest import PREMIUM, Row, Watched
from tests.conftest import SettableClock


async def test_a_payment_is_seen_then_safe_then_final(watched: Watched, chain: SandboxChain) -> None:
    await watched.good_step()
    await watched.pay(1)
    mined = await chain.block_number()
    assert (await watched.good_step()).added == 2
    assert await watched.payments() == [Row(1, "SEEN", mined)]
    await chain.mine(3)
    await watched.good_step()
    assert await watched.stages() == {1: "SEEN"}
    await chain.mine(1)
    assert (await watched.good_step()).advanced == 2
    assert await watched.stages() == {1: "SAFE"}
    await chain.mine(4)
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}
    assert not (await watched.good_step()).changed


async def test_what_is_stored_is_what_the_chain_says(watched: Watched, chain: SandboxChain) -> None:
    tx_hash = await watched.pay(7, chain.wallets[2])
    await chain.transfer(chain.wallets[1], chain.treasury, 123)
    await watched.good_step()
    number, block_hash, time = await chain.block(await chain.block_number() - 1)
    paid = await watched.db.pool.fetchrow("select * from premium_payments")
    assert paid is not None
    log_index = paid["log_index"]
    assert tuple(paid)[:9] == (
        chain.chain_id,
        tx_hash,
        log_index,
        number,
        block_hash,
        datetime.fromtimestamp(time, UTC),
        (7).to_bytes(32, "big"),
        chain.wallets[2].address,
        PREMIUM,
    )
    moved = await watched.db.pool.fetch("select sender, amount from usdc_transfers order by amount")
    expected = [(chain.wallets[1].address, 123), (chain.wallets[2].address, PREMIUM)]
    assert [tuple(row) for row in moved] == expected


async def test_the_cursor_is_the_finalized_head_and_carries_the_others(
    watched: Watched, chain: SandboxChain, clock: SettableClock
) -> None:
    await chain.mine(3)
    await watched.good_step()
    clock.advance(seconds=30)
    await chain.mine(5)
    await watched.good_step()
    cursor = await watched.cursor()
    finalized, safe, latest = [await chain.block(tag) for tag in ("finalized", "safe", "latest")]
    assert (cursor["finalized_number"], cursor["finalized_hash"]) == finalized[:2]
    assert (cursor["safe_number"], cursor["safe_time"]) == (safe[0], datetime.fromtimestamp(safe[2], UTC))
    assert cursor["latest_number"] == latest[0]
    assert cursor["latest_time"] == datetime.fromtimestamp(latest[2], UTC)
    assert cursor["read_at"] == clock.now
    assert (cursor["doubtful_views"], cursor["doubt"], cursor["halted"]) == (0, None, None)


@pytest.mark.parametrize(
    ("policy", "blocks"),
    [("safe", 4), ("finalized", 8), ("1", 1), ("6", 6), ("5000", 8)],
)
async def test_the_confirmation_policy_says_after_how_many_blocks_a_payment_is_safe(
    watched: Watched, chain: SandboxChain, policy: str, blocks: int
) -> None:
    watched.settings = replace(watched.settings, confirmation=policy)
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(blocks - 1)
    await watched.good_step()
    assert await watched.stages() == {1: "SEEN"}
    await chain.mine(1)
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL" if blocks == 8 else "SAFE"}
    assert (await watched.cursor())["safe_number"] == await chain.block_number() - blocks


async def test_a_reorg_takes_a_payment_away_and_another_brings_it_back(
    watched: Watched, chain: SandboxChain
) -> None:
    await watched.good_step()
    tx_hash = await watched.pay(1)
    mined = await chain.block_number()
    raw = bytes.fromhex((await chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()]))[2:])
    await watched.good_step()
    await chain.reorg(1)
    assert (await watched.good_step()).dropped == 2
    assert await watched.payments() == [Row(1, "DROPPED", mined)]
    await chain.mine(2)
    await chain.reorg(2, keep=[raw])
    assert (await watched.good_step()).advanced == 2
    assert await watched.payments() == [Row(1, "SEEN", mined + 1)]
    await chain.finalize()
    await watched.good_step()
    assert await watched.payments() == [Row(1, "FINAL", mined + 1)]


async def test_a_payment_that_moves_to_another_block_at_once_moves_with_it(
    watched: Watched, chain: SandboxChain
) -> None:
    await watched.good_step()
    tx_hash = await watched.pay(1)
    mined = await chain.block_number()
    raw = bytes.fromhex((await chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()]))[2:])
    await chain.mine(4)
    await watched.good_step()
    assert await watched.payments() == [Row(1, "SAFE", mined)]
    await chain.reorg(5, keep=[raw])
    await watched.good_step()
    (row,) = await watched.payments()
    (now,) = await watched.db.pool.fetch("select block_hash, block_time from premium_payments")
    _, block_hash, time = await chain.block(row.block)
    assert tuple(now) == (block_hash, datetime.fromtimestamp(time, UTC))


@pytest.mark.parametrize("wrong", ["empty_logs", "lag"])
async def test_a_late_or_forgetful_node_changes_nothing_and_raises_doubt(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, wrong: str
) -> None:
    await watched.pay(1)
    await chain.mine(4)
    await watched.good_step()
    before = await watched.everything()
    await chain.mine(1)
    setattr(endpoint, wrong, 7)
    for doubtful in (1, 2):
        report = await watched.step()
        assert report.outcome is Outcome.DOUBTFUL
        assert await watched.everything() == before
        cursor = await watched.cursor()
        assert (cursor["doubtful_views"], cursor["doubt"]) == (doubtful, report.detail)
    setattr(endpoint, wrong, 0)
    await watched.good_step()
    assert (await watched.cursor())["doubt"] is None
    assert await watched.stages() == {1: "SAFE"}


async def test_an_empty_list_does_not_hide_a_payment_that_nobody_has_seen_yet(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    endpoint.empty_logs = True
    await watched.pay(1)
    await watched.step()
    await chain.finalize()
    report = await watched.step()
    assert report.outcome is Outcome.DOUBTFUL
    assert report.detail is not None
    assert "bloom filter" in report.detail
    endpoint.empty_logs = False
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}


async def _refuse(endpoint: RpcProxy) -> None:
    await endpoint.refuse()


def _set(name: str) -> Callable[[RpcProxy], Any]:
    async def spoil(endpoint: RpcProxy) -> None:
        setattr(endpoint, name, True)

    return spoil


def _lie_about_the_chain(method: str, _params: list[Any], result: Any) -> Any:
    return "0x1" if method == "eth_chainId" else result


async def _other_chain(endpoint: RpcProxy) -> None:
    endpoint.rewrite = _lie_about_the_chain


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_refuse, "cannot be reached", id="down"),
        pytest.param(_set("unavailable"), "answered HTTP 503", id="503"),
        pytest.param(_set("html"), "did not answer in JSON-RPC", id="a page"),
        pytest.param(_set("rate_limited"), "request rate limited", id="rate limited"),
        pytest.param(_other_chain, "serves chain 0x1, not 0x2105", id="another chain"),
    ],
)
async def test_a_node_that_fails_changes_nothing_and_the_next_one_is_asked(
    watched_by_two: Watched,
    chain: SandboxChain,
    endpoint: RpcProxy,
    spoil: Callable[[RpcProxy], Any],
    said: str,
) -> None:
    watched = watched_by_two
    await watched.good_step()
    before = await watched.everything()
    await spoil(endpoint)
    await watched.pay(1)
    first, second = watched.nodes
    watched.nodes = [first]
    report = await watched.step()
    assert report.outcome is Outcome.NO_NODE
    assert said in str(report.detail)
    assert await watched.everything() == before
    watched.nodes = [first, second]
    await watched.good_step()
    assert await watched.stages() == {1: "SEEN"}
    await chain.finalize()
    if spoil is not _other_chain:  # which is right about everything but its name
        report = await watched.good_step()
        assert said in str(report.detail)
        assert await watched.stages() == {1: "SEEN"}


async def test_a_slow_node_is_given_up(
    watched: Watched, endpoint: RpcProxy, open_node: Callable[..., Node]
) -> None:
    endpoint.delay_sec = 0.5
    watched.nodes = [open_node(endpoint.url, timeout_sec=0.1)]
    report = await watched.step()
    assert report.outcome is Outcome.NO_NODE
    assert "gave no answer within 0.1 seconds" in str(report.detail)


async def test_a_payment_is_safe_only_when_every_endpoint_shows_it(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    start = await watched.cursor()
    second.empty_logs = True
    await watched.pay(1)
    await chain.finalize()
    report = await watched.good_step()
    assert str(report.detail).endswith("does not show 2 of the logs")
    assert await watched.stages() == {1: "SEEN"}
    held = await watched.cursor()
    for column in ("finalized_number", "safe_number", "safe_time"):
        assert held[column] == start[column]
    assert held["latest_number"] == await chain.block_number()
    second.empty_logs = False
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}


async def test_a_payment_that_only_the_second_endpoint_shows_stops_the_first_from_going_on(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    before = await watched.everything()
    endpoint.empty_logs = True
    await watched.pay(1)
    await chain.finalize()
    report = await watched.step()
    assert report.outcome is Outcome.DOUBTFUL
    assert "Another endpoint shows" in str(report.detail)
    assert await watched.everything() == before


def _inflate(method: str, _params: list[Any], result: Any) -> Any:
    if method == "eth_getLogs":
        return json.loads(json.dumps(result).replace(f"{PREMIUM:064x}", f"{PREMIUM + 1:064x}"))
    return result


async def test_two_endpoints_that_show_different_amounts_make_nothing_safe(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    second.rewrite = _inflate
    await watched.pay(1)
    await chain.finalize()
    assert (await watched.step()).outcome is Outcome.DOUBTFUL
    assert await watched.stages() == {}


async def test_an_endpoint_that_has_not_reached_the_safe_head_is_waited_for(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(4)
    second.lag = 6
    assert "(yet)" in str((await watched.good_step()).detail)
    assert await watched.stages() == {1: "SEEN"}
    second.lag = 3
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == {1: "SAFE"}


@pytest.mark.parametrize("limit", [{"max_range": 3}, {"max_logs": 2}])
async def test_ranges_that_are_too_wide_are_halved_until_the_node_gives_them(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, limit: dict[str, int]
) -> None:
    for order in range(1, 7):
        await watched.pay(order)
    for name, value in limit.items():
        setattr(endpoint, name, value)
    await watched.good_step()
    assert list(await watched.stages()) == [1, 2, 3, 4, 5, 6]
    assert watched.nodes[0].range_width < 10
    asked = len(endpoint.seen)
    await watched.good_step()
    assert len(endpoint.seen) - asked < asked, "the width that was found is kept"


async def test_a_refused_width_is_tried_again_after_a_hundred_good_steps() -> None:
    node = Node("http://127.0.0.1:1")
    assert node.narrow()
    for _ in range(99):
        node.widen()
    assert node.range_width == 500
    node.widen()
    assert node.range_width == 1000


async def test_a_node_that_does_not_give_one_block_is_an_error(watched: Watched, endpoint: RpcProxy) -> None:
    await watched.good_step()
    await watched.pay(1)
    endpoint.max_logs = 0
    report = await watched.step()
    assert report.outcome is Outcome.NO_NODE
    assert "query returned more than 0 results" in str(report.detail)


async def test_catching_up_goes_step_by_step_and_the_cursor_shows_it(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.good_step()
    start = int(str((await watched.cursor())["finalized_number"]))
    monkeypatch.setattr(reading, "CATCH_UP_BLOCKS", 20)
    endpoint.max_range = watched.nodes[0].range_width = 8
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
    endpoint.max_range = watched.nodes[0].range_width = 100
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
