"""Anybody can make thousands of transfers into the treasury in one block: payments must not wait for them."""

from collections.abc import Callable
from typing import Any

import pytest

from liqpass.chain import reading_logs
from liqpass.chain.watcher import Outcome
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy
from tests.chain.conftest import Watched

CAP = 5  # logs in one answer; stands for a provider's 10,000


async def dust(chain: SandboxChain, amounts: list[int]) -> int:
    """One block with a transfer into the treasury for each of these amounts; its number."""
    spammer, transfer = chain.wallets[3], "transfer(address,uint256)"
    await chain.set_automine(False)
    for amount in amounts:
        await chain.send(spammer, chain.usdc, encode_call(transfer, chain.treasury, amount))
    await chain.mine(1)
    await chain.set_automine(True)
    return await chain.block_number()


async def amounts(watched: Watched, stage: str) -> list[int]:
    """The amounts of dust that are stored at this stage."""
    rows = await watched.db.pool.fetch(
        "select amount from usdc_transfers where stage::text = $1 and amount < 1000 order by amount", stage
    )
    return [row["amount"] for row in rows]


async def test_a_transfer_of_nothing_is_not_stored(watched: Watched, chain: SandboxChain) -> None:
    await watched.good_step()
    await dust(chain, [0, 3, 0])
    assert (await watched.good_step()).added == 1
    assert await amounts(watched, "SEEN") == [3]
    await chain.finalize()
    await watched.good_step()
    assert await amounts(watched, "FINAL") == [3]


async def test_a_block_with_more_transfers_than_a_node_gives_at_once_is_read_from_its_receipts(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    endpoint.max_logs = CAP
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6, 0])
    await watched.pay(1)
    report = await watched.good_step()
    assert report.detail is None
    assert await amounts(watched, "SEEN") == [1, 2, 3, 4, 5, 6]
    assert await watched.stages() == {1: "SEEN"}
    assert watched.nodes[0].blocks.size == 1000, "payments do not suffer for the crowd"
    endpoint.seen.clear()
    await watched.good_step()
    assert endpoint.seen.count("eth_getBlockReceipts") == 1
    assert endpoint.seen.count("eth_getLogs") <= 5, "which block is crowded is remembered"
    await chain.finalize()
    await watched.good_step()
    assert await amounts(watched, "FINAL") == [1, 2, 3, 4, 5, 6]
    assert await watched.stages() == {1: "FINAL"}
    assert int(str((await watched.cursor())["finalized_number"])) > crowded


async def test_while_neither_logs_nor_receipts_are_given_payments_go_on_and_the_cursor_waits_below_the_block(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.pay(1)
    await watched.good_step()
    endpoint.max_logs, endpoint.no_receipts = CAP, True
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6])
    await chain.transfer(chain.wallets[1], chain.treasury, 7)
    await watched.pay(2)
    await chain.finalize()
    for doubtful in (1, 2):
        report = await watched.step()
        assert report.outcome is Outcome.GOOD
        assert f"USDC transfers of block {crowded:,}" in str(report.detail)
        cursor = await watched.cursor()
        assert (cursor["doubt"], cursor["doubtful_views"]) == (report.detail, doubtful)
        assert cursor["finalized_number"] == crowded - 1
        assert cursor["safe_number"] == await chain.block_number("safe")
        assert await watched.stages() == {1: "FINAL", 2: "SAFE"}
        assert await amounts(watched, "SEEN") == []
    endpoint.no_receipts = False
    report = await watched.good_step()
    assert report.detail is None
    assert await amounts(watched, "FINAL") == [1, 2, 3, 4, 5, 6, 7]
    assert await watched.stages() == {1: "FINAL", 2: "FINAL"}


async def test_transfers_that_were_read_before_are_neither_doubted_nor_dropped_while_they_cannot_be_read(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    await dust(chain, [1, 2, 3, 4, 5, 6])
    await chain.mine(4)
    await watched.good_step()
    endpoint.max_logs, endpoint.no_receipts = CAP, True
    await watched.pay(1)
    assert (await watched.good_step()).dropped == 0
    assert await amounts(watched, "SAFE") == [1, 2, 3, 4, 5, 6]
    await chain.reorg(7)
    assert (await watched.good_step()).dropped == 7
    assert await amounts(watched, "DROPPED") == [1, 2, 3, 4, 5, 6]


async def test_a_second_endpoint_that_cannot_give_transfers_holds_the_cursor_and_no_payment(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    second.max_logs, second.no_receipts = CAP, True
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6])
    await watched.pay(1)
    await chain.mine(4)
    await watched.good_step()
    assert await watched.stages() == {1: "SAFE"}
    assert await amounts(watched, "SEEN") == [1, 2, 3, 4, 5, 6]
    await chain.mine(4)
    report = await watched.good_step()
    assert watched.nodes[1].name in str(report.detail)
    assert (await watched.cursor())["finalized_number"] == crowded - 1
    assert await watched.stages() == {1: "SAFE"}
    second.no_receipts = False
    await watched.good_step()
    assert await amounts(watched, "FINAL") == [1, 2, 3, 4, 5, 6]
    assert await watched.stages() == {1: "FINAL"}


async def test_a_transfer_that_the_second_endpoint_does_not_show_holds_the_cursor_and_no_payment(
    watched_by_two: Watched, chain: SandboxChain, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()

    def forget(method: str, params: list[Any], result: Any) -> Any:
        return [] if method == "eth_getLogs" and len(params[0]["topics"]) == 3 else result

    second.rewrite = forget
    await watched.pay(1)
    block = await chain.block_number()
    await chain.finalize()
    report = await watched.good_step()
    assert str(report.detail).endswith("does not show 1 of the logs")
    assert await watched.stages() == {1: "SAFE"}
    assert (await watched.cursor())["finalized_number"] == block - 1
    second.rewrite = None
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}


async def test_many_crowded_blocks_are_read_a_few_at_a_step_until_all_are(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_logs, "CROWDED_BLOCKS", 2)
    await watched.good_step()
    endpoint.max_logs = 1
    for block in range(5):
        await dust(chain, [10 * block + 1, 10 * block + 2])
    await watched.pay(1)
    await chain.finalize()
    for step, read in enumerate((2, 4, 5)):
        endpoint.seen.clear()
        report = await watched.good_step()
        assert endpoint.seen.count("eth_getBlockReceipts") <= 2
        assert len(await amounts(watched, "FINAL")) == 2 * read
        assert await watched.stages() == {1: "FINAL" if step == 2 else "SAFE"}
        assert (report.detail is None) == (step == 2)


def tires_over(endpoint: RpcProxy, is_hard: Callable[[Request], bool]) -> None:
    """Make it answer such requests as a gateway does when the node behind it takes too long."""

    async def tire(requests: list[Request]) -> None:
        endpoint.unavailable = any(map(is_hard, requests))

    endpoint.before = tire


def asks_for_transfers(request: Request) -> bool:
    return request["method"] == "eth_getLogs" and len(request["params"][0]["topics"]) == 3


async def test_transfers_that_a_node_does_not_answer_in_time_hold_no_payment(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(4)
    tires_over(endpoint, asks_for_transfers)
    report = await watched.good_step()
    assert "answered HTTP 503" in str(report.detail)
    assert await watched.stages() == {1: "SAFE"}
    assert watched.nodes[0].blocks.size == 1000, "one block alone is not answered either: less is no cure"
    endpoint.before, endpoint.unavailable = None, False
    await watched.good_step()
    assert (await watched.cursor())["doubt"] is None


async def test_transfers_that_a_node_answers_only_of_fewer_blocks_are_all_read(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(8)

    def is_hard(request: Request) -> bool:
        if not asks_for_transfers(request):
            return False
        asked = request["params"][0]
        return int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= 3

    tires_over(endpoint, is_hard)
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == {1: "FINAL"}
    assert await watched.db.pool.fetchval("select count(*) from usdc_transfers") == 1


async def test_receipts_that_a_node_does_not_answer_in_time_hold_no_payment(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    endpoint.max_logs = CAP
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6])
    await watched.pay(1)
    await chain.mine(4)
    tires_over(endpoint, lambda request: request["method"] == "eth_getBlockReceipts")
    report = await watched.good_step()
    assert f"USDC transfers of block {crowded:,}" in str(report.detail)
    assert await watched.stages() == {1: "SAFE"}
    assert watched.nodes[0].blocks.size == 1000


async def test_receipts_of_another_block_or_shape_are_a_bad_answer(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    endpoint.max_logs = CAP
    await dust(chain, [1, 2, 3, 4, 5, 6])
    before = await watched.everything()
    lies: list[object] = ["no receipts", [1], [{"logs": None}], [{"logs": [{}]}]]
    for lie in lies:

        def told(method: str, _params: list[Any], result: Any, lie: object = lie) -> Any:
            return lie if method == "eth_getBlockReceipts" else result

        endpoint.rewrite = told
        report = await watched.step()
        assert report.outcome is Outcome.NO_NODE
        assert "answered eth_getBlockReceipts" in str(report.detail)
    assert await watched.everything() == before

    def elsewhere(method: str, _params: list[Any], result: Any) -> Any:
        if method != "eth_getBlockReceipts":
            return result
        for receipt in result:
            for log in receipt["logs"]:
                log["blockNumber"] = hex(int(log["blockNumber"], 16) - 1)
        return result

    endpoint.rewrite = elsewhere
    assert (await watched.step()).outcome is Outcome.NO_NODE
    endpoint.rewrite = None
    await watched.good_step()
    assert await amounts(watched, "SEEN") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("answer", [None, []])
async def test_a_node_that_has_no_receipts_of_a_block_yet_is_asked_again(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, answer: object
) -> None:
    await watched.good_step()
    endpoint.max_logs = CAP
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6])
    endpoint.rewrite = lambda method, _, result: answer if method == "eth_getBlockReceipts" else result
    report = await watched.good_step()
    assert f"has no receipts of block {crowded:,}" in str(report.detail)
    assert await amounts(watched, "SEEN") == []
    endpoint.rewrite = None
    await watched.good_step()
    assert await amounts(watched, "SEEN") == [1, 2, 3, 4, 5, 6]


async def test_a_watcher_that_waits_for_long_still_reads_payments_up_to_the_head(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.nodes[0].stride.size = 20
    await watched.good_step()
    endpoint.max_logs, endpoint.no_receipts = CAP, True
    crowded = await dust(chain, [1, 2, 3, 4, 5, 6])
    for order in range(1, 5):
        await chain.mine(15)
        await watched.pay(order)
        while (await watched.good_step()).blocks_left:
            pass
    assert await watched.stages() == {1: "SAFE", 2: "SAFE", 3: "SAFE", 4: "SEEN"}
    assert (await watched.cursor())["finalized_number"] == crowded - 1
