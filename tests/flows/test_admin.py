"""/api/admin/reconciliation: for the wallets of LIQPASS_ADMIN_WALLETS; for others it is not there."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import aiohttp
import pytest

from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Refused, Trader
from tests.flows.newcomers import new_wallet, refusal_of, shared_world
from tests.outages.conftest import metric
from tests.world import TestWorld

HERE = "/api/admin/reconciliation"
ADMIN, OTHER_ADMIN, STRANGER = wallet("an admin"), wallet("another admin"), wallet("a stranger")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PATHS = (
    HERE,
    f"{HERE}/",
    f"{HERE}/runs",
    f"{HERE}/runs?limit=many",
    f"{HERE}/runs/1",
    f"{HERE}/runs/one",
    f"{HERE}/runs/1/pages/1",
    f"{HERE}/breaks?all=1",
    f"{HERE}/breaks/1",
    f"{HERE}/breaks/1/close",
    f"{HERE}/breaks/1/close".replace("/", "//"),
)


@pytest.fixture(scope="module")
async def office(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """A running product with two admins."""
    admins = f"{checksum(ADMIN.address)}, {checksum(OTHER_ADMIN.address).lower()}"
    folder = tmp_path_factory.mktemp("office")
    async with shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins) as world:
        for _ in range(3):
            await world.chain.transfer(await new_wallet(world), world.chain.treasury, 7 * USDC)
            await world.confirm()
            await world.pass_time(hours=1)
        await world.work(2)
        yield world


@pytest.fixture(scope="module")
async def admin(office: TestWorld) -> AsyncIterator[Trader]:
    """One of them, signed in as everybody signs in."""
    async with Trader(office.api, ADMIN) as trader:
        await trader.sign_in()
        yield trader


async def answer(who: Trader, method: str, path: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and document of a call, without what differs from call to call."""
    body = {"reason": "of no matter"} if method in ("POST", "PUT", "PATCH") else None
    async with who.http.request(method, who.api + path, json=body) as said:
        document = {} if method == "HEAD" else dict(await said.json(content_type=None))
        document.pop("requestId", None)
        passing = ("Date", "X-Request-Id")
        return said.status, {k: v for k, v in said.headers.items() if k.title() not in passing}, document


@pytest.mark.parametrize("signed_in", [True, False])
async def test_for_others_there_is_nothing_whatever_they_ask(office: TestWorld, signed_in: bool) -> None:
    async with Trader(office.api, STRANGER) as stranger:
        if signed_in:
            await stranger.sign_in()
        for method in METHODS:
            nothing = await answer(stranger, method, "/api/admin/nothing")
            assert nothing[0] == 404
            for path in PATHS:
                assert await answer(stranger, method, path) == nothing, (method, path)


async def test_without_the_setting_nobody_is_an_admin(world: TestWorld) -> None:
    async with Trader(world.api, ADMIN) as somebody:
        await somebody.sign_in()
        nothing = await answer(somebody, "GET", "/api/admin/nothing")
        assert [await answer(somebody, "GET", path) for path in PATHS] == [nothing] * len(PATHS)


async def test_an_admin_who_signs_out_is_none(office: TestWorld) -> None:
    async with Trader(office.api, OTHER_ADMIN) as somebody:
        await somebody.sign_in()
        await somebody.call("GET", HERE)
        await somebody.call("POST", "/api/auth/logout")
        assert await refusal_of(somebody, "GET", HERE) == (404, "NOT_FOUND")


async def test_a_page_of_another_site_can_close_nothing(admin: Trader) -> None:
    headers = {"origin": "https://elsewhere.example"}
    async with admin.http.post(f"{admin.api}{HERE}/breaks/1/close", headers=headers) as said:
        assert said.status == 403


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/runs/999", (404, "RUN_NOT_FOUND")),
        ("/runs/999/pages/1", (404, "RUN_NOT_FOUND")),
        ("/runs/one", (400, "INVALID_FIELD")),
        ("/runs?limit=0", (400, "INVALID_FIELD")),
        ("/runs?limit=201", (400, "INVALID_FIELD")),
        ("/runs?before=none", (400, "INVALID_FIELD")),
        ("/runs/99999999999999999999", (400, "INVALID_FIELD")),
        ("/breaks?all=perhaps", (400, "INVALID_FIELD")),
        ("/breaks/999", (404, "BREAK_NOT_FOUND")),
        ("/breaks/one", (400, "INVALID_FIELD")),
    ],
)
async def test_an_admin_is_told_what_is_wrong(admin: Trader, path: str, refusal: tuple[int, str]) -> None:
    assert await refusal_of(admin, "GET", HERE + path) == refusal


@pytest.mark.parametrize(
    ("path", "named"),
    [(f"/runs/{2**63}", "runId"), (f"/runs/1/pages/{2**31}", "page"), (f"/breaks/{2**63}", "breakId")],
)
async def test_a_number_that_nothing_can_have_is_named(admin: Trader, path: str, named: str) -> None:
    with pytest.raises(Refused, match=f"400 INVALID_FIELD: {named}: Expected `int` <= "):
        await admin.call("GET", HERE + path)


async def test_the_overview_has_the_books_own_rules(admin: Trader) -> None:
    said = await admin.call("GET", HERE)
    assert {rule["broken"] for rule in said["books"]} == {0}
    assert [rule["findings"] for rule in said["books"]] == [[]] * len(said["books"])


async def test_the_overview_has_the_latest_run_and_what_is_open(admin: Trader) -> None:
    said = await admin.call("GET", HERE)
    runs = (await admin.call("GET", f"{HERE}/runs"))["runs"]
    assert said["run"] == runs[0]
    assert said["run"]["ledgerBalance"] == said["run"]["chainBalance"]
    assert said["run"]["previousSha256"] == runs[1]["sha256"]
    assert [(row["type"], row["breaks"]) for row in said["openBreaks"]] == [("MONEY_IN_SUSPENSE", 3)]


async def test_runs_come_in_pages_the_newest_first(admin: Trader) -> None:
    everything = (await admin.call("GET", f"{HERE}/runs"))["runs"]
    ids = [run["id"] for run in everything]
    assert len(ids) > 2
    assert ids == sorted(ids, reverse=True)
    paged: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": 2**40}
    while page["next"]:
        page = await admin.call("GET", f"{HERE}/runs", before=str(page["next"]), limit="2")
        paged += page["runs"]
    assert paged == everything


async def test_a_runs_document_and_its_pages_are_what_their_hashes_are_of(admin: Trader) -> None:
    run = (await admin.call("GET", HERE))["run"]
    async with admin.http.get(f"{admin.api}{HERE}/runs/{run['id']}") as said:
        assert said.content_type == "application/json"
        raw = await said.read()
    assert "0x" + sha256(raw).hexdigest() == run["sha256"]
    document = json.loads(raw)
    assert document["run"] == run["id"]
    assert document["previousSha256"] == run["previousSha256"]
    pages = []
    for number, _ in enumerate(document["breaks"]["pages"], 1):
        async with admin.http.get(f"{admin.api}{HERE}/runs/{run['id']}/pages/{number}") as said:
            pages.append(await said.read())
    assert ["0x" + sha256(page).hexdigest() for page in pages] == document["breaks"]["pages"]
    assert [one["type"] for page in pages for one in json.loads(page)] == ["MONEY_IN_SUSPENSE"] * 3
    missing = await refusal_of(admin, "GET", f"{HERE}/runs/{run['id']}/pages/{len(pages) + 1}")
    assert missing == (404, "RUN_NOT_FOUND")


async def test_breaks_come_in_pages_and_say_what_to_do(admin: Trader) -> None:
    first = await admin.call("GET", f"{HERE}/breaks", limit="2")
    rest = await admin.call("GET", f"{HERE}/breaks", limit="2", before=str(first["next"]))
    assert (len(first["breaks"]), len(rest["breaks"]), rest["next"]) == (2, 1, None)
    one = first["breaks"][0]
    assert (one["type"], one["found"]) == ("MONEY_IN_SUSPENSE", str(7 * USDC))
    assert "liqpass suspense list" in one["nextStep"]
    assert one["txHash"].startswith("0x")
    assert await admin.call("GET", f"{HERE}/breaks/{one['id']}") == one | {"closings": []}


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "MISSING_FIELDS")),
        ({"reason": ""}, (400, "INVALID_FIELD")),
        ({"reason": " \n "}, (400, "INVALID_FIELD")),
        ({"reason": "x" * 1001}, (400, "INVALID_FIELD")),
        ({"reason": None}, (400, "INVALID_FIELD")),
    ],
)
async def test_a_break_is_not_closed_without_a_reason(
    admin: Trader, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    one = (await admin.call("GET", f"{HERE}/breaks"))["breaks"][0]
    assert await refusal_of(admin, "POST", f"{HERE}/breaks/{one['id']}/close", body) == refusal
    assert (await admin.call("GET", f"{HERE}/breaks/{one['id']}"))["closedAt"] is None


async def test_an_admin_closes_a_break_in_the_name_of_the_wallet(office: TestWorld, admin: Trader) -> None:
    before = (await admin.call("GET", f"{HERE}/breaks"))["breaks"]
    path = f"{HERE}/breaks/{before[-1]['id']}"
    closed = await admin.call("POST", f"{path}/close", {"reason": "a gift to the pool"})
    assert (closed["closedBy"], closed["closeReason"]) == (checksum(ADMIN.address), "a gift to the pool")
    assert closed["accepted"] is True
    (closing,) = (await admin.call("GET", path))["closings"]
    assert (closing["closedBy"], closing["reason"]) == (checksum(ADMIN.address), "a gift to the pool")
    assert (await admin.call("GET", f"{HERE}/breaks"))["breaks"] == before[:-1]
    everything = (await admin.call("GET", f"{HERE}/breaks", all="1"))["breaks"]
    assert [one["id"] for one in everything] == [one["id"] for one in before]
    again = await refusal_of(admin, "POST", f"{path}/close", {"reason": "once more"})
    assert again == (409, "BREAK_CLOSED")
    nowhere = await refusal_of(admin, "POST", f"{HERE}/breaks/999/close", {"reason": "which one?"})
    assert nowhere == (404, "BREAK_NOT_FOUND")
    assert (await admin.call("GET", HERE))["openBreaks"][0]["breaks"] == 2
    assert await metric(office, 'liqpass_reconciliation_breaks{type="MONEY_IN_SUSPENSE"}') == 2
    assert await metric(office, 'liqpass_reconciliation_breaks{type="BALANCE_DIFFERS"}') == 0
    assert await metric(office, "liqpass_reconciliation_age_seconds") == 0


async def test_the_paths_are_in_the_document_that_is_there_for_all(office: TestWorld) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{office.api}/openapi.json") as said:
        paths = (await said.json())["paths"]
    assert {path for path in paths if path.startswith("/api/admin")} >= {
        HERE,
        f"{HERE}/runs",
        f"{HERE}/runs/{{run_id}}",
        f"{HERE}/breaks",
        f"{HERE}/breaks/{{break_id}}",
        f"{HERE}/breaks/{{break_id}}/close",
    }
