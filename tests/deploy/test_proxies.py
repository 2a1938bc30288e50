"""`liqpass serve` behind the real nginx and the real Caddy, with the files of deploy/."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from liqpass.db import open_database
from liqpass.hexes import checksum
from liqpass.http1.connection import HEAD_SEC
from liqpass.serving import free_port
from tests.clock import SettableClock
from tests.commands.cli import ended, hear, start
from tests.conftest import copy_database, in_database, on_server
from tests.deploy.proxies import DEPLOY, PROGRAMS, SITE, SPARE_SEC, Door, TraderAt, door
from tests.world import SKU, TestWorld, running_world

MISSING = sorted(name for name, program in PROGRAMS.items() if program is None)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not here: apt-get install {' '.join(MISSING)}")
OF_LIQPASS = 60  # sign-in texts for one wallet and one caller, within a minute
KB = 1024
FEWER_THAN_CONNECTIONS = 60  # that nginx allows a caller
INSIDE = [
    "/metrics",
    "/metrics/",
    "/metrics?x=1",
    "//metrics",
    "/./metrics",
    "/api/../metrics",
    "/%6detrics",
    "/%2fmetrics",
    "/metrics%2f",
    "/metrics%00",
    "/METRICS",
    "/metrics;x",
]


@pytest.fixture(scope="module")
async def served(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[TestWorld, int]]:
    """A world with capital, and the port of a `liqpass serve` on it whose site is public."""
    name = f"{template}_proxies"
    async with AsyncExitStack() as stack:
        await copy_database(server_url, template, name)
        stack.push_async_callback(on_server, server_url, f"drop database {name} with (force)")
        db = await open_database(in_database(server_url, name), name="test")
        stack.push_async_callback(db.close)
        clock = SettableClock(datetime.now(UTC).replace(microsecond=0))
        folder = tmp_path_factory.mktemp("world")
        world = await stack.enter_async_context(running_world(db, clock, folder, second_endpoint=True))
        assert world.second_node is not None
        another = world.second_node.url.replace("127.0.0.1", "localhost")
        port = free_port()
        settings = {
            "DATABASE_URL": in_database(server_url, name),
            "LIQPASS_PUBLIC_URL": SITE,
            "LIQPASS_RPC_URLS": f"{world.node.url},{another}",
        }
        serve = await start(
            "serve", "--port", str(port), "--log-level", "ERROR", env={**world.env, **settings}
        )
        await hear(serve.stderr, "Ctrl-C")
        yield world, port
        serve.terminate()
        assert (await ended(serve)).status == 0


@pytest.fixture(scope="module", params=["nginx", "caddy"])
async def through(
    request: pytest.FixtureRequest, served: tuple[TestWorld, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Door]:
    async with door(request.param, served[1], tmp_path_factory.mktemp(request.param)) as there:
        yield there


@pytest.fixture
def world(served: tuple[TestWorld, int]) -> TestWorld:
    return served[0]


async def test_callers_get_http_2_over_tls_and_are_sent_there_from_plain_http(through: Door) -> None:
    async with through.browser() as browser:
        page = await browser.get("/")
        assert (page.status_code, page.http_version) == (200, "HTTP/2")
        assert "max-age=" in page.headers["strict-transport-security"]
        assert page.headers["x-content-type-options"] == "nosniff"
        sent = await browser.get("http://liqpass.example/orders?x=1")
        assert sent.status_code in (301, 308)
        assert sent.headers["location"] == "https://liqpass.example/orders?x=1"


@pytest.mark.parametrize(
    ("file", "setting"), [("nginx/liqpass.conf", "keepalive_timeout"), ("caddy/Caddyfile", "keepalive")]
)
def test_a_proxy_leaves_an_idle_connection_before_liqpass_ends_it(file: str, setting: str) -> None:
    """Else it sends a request on one that is just ending: an order is answered 502, and not asked again."""
    (seconds,) = re.findall(rf"^\s*{setting} (\d+)s\b", (DEPLOY / file).read_text(), re.MULTILINE)
    assert int(seconds) < HEAD_SEC


async def test_a_trader_signs_in_and_hears_of_an_order_as_it_moves(through: Door, world: TestWorld) -> None:
    number = {"nginx": 0, "caddy": 1}[through.name]
    key = world.key(["reads one", "reads two"][number])
    async with TraderAt(through, world.chain.wallets[number]) as trader:
        await trader.sign_in()
        (cookie,) = trader.http.cookie_jar
        assert cookie.key.startswith("__Host-")
        account = await trader.add_key(key)
        position = next(p for p in await trader.positions(account) if p["insurable"])
        order = await trader.create_order((await trader.bind(account, position, SKU))["bindId"])
        path = f"/api/insurance/orders/{order['purchaseOrderId']}/events"
        headers = {"cookie": f"{cookie.key}={cookie.value}"}
        async with through.browser(headers=headers) as browser, browser.stream("GET", path) as stream:
            assert (stream.status_code, stream.http_version) == (200, "HTTP/2")
            lines = stream.aiter_lines()
            await _line(lines, '"DRAFT"')  # and the stream goes on: nothing waits for its end
            await trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
            await _line(lines, "CANCELLED")


async def _line(lines: AsyncIterator[str], words: str) -> None:
    async with asyncio.timeout(SPARE_SEC):
        async for line in lines:
            if words in line:
                return
    raise AssertionError(f"the stream ended without {words}")


async def test_another_sites_page_is_refused_behind_it_too(through: Door) -> None:
    async with through.browser(headers={"origin": "https://evil.example"}) as browser:
        refused = await browser.post("/api/auth/nonce", json={"address": "0x" + "11" * 20})
        assert (refused.status_code, refused.json()["code"]) == (403, "FOREIGN_ORIGIN")


@pytest.mark.parametrize("path", INSIDE)
async def test_what_the_pool_holds_is_told_to_nobody_outside(path: str, through: Door) -> None:
    async with through.browser() as browser:
        url = httpx.URL(SITE).copy_with(raw_path=path.encode())
        for method in ("GET", "HEAD", "POST"):
            answer = await browser.request(method, url)
            assert answer.status_code in (400, 404, 405)
            assert "liqpass_ledger_balance" not in answer.text


async def test_inside_it_is_told(served: tuple[TestWorld, int]) -> None:
    async with httpx.AsyncClient() as inside:
        told = await inside.get(f"http://127.0.0.1:{served[1]}/metrics")
    assert "liqpass_ledger_balance_micro_usdc{" in told.text


async def test_a_large_body_is_refused_and_one_that_is_not_gets_through(through: Door) -> None:
    async with through.browser(http2=False) as browser:
        for size, status, code in ((60 * KB, 400, "INVALID_FIELD"), (80 * KB, 413, "BODY_TOO_LARGE")):
            answer = await browser.post("/api/auth/nonce", json={"address": "0x", "more": "x" * size})
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == code
        flood = await browser.post("/api/auth/nonce", content=b"x" * 200 * KB)
        assert flood.status_code == {"nginx": 413, "caddy": 502}[through.name]  # neither reaches LiqPass


@pytest.mark.parametrize("name", sorted(PROGRAMS))
async def test_who_calls_is_known_behind_it_whatever_they_say(
    name: str, world: TestWorld, tmp_path: Path
) -> None:
    """Who asks in another's name uses up what they themselves may ask for, and no more. The clock stands
    still: what was used up does not come back."""
    ask: dict[str, Any] = {
        "url": "/api/auth/nonce",
        "json": {"address": checksum(world.chain.wallets[sorted(PROGRAMS).index(name)].address)},
    }
    async with (
        door(name, int(world.api.rpartition(":")[2]), tmp_path) as there,
        there.browser() as asking,
        there.browser("127.0.0.2") as another,
    ):
        for number in range(OF_LIQPASS):
            said = {"x-forwarded-for": f"198.51.100.{number}", "forwarded": f"for=198.51.100.{number}"}
            assert (await asking.post(**ask, headers=said)).status_code == 200
        refused = await asking.post(**ask, headers={"x-forwarded-for": "198.51.100.99"})
        assert (refused.status_code, refused.json().get("code")) == (429, "TOO_MANY_REQUESTS")
        assert "This address asked for too many messages" in refused.json()["detail"]
        assert (await another.post(**ask)).status_code == 200


async def test_nginx_limits_how_many_texts_a_caller_asks_for_in_anybodys_name(
    served: tuple[TestWorld, int], tmp_path: Path
) -> None:
    wallets = ({"address": f"0x{number:040x}"} for number in range(1, 100_000))
    async with door("nginx", served[1], tmp_path) as there, there.browser(http2=False) as browser:
        refused: list[httpx.Response] = []
        for _ in range(100):  # two a second come back: on a machine that has other work it takes more of them
            asked = (
                browser.post("/api/auth/nonce", json=next(wallets)) for _ in range(FEWER_THAN_CONNECTIONS)
            )
            refused = [answer for answer in await asyncio.gather(*asked) if answer.status_code != 200]
            if refused:
                break
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
            (429, "TOO_MANY_REQUESTS")
        }
        assert "from your address" in refused[0].json()["detail"]
        assert refused[0].headers["content-type"] == "application/problem+json"
        async with there.browser("127.0.0.3") as another:
            answer = await another.post("/api/auth/nonce", json=next(wallets))
            assert answer.status_code == 200
