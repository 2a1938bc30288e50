"""What somebody could try who has an account of their own, a page of their own, or a connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from liqpass.hexes import to_hex
from tests.flows.newcomers import INST, SLOT, Newcomer, newcomer, shared_world
from tests.seen.things import COOKIE, cookie_of, ended_sessions
from tests.world import SKU, TestWorld

BIND, CREATE, SUBMIT = (
    f"/api/insurance/{name}" for name in ("bind-position", "create-order", "submit-payment")
)
CANCEL, ACCOUNTS = "/api/insurance/cancel", "/api/okx/api-accounts"
ROUNDS = 12
# It ends a connection that is still open, and its answer tells that it was.
LAST = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True)
class Two:
    """Alice and Mallory, each with a position, a binding and an order; and nobody's session."""

    world: TestWorld
    alice: Newcomer
    mallory: Newcomer
    http: aiohttp.ClientSession
    bound: dict[str, str]
    ordered: dict[str, str]
    cookies: dict[str, str]

    async def post(self, cookie: str, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and document; the request's id is one."""
        sent = {"cookie": cookie, **headers}
        async with self.http.post(self.world.api + path, json=body, headers=sent) as told:
            document = await told.json(content_type=None)
            if told.status >= 400:
                assert document["requestId"] == told.headers["X-Request-Id"]
            return told.status, document


@pytest.fixture(scope="module")
async def two(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    """In one world, for all tests of the file."""
    async with (
        shared_world(server_url, template, tmp_path_factory.mktemp("two")) as world,
        newcomer(world) as alice,
        newcomer(world) as mallory,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        people = {"alice": alice, "mallory": mallory}
        bound = {name: (await who.bind())["bindId"] for name, who in people.items()}
        ordered = {
            name: (await who.trader.create_order(bound[name]))["purchaseOrderId"]
            for name, who in people.items()
        }
        cookies = {name: cookie_of(who.trader) for name, who in people.items()}
        cookies["over"], cookies["left"] = await ended_sessions(world, alice.trader.wallet)
        yield Two(world, alice, mallory, http, bound, ordered, cookies)


async def test_of_many_calls_at_once_each_gets_its_own_answer(two: Two) -> None:
    """Those of one kind are done by one statement, whosesoever they are: by both, mixed with what is not
    theirs, and with sessions that are over."""
    own = {"alice": two.alice.account, "mallory": two.mallory.account}

    async def one(who: str, whose: str) -> None:
        cookie, lives = two.cookies[who], who in own
        refused = (404 if lives else 401, None)
        bind = {"apiAccountId": own[whose], **SLOT, "sku": SKU}
        paying = {"purchaseOrderId": two.ordered[whose], "payTxHash": "0x12"}
        bound, made, paid = await asyncio.gather(
            two.post(cookie, BIND, bind),
            two.post(cookie, CREATE, {"bindId": two.bound[whose]}),
            two.post(cookie, SUBMIT, {**paying, "payTxHash": to_hex(b"\x01" * 32)})
            if who != whose
            else two.post(cookie, SUBMIT, paying),
        )
        if who == whose:
            assert (bound[0], bound[1]["bindId"]) == (200, two.bound[who])
            assert (made[0], made[1]["purchaseOrderId"]) == (200, two.ordered[who])
            assert (paid[0], paid[1]["code"]) == (400, "INVALID_FIELD")
        else:
            answers = [(status, None) for status, _ in (bound, made, paid)]
            assert answers == [refused] * 3, (who, whose, bound, made, paid)
            assert two.bound[whose] not in json.dumps([bound, made, paid])

    everybody = [(who, whose) for who in two.cookies for whose in own]
    for _ in range(ROUNDS):
        await asyncio.gather(*(one(who, whose) for who, whose in everybody * 3))
    assert [await two.alice.status(o) for o in [{"purchaseOrderId": two.ordered["alice"]}]] == ["DRAFT"]
    assert [await two.mallory.status(o) for o in [{"purchaseOrderId": two.ordered["mallory"]}]] == ["DRAFT"]


@pytest.mark.parametrize("chosen", ["account", "inst", "bind", "order"])
async def test_one_of_anothers_ids_among_ones_own_is_no_way_in(two: Two, chosen: str) -> None:
    books = two.world.exchange.books
    books.open_position(two.alice.okx.uid, "ETH-USDT-SWAP", contracts=5, lever=10)
    account = two.alice.account if chosen == "account" else two.mallory.account
    slot = {**SLOT, "instId": "ETH-USDT-SWAP" if chosen == "inst" else INST}
    cookie = two.cookies["mallory"]
    tried = {
        "account": (BIND, {"apiAccountId": account, **slot, "sku": SKU}, "API_ACCOUNT_NOT_FOUND"),
        "inst": (BIND, {"apiAccountId": account, **slot, "sku": SKU}, "POSITION_NOT_FOUND"),
        "bind": (CREATE, {"bindId": two.bound["alice"]}, "BINDING_NOT_FOUND"),
        "order": (
            CANCEL,
            {"purchaseOrderId": two.ordered["alice"].upper().replace("X", "x")},
            "ORDER_NOT_FOUND",
        ),
    }
    path, body, code = tried[chosen]
    status, told = await two.post(cookie, path, body)
    assert (status, told["code"]) == (404, code)


async def test_who_knows_anothers_key_in_part_is_told_no_more_than_of_any_key(two: Two) -> None:
    """That somebody handed it over already."""
    key = {name: two.alice.key[name] for name in ("apiKey", "secret", "passphrase")}
    known = await two.post(two.cookies["mallory"], ACCOUNTS, {**key, "secret": "0" * 32})
    assert (known[0], known[1]["code"]) == (422, "API_KEY_REJECTED")
    unused = two.world.exchange.books.add_key(two.mallory.okx.uid)
    other = {"apiKey": unused.api_key, "secret": "0" * 32, "passphrase": unused.passphrase}
    unknown = await two.post(two.cookies["mallory"], ACCOUNTS, other)
    known[1].pop("requestId"), unknown[1].pop("requestId")
    assert known == unknown


def foreign_to(api: str) -> list[dict[str, str]]:
    """What browsers say of a page that is not ours."""
    port = urlsplit(api).port or 0
    origins = (
        *(
            "null",
            "",
            "https://elsewhere.example",
            f"http://127.0.0.1:{port + 1}",
            f"https://127.0.0.1:{port}",
        ),
        *(
            f"http://127.0.0.1:{port}.elsewhere.example",
            f"{api}/",
            f"{api}@elsewhere.example",
            "http://127.0.0.1",
        ),
        *(f"http://localhost:{port}", f"{api}, {api}", f"{api} https://elsewhere.example"),
    )
    sites = [{"sec-fetch-site": site} for site in ("cross-site", "same-site")]
    return [{"origin": origin} for origin in origins] + sites


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
@pytest.mark.parametrize("path", [CREATE, CANCEL, "/api/auth/logout", "/api/nothing"])
async def test_no_page_of_another_site_can_send_a_form_or_anything(
    two: Two, path: str, content_type: str
) -> None:
    body = json.dumps({"bindId": two.bound["alice"], "purchaseOrderId": two.ordered["alice"]}).encode()
    for said in foreign_to(two.world.api):
        headers = {"cookie": two.cookies["alice"], "content-type": content_type, **said}
        async with two.http.post(two.world.api + path, data=body, headers=headers) as told:
            assert (told.status, (await told.json(content_type=None))["code"]) == (403, "FOREIGN_ORIGIN"), (
                said
            )
    assert await two.alice.status({"purchaseOrderId": two.ordered["alice"]}) == "DRAFT"
    async with two.http.get(two.world.api + "/api/auth/me", headers={"cookie": two.cookies["alice"]}) as told:
        assert told.status == 200


def port_of(two: Two) -> int:
    return int(two.world.api.rpartition(":")[2])


async def raw(two: Two, *requests: bytes) -> bytes:
    """All that comes back for these bytes, sent at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(two))
    writer.write(b"".join((*requests, LAST)))
    said = await reader.read()  # until the server closes, after the last of them at the latest
    writer.close()
    return said


def request(path: str, cookie: str, body: bytes, *more: str, length: str = "") -> bytes:
    """One request as it stands on the wire."""
    lines = (
        *(f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", f"cookie: {cookie}"),
        *(f"content-length: {length or len(body)}", *more),
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def test_requests_that_follow_each_other_on_a_connection_are_each_their_own(two: Two) -> None:
    """As a proxy sends them, which keeps one connection for everybody."""
    told = await raw(
        two,
        *(
            request(CREATE, two.cookies[who], json.dumps({"bindId": two.bound[who]}).encode())
            for who in two.bound
        ),
        request(CREATE, two.cookies["alice"], json.dumps({"bindId": two.bound["mallory"]}).encode()),
        request(
            CREATE,
            two.cookies["left"],
            json.dumps({"bindId": two.bound["alice"]}).encode(),
        ),
    )
    answers = told.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"404", b"401", b"200"], told
    for who, answer in zip(two.bound, answers, strict=False):
        assert two.ordered[who].encode() in answer
        other = next(name for name in two.bound if name != who)
        assert two.ordered[other].encode() not in answer


@pytest.mark.parametrize("path", [CREATE, CANCEL])
@pytest.mark.parametrize(
    ("more", "length"),
    [
        (("transfer-encoding: chunked",), ""),
        (("transfer-encoding: identity",), ""),
        (("transfer-encoding: xchunked",), ""),
        (("Transfer-Encoding : chunked",), ""),
        (("content-length: 4",), ""),
        ((), "+12"),
        ((), "0x1f"),
        ((), "12, 12"),
        ((), "-1"),
    ],
)
async def test_a_request_that_two_could_read_differently_lets_nothing_through_behind_it(
    two: Two, path: str, more: tuple[str, ...], length: str
) -> None:
    """A request in the body of another is never answered as one of its own: at the calls that are answered
    before the framework as at those behind."""
    inner = request("/api/auth/logout", two.cookies["alice"], b"{}")
    own = json.dumps({"bindId": two.bound["mallory"], "purchaseOrderId": to_hex(b"\x09" * 32)}).encode()
    for first in (b"", b"%x\r\n%b\r\n" % (len(own), own)):
        body = first + b"0\r\n\r\n" + inner
        told = await raw(two, request(path, two.cookies["mallory"], body, *more, length=length))
        assert b"set-cookie" not in told.lower(), told
        assert told.count(b"HTTP/1.1 ") == 1, told
    async with two.http.get(two.world.api + "/api/auth/me", headers={"cookie": two.cookies["alice"]}) as me:
        assert me.status == 200


async def test_there_is_no_websocket(two: Two) -> None:
    for path in ("/", CREATE, f"/api/insurance/orders/{two.ordered['alice']}/events", "/operator"):
        for cookie in (two.cookies["alice"], ""):
            lines = (
                *(f"GET {path} HTTP/1.1", "host: 127.0.0.1", "connection: upgrade", "upgrade: websocket"),
                *("sec-websocket-version: 13", f"sec-websocket-key: {'A' * 22}==", f"cookie: {cookie}"),
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(two))
            writer.write("\r\n".join((*lines, "", "")).encode())
            line = await reader.readline()
            writer.close()
            assert line.startswith(b"HTTP/1.1 ") and b" 101 " not in line, path


@pytest.mark.parametrize("path", ["/api/auth/me", "/cover", "/keys"])
async def test_of_two_sessions_one_is_taken_and_a_session_that_is_over_lets_nobody_in(
    two: Two, path: str
) -> None:
    alice, mallory = two.cookies["alice"], two.cookies["mallory"]
    addresses = [two.alice.trader.address, two.mallory.trader.address]
    for cookie in (f"{alice}; {mallory}", f"{mallory}; {alice}"):
        async with two.http.get(two.world.api + path, headers={"cookie": cookie}) as told:
            said = await told.text()
            assert sum(one in said for one in addresses) == 1, "never of both"
    value = alice.partition("=")[2]
    for cookie in (
        *(
            f"{COOKIE}=",
            f"{COOKIE}={value[:-1]}",
            f"{COOKIE}={value}x",
            f"x{COOKIE}={value}",
            f"{COOKIE}x={value}",
        ),
        *(f"__Host-{COOKIE}={value}", f"{COOKIE.upper()}={value}", two.cookies["over"], two.cookies["left"]),
    ):
        async with two.http.get(
            two.world.api + path, headers={"cookie": cookie}, allow_redirects=False
        ) as told:
            assert told.status in (401, 303), cookie


async def test_a_stream_tells_no_more_to_whoever_was_signed_out(two: Two) -> None:
    """Who signs out everywhere because a session was stolen."""
    async with newcomer(two.world) as carol, followed(two, carol) as (order, stream, begun):
        assert "DRAFT" in begun
        await carol.trader.call("POST", "/api/auth/logout", everywhere="true")
        await carol.trader.sign_in()
        await carol.trader.call("POST", CANCEL, {"purchaseOrderId": order})
        rest = (await stream.content.read()).decode()
    assert "CANCELLED" not in rest


@asynccontextmanager
async def followed(two: Two, who: Newcomer) -> AsyncIterator[tuple[str, aiohttp.ClientResponse, str]]:
    """An order of theirs, its stream, and what that told at once."""
    order = (await who.order())["purchaseOrderId"]
    path = f"/api/insurance/orders/{order}/events"
    async with two.http.get(two.world.api + path, headers={"cookie": cookie_of(who.trader)}) as stream:
        begun = ""
        while "payment" not in begun:
            begun += (await stream.content.readany()).decode()
        yield order, stream, begun
