"""A product in which there is one thing of every kind, and what each call answered to everybody."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
import pytest

from liqpass.app import routed
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import newcomer, shared_world
from tests.seen.answers import Answer, asked, books_of
from tests.seen.calls import CALLS, answered
from tests.seen.table import OPERATORS, PAGE, WHO, Row, told
from tests.seen.things import (
    OPERATOR,
    Things,
    cookie_of,
    ended_sessions,
    everything,
    session,
    signed_text,
)
from tests.world import TestWorld

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ELSEWHERE = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
NEWCOMER = wallet("who signs in to be seen")


@dataclass(frozen=True)
class House:
    """The product and everybody's sessions. `over`: ended ones, of the trader and of the operator."""

    world: TestWorld
    things: Things
    http: aiohttp.ClientSession
    cookies: dict[str, str]
    over: dict[str, list[str]]

    async def ask(
        self,
        call: str,
        cookie: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "",
        nothing: bool = False,
    ) -> Answer:
        """Send the call, or another method to its path, about the trader's thing or about none."""
        own, template = call.split(" ", 1)
        names = self.things.none if nothing else self.things.own
        if call.endswith("/verify"):
            names = {**names, **await signed_text(self.world, NEWCOMER)}
        path, query, body = CALLS[call].filled(template, names)
        url, ids = self.world.api + path, [str(names[name]) for name in self.things.named]
        more = {"params": query, "json": body, "headers": headers or {}}
        return await asked(self.http, method or own, url, cookie, [path, quote(path, safe=""), *ids], **more)

    async def nowhere(
        self, path: str, call: str, cookie: str, method: str, headers: Mapping[str, str]
    ) -> Answer:
        """What the same request gets at a path that leads nowhere."""
        _, query, body = CALLS[call].filled("", self.things.own)
        ids = [path, quote(path, safe=""), *(str(self.things.own[name]) for name in self.things.named)]
        more = {"params": query, "json": body, "headers": headers or {}}
        return await asked(self.http, method, self.world.api + path, cookie, ids, **more)


@dataclass(frozen=True)
class Seen:
    """`answers`: by call and who asked, each that was given to them; `nothing`: the same about a thing that
    is not there. `changed`: tables that differ after all who may not had asked for everything."""

    house: House
    rows: list[Row]
    routes: dict[str, set[str]]
    answers: dict[str, dict[str, list[Answer]]]
    nothing: dict[str, dict[str, list[Answer]]]
    changed: list[str]

    def statuses(self, call: str) -> tuple[str, ...]:
        """Of the call to each of WHO; several where they differ."""
        given = self.answers[call]
        return tuple(" ".join(sorted({str(one.status) for one in given.get(who, [])})) for who in WHO)


@pytest.fixture(scope="module")
async def house(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Everybody is there, and everything."""
    admins, folder = checksum(OPERATOR.address), tmp_path_factory.mktemp("house")
    jar = aiohttp.DummyCookieJar()
    async with (
        shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins) as world,
        Trader(world.api, OPERATOR) as operator,
        newcomer(world) as ada,
        newcomer(world) as other,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        await operator.sign_in()
        things = await everything(world, operator, ada)
        over = {
            "owner": await ended_sessions(world, ada.trader.wallet),
            "operator": await ended_sessions(world, OPERATOR),
        }
        cookies = {
            "nobody": "",
            "owner": cookie_of(ada.trader),
            "other": cookie_of(other.trader),
            "operator": await session(world, OPERATOR),
        }
        yield House(world, things, http, cookies, over)


@pytest.fixture(scope="module")
async def seen(house: House) -> Seen:
    """First everything is asked for by who may not have it, then by who may."""
    rows = told(PAGE.read_text(encoding="utf-8"))
    routes = answered(*routed(house.world.of))
    by_call = {row.call: row for row in rows}
    calls = [
        call for call in CALLS if call in by_call and call.split(" ", 1)[0] in routes.get(path_of(call), ())
    ]
    answers: dict[str, dict[str, list[Answer]]] = {call: {} for call in calls}
    nothing: dict[str, dict[str, list[Answer]]] = {call: {} for call in calls}
    before = await books_of(house.world.db)
    for call in calls:
        for who in WHO:
            if not by_call[call].of(who).startswith("2"):
                answers[call][who] = await _given(house, by_call[call], who, routes)
                if who in ("nobody", "other", "operator"):
                    nothing[call][who] = await _given(house, by_call[call], who, routes, nothing=True)
    after = await books_of(house.world.db)
    for call in calls:
        for who in WHO:
            if by_call[call].of(who).startswith("2"):
                answers[call][who] = await _given(house, by_call[call], who, routes)
    changed = [name for name in after if after[name] != before[name]]
    return Seen(house, rows, routes, answers, nothing, changed)


def path_of(call: str) -> str:
    """Its template."""
    return call.split(" ", 1)[1]


async def _given(
    house: House, row: Row, who: str, routes: dict[str, set[str]], *, nothing: bool = False
) -> list[Answer]:
    """What they are told, in each way in which they may ask."""
    entitled = house.cookies["operator" if row.heading == OPERATORS else "owner"]
    if who == "over":
        ended = [*house.over["owner"], *house.over["operator"]]
        return [await house.ask(row.call, cookie) for cookie in ended]
    if who == "foreign":
        return [await house.ask(row.call, entitled, {name: value}) for name, value in ELSEWHERE.items()]
    if who == "method":
        others = [method for method in METHODS if method not in routes[path_of(row.call)]]
        return [await house.ask(row.call, entitled, method=method) for method in others]
    return [await house.ask(row.call, house.cookies[who], nothing=nothing)]
