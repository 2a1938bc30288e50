"""Something between LiqPass and the outside that tells in its answers what it was sent: an error page that
shows the request, a gateway in debug mode, an answer with more in it than there was."""

import json
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from aiohttp import web
from yarl import URL

Way = Literal["", "page", "error", "rows", "names", "garbage", "refusal"]
PASSED_ON = ("content-type", "x-simulated-trading")


class Echo:
    """`async with Echo(upstream) as echo:` and give `echo.url` to the product. `way`: how it tells in answers
    to requests whose path has `path` in it; "" passes on what it was told."""

    def __init__(self, upstream: str) -> None:
        self.upstream, self.path, self.told = upstream, "", 0
        self.way: Way = ""
        self._port = 0

    def tell(self, way: Way, path: str = "") -> None:
        """From the next request on."""
        self.way, self.path = way, path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        sent = {"line": f"{request.method} {request.raw_path}", **dict(request.headers)}
        way = self.way if self.path in request.path else ""
        self.told += bool(way)
        if way == "page":
            shown = "".join(f"<li>{name}: {value}" for name, value in sent.items())
            return web.Response(status=502, text=f"<html>{shown}", content_type="text/html")
        if way == "error":
            return web.json_response({"code": "51999", "msg": json.dumps(sent), "data": []})
        if way == "refusal":
            return web.json_response(_refusals(json.loads(body), json.dumps(sent)))
        status, content_type, answer = await self._passed_on(request, body)
        if way == "rows":
            answer = _with_more(answer, sent)
        if way == "names":
            answer = _named(answer, sent)
        if way == "garbage":
            answer = json.dumps(sent).encode() + answer
        return web.Response(status=status, body=answer, content_type=content_type)

    async def _passed_on(self, request: web.Request, body: bytes) -> tuple[int, str, bytes]:
        kept = {
            name: value
            for name, value in request.headers.items()
            if name.lower() in PASSED_ON or name.upper().startswith("OK-ACCESS")
        }
        # what stands in the address of a node is the key of a plan, and means nothing to anvil
        target = request.raw_path if "OK-ACCESS-KEY" in request.headers or request.method == "GET" else "/"
        url = URL(self.upstream + target, encoded=True)
        async with self._http.request(request.method, url, headers=kept, data=body) as answer:
            return answer.status, answer.content_type, await answer.read()


def _with_more(answer: bytes, sent: dict[str, str]) -> bytes:
    document = json.loads(answer)
    if isinstance(document.get("data"), list):
        document["data"] = [
            {**row, "debug": sent} if isinstance(row, dict) else row for row in document["data"]
        ]
    return json.dumps({**document, "request": sent}, ensure_ascii=False).encode()


def _named(answer: bytes, sent: dict[str, str]) -> bytes:
    """In fields that are read and shown."""
    told = " ".join(sent.values())
    document = json.loads(answer)
    document["data"] = [{**row, "instId": told, "ccy": told, "lever": told} for row in document["data"]]
    return json.dumps(document, ensure_ascii=False).encode()


def _refusals(asked: Any, said: str) -> Any:
    if isinstance(asked, list):
        return [_refusals(one, said) for one in asked]
    error = {"code": -32000, "message": said, "data": said}
    return {"jsonrpc": "2.0", "id": asked["id"], "error": error}
