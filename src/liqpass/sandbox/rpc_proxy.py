"""A bad RPC endpoint: a server in front of anvil that can be told to lag, lie, refuse, or be gone.

It speaks JSON-RPC over HTTP, batches included, and passes through whatever it has no reason to spoil. What it
can do wrong is what providers were seen to do: a node behind the load balancer is some blocks late and
answers an empty list, a plan's limit is hit, a gateway answers HTML, a range is too wide.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from aiohttp import web

Request = dict[str, Any]
# Of those that providers were seen to send: one object with HTTP 200, 413 or 500, an error for each call, or
# for each call above the limit.
BatchRefusal = Literal["an object", "413", "500", "each", "the rest"]
TAGS = ("latest", "safe", "finalized")

# Where a method's parameters name a block.
BLOCK_PARAMETER = {
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_call": 1,
    "eth_getCode": 1,
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
}


class RpcProxy:
    """`async with RpcProxy(chain.url) as endpoint:` and give `endpoint.url` to the product. Knobs are plain
    attributes, good from the next request on; `refuse` and `listen` are calls because a port is involved."""

    def __init__(self, upstream: str, port: int = 0) -> None:
        """`port` 0: a free one, which somebody else may take while it refuses."""
        self.upstream = upstream
        self.lag = 0  # blocks: every tag, height, log and receipt is as old as that
        self.unavailable = False  # HTTP 503
        self.html = False  # HTTP 200, and a page instead of an answer
        self.rate_limited = False  # JSON-RPC error -32005
        self.empty_logs = False  # eth_getLogs finds nothing
        self.max_batch: int | None = None  # calls in one request
        self.batch_refusal: BatchRefusal = "an object"  # how it says that there are more
        self.max_body: int | None = None  # bytes of a request; else HTTP 413, and a page
        self.too_many = False  # HTTP 429
        self.retry_after: str | None = None  # the header that comes with 429 and 503
        self.string_ids = False  # the ids of the calls come back as text
        self.max_range: int | None = None  # blocks in one eth_getLogs
        self.max_logs: int | None = None  # logs in one answer of eth_getLogs
        self.no_receipts = False  # eth_getBlockReceipts does not exist
        self.no_old_state = False  # eth_call at a block that is named by its hash finds no state any more
        self.delay_sec = 0.0  # before every answer
        # Awaited with the requests before they are passed on: the place to reorganise under a reader's feet.
        self.before: Callable[[list[Request]], Awaitable[None]] | None = None
        # (method, params, result) → result: the place to lie.
        self.rewrite: Callable[[str, list[Any], Any], Any] | None = None
        # (answer with an error) → answer: the place to tell a refusal in another node's way.
        self.retell: Callable[[Request], Request] | None = None
        self.seen: list[str] = []  # the methods asked for, in order
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens; the same after `refuse` and `listen`."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        await self._http.close()

    async def listen(self) -> None:
        """Answer (again), on the same port."""
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_post("/", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def refuse(self) -> None:
        """Close the port and every connection: whoever calls is refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        read = await request.read()
        if self.max_body is not None and len(read) > self.max_body:
            return web.Response(status=413, text="<html>Request Entity Too Large</html>")
        body = json.loads(read)
        requests: list[Request] = body if isinstance(body, list) else [body]
        self.seen += [one["method"] for one in requests]
        if self.before:
            await self.before(requests)
        if self.delay_sec:
            await asyncio.sleep(self.delay_sec)
        if self.unavailable or self.too_many:
            headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            return web.Response(status=503 if self.unavailable else 429, headers=headers, text="not now")
        if self.html:
            return web.Response(
                text="<!doctype html><title>Just a moment...</title>", content_type="text/html"
            )
        if self.max_batch is not None and len(requests) > self.max_batch:
            return await self._refused_batch(requests, self.max_batch)
        answers = await self._answers(requests)
        if self.string_ids:
            answers = [{**one, "id": str(one["id"])} for one in answers]
        return web.json_response(answers if isinstance(body, list) else answers[0])

    async def _refused_batch(self, requests: list[Request], most: int) -> web.Response:
        said = f"maximum {most} calls in 1 batch"
        if self.batch_refusal in ("413", "500"):
            return web.json_response(_error({}, -32600, said), status=int(self.batch_refusal))
        if self.batch_refusal == "an object":
            return web.json_response(_error({}, -32014, said))
        answered = 0 if self.batch_refusal == "each" else most
        answers = await self._answers(requests[:answered])
        return web.json_response(answers + [_error(one, -32600, said) for one in requests[answered:]])

    async def _answers(self, requests: list[Request]) -> list[Request]:
        if self.rate_limited:
            return [
                _error(one, -32005, "daily request count exceeded, request rate limited") for one in requests
            ]
        heads = await self._heads() if self.lag or self.max_range else {}
        asked = [self._aged(one, heads) if self.lag else one for one in requests]
        refusals = [self._refusal(one, heads) for one in asked]
        passed = [one for one, refusal in zip(asked, refusals, strict=True) if refusal is None]
        found = iter(await self._pass_on(passed))
        return [
            refusal or self._spoilt(one, next(found), heads)
            for one, refusal in zip(asked, refusals, strict=True)
        ]

    async def _heads(self) -> dict[str, int]:
        """What the tags mean to a node that is late."""
        blocks = [{"method": "eth_getBlockByNumber", "params": [tag, False]} for tag in TAGS]
        found = await self._pass_on(blocks)
        numbers = [max(0, int(one["result"]["number"], 16) - self.lag) for one in found]
        return dict(zip(TAGS, numbers, strict=True))

    def _aged(self, one: Request, heads: dict[str, int]) -> Request:
        """The request as if it were asked `lag` blocks ago."""
        method, params = one["method"], list(one.get("params", []))
        place = BLOCK_PARAMETER.get(method)
        if place is not None and place < len(params) and params[place] in TAGS:
            params[place] = hex(heads[params[place]])
        if method == "eth_getLogs" and "blockHash" not in params[0]:
            first, last = _range(params[0], heads)
            params[0] = {**params[0], "fromBlock": hex(first), "toBlock": hex(min(last, heads["latest"]))}
        return {**one, "params": params}

    def _refusal(self, one: Request, heads: dict[str, int]) -> Request | None:
        """What is answered without asking the true node."""
        if one["method"] == "eth_getBlockReceipts" and self.no_receipts:
            return _error(one, -32601, "the method eth_getBlockReceipts does not exist/is not available")
        if one["method"] == "eth_call" and self.no_old_state and isinstance(one["params"][1], dict):
            return _error(one, -32000, f"missing trie node {one['params'][1]['blockHash'][2:]} (path )")
        if one["method"] != "eth_getLogs" or not heads or "blockHash" in one["params"][0]:
            return None
        first, last = _range(one["params"][0], heads)
        if self.max_range is not None and last - first >= self.max_range:
            return _error(one, -32614, f"eth_getLogs is limited to a {self.max_range} range")
        if self.lag and first > last:
            return {"jsonrpc": "2.0", "id": one.get("id"), "result": []}
        return None

    def _spoilt(self, one: Request, answer: Request, heads: dict[str, int]) -> Request:
        """What comes back of an answer of the true node."""
        method, answer = one["method"], {**answer, "id": one.get("id")}
        if "error" in answer:
            return self.retell(answer) if self.retell else answer
        result = answer["result"]
        if self.lag and heads:  # it may have been asked before it was late
            result = _forgotten(method, result, heads["latest"])
        if method == "eth_getLogs":
            if self.max_logs is not None and len(result) > self.max_logs:
                return _error(one, -32005, f"query returned more than {self.max_logs} results")
            result = [] if self.empty_logs else result
        if self.rewrite:
            result = self.rewrite(method, one.get("params", []), result)
        return {**answer, "result": result}

    async def _pass_on(self, requests: list[Request]) -> list[Request]:
        if not requests:
            return []
        batch = [{**one, "jsonrpc": "2.0", "id": place} for place, one in enumerate(requests)]
        async with self._http.post(self.upstream, json=batch) as response:
            answers = json.loads(await response.read())
        return sorted(answers, key=lambda one: int(one["id"]))


def _range(wanted: dict[str, str], heads: dict[str, int]) -> tuple[int, int]:
    """The first and the last block of an `eth_getLogs` filter."""
    first, last = (wanted.get(end, "latest") for end in ("fromBlock", "toBlock"))
    return _height(first, heads), _height(last, heads)


def _height(block: str, heads: dict[str, int]) -> int:
    if block == "earliest":
        return 0
    return heads[block] if block in heads else int(block, 16)


def _forgotten(method: str, result: Any, head: int) -> Any:
    """The result, unless it tells of a block that a late node has not seen."""
    if method == "eth_blockNumber":
        return hex(head)
    if isinstance(result, dict):
        number = result.get("blockNumber") or result.get("number")
        return None if number and int(number, 16) > head else result
    if method == "eth_getLogs":
        return [log for log in result if int(log["blockNumber"], 16) <= head]
    if method == "eth_getBlockReceipts" and result and int(result[0]["blockNumber"], 16) > head:
        return None
    return result


def _error(one: Request, code: int, message: str) -> Request:
    return {"jsonrpc": "2.0", "id": one.get("id"), "error": {"code": code, "message": message}}
