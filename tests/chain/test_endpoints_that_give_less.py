"""Endpoints with limits of their own: calls in a batch, bytes in a body, requests in a time. Nobody reads
what they say of it: less is asked for where less is given, and no less than that."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any, get_args

import pytest
from aiohttp import web

from liqpass.chain.failures import NodeError
from liqpass.chain.failures import NodeErrorKind as Kind
from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import BatchRefusal, Request, RpcProxy
from tests.chain.conftest import Watched


@pytest.fixture
async def node(endpoint: RpcProxy) -> AsyncIterator[Node]:
    async with Node(endpoint.url) as node:
        yield node


def sizes(endpoint: RpcProxy) -> list[int]:
    """How many calls each request holds from now on, in order."""
    asked: list[int] = []

    async def note(requests: list[Request]) -> None:
        asked.append(len(requests))

    endpoint.before = note
    return asked


HEIGHTS: list[tuple[str, list[Any]]] = [("eth_blockNumber", [])] * 50


@pytest.mark.parametrize("most", [1, 3, 10, 49])
@pytest.mark.parametrize("says", get_args(BatchRefusal))
async def test_a_batch_that_is_refused_is_asked_in_smaller_ones_whatever_the_endpoint_says(
    node: Node, endpoint: RpcProxy, says: BatchRefusal, most: int
) -> None:
    endpoint.max_batch, endpoint.batch_refusal = most, says
    assert len(await node.batch(HEIGHTS)) == 50
    asked = sizes(endpoint)
    assert len(await node.batch(HEIGHTS)) == 50
    assert all(half * 2 >= most for half in asked[:-1]), "no smaller than halves had to become"
    assert max(asked) <= most, "what was refused once is not asked again"


async def test_the_size_of_batches_grows_back_once_the_limit_is_gone(node: Node, endpoint: RpcProxy) -> None:
    endpoint.max_batch = 10
    await node.batch(HEIGHTS)
    assert node.calls.size == 6
    endpoint.max_batch = None
    for _ in range(400):
        node.step()
    asked = sizes(endpoint)
    await node.batch(HEIGHTS)
    assert asked == [50]


async def test_the_size_of_batches_grows_back_where_nobody_counts_steps(
    node: Node, endpoint: RpcProxy
) -> None:
    """As in `serve`, which asks for single answers and takes no steps of a watcher."""
    endpoint.max_batch = 1
    await node.batch(HEIGHTS[:9])
    endpoint.max_batch = None
    for _ in range(50):
        await node.batch(HEIGHTS[:9])
    asked = sizes(endpoint)
    await node.batch(HEIGHTS[:9])
    assert max(asked) > 1


async def test_a_failure_that_passes_makes_no_batch_smaller_of_a_size_that_was_given(
    node: Node, endpoint: RpcProxy
) -> None:
    """A gateway that fails once in a while would have every call sent alone in the end."""
    asked: list[int] = []

    async def fail_now_and_then(requests: list[Request]) -> None:
        asked.append(len(requests))
        endpoint.unavailable = len(asked) % 7 == 0 and len(requests) > 1

    endpoint.before = fail_now_and_then
    await node.batch(HEIGHTS)
    for _ in range(30):
        assert len(await node.batch(HEIGHTS)) == 50
    assert set(asked) == {50, 1}


async def test_a_size_that_was_given_and_is_given_no_longer_is_halved(node: Node, endpoint: RpcProxy) -> None:
    for most in (50, 10, 3):
        endpoint.max_batch = most
        assert len(await node.batch(HEIGHTS)) == 50
        asked = sizes(endpoint)
        assert len(await node.batch(HEIGHTS)) == 50
        assert max(asked) <= most


async def test_each_endpoint_has_its_own_size(endpoint: RpcProxy, second: RpcProxy) -> None:
    endpoint.max_batch, second.max_batch = 10, 3
    async with Node(endpoint.url) as one, Node(second.url) as other:
        await one.batch(HEIGHTS)
        await other.batch(HEIGHTS)
        assert (one.calls.size, other.calls.size) == (6, 3)


async def test_a_call_that_is_refused_for_its_own_sake_makes_no_batch_smaller(
    node: Node, endpoint: RpcProxy
) -> None:
    asked = sizes(endpoint)
    with pytest.raises(NodeError, match="refused eth_nothing") as raised:
        await node.batch([*HEIGHTS[:20], ("eth_nothing", []), *HEIGHTS[:20]])
    assert raised.value.place == 20
    assert asked == [41, 1]
    await node.batch(HEIGHTS)
    assert asked == [41, 1, 50]


async def test_an_endpoint_that_refuses_everything_is_not_pressed(node: Node, endpoint: RpcProxy) -> None:
    endpoint.unavailable = True
    asked = sizes(endpoint)
    with pytest.raises(NodeError, match="answered HTTP 503"):
        await node.batch(HEIGHTS)
    assert asked == [50, 1]
    assert node.calls.size == 50


async def test_bodies_larger_than_a_gateway_takes_are_cut(node: Node, endpoint: RpcProxy) -> None:
    endpoint.max_body = 1_000
    assert len(await node.batch(HEIGHTS)) == 50
    assert 1 < node.calls.size < 50


async def test_answers_larger_than_anybody_reads_are_asked_for_in_parts(endpoint: RpcProxy) -> None:
    async with Node(endpoint.url, max_bytes=5_000) as node:
        blocks = await node.batch([("eth_getBlockByNumber", ["latest", False])] * 50)
    assert len(blocks) == 50


async def test_a_node_that_answers_a_batch_with_its_first_answer_alone_is_asked_one_by_one(
    node: Node, endpoint: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = endpoint._answers

    async def first_only(requests: list[Request]) -> Any:
        return await answers(requests[:1])

    monkeypatch.setattr(endpoint, "_answers", first_only)
    assert len(await node.batch(HEIGHTS[:4])) == 4


async def test_ids_that_come_back_as_text_are_the_ids(watched: Watched, endpoint: RpcProxy) -> None:
    endpoint.string_ids = True
    await watched.pay(1)
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == {1: "SEEN"}


async def test_a_batch_that_takes_too_long_is_asked_in_halves_the_next_times(endpoint: RpcProxy) -> None:
    asked: list[int] = []

    async def tire(requests: list[Request]) -> None:
        asked.append(len(requests))
        endpoint.delay_sec = 1.5 if len(requests) > 12 else 0.0

    endpoint.before = tire
    async with Node(endpoint.url, timeout_sec=0.5) as node:
        heights: list[Any] = []
        while not heights:
            assert len(asked) < 50
            try:
                heights = await node.batch(HEIGHTS)
            except NodeError as error:  # on a busy machine also of a batch that is small enough
                assert error.kind is Kind.TIMEOUT
    assert len(heights) == 50
    assert asked[:2] == [50, 25] and max(asked[2:]) <= 12


async def test_a_size_that_was_only_tried_is_given_up_when_one_call_alone_fails_too(
    endpoint: RpcProxy,
) -> None:
    endpoint.delay_sec = 1.5
    async with Node(endpoint.url, timeout_sec=0.2) as node:
        for _ in range(2):
            with pytest.raises(NodeError):
                await node.batch(HEIGHTS)
        assert node.calls.size == 12
        with pytest.raises(NodeError):
            await node.call("eth_blockNumber", [])
        assert node.calls.size == 50


class Ticking:
    """Seconds that pass when a test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("status", ["unavailable", "too_many"])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("3600", 60), ("0060", 60)])
async def test_an_endpoint_is_left_alone_for_as_long_as_it_says_at_most_a_minute(
    endpoint: RpcProxy, status: str, header: str, seconds: int
) -> None:
    clock = Ticking()
    async with Node(endpoint.url, monotonic=clock) as node:
        setattr(endpoint, status, True)
        endpoint.retry_after = header
        asked = sizes(endpoint)
        with pytest.raises(NodeError):
            await node.batch(HEIGHTS)
        clock.now += seconds - 0.5
        with pytest.raises(NodeError, match="is left alone") as raised:
            await node.batch(HEIGHTS)
        assert raised.value.kind is Kind.RESTING
        assert len(asked) == 1, "it was asked once"
        setattr(endpoint, status, False)
        clock.now += 1
        assert len(await node.batch(HEIGHTS)) == 50


@pytest.mark.parametrize("header", ["", "soon", "-5", "0", "Wed, 99 Foo 2026 00:00:00 GMT"])
async def test_a_wish_to_be_left_alone_that_nobody_understands_is_none(
    endpoint: RpcProxy, header: str
) -> None:
    async with Node(endpoint.url, monotonic=Ticking()) as node:
        endpoint.too_many, endpoint.retry_after = True, header
        with pytest.raises(NodeError):
            await node.batch(HEIGHTS)
        endpoint.too_many = False
        assert len(await node.batch(HEIGHTS)) == 50


async def test_a_date_until_which_to_wait_is_read_by_the_endpoints_own_clock() -> None:
    then = datetime(2019, 5, 4, tzinfo=UTC)
    headers = {
        "Date": format_datetime(then, usegmt=True),
        "Retry-After": format_datetime(then + timedelta(seconds=20), usegmt=True),
    }

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=429, headers=headers)

    app = web.Application()
    app.router.add_post("/", refuse)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clock = Ticking()
    async with Node(f"http://127.0.0.1:{runner.addresses[0][1]}", monotonic=clock) as node:
        kinds = []
        for wait in (0, 19, 2):
            clock.now += wait
            with pytest.raises(NodeError) as raised:
                await node.call("eth_blockNumber", [])
            kinds.append(raised.value.kind)
    await runner.cleanup()
    assert kinds == [Kind.RATE_LIMITED, Kind.RESTING, Kind.RATE_LIMITED]


async def test_a_range_refused_in_words_that_nobody_knows_is_halved(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal(request: Request, heads: dict[str, int]) -> Request | None:
        if request["method"] != "eth_getLogs" or "fromBlock" not in request["params"][0]:
            return None
        asked = request["params"][0]
        first, last = (heads.get(asked[end]) or int(asked[end], 16) for end in ("fromBlock", "toBlock"))
        error = {"code": -32099, "message": "nope"}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error} if last - first >= 5 else None

    endpoint.max_range = 10**9
    monkeypatch.setattr(endpoint, "_refusal", refusal)
    await watched.pay(1)
    await chain.mine(40)
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == {1: "FINAL"}


@pytest.mark.parametrize("says", ["an object", "each"])
async def test_payments_become_final_after_an_outage_behind_endpoints_with_small_batches(
    watched_by_two: Watched,
    chain: SandboxChain,
    endpoint: RpcProxy,
    second: RpcProxy,
    says: BatchRefusal,
) -> None:
    watched = watched_by_two
    await watched.good_step()
    endpoint.max_batch, second.max_batch = 10, 3
    endpoint.batch_refusal = second.batch_refusal = says
    endpoint.max_range = second.max_range = 10
    for order in range(1, 9):
        await watched.pay(order)
    await chain.mine(550)
    assert (await watched.good_step()).detail is None
    assert await watched.stages() == dict.fromkeys(range(1, 9), "FINAL")


async def test_alone_an_endpoint_with_small_batches_catches_up_in_shorter_steps(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    await watched.good_step()
    endpoint.max_batch = 3
    await watched.pay(1)
    await chain.mine(700)
    left = [(await watched.good_step()).blocks_left]
    while left[-1]:
        left.append((await watched.good_step()).blocks_left)
    assert len(left) > 1
    assert all(after < before for before, after in pairwise(left))
    assert await watched.stages() == {1: "FINAL"}


async def test_whoever_is_limited_while_catching_up_reads_half_as_much_in_the_next_step(
    watched: Watched, chain: SandboxChain, endpoint: RpcProxy
) -> None:
    """Else the same step would be begun for ever, and none of it kept."""
    await watched.good_step()
    await watched.pay(1)
    await chain.mine(600)
    asked = 0

    async def limit(requests: list[Request]) -> None:
        nonlocal asked
        asked += len(requests)
        endpoint.rate_limited = asked > 200

    endpoint.before = limit
    outcomes: list[Outcome] = []
    while not outcomes or await watched.stages() != {1: "FINAL"}:
        asked = 0
        outcomes.append((await watched.step()).outcome)
        assert len(outcomes) < 30
    assert outcomes[0] is Outcome.NO_NODE
    assert Outcome.GOOD in outcomes
