"""What an endpoint quotes of its own address, in whatever spelling, has no key of a plan in it: it is shown
to everybody at /readyz, logged, and kept with reconciliations."""

import base64
import html
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import web

from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node

KEYS = ("key-4711-abc", 'ke"y/4+7<1>1\\é', "Ab%2FcDeF", "tokén zwölf", "密码-密码-密码")
SHORT_PASSWORD = "pw7"


@dataclass
class Quoting:
    """It answers every call with an error that quotes what it was sent. `headers`: of the last request."""

    url: str = ""
    line: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    said: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.line, self.headers = f"{request.method} {request.raw_path}", dict(request.headers)
        said = self.said or f"{self.line} {request.path_qs} {self.headers.get('Authorization')}"
        error = {"code": -32000, "message": said, "data": {said: [said]}}
        return web.json_response({"jsonrpc": "2.0", "id": 0, "error": error})


@pytest.fixture
async def quoting() -> AsyncIterator[Quoting]:
    server = Quoting()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def addresses(key: str, host: str) -> list[str]:
    """The key wherever one stands in an address."""
    spelt = quote(key, safe="")
    return [
        f"http://{host}/v2/{spelt}",
        f"http://{host}/rpc?apikey={spelt}",
        f"http://{host}/rpc?a=b&key={spelt}&c=d",
        f"http://ann:{spelt}@{host}/",
        f"http://{spelt}@{host}/",
    ]


def spellings(key: str) -> list[str]:
    """As programs write it."""
    spelt = quote(key, safe="")
    return [key, spelt, spelt.lower(), quote(key), unquote(key), json.dumps(key)[1:-1], html.escape(key)]


async def told(url: str) -> str:
    """All that is known of the failure."""
    async with Node(url) as node:
        with pytest.raises(NodeError) as raised:
            await node.call("eth_chainId", [])
    of: Any = raised.value
    return f"{of} {of.detail} {of.said} {json.dumps(of.data, ensure_ascii=False)}"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", range(5))
async def test_whatever_is_quoted_of_a_request_has_no_key_in_it(
    quoting: Quoting, key: str, place: int
) -> None:
    said = await told(addresses(key, quoting.url)[place])
    assert "refused eth_chainId" in said
    for part in spellings(key):
        assert part not in said, said
    if "Authorization" in quoting.headers:
        basic = quoting.headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(basic).decode().removeprefix("ann:").removesuffix(":") == key
        assert basic.rstrip("=")[:-2] not in said


@pytest.mark.parametrize("key", KEYS)
async def test_nor_has_it_in_any_other_spelling(quoting: Quoting, key: str) -> None:
    for spelling in spellings(key):
        quoting.said = f"the plan of {spelling} is over"
        for url in addresses(key, quoting.url):
            assert spelling not in await told(url)


async def test_a_short_password_is_not_told_and_words_are_left_as_they_are(quoting: Quoting) -> None:
    quoting.said = f"login ann:{SHORT_PASSWORD} failed for /v2: eth_chainId of the plan"
    said = await told(f"http://ann:{SHORT_PASSWORD}@{quoting.url}/v2")
    assert "login ann:… failed for /v2: eth_chainId of the plan" in said
    basic = base64.b64encode(f"ann:{SHORT_PASSWORD}".encode()).decode()
    quoting.said = f"Authorization: Basic {basic}"
    assert basic not in await told(f"http://ann:{SHORT_PASSWORD}@{quoting.url}/v2")
