"""The control API over HTTP, as another program drives it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from liqpass.clock import system_clock
from liqpass.sandbox.okx_control import OFFERED
from liqpass.sandbox.okx_server import SandboxExchange

TIME = "/api/v5/public/time"


@pytest.fixture
async def okx() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as exchange:
        yield exchange


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def control(
    okx: SandboxExchange, session: aiohttp.ClientSession, name: str, **arguments: Any
) -> tuple[int, Any]:
    async with session.post(f"{okx.control_url}/control/{name}", json=arguments) as response:
        return response.status, await response.json()


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url) as response:
        return response.status, await response.text()


async def test_an_account_with_a_key_and_a_position_can_be_made_and_liquidated(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    _, account = await control(okx, session, "add_account", region="eea")
    uid = account["result"]["uid"]
    _, key = await control(okx, session, "add_key", uid=uid, perm="read_only", label="made")
    assert key["result"] in okx.test_keys()
    order = {"uid": uid, "inst_id": "BTC-USDT-SWAP", "side": "long", "contracts": "2", "lever": 50}
    assert (await control(okx, session, "open_position", **order))[0] == 200
    _, moved = await control(okx, session, "move_mark", inst_id="BTC-USDT-SWAP", px="50000")
    liquidated = {each["posId"]: each["last"]["type"] for each in moved["result"]}
    _, state = await get(session, f"{okx.control_url}/control/state")
    assert uid in state
    assert set(liquidated.values()) == {"3"}


async def test_an_instrument_of_any_name_can_be_listed_and_an_answer_be_given(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    name = "币安人生-USDT-SWAP"
    listed = await control(okx, session, "list_instrument", inst_id=name, mark="0.25")
    assert (listed[0], listed[1]["result"]["inst_id"]) == (200, name)
    query = urlencode({"instType": "SWAP", "instId": name})
    status, text = await get(session, f"{okx.hosts['us']}/api/v5/public/instruments?{query}")
    assert (status, name in text) == (200, True)
    body = '{"code":"0","data":[null],"msg":""}'
    assert (await control(okx, session, "answer", body=body, path=TIME, count=1))[0] == 200
    assert await get(session, okx.hosts["us"] + TIME) == (200, body)
    assert (await get(session, okx.hosts["us"] + TIME))[1] != body


async def test_rights_grow_and_shrink_and_a_key_goes(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    api_key = str(okx.test_keys()[0]["apiKey"])
    _, grown = await control(okx, session, "set_perm", api_key=api_key, perm="read_only,trade")
    assert grown["result"]["perm"] == "read_only,trade"
    assert await control(okx, session, "delete_key", api_key=api_key) == (200, {"result": None})
    assert api_key not in [key["apiKey"] for key in okx.test_keys()]
    status, again = await control(okx, session, "delete_key", api_key=api_key)
    assert (status, again) == (400, {"error": "no such key"})


@pytest.mark.parametrize(
    ("name", "arguments", "status", "body"),
    [
        ("fail", {"code": "50001", "status": 503}, 503, '"code":"50001"'),
        ("fail", {"code": ""}, 200, ""),
        ("html", {"status": 200}, 200, "<html>"),
        ("html", {}, 502, "<html>"),
        ("rate_limit", {}, 429, '{"msg":"Too Many Requests","code":"50011"}'),
        ("lag", {"seconds": 0.001}, 200, '{"code":"0"'),
    ],
)
async def test_it_misbehaves_as_told_until_it_is_healed(
    okx: SandboxExchange,
    session: aiohttp.ClientSession,
    name: str,
    arguments: dict[str, Any],
    status: int,
    body: str,
) -> None:
    assert (await control(okx, session, name, **arguments))[0] == 200
    answered, text = await get(session, okx.hosts["global"] + TIME)
    assert (answered, body in text, bool(text)) == (status, True, bool(body))
    await control(okx, session, "heal")
    assert (await get(session, okx.hosts["global"] + TIME))[1].startswith('{"code":"0"')


async def test_a_position_can_be_funded_moved_and_closed_by_the_exchange_over_http(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    _, account = await control(okx, session, "add_account")
    position = {"uid": account["result"]["uid"], "inst_id": "BTC-USDT-SWAP"}
    _, opened = await control(okx, session, "open_position", **position, contracts="10", lever=20)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("add_margin", {"amount": "10"}),
        ("remove_margin", {"amount": 5}),
        ("set_leverage", {"lever": "25"}),
        ("claw_back", {"amount": "0.5"}),
        ("deleverage", {"contracts": "1"}),
        ("liquidate_partly", {"contracts": 3, "fills": 2}),
    ]
    for name, arguments in calls:
        status, answer = await control(okx, session, name, **position, **arguments)
        assert (status, answer["result"]["posId"]) == (200, opened["result"]["posId"])
    status, funded = await control(okx, session, "fund", inst_id="BTC-USDT-SWAP", rate="0.0001")
    assert (status, opened["result"]["posId"] in {each["posId"] for each in funded["result"]}) == (200, True)
    _, liquidated = await control(okx, session, "liquidate", **position, fills=3)
    assert (liquidated["result"]["last"]["type"], liquidated["result"]["pos"]) == ("3", "0")


async def test_rows_can_come_late_or_not_at_all_over_http(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    for name, arguments in (
        ("delay", {"path": "/account/positions", "seconds": 60, "spread": 5, "count": 2}),
        ("hide", {"row_id": "12", "path": "bills"}),
        ("outage", {"seconds": 3600, "region": "eea"}),
    ):
        assert await control(okx, session, name, **arguments) == (200, {"result": None})
    assert (await get(session, okx.hosts["eea"] + TIME))[0] == 503
    assert (await get(session, okx.hosts["us"] + TIME))[0] == 200


def test_every_control_is_told_of_in_the_document() -> None:
    words = (Path(__file__).resolve().parents[2] / "docs" / "sandbox-exchange.md").read_text()
    assert [name for name in ("reset", *OFFERED.split()) if f"`{name}`" not in words] == []


async def test_a_fault_can_be_for_one_region_one_path_and_a_number_of_requests(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    await control(okx, session, "html", region="eea", path="/public/", count=2)
    assert (await get(session, okx.hosts["global"] + TIME))[0] == 200
    assert [(await get(session, okx.hosts["eea"] + TIME))[0] for _ in range(3)] == [502, 502, 200]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open_position", {}),
        ("open_position", {"uid": "1", "inst_id": "X", "contracts": 1, "lever": 1}),
        ("move_mark", {"inst_id": "BTC-USDT-SWAP", "px": "up"}),
        ("move_mark", {"inst_id": "BTC-USDT-SWAP", "px": None}),
        ("set_perm", {"api_key": "x", "perm": "everything"}),
        ("add_account", {"unheard": "of"}),
        ("lag", {"seconds": "long"}),
        ("delay", {"path": "balance", "seconds": 1}),
        ("delay", {"path": "bills", "seconds": "long"}),
        ("outage", {"seconds": "long"}),
        ("fund", {"inst_id": "BTC-USDT-SWAP", "rate": "high"}),
        ("fund", {"inst_id": "X", "rate": "0.1"}),
        ("deleverage", {"uid": "1", "inst_id": "BTC-USDT-SWAP"}),
    ],
)
async def test_a_control_that_cannot_be_is_answered_in_words(
    okx: SandboxExchange, session: aiohttp.ClientSession, name: str, arguments: dict[str, Any]
) -> None:
    status, answer = await control(okx, session, name, **arguments)
    assert status == 400
    assert answer["error"]


async def test_what_is_not_offered_cannot_be_called(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    for name in ("next_id", "__init__", "_book", "stop"):
        assert (await control(okx, session, name))[0] == 404


async def test_reset_brings_the_first_world_back(
    okx: SandboxExchange, session: aiohttp.ClientSession
) -> None:
    keys = okx.test_keys()
    await control(okx, session, "html")
    await control(okx, session, "skew_clock", seconds=99)
    await control(okx, session, "delete_key", api_key=keys[0]["apiKey"])
    await control(okx, session, "reset")
    assert okx.test_keys() == keys
    assert (await get(session, okx.hosts["us"] + TIME))[0] == 200
    assert okx.faults.skew_sec == 0
