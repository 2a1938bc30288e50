"""Several endpoints, of which the first stands still, is late, or shows too little: the others are asked."""

from collections.abc import Callable

import pytest

from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy
from tests.chain.conftest import Watched


async def _freeze(endpoint: RpcProxy, chain: SandboxChain, at: int) -> None:
    endpoint.lag = await chain.block_number() - at


async def test_a_frozen_first_endpoint_does_not_hide_payments_and_is_told_of(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    stood = await chain.block_number()
    await watched.pay(1)
    for _ in range(4):
        await chain.mine(4)
        await _freeze(endpoint, chain, stood)
        report = await watched.good_step()
        assert watched.nodes[0].name in str(report.detail)
        assert (await watched.cursor())["doubt"] == report.detail
        assert (await watched.cursor())["latest_number"] == await chain.block_number()
    assert await watched.stages() == {1: "SEEN"}, "nothing is safe that the first one does not confirm"
    endpoint.lag = 0
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == {1: "FINAL"}


async def test_a_first_endpoint_behind_what_was_final_is_not_the_source(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await chain.mine(20)
    await watched.good_step()
    await watched.pay(1)
    endpoint.lag = 20
    assert (await watched.good_step()).added == 2
    assert await watched.stages() == {1: "SEEN"}
    assert (await watched.cursor())["doubtful_views"] == 0


async def test_of_endpoints_at_the_same_height_the_first_configured_is_the_source(
    watched_by_two: Watched, endpoint: RpcProxy, second: RpcProxy
) -> None:
    await watched_by_two.good_step()
    assert "safe" in await _tags_asked(watched_by_two, endpoint)
    assert "safe" not in await _tags_asked(watched_by_two, second)


async def test_the_endpoint_with_the_highest_head_is_the_source(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy, second: RpcProxy
) -> None:
    await chain.mine(1)
    endpoint.lag = 1
    await watched_by_two.good_step()
    assert "safe" not in await _tags_asked(watched_by_two, endpoint)
    assert "safe" in await _tags_asked(watched_by_two, second)


async def _tags_asked(watched: Watched, endpoint: RpcProxy) -> list[object]:
    asked: list[object] = []

    async def listen(requests: list[Request]) -> None:
        asked.extend(one["params"][0] for one in requests if one["method"] == "eth_getBlockByNumber")

    endpoint.before = listen
    await watched.good_step()
    endpoint.before = None
    return asked


async def test_when_the_first_endpoint_forgets_a_log_the_view_of_the_second_is_taken(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.pay(1)
    await watched.good_step()
    endpoint.empty_logs = True
    await watched.pay(2)
    report = await watched.good_step()
    assert report.added == 2
    assert await watched.stages() == {1: "SEEN", 2: "SEEN"}
    await chain.finalize()
    report = await watched.good_step()
    assert str(report.detail).endswith("does not show 4 of the logs")
    assert await watched.stages() == {1: "SEEN", 2: "SEEN"}


async def test_when_the_chain_moves_under_the_first_endpoint_the_second_is_read_in_the_same_step(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    await watched.pay(1)
    requests: list[list[Request]] = []

    async def shake(batch: list[Request]) -> None:
        requests.append(batch)
        if len(requests) == 3:
            await chain.reorg(1)

    endpoint.before = shake
    await watched.good_step()
    assert (await watched.cursor())["latest_number"] == await chain.block_number()


async def test_when_every_endpoint_is_doubtful_all_of_it_is_told_and_counted_once(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy, second: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.pay(1)
    await watched.good_step()
    before = await watched.everything()
    endpoint.empty_logs = second.empty_logs = True
    report = await watched.step()
    assert report.outcome is Outcome.DOUBTFUL
    for node in watched.nodes:
        assert node.name in str(report.detail)
    cursor = await watched.cursor()
    assert (cursor["doubtful_views"], cursor["doubt"]) == (1, report.detail)
    assert await watched.everything() == before


async def test_a_contradiction_halts_though_another_endpoint_may_be_good(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await chain.mine(20)
    await watched.good_step()
    final = int(str((await watched.cursor())["finalized_number"]))

    def lie(method: str, params: list[object], result: object) -> object:
        if method == "eth_getBlockByNumber" and isinstance(result, dict) and result["number"] == hex(final):
            return {**result, "hash": "0x" + "11" * 32}
        return result

    await chain.mine(4)
    endpoint.rewrite = lie
    assert (await watched.step()).outcome is Outcome.HALTED


@pytest.mark.parametrize("down", [0, 1])
async def test_an_endpoint_that_is_down_is_asked_once_in_a_step(
    watched_by_two: Watched, endpoint: RpcProxy, second: RpcProxy, open_node: Callable[..., Node], down: int
) -> None:
    watched = watched_by_two
    await watched.good_step()
    broken = (endpoint, second)[down]
    broken.unavailable = True
    broken.seen.clear()
    await watched.pay(1)
    assert "answered HTTP 503" in str((await watched.good_step()).detail)
    assert broken.seen == ["eth_blockNumber"]
    assert await watched.stages() == {1: "SEEN"}
