"""USDC that leaves the treasury is read as what comes in: none is missing from the books, come what may."""

from typing import Any

import pytest

from liqpass.chain.watcher import Outcome, StepReport
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy
from tests.chain.conftest import Watched

CAP = 5  # logs in one answer; stands for a provider's 10,000
SOMEBODY = b"\x5b" * 20
ANOTHER = b"\xa0" * 20


@pytest.fixture(autouse=True)
async def treasury_holds_something(chain: SandboxChain, watched: Watched) -> None:
    """Before the watcher looks for the first time, and final."""
    await chain.mint(chain.treasury, 1_000)
    await chain.finalize()
    await watched.good_step()


async def pay_out(chain: SandboxChain, to: bytes, amount: int) -> bytes:
    """What the treasury's owners do; the hash."""
    receipt = await chain.transfer(chain.treasury_wallet, to, amount)
    return bytes.fromhex(receipt["transactionHash"][2:])


async def left(watched: Watched) -> list[tuple[bytes, int, str]]:
    """Recipient, amount and stage of all that left the treasury, the smallest amount first."""
    rows = await watched.db.pool.fetch(
        "select recipient, amount, stage from usdc_transfers where recipient is not null order by amount"
    )
    return [tuple(row) for row in rows]


async def came(watched: Watched) -> list[tuple[int, str]]:
    """Amount and stage of what came in by hand since."""
    rows = await watched.db.pool.fetch(
        "select amount, stage from usdc_transfers where recipient is null and amount < 1000 order by amount"
    )
    return [tuple(row) for row in rows]


async def nothing_out(chain: SandboxChain, times: int) -> None:
    """Anybody can write transfers out of the treasury, as long as they are of nothing."""
    nothing = encode_call("transferFrom(address,address,uint256)", chain.treasury, SOMEBODY, 0)
    for _ in range(times):
        await chain.send(chain.wallets[3], chain.usdc, nothing)


async def crowded_block(chain: SandboxChain, *payouts: int) -> int:
    """One block with more transfers of nothing than a provider gives, these payouts and one receipt of 7;
    its number."""
    await chain.set_automine(False)
    await nothing_out(chain, CAP + 1)
    for amount in payouts:
        data = encode_call("transfer(address,uint256)", SOMEBODY, amount)
        await chain.send(chain.treasury_wallet, chain.usdc, data)
    data = encode_call("transfer(address,uint256)", chain.treasury, 7)
    await chain.send(chain.wallets[1], chain.usdc, data)
    await chain.mine(1)
    await chain.set_automine(True)
    return await chain.block_number()


async def test_what_leaves_the_treasury_is_seen_then_safe_then_final(
    watched: Watched, chain: SandboxChain
) -> None:
    tx_hash = await pay_out(chain, SOMEBODY, 250)
    assert (await watched.good_step()).added == 1
    assert await left(watched) == [(SOMEBODY, 250, "SEEN")]
    (row,) = await watched.db.pool.fetch(
        "select tx_hash, block_hash, sender from usdc_transfers where recipient is not null"
    )
    _, block_hash, _ = await chain.block()
    assert tuple(row) == (tx_hash, block_hash, chain.treasury)
    await chain.mine(4)
    assert (await watched.good_step()).advanced == 1
    assert await left(watched) == [(SOMEBODY, 250, "SAFE")]
    assert await watched.step() == StepReport(Outcome.GOOD), "the row is the log again"
    await chain.mine(4)
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 250, "FINAL")]


async def test_what_comes_in_names_no_recipient(watched: Watched, chain: SandboxChain) -> None:
    await watched.pay(1)
    await chain.transfer(chain.wallets[1], chain.treasury, 7)
    await watched.good_step()
    assert await left(watched) == []
    assert await came(watched) == [(7, "SEEN")]


async def test_a_payout_that_a_reorg_takes_away_is_dropped_and_may_come_back(
    watched: Watched, chain: SandboxChain
) -> None:
    tx_hash = await pay_out(chain, SOMEBODY, 250)
    raw = bytes.fromhex((await chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()]))[2:])
    await watched.good_step()
    await chain.reorg(1)
    assert (await watched.good_step()).dropped == 1
    assert await left(watched) == [(SOMEBODY, 250, "DROPPED")]
    await chain.send_raw(raw)
    await chain.finalize()
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 250, "FINAL")]


async def test_what_moves_nothing_is_not_stored(watched: Watched, chain: SandboxChain) -> None:
    await nothing_out(chain, 2)
    await pay_out(chain, SOMEBODY, 0)
    await pay_out(chain, chain.treasury, 100)
    assert await watched.step() == StepReport(Outcome.GOOD)
    await pay_out(chain, ANOTHER, 3)
    await chain.finalize()
    assert (await watched.good_step()).added == 1
    assert await left(watched) == [(ANOTHER, 3, "FINAL")]
    assert await came(watched) == []


async def test_a_payout_in_a_crowded_block_is_read_from_its_receipts(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    endpoint.max_logs = CAP
    await crowded_block(chain, 11, 22)
    await watched.pay(1)
    assert (await watched.good_step()).detail is None
    assert "eth_getBlockReceipts" in endpoint.seen
    assert await left(watched) == [(SOMEBODY, 11, "SEEN"), (SOMEBODY, 22, "SEEN")]
    assert await came(watched) == [(7, "SEEN")]
    assert watched.nodes[0].blocks.size == 1000, "payments do not suffer for the crowd"
    await chain.finalize()
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 11, "FINAL"), (SOMEBODY, 22, "FINAL")]
    assert await came(watched) == [(7, "FINAL")]


async def test_a_payout_that_cannot_be_read_holds_what_becomes_final_and_no_payment(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    endpoint.max_logs, endpoint.no_receipts = CAP, True
    crowded = await crowded_block(chain, 11)
    await watched.pay(1)
    await chain.finalize()
    report = await watched.good_step()
    assert f"USDC transfers of block {crowded:,}" in str(report.detail)
    assert await watched.stages() == {1: "SAFE"}
    assert (await watched.cursor())["finalized_number"] == crowded - 1
    assert await left(watched) == []
    endpoint.no_receipts = False
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 11, "FINAL")]
    assert await watched.stages() == {1: "FINAL"}


def forget_payouts(method: str, params: list[Any], result: Any) -> Any:
    """The endpoint has no logs of what leaves the treasury: its filter names no recipient."""
    return [] if method == "eth_getLogs" and len(params[0]["topics"]) == 2 else result


async def test_a_payout_that_the_second_endpoint_does_not_show_is_not_safe_and_holds_no_payment(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    second.rewrite = forget_payouts
    await pay_out(chain, SOMEBODY, 250)
    block = await chain.block_number()
    await watched.pay(1)
    await chain.finalize()
    report = await watched.good_step()
    assert str(report.detail).endswith("does not show 1 of the logs")
    assert await left(watched) == [(SOMEBODY, 250, "SEEN")]
    assert await watched.stages() == {1: "SAFE"}
    assert (await watched.cursor())["finalized_number"] == block - 1
    second.rewrite = None
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 250, "FINAL")]


async def test_an_endpoint_that_forgets_a_payout_is_doubted_when_another_one_shows_it(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy, second: RpcProxy
) -> None:
    watched = watched_by_two
    endpoint.rewrite = second.rewrite = forget_payouts
    await pay_out(chain, SOMEBODY, 250)
    await chain.mine(4)
    second.rewrite = None
    await watched.good_step()
    assert await left(watched) == [(SOMEBODY, 250, "SEEN")], "the other endpoint was believed"


async def test_a_transfer_between_others_is_a_bad_answer(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await pay_out(chain, SOMEBODY, 250)

    def of_another(method: str, _params: list[Any], result: Any) -> Any:
        for log in result if method == "eth_getLogs" else []:
            log["topics"][1] = "0x" + ANOTHER.rjust(32, b"\0").hex()
        return result

    endpoint.rewrite = of_another
    before = await watched.everything()
    report = await watched.step()
    assert report.outcome is Outcome.NO_NODE
    assert "transfer between others" in str(report.detail)
    assert await watched.everything() == before


async def test_reading_both_ways_costs_no_request_more(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    batches: list[list[str]] = []

    async def count(requests: list[Request]) -> None:
        batches.append([one["method"] for one in requests])

    endpoint.before = count
    await chain.mine(1)
    await watched.good_step()
    assert len(batches) == 3
    assert batches[1] == ["eth_getLogs", "eth_getLogs"]
