"""What an attacker tries at the pages, over plain HTTP: to lead their reader away, to frame or feed them, and
to tire the server."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from liqpass.vault.api_accounts import recheck_due
from tests.flows.newcomers import newcomer
from tests.world import TestWorld


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a session here."""
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\u00a0/evil.example",
        "evil.example",
        "",
    ],
)
async def test_nobody_is_led_to_another_site(
    still: TestWorld, http: aiohttp.ClientSession, back: str
) -> None:
    asked = f"back={quote(back, safe='')}"
    async with http.get(f"{still.api}/preferences?{asked}&lang=en", allow_redirects=False) as answer:
        assert answer.headers["location"] == "/"
    async with http.get(f"{still.api}/?{asked}") as answer:
        assert 'data-back="/"' in await answer.text()


async def test_a_path_of_ours_is_gone_back_to(still: TestWorld, http: aiohttp.ClientSession) -> None:
    back = "/cover?before=1&x=%2F%2Fevil.example"
    async with http.get(
        f"{still.api}/preferences", params={"back": back, "theme": "dark"}, allow_redirects=False
    ) as answer:
        assert answer.headers["location"] == back
        assert answer.headers["cache-control"] == "no-store"
        assert "SameSite=lax" in answer.headers["set-cookie"]
        assert "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/nothing", "/operator", "/static/0/page.js", "/api/auth/me"]
)
async def test_no_answer_may_be_framed_or_load_what_is_not_ours(
    still: TestWorld, http: aiohttp.ClientSession, path: str, accept: str
) -> None:
    async with http.get(still.api + path, headers={"accept": accept}) as answer:
        policies = answer.headers.getall("content-security-policy")
        text = await answer.text()
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "frame-ancestors 'none'" in policies[0]
    assert "unsafe" not in policies[0]
    for style in re.findall(r"(?s)<style>(.*?)</style>", text):
        assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policies[0]


@pytest.mark.parametrize("name", ["cookie", "accept-language"])
async def test_headers_without_end_are_not_read_to_the_end(still: TestWorld, name: str) -> None:
    at = urlsplit(still.api)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"GET / HTTP/1.1\r\nhost: {at.netloc}\r\n{name}: {'a=b;' * 20_000}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
    writer.close()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_what_the_exchange_says_of_a_key_is_text_and_nothing_else(
    still: TestWorld, language: str
) -> None:
    """The reason of a hold names a right that we do not know as the exchange spells it."""
    async with newcomer(still) as alice:
        still.exchange.books.keys[str(alice.key["apiKey"])].perm = 'read_only,"><img src=x>%s%'
        still.clock.advance(hours=7)
        await recheck_due(still.of.db, still.of.gateway, still.of.keyring, still.of.clock)
        for path in ("/", "/keys"):
            headers = {"accept": "text/html", "accept-language": language}
            async with alice.trader.http.get(still.api + path, headers=headers) as answer:
                text = await answer.text()
                assert answer.status == 200, path
            assert "img src=x&gt;%s%" in text
            assert "<img src=x" not in text
