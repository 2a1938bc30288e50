"""/api/admin/reconciliation: for the wallets of LIQPASS_ADMIN_WALLETS; for others it is not there."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import refusal_of, shared_world
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
)


@pytest.fixture(scope="module")
async def office(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """A running product with two admins."""
    admins = f"{checksum(ADMIN.address)}, {checksum(OTHER_ADMIN.address).lower()}"
    folder = tmp_path_factory.mktemp("office")
    async with shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins) as world:
        await world.work()
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


async def test_the_overview_has_the_books_own_rules(admin: Trader) -> None:
    said = await admin.call("GET", HERE)
    assert {rule["broken"] for rule in said["books"]} == {0}
    assert [rule["findings"] for rule in said["books"]] == [[]] * len(said["books"])


async def test_the_paths_are_in_the_document_that_is_there_for_all(office: TestWorld) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{office.api}/openapi.json") as said:
        paths = (await said.json())["paths"]
    assert {path for path in paths if path.startswith("/api/admin")} >= {
        HERE,
        f"{HERE}/runs",
        f"{HERE}/runs/{{run_id}}",
        f"{HERE}/breaks",
        f"{HERE}/breaks/{{break_id}}",
    }
