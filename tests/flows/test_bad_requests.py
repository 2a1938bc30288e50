"""Wrong methods, foreign pages, paths that lead nowhere, queries, other people's ids, no session: each is
answered with a problem document."""

import json
from typing import Any

import aiohttp
import pytest
from yarl import URL

from liqpass.edge import edge
from tests.flows.newcomers import Newcomer, newcomer
from tests.flows.refusals import (
    ACCOUNTS,
    BIND,
    BODIES,
    CANCEL,
    CREATE,
    HASH,
    LOGOUT,
    ME,
    ORDERS,
    PERMIT,
    PERMIT_CALLS,
    POSITIONS,
    PREFLIGHT,
    QUOTES,
    SKUS,
    SOME_ID,
    SUBMIT,
    told,
)
from tests.world import TestWorld


@pytest.mark.parametrize(
    ("path", "right"),
    [
        *[(path, "POST") for path in (*BODIES, LOGOUT) if path != ACCOUNTS],
        *[
            (path, "GET")
            for path in (ME, POSITIONS, QUOTES, SKUS, ORDERS, f"{ORDERS}/{HASH}", "/healthz", "/api/policy")
        ],
        (ACCOUNTS, "GET POST"),
        (f"{ACCOUNTS}/{SOME_ID}", "DELETE"),
    ],
)
async def test_a_wrong_method_is_refused(town: TestWorld, visitor: Newcomer, path: str, right: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - set(right.split()):
        said = await told(town, visitor.trader.http, method, path)
        assert said["code"] == "METHOD_NOT_ALLOWED", method


@pytest.mark.parametrize(("method", "path"), [("BREW", ME), ("GET", "/\u202e")], ids=["method", "path"])
async def test_what_http_has_no_such_word_for_is_no_request(
    town: TestWorld, visitor: Newcomer, method: str, path: str
) -> None:
    said = await told(town, visitor.trader.http, method, URL(town.api + path, encoded=True))
    assert said["code"] == "MALFORMED_JSON"


@pytest.mark.parametrize("path", [*BODIES, LOGOUT])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "\xff"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_a_call_from_another_sites_page_is_refused(
    town: TestWorld, visitor: Newcomer, path: str, headers: dict[str, str]
) -> None:
    said = await told(town, visitor.trader.http, "POST", path, json=BODIES.get(path), headers=headers)
    assert said["code"] == "FOREIGN_ORIGIN"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api",
        "/api/insurance",
        f"{ORDERS}/{HASH}/nothing",
        f"{ORDERS}/{HASH}/../../skus/../nothing",
        "//api//insurance//nothing",
        "/api/insurance/..%2f..%2fetc/passwd",
        "/%00",
        "/%ff%fe",
        "/" + "a" * 6000,
        f"{ORDERS}/%00",
        f"{ORDERS}/%ff",
        f"{ORDERS}/..%2F..",
        f"{ORDERS}/{HASH[:-1]}",
        f"{ORDERS}/{HASH}0",
        f"{ORDERS}/{HASH}%00",
        f"{ORDERS}/{HASH}/events%00",
        f"{ORDERS}/'%20or%201=1--",
        f"{ORDERS}/x/events",
    ],
)
async def test_a_path_that_leads_nowhere_is_refused(town: TestWorld, visitor: Newcomer, path: str) -> None:
    said = await told(town, visitor.trader.http, "GET", URL(town.api + path, encoded=True))
    assert said["code"] in ("NOT_FOUND", "INVALID_FIELD", "ORDER_NOT_FOUND")


@pytest.mark.parametrize("accept", ["text/html;q=1e999", "text/html;q=-inf", ";;;", "\xff", ""])
@pytest.mark.parametrize(("path", "code"), [("/nothing", "NOT_FOUND"), (ME, "NOT_SIGNED_IN")])
async def test_any_accept_header_gets_the_problem(town: TestWorld, accept: str, path: str, code: str) -> None:
    async with aiohttp.ClientSession(town.api) as http:
        said = await told(town, http, "GET", path, headers={"Accept": accept})
    assert said["code"] == code


async def test_what_fails_in_answering_an_error_is_a_problem_document_too() -> None:
    sent: list[Any] = []

    async def fails(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("a secret")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
    await edge(fails, origin="http://127.0.0.1")(scope, send, send)  # type: ignore[arg-type]
    begun, body = sent
    headers = dict(begun["headers"])
    assert (begun["status"], headers[b"content-type"]) == (500, b"application/problem+json")
    assert b"content-security-policy" in headers
    assert json.loads(body["body"])["code"] == "INTERNAL_ERROR"
    assert b"secret" not in body["body"]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (POSITIONS, "", "apiAccountId"),
        (POSITIONS, "apiAccountId=", "apiAccountId"),
        (POSITIONS, "apiAccountId=x", "apiAccountId"),
        (POSITIONS, "apiAccountId=%00", "apiAccountId"),
        (POSITIONS, "apiAccountId=%ff", "apiAccountId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&apiAccountId=x", "apiAccountId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId=", "instId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId={'B' * 256}", "instId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId=BTC%E2%80%8F", "instId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId=%00", "instId"),
        (QUOTES, "", "apiAccountId"),
        (QUOTES, "apiAccountId=x", "apiAccountId"),
        (ORDERS, "limit=0", "limit"),
        (ORDERS, "limit=-1", "limit"),
        (ORDERS, "limit=101", "limit"),
        (ORDERS, "limit=1e3", "limit"),
        (ORDERS, "limit=" + "9" * 5000, "limit"),
        (ORDERS, "limit=x", "limit"),
        (ORDERS, "limit=", "limit"),
        (ORDERS, "before=x", "before"),
        (ORDERS, "before=", "before"),
    ],
)
async def test_a_wrong_query_parameter_is_named(
    town: TestWorld, visitor: Newcomer, path: str, query: str, field: str
) -> None:
    url = URL(f"{town.api}{path}?{query}", encoded=True)
    said = await told(town, visitor.trader.http, "GET", url)
    assert said["code"] in ("MISSING_FIELDS", "INVALID_FIELD")
    assert said["field"] == field


@pytest.mark.parametrize("last", ["x", "-1", "1.5.2", "1.", ".1", "9" * 10, "9" * 5000, "\xff"])
async def test_a_wrong_last_event_id_is_refused_before_the_stream_begins(
    town: TestWorld, visitor: Newcomer, last: str
) -> None:
    listed = await visitor.trader.call("GET", ORDERS)
    path = f"{ORDERS}/{listed['orders'][0]['purchaseOrderId']}/events"
    said = await told(town, visitor.trader.http, "GET", path, headers={"Last-Event-ID": last})
    assert (said["code"], said["field"]) == ("INVALID_FIELD", "lastEventId")


async def test_another_users_ids_are_not_found(town: TestWorld, visitor: Newcomer) -> None:
    async with newcomer(town) as other:
        bound = await other.bind()
        order = (await other.trader.create_order(bound["bindId"]))["purchaseOrderId"]
        http = visitor.trader.http
        for method, path, body in (
            ("GET", f"{POSITIONS}?apiAccountId={other.account}", None),
            ("GET", f"{QUOTES}?apiAccountId={other.account}", None),
            ("DELETE", f"{ACCOUNTS}/{other.account}", None),
            ("POST", BIND, {**BODIES[BIND], "apiAccountId": other.account}),
            ("POST", CREATE, {"bindId": bound["bindId"]}),
            ("POST", SUBMIT, {"purchaseOrderId": order, "payTxHash": HASH}),
            ("POST", CANCEL, {"purchaseOrderId": order}),
            ("GET", f"{ORDERS}/{order}", None),
            ("GET", f"{ORDERS}/{order}/events", None),
            *(
                ("POST", path.replace(HASH, order), BODIES[path])
                for path in (PREFLIGHT, PERMIT, PERMIT_CALLS)
            ),
        ):
            assert (await told(town, http, method, path, json=body))["status"] == 404, path
        shown = await other.trader.order(order)
        assert (shown["status"], len(shown["history"])) == ("DRAFT", 1)


PRIVATE = [
    ("GET", ME),
    ("GET", ACCOUNTS),
    ("POST", ACCOUNTS),
    ("DELETE", f"{ACCOUNTS}/{SOME_ID}"),
    ("GET", f"{POSITIONS}?apiAccountId={SOME_ID}"),
    ("GET", f"{QUOTES}?apiAccountId={SOME_ID}"),
    ("GET", ORDERS),
    ("GET", f"{ORDERS}/{HASH}"),
    ("GET", f"{ORDERS}/{HASH}/events"),
    *[("POST", path) for path in (BIND, CREATE, SUBMIT, CANCEL, PREFLIGHT, PERMIT, PERMIT_CALLS)],
]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_without_a_living_session_nothing_is_told(
    town: TestWorld, visitor: Newcomer, method: str, path: str
) -> None:
    body = BODIES.get(path) if method == "POST" else None
    async with aiohttp.ClientSession() as nobody:
        for cookie in ("", "x", "A" * 44, "%7f", "=" * 44):
            headers = {"Cookie": f"liqpass_session={cookie}"}
            said = await told(town, nobody, method, path, json=body, headers=headers)
            assert said["code"] == "NOT_SIGNED_IN"
    town.clock.advance(days=7, seconds=1)
    try:
        said = await told(town, visitor.trader.http, method, path, json=body)
        assert said["code"] == "NOT_SIGNED_IN"
    finally:
        town.clock.advance(days=-7, seconds=-1)
