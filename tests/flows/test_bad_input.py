"""Whatever comes in, the answer is a problem document with a stable code, and it names the field.

One world for the whole file: nothing here changes anything, and a test at the end says so.
"""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from yarl import URL

from liqpass.problems import STATUS_BY_CODE
from tests.flows.newcomers import SLOT, Newcomer, newcomer
from tests.world import TestWorld

NONCE, VERIFY, LOGOUT, ME = (f"/api/auth/{name}" for name in ("nonce", "verify", "logout", "me"))
ACCOUNTS, POSITIONS, SKUS = "/api/okx/api-accounts", "/api/okx/positions", "/api/insurance/skus"
BIND, CREATE, SUBMIT, CANCEL = (
    f"/api/insurance/{name}" for name in ("bind-position", "create-order", "submit-payment", "cancel")
)
ORDERS = "/api/insurance/orders"
HASH, ADDRESS = "0x" + "ab" * 32, "0x" + "12" * 20
SOME_ID = "00000000-0000-7000-8000-000000000000"

# A body of the right shape for every call that takes one; nothing that it names is there.
BODIES: dict[str, dict[str, object]] = {
    NONCE: {"address": ADDRESS, "chainId": 8453},
    VERIFY: {"message": "hello", "signature": "0x" + "ab" * 65},
    ACCOUNTS: {"apiKey": "k", "secret": "s", "passphrase": "p", "label": "l", "region": "eea", "demo": False},
    BIND: {"apiAccountId": SOME_ID, "sku": "LIQPASS_24H", **SLOT},
    CREATE: {"bindId": SOME_ID},
    SUBMIT: {"purchaseOrderId": HASH, "payTxHash": HASH, "payer": ADDRESS},
    CANCEL: {"purchaseOrderId": HASH},
}
OPTIONAL = {"chainId", "label", "region", "demo", "payer"}
FIELDS = [(path, field) for path, body in BODIES.items() for field in body]
NO_TEXT: list[object] = [5, -1, 1.5, 10**30, True, [], ["0x"], {}, {"a": 1}]
NO_HEX = [
    "",
    "0x",
    HASH[2:],
    HASH[:-1],
    HASH + "ab",
    "0x" + "zz" * 32,
    "0x" + "١" * 64,
    " " + HASH,
    HASH + "\n",
    "0x" + "ab" * 10_000,
]
NO_UUID = ["", "x", "0", SOME_ID[:-1], SOME_ID + "0", "../../etc/passwd", "' or 1=1 --", "null", "\x00"]
NO_SLOT: dict[str, list[str]] = {
    "instId": ["", "btc-usdt-swap", "BTC USDT", "B" * 65, "BTC'--", "BTC\x00", "ＢＴＣ"],
    "mgnMode": ["", "CROSS", "portfolio", "isolated\x00"],
    "posSide": ["", "LONG", "both", "net "],
    "sku": ["", "S" * 33],
}
TELLTALES = re.compile(
    r"asyncpg|psql|postgres|Traceback|File \"|relation|\bselect\b|\binsert\b|litestar|msgspec|liqpass\.",
    re.I,
)


@pytest.fixture(scope="module", autouse=True)
def recursion_limit_of_the_server() -> Iterator[None]:
    """eth-account, which the server does not import, brings a library that sets it to 100,000 for the whole
    process: deep JSON would then overflow the stack instead of raising."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.fixture(scope="module")
async def visitor(town: TestWorld) -> AsyncIterator[Newcomer]:
    """Signed in, with an account and an order, so that there is something to spoil."""
    async with newcomer(town) as somebody:
        await somebody.order()
        yield somebody


async def told(
    world: TestWorld, http: aiohttp.ClientSession, method: str, path: str | URL, **more: Any
) -> dict[str, Any]:
    """Send it; hold the answer against what every refusal has to be; the document."""
    url = path if isinstance(path, URL) else world.api + path
    if path == ACCOUNTS and isinstance(more.get("json"), dict) and more["json"].get("apiKey") == "k":
        more["json"] = {**more["json"], "apiKey": str(uuid4())}  # one key would be held to OKX's pace
    async with http.request(method, url, **more) as answer:
        text = await answer.text()
    where = f"{method} {path} → {answer.status} {text[:300]}"
    assert answer.content_type == "application/problem+json", where
    document: dict[str, Any] = json.loads(text)
    assert document["status"] == answer.status, where
    assert STATUS_BY_CODE.get(document["code"]) == answer.status, where
    assert answer.status < 500, where
    assert document["requestId"] == answer.headers["X-Request-Id"], where
    assert {"type", "title", "detail"} <= document.keys(), where
    assert not TELLTALES.search(text), where
    return document


@pytest.mark.parametrize(("path", "field"), [f for f in FIELDS if f[1] not in OPTIONAL])
async def test_a_missing_field_is_named(town: TestWorld, visitor: Newcomer, path: str, field: str) -> None:
    body = {name: value for name, value in BODIES[path].items() if name != field}
    said = await told(town, visitor.trader.http, "POST", path, json=body)
    assert (said["code"], said["field"]) == ("MISSING_FIELDS", field)


@pytest.mark.parametrize(("path", "field"), FIELDS)
async def test_a_field_of_the_wrong_type_is_named(
    town: TestWorld, visitor: Newcomer, path: str, field: str
) -> None:
    wrong = {"chainId": ["Base", 1.5, [], {}], "demo": [5, "maybe", [], {}]}.get(field, NO_TEXT)
    for value in [*wrong, *([] if field in OPTIONAL - {"demo"} else [None])]:
        said = await told(town, visitor.trader.http, "POST", path, json={**BODIES[path], field: value})
        assert (said["code"], said["field"]) == ("INVALID_FIELD", field), value


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        (NONCE, "address", [*NO_HEX, HASH, "0x" + "12" * 19, "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]),
        (NONCE, "chainId", [-1, 0, 1, 2**63, 10**30, -(10**30)]),
        (VERIFY, "message", ["x" * 2001]),
        (VERIFY, "signature", ["", "0x", "0xabc", "ab" * 65, "0x" + "zz" * 65, "0x" + "ab" * 10_000]),
        (SUBMIT, "purchaseOrderId", NO_HEX),
        (SUBMIT, "payTxHash", NO_HEX),
        (SUBMIT, "payer", [*NO_HEX, HASH, "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]),
        (CANCEL, "purchaseOrderId", NO_HEX),
        (CREATE, "bindId", NO_UUID),
        (BIND, "apiAccountId", NO_UUID),
        *[(BIND, field, values) for field, values in NO_SLOT.items()],
        (ACCOUNTS, "apiKey", ["k" * 257]),
        (ACCOUNTS, "secret", ["s" * 257]),
        (ACCOUNTS, "passphrase", ["p" * 257]),
        (ACCOUNTS, "label", ["l" * 51]),
        (ACCOUNTS, "region", ["mars", "r" * 13, "EEA\x00"]),
    ],
)
async def test_a_field_of_the_wrong_form_is_named(
    town: TestWorld, visitor: Newcomer, path: str, field: str, values: list[object]
) -> None:
    for value in values:
        said = await told(town, visitor.trader.http, "POST", path, json={**BODIES[path], field: value})
        assert (said["code"], said["field"]) == ("INVALID_FIELD", field), value


@pytest.mark.parametrize("field", ["apiKey", "secret", "passphrase"])
async def test_an_empty_credential_is_a_missing_one(town: TestWorld, visitor: Newcomer, field: str) -> None:
    for empty in ("", "   ", "\n\t"):
        said = await told(
            town, visitor.trader.http, "POST", ACCOUNTS, json={**BODIES[ACCOUNTS], field: empty}
        )
        assert (said["code"], said["field"]) == ("MISSING_FIELDS", field)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{",
        b"{]",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b"\x00",
        b"\xff\xfe{}",
        b'{"a": "\xc3("}',
        b"<xml/>",
        b"a=1&b=2",
        b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b"[" * 60_000,
        b'{"a": ' + b"9" * 60_000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_a_body_that_is_no_json_object_is_refused(
    town: TestWorld, visitor: Newcomer, path: str, body: bytes
) -> None:
    said = await told(
        town, visitor.trader.http, "POST", path, data=body, headers={"Content-Type": "application/json"}
    )
    assert said["code"] in ("MALFORMED_JSON", "MISSING_FIELDS")


def test_the_server_imports_nothing_that_lifts_the_limit_of_recursion() -> None:
    program = "import sys, liqpass.running; sys.exit(sys.getrecursionlimit() != 1000)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(("path", "field"), FIELDS)
@pytest.mark.parametrize("text", [r"a\u0000b", r"\ud800", r"\udfff\ud800", r"a\u202eb", r"\ud83d\ude00"])
async def test_odd_characters_in_a_text_are_refused_or_harmless(
    town: TestWorld, visitor: Newcomer, path: str, field: str, text: str
) -> None:
    body = json.dumps({**BODIES[path], "apiKey": str(uuid4()), field: "ODD"}).replace('"ODD"', f'"{text}"')
    headers = {"Content-Type": "application/json"}
    said = await told(town, visitor.trader.http, "POST", path, data=body, headers=headers)
    assert said["code"] not in ("INTERNAL_ERROR", "DATABASE_UNAVAILABLE")


@pytest.mark.parametrize("path", BODIES)
async def test_any_content_type_with_a_wrong_body_is_refused(
    town: TestWorld, visitor: Newcomer, path: str
) -> None:
    for kind in (
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "application/msgpack",
        "nonsense",
        "",
    ):
        headers = {"Content-Type": kind}
        said = await told(town, visitor.trader.http, "POST", path, data=b"\x81\xa1a\x01", headers=headers)
        assert said["code"] in ("MALFORMED_JSON", "MISSING_FIELDS"), kind


@pytest.mark.parametrize("path", BODIES)
async def test_a_body_of_ten_megabytes_is_refused(town: TestWorld, visitor: Newcomer, path: str) -> None:
    big = b'{"a": "' + b"x" * 10_000_000 + b'"}'

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    for body in (big, in_pieces()):
        headers = {"Content-Type": "application/json"}
        said = await told(town, visitor.trader.http, "POST", path, data=body, headers=headers)
        assert said["code"] == "BODY_TOO_LARGE"


@pytest.mark.parametrize(
    ("path", "right"),
    [
        *[(path, "POST") for path in (*BODIES, LOGOUT) if path != ACCOUNTS],
        *[
            (path, "GET")
            for path in (ME, POSITIONS, SKUS, ORDERS, f"{ORDERS}/{HASH}", "/healthz", "/api/policy")
        ],
        (ACCOUNTS, "GET POST"),
        (f"{ACCOUNTS}/{SOME_ID}", "DELETE"),
    ],
)
async def test_a_wrong_method_is_refused(town: TestWorld, visitor: Newcomer, path: str, right: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - set(right.split()):
        said = await told(town, visitor.trader.http, method, path)
        assert said["code"] == "METHOD_NOT_ALLOWED", method


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
        "/\u202e",
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


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (POSITIONS, "", "apiAccountId"),
        (POSITIONS, "apiAccountId=", "apiAccountId"),
        (POSITIONS, "apiAccountId=x", "apiAccountId"),
        (POSITIONS, "apiAccountId=%00", "apiAccountId"),
        (POSITIONS, "apiAccountId=%ff", "apiAccountId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&apiAccountId=x", "apiAccountId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId=btc", "instId"),
        (POSITIONS, f"apiAccountId={SOME_ID}&instId=%00", "instId"),
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


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 10, "9" * 5000, "\xff"])
async def test_a_wrong_last_event_id_is_refused_before_the_stream_begins(
    town: TestWorld, visitor: Newcomer, last: str
) -> None:
    listed = await visitor.trader.call("GET", ORDERS)
    path = f"{ORDERS}/{listed['orders'][0]['purchaseOrderId']}/events"
    said = await told(town, visitor.trader.http, "GET", path, headers={"Last-Event-ID": last})
    assert (said["code"], said["field"]) == ("INVALID_FIELD", "lastEventId")


@pytest.mark.parametrize(
    ("path", "changes", "code", "field"),
    [
        (BIND, {"sku": "LIQPASS_1H"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"sku": "liqpass_24h"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"sku": "LIQPASS_24H\x00"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"instId": "NOPE-USDT-SWAP"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"posSide": "short"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"mgnMode": "cross"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"apiAccountId": SOME_ID}, "API_ACCOUNT_NOT_FOUND", "apiAccountId"),
        (CREATE, {}, "BINDING_NOT_FOUND", "bindId"),
        (SUBMIT, {}, "ORDER_NOT_FOUND", "purchaseOrderId"),
        (CANCEL, {}, "ORDER_NOT_FOUND", "purchaseOrderId"),
    ],
)
async def test_what_is_not_there_is_not_found(
    town: TestWorld, visitor: Newcomer, path: str, changes: dict[str, str], code: str, field: str
) -> None:
    own = {"apiAccountId": visitor.account} if path == BIND else {}
    body = {**BODIES[path], **own, **changes}
    said = await told(town, visitor.trader.http, "POST", path, json=body)
    assert (said["code"], said["field"], said["status"]) == (code, field, 404)


async def test_another_users_ids_are_not_found(town: TestWorld, visitor: Newcomer) -> None:
    async with newcomer(town) as other:
        bound = await other.bind()
        order = (await other.trader.create_order(bound["bindId"]))["purchaseOrderId"]
        http = visitor.trader.http
        for method, path, body in (
            ("GET", f"{POSITIONS}?apiAccountId={other.account}", None),
            ("DELETE", f"{ACCOUNTS}/{other.account}", None),
            ("POST", BIND, {**BODIES[BIND], "apiAccountId": other.account}),
            ("POST", CREATE, {"bindId": bound["bindId"]}),
            ("POST", SUBMIT, {"purchaseOrderId": order, "payTxHash": HASH}),
            ("POST", CANCEL, {"purchaseOrderId": order}),
            ("GET", f"{ORDERS}/{order}", None),
            ("GET", f"{ORDERS}/{order}/events", None),
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
    ("GET", ORDERS),
    ("GET", f"{ORDERS}/{HASH}"),
    ("GET", f"{ORDERS}/{HASH}/events"),
    *[("POST", path) for path in (BIND, CREATE, SUBMIT, CANCEL)],
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


async def test_hexadecimal_digits_may_come_in_any_case(town: TestWorld) -> None:
    async with newcomer(town) as somebody:
        order = await somebody.order()
        shouted = "0X" + order["purchaseOrderId"][2:].upper()
        assert (await somebody.trader.order(shouted))["purchaseOrderId"] == order["purchaseOrderId"]
        body = {"purchaseOrderId": shouted, "payTxHash": "0x" + "EF" * 32, "payer": "0x" + "AB" * 20}
        assert (await somebody.trader.call("POST", SUBMIT, body))["status"] == "PAID_PENDING_CONFIRM"
        shown = await somebody.trader.order(order["purchaseOrderId"])
        assert shown["payTxHash"] == "0x" + "ef" * 32
        assert shown["payer"].lower() == "0x" + "ab" * 20
        shouted_id = somebody.account.upper()
        assert len(await somebody.trader.positions(shouted_id)) == 1
        asked = await somebody.trader.call("POST", NONCE, {"address": "0x" + "AB" * 20})
        assert "0xabaBABABABAbabAbabaBabABabABaBABabAbAbaB".lower() in asked["message"].lower()


async def test_fields_that_nobody_knows_are_ignored(town: TestWorld, visitor: Newcomer) -> None:
    listed = await visitor.trader.call("GET", ORDERS, None, nothing="x", **{"%00": "x"})
    bind = {"bindId": listed["orders"][0]["bindId"], "premiumAmount": "1", "__proto__": {}, "userId": ADDRESS}
    order = await visitor.trader.call("POST", CREATE, bind)
    assert order["premiumAmount"] == listed["orders"][0]["premiumAmount"]


async def test_after_all_of_that_the_visitor_has_one_draft_and_one_account(
    town: TestWorld, visitor: Newcomer
) -> None:
    listed = await visitor.trader.call("GET", ORDERS)
    assert [order["status"] for order in listed["orders"]] == ["DRAFT"]
    assert len((await visitor.trader.call("GET", ACCOUNTS))["apiAccounts"]) == 1
