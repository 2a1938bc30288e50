"""An endpoint's answers, or one typed error that says in what way it failed; on a real HTTP server."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from liqpass.chain.failures import NodeError
from liqpass.chain.failures import NodeErrorKind as Kind
from liqpass.chain.rpc import Node

Say = Callable[[Any], web.Response]


class Server:
    """Says whatever a test wants it to say to the decoded body."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.say: Say = lambda body: web.json_response([_result(one) for one in body])
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        return self.say(self.asked[-1])


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/key-4711", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://user:hush@127.0.0.1:{runner.addresses[0][1]}/key-4711"
    yield server
    await runner.cleanup()


@pytest.fixture
async def node(server: Server) -> AsyncIterator[Node]:
    async with Node(server.url, max_bytes=10_000) as node:
        yield node


def _result(asked: Any) -> dict[str, Any]:
    """Every call's result is its first parameter."""
    return {"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"][0]}


def each(body: Any) -> list[Any]:
    """The calls of a request, of a single one too."""
    return body if isinstance(body, list) else [body]


def _error(code: int, message: str, data: object = None) -> Say:
    error = {"code": code, "message": message, "data": data}

    def say(body: Any) -> web.Response:
        if isinstance(body, dict):
            return web.json_response({"jsonrpc": "2.0", "id": body["id"], "error": error})
        failed = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in body[1:]]
        return web.json_response([_result(body[0]), *failed])

    return say


async def test_results_come_in_the_order_of_the_calls_whatever_the_node_does(
    node: Node, server: Server
) -> None:
    server.say = lambda body: web.json_response([_result(one) for one in reversed(body)])
    assert await node.batch([("echo", [word]) for word in "abc"]) == ["a", "b", "c"]


async def test_a_single_call_goes_alone_because_not_every_node_knows_batches(
    node: Node, server: Server
) -> None:
    server.say = lambda body: web.json_response(_result(body))
    assert await node.call("echo", [None]) is None
    assert server.asked == [{"jsonrpc": "2.0", "id": 0, "method": "echo", "params": [None]}]


async def test_a_long_batch_goes_in_parts_of_fifty_and_an_empty_one_goes_nowhere(
    node: Node, server: Server
) -> None:
    assert await node.batch([("echo", [n]) for n in range(120)]) == list(range(120))
    assert [len(body) for body in server.asked] == [50, 50, 20]
    assert await node.batch([]) == []
    assert len(server.asked) == 3


async def test_a_contract_is_called_at_a_block(node: Node, server: Server) -> None:
    server.say = lambda body: web.json_response({"jsonrpc": "2.0", "id": 0, "result": "0x0102"})
    assert await node.eth_call(b"\x11" * 20, b"\xab\xcd", "safe") == b"\x01\x02"
    assert server.asked[0]["params"] == [{"to": "0x" + "11" * 20, "data": "0xabcd"}, "safe"]


@pytest.mark.parametrize(
    ("say", "kind"),
    [
        pytest.param(lambda _: web.Response(text="<html>"), Kind.BAD_ANSWER, id="a page"),
        pytest.param(lambda _: web.Response(body=b'"\xff\xfe"'), Kind.BAD_ANSWER, id="no UTF-8"),
        pytest.param(lambda _: web.json_response([]), Kind.BAD_ANSWER, id="an empty list"),
        pytest.param(
            lambda _: web.Response(text='[{"id":0,"result":' + "[" * 5_000), Kind.BAD_ANSWER, id="nested deep"
        ),
        pytest.param(
            lambda body: web.json_response([_result(each(body)[0])] * 2),
            Kind.BAD_ANSWER,
            id="ids twice",
        ),
        pytest.param(
            lambda body: web.json_response([{**_result(one), "id": one["id"] + 7} for one in each(body)]),
            Kind.BAD_ANSWER,
            id="other ids",
        ),
        pytest.param(
            lambda body: web.json_response([{"id": one["id"]} for one in each(body)]),
            Kind.BAD_ANSWER,
            id="no result",
        ),
        pytest.param(lambda _: web.Response(status=503, text="no upstream"), Kind.BAD_STATUS, id="503"),
        pytest.param(lambda _: web.Response(status=429, text="slow down"), Kind.RATE_LIMITED, id="429"),
        pytest.param(
            lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            Kind.BAD_STATUS,
            id="elsewhere",
        ),
        pytest.param(lambda _: web.Response(text=" " * 20_000), Kind.TOO_LARGE, id="too large"),
        pytest.param(
            lambda _: web.json_response({"id": None, "error": {"code": -32600, "message": "no batches"}}),
            Kind.REFUSED,
            id="one error for the whole batch",
        ),
    ],
)
async def test_an_answer_that_is_none_is_a_typed_error(
    node: Node, server: Server, say: Say, kind: Kind
) -> None:
    server.say = say
    with pytest.raises(NodeError) as raised:
        await node.batch([("echo", ["a"]), ("echo", ["b"])])
    assert raised.value.kind is kind


@pytest.mark.parametrize(
    ("method", "code", "message", "kind"),
    [
        ("eth_getLogs", -32614, "eth_getLogs is limited to a 10,000 range", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32602, "range 1000000 exceeds limit of 10000", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32005, "query returned more than 10000 results", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32000, "block range is larger than max block range", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32600, "block range too high", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", 35, "ranges over 10000 blocks are not supported on free tier", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32002, "request timed out", Kind.RANGE_TOO_WIDE),
        ("eth_getLogs", -32005, "daily request count exceeded, request rate limited", Kind.RATE_LIMITED),
        ("eth_getLogs", -32005, "slow down", Kind.RATE_LIMITED),
        ("eth_getLogs", 429, "your app has exceeded its compute units per second", Kind.RATE_LIMITED),
        ("eth_getLogs", -32016, "over rate limit", Kind.RATE_LIMITED),
        ("eth_getLogs", -32602, "invalid block range params", Kind.REFUSED),
        ("eth_getLogs", -32000, "block range extends beyond current head block", Kind.REFUSED),
        ("eth_call", -32000, "gas limit is too large", Kind.REFUSED),
        ("eth_call", 3, "execution reverted", Kind.REFUSED),
        ("eth_blockNumber", -32005, "limit exceeded", Kind.RATE_LIMITED),
    ],
)
async def test_a_json_rpc_error_is_told_by_its_words_because_codes_are_used_for_anything(
    node: Node, server: Server, method: str, code: int, message: str, kind: Kind
) -> None:
    server.say = _error(code, message, {"more": "of it"})
    with pytest.raises(NodeError) as raised:
        await node.batch([("eth_chainId", ["0x1"]), (method, [{}])])
    assert (raised.value.kind, raised.value.code) == (kind, code)
    assert raised.value.data == {"more": "of it"}
    assert message in raised.value.detail


async def test_an_error_with_another_status_than_200_is_the_json_rpc_error(
    node: Node, server: Server
) -> None:
    error = {"code": -32614, "message": "eth_getLogs is limited to a 5 range"}
    server.say = lambda body: web.json_response({"id": 0, "error": error}, status=413)
    with pytest.raises(NodeError) as raised:
        await node.call("eth_getLogs", [{}])
    assert raised.value.kind is Kind.RANGE_TOO_WIDE


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_call"])
@pytest.mark.parametrize("message", ["50/second request limit reached", "slow down", "execution reverted"])
async def test_who_is_asked_too_often_by_http_is_so_whatever_words_come_with_it(
    node: Node, server: Server, method: str, message: str
) -> None:
    """Else a limit of requests is taken for one of blocks, or for what a contract says."""
    error = {"code": -32007, "message": message}
    server.say = lambda _: web.json_response({"id": 0, "error": error}, status=429)
    with pytest.raises(NodeError, match=message) as raised:
        await node.call(method, [{}])
    assert raised.value.kind is Kind.RATE_LIMITED


async def test_a_port_where_nobody_listens_is_down_and_no_error_tells_the_access_key(server: Server) -> None:
    async with Node("http://user:hush@127.0.0.1:1/key-4711") as node:
        with pytest.raises(NodeError) as raised:
            await node.call("eth_chainId", [])
    assert raised.value.kind is Kind.DOWN
    server.say = lambda _: web.Response(status=500, text="key-4711")
    async with Node(server.url) as node:
        with pytest.raises(NodeError) as other:
            await node.call("eth_chainId", [])
    server.say = _error(-32005, "project key-4711 has used up its plan")
    async with Node(server.url) as node:
        with pytest.raises(NodeError, match="project … has used up its plan") as quoted:
            await node.call("eth_chainId", [])
    for error in (raised, other, quoted):
        assert "key-4711" not in str(error.value)
        assert "hush" not in str(error.value)
        assert "127.0.0.1" in str(error.value)


@pytest.mark.parametrize("before", range(190, 200))
async def test_no_part_of_an_access_key_is_left_where_a_long_message_is_cut(
    node: Node, server: Server, before: int
) -> None:
    server.say = _error(-32000, f"{'.' * before} key-4711 is over its plan")
    with pytest.raises(NodeError) as raised:
        await node.batch([("echo", ["a"]), ("echo", ["b"])])
    assert "key" not in raised.value.detail


@pytest.mark.parametrize("message", ["a\x00b", "a\nb", "x" * 5_000], ids=["NUL", "two lines", "long"])
async def test_what_a_node_says_of_itself_is_told_shortly_and_can_be_stored(
    node: Node, server: Server, message: str
) -> None:
    """PostgreSQL takes no NUL in a text: the remark would not be kept, nor the good view of another node."""
    server.say = lambda _: web.json_response({"id": 0, "error": {"code": -32000, "message": message}})
    with pytest.raises(NodeError) as raised:
        await node.call("eth_call", [])
    assert raised.value.detail.isprintable()
    assert len(raised.value.detail) < 400


def test_no_error_of_a_node_is_longer_than_a_sentence(node: Node) -> None:
    told = node.error(Kind.WRONG_CHAIN, f"serves chain {'0x2105, ' * 1_000}").detail
    assert len(told) < 400
