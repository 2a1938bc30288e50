"""A world whose clients lose patience after a second, so that nobody waits long for what does not come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from liqpass.app import create_app, exchange_errors
from liqpass.chain.rpc import Node
from liqpass.db import Database
from liqpass.exchange.okx import OkxGateway
from liqpass.sandbox.trader import Refused
from liqpass.serving import free_port, listening
from tests.conftest import copy_database, in_database, on_server
from tests.outages.door import Door
from tests.outages.gate import STAND
from tests.outages.two_workers import Town, two_workers
from tests.world import TestWorld

PATIENCE_SEC = 1.0
_towns = count(1)

STATE = """
select 'account', id::text, revoked_at::text, held_reason from api_accounts
union all select 'binding', id::text, status::text, sku from insured_bindings
union all select 'insured', inst_id, binding_id::text, null from insured_positions
union all select 'order', id::text, status::text, encode(pay_tx_hash, 'hex') from purchase_orders
union all select 'event', order_id::text, seq::text, to_status::text from order_events
union all select 'claim', id::text, status::text, bundle_sha256::text from claims
union all select 'watched', order_id::text, change_seq::text, settled_by::text from watched_covers
union all select 'payment', encode(tx_hash, 'hex'), stage::text, block_number::text from premium_payments
union all select 'settled', encode(tx_hash, 'hex'), outcome::text, stage::text from payment_settlements
order by 1, 2, 3
"""


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """Two workers of one town, with the gate in its database: for all tests of a file."""
    name = f"{template}_killed_{next(_towns)}"
    await copy_database(server_url, template, name)
    async with two_workers(in_database(server_url, name), tmp_path_factory.mktemp("killed")) as town:
        await town.owner.execute(STAND)
        yield town
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def exchange_door(world: TestWorld) -> AsyncIterator[Door]:
    """Between the product and the exchange."""
    behind = urlsplit(world.exchange.hosts["global"])
    door = Door(lambda: asyncio.open_connection(behind.hostname, behind.port))
    await door.open()
    yield door
    await door.shut()


@pytest.fixture
async def hasty(world: TestWorld, exchange_door: Door) -> AsyncIterator[TestWorld]:
    """The same world; only the times that the product waits are shorter."""

    async def no_pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    gateway = OkxGateway(
        {**world.exchange.hosts, "global": f"http://127.0.0.1:{exchange_door.port}"},
        world.clock,
        on_error=lambda code: exchange_errors.labels(code).inc(),
        timeout_sec=PATIENCE_SEC,
        sleep=no_pause,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.close)
        urls = world.of.settings.chain.rpc_urls
        nodes = [await stack.enter_async_context(Node(url, timeout_sec=PATIENCE_SEC)) for url in urls]
        of = replace(world.of, gateway=gateway, nodes=tuple(nodes))
        api = (await stack.enter_async_context(listening(create_app(of), "127.0.0.1", free_port()))).url
        yield replace(world, api=api, of=of)


async def state_of(db: Database) -> list[tuple[Any, ...]]:
    """All that an outage could change by mistake."""
    async with db.pool.acquire() as conn:
        return [tuple(row) for row in await conn.fetch(STATE)]


@dataclass(frozen=True)
class Answer:
    """What a public page said."""

    status: int
    text: str
    checks: dict[str, str]


async def page(world: TestWorld, path: str) -> Answer:
    """A page that needs no session; `checks` are those of /readyz."""
    async with aiohttp.ClientSession() as http, http.get(world.api + path) as answer:
        checks = (await answer.json())["checks"] if path == "/readyz" else {}
        return Answer(answer.status, await answer.text(), checks)


async def metric(world: TestWorld, name: str) -> float:
    """The value of a metric, labels included in the name; 0 when it is not there yet."""
    for line in (await page(world, "/metrics")).text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    return 0.0


async def refusal(call: Any) -> Refused:
    """How the API refused."""
    with pytest.raises(Refused) as caught:
        await call
    return caught.value


def behind(url: str) -> tuple[str, int]:
    """Where a database's address leads: a folder with a Unix socket or a host, and a port."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = query.get("host", [parts.hostname or "127.0.0.1"])[0]
    return host, int(query.get("port", [parts.port or 5432])[0])
