"""The watcher on a real EVM node and a real PostgreSQL: payments come, blocks go, endpoints fail."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from liqpass.chain.watcher import Outcome, StepReport
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.chain.conftest import PREMIUM, Row, Watched
from tests.clock import SettableClock


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
    assert await watched.step() == StepReport(Outcome.GOOD), "nothing is new, further, or gone"


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
