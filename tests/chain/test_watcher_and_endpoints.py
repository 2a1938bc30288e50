"""The watcher when endpoints fail, lie, disagree, or give only narrow ranges."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.chain.conftest import PREMIUM, Watched


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


def _tomorrow(method: str, _params: list[Any], result: Any) -> Any:
    """The same blocks, and the hashes that they have: only their times are a day later."""
    if method != "eth_getBlockByNumber" or not result:
        return result
    return {**result, "timestamp": hex(int(result["timestamp"], 16) + 86_400)}


@pytest.mark.parametrize("liar", ["source", "witness"])
async def test_a_block_has_the_time_that_every_endpoint_gives_it(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy, second: RpcProxy, liar: str
) -> None:
    """By it covers begin, payments are late and quotes run out: not on the word of a single endpoint."""
    watched = watched_by_two
    await watched.good_step()
    before = await watched.cursor()
    (endpoint if liar == "source" else second).rewrite = _tomorrow
    await watched.pay(1)
    await chain.finalize()
    report = await watched.good_step()
    assert "another time" in str(report.detail)
    assert await watched.stages() == {1: "SEEN"}
    after = await watched.cursor()
    assert after["safe_time"] == before["safe_time"]
    assert after["finalized_number"] == before["finalized_number"]
    endpoint.rewrite = second.rewrite = None
    await watched.good_step()
    assert await watched.stages() == {1: "FINAL"}
    row = await watched.db.pool.fetchrow("select block_number, block_time from premium_payments")
    assert row is not None
    assert row["block_time"].timestamp() == (await chain.block(row["block_number"]))[2]


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


async def test_a_payment_that_only_the_second_endpoint_shows_is_seen_and_not_safe(
    watched_by_two: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    watched = watched_by_two
    await watched.good_step()
    start = await watched.cursor()
    endpoint.empty_logs = True
    await watched.pay(1)
    await chain.finalize()
    report = await watched.good_step()
    assert str(report.detail).endswith("does not show 2 of the logs")
    assert await watched.stages() == {1: "SEEN"}
    assert (await watched.cursor())["finalized_number"] == start["finalized_number"]


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


def _other_transactions(method: str, _params: list[Any], result: Any) -> Any:
    """Logs of transactions that nobody sent, in blocks that there are."""
    if method != "eth_getLogs":
        return result
    return [{**log, "transactionHash": "0x" + log["transactionHash"][:1:-1]} for log in result]


@pytest.mark.parametrize("lie", [_inflate, _other_transactions])
async def test_what_one_endpoint_had_shown_wrongly_is_put_right_when_all_show_otherwise_at_the_safe_head(
    watched_by_two: Watched,
    chain: SandboxChain,
    endpoint: RpcProxy,
    second: RpcProxy,
    lie: Callable[..., Any],
) -> None:
    watched = watched_by_two
    await watched.good_step()
    second.lag = 1  # so the first one is asked, and the other cannot say
    endpoint.rewrite = lie
    paid = await watched.pay(1)
    await watched.good_step()
    wrong = await watched.everything()
    second.lag, endpoint.rewrite = 0, None
    assert (await watched.step()).outcome is Outcome.DOUBTFUL
    assert (await watched.everything())[:2] == wrong[:2]
    await chain.mine(4)
    second.unavailable = True
    assert (await watched.step()).outcome is Outcome.DOUBTFUL
    assert (await watched.everything())[:2] == wrong[:2]
    second.unavailable = False
    await watched.good_step()
    await watched.good_step()
    for table in ("premium_payments", "usdc_transfers"):
        standing = f"select tx_hash, amount, stage from {table} where stage <> 'DROPPED'"
        rows = await watched.db.pool.fetch(standing)
        assert [tuple(row) for row in rows] == [(paid, PREMIUM, "SAFE")]


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
    assert watched.nodes[0].blocks.size < 10
    asked = len(endpoint.seen)
    await watched.good_step()
    assert len(endpoint.seen) - asked < asked, "the width that was found is kept"


async def test_what_was_refused_is_tried_again_after_a_hundred_good_steps() -> None:
    node = Node("http://127.0.0.1:1")
    for portion in (node.calls, node.blocks, node.stride):
        portion.halve(portion.most)
    for _ in range(99):
        node.step()
    assert [portion.size for portion in (node.calls, node.blocks, node.stride)] == [25, 500, 5_000]
    node.step()
    assert [portion.size for portion in (node.calls, node.blocks, node.stride)] == [50, 1_000, 10_000]


async def test_a_node_that_does_not_give_one_block_is_an_error(watched: Watched, endpoint: RpcProxy) -> None:
    await watched.good_step()
    await watched.pay(1)
    endpoint.max_logs = 0
    report = await watched.step()
    assert report.outcome is Outcome.NO_NODE
    assert "query returned more than 0 results" in str(report.detail)
