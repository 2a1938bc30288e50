"""Whatever a body holds, the answer is a problem document with a stable code, and it names the field.

One world for the whole file: nothing here changes anything, and a test at the end says so.
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.flows.newcomers import Newcomer, newcomer
from tests.flows.refusals import (
    ACCOUNTS,
    ADDRESS,
    BIND,
    BODIES,
    CANCEL,
    CREATE,
    HASH,
    NONCE,
    ORDERS,
    PERMIT,
    PERMIT_CALLS,
    PREFLIGHT,
    SOME_ID,
    SUBMIT,
    VERIFY,
    told,
)
from tests.world import TestWorld

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
    "instId": ["", "B" * 256, "币" * 256, "BTC\x00", "BTC\n", "BTC\u200f", "BTC\u202e", "BTC\u0085"],
    "mgnMode": ["", "CROSS", "portfolio", "isolated\x00"],
    "posSide": ["", "LONG", "both", "net "],
    "sku": ["", "S" * 33],
}


@pytest.mark.parametrize(("path", "field"), [f for f in FIELDS if f[1] not in OPTIONAL])
async def test_a_missing_field_is_named(town: TestWorld, visitor: Newcomer, path: str, field: str) -> None:
    body = {name: value for name, value in BODIES[path].items() if name != field}
    said = await told(town, visitor.trader.http, "POST", path, json=body)
    assert (said["code"], said["field"]) == ("MISSING_FIELDS", field)


@pytest.mark.parametrize(("path", "field"), FIELDS)
async def test_a_field_of_the_wrong_type_is_named(
    town: TestWorld, visitor: Newcomer, path: str, field: str
) -> None:
    no_number: list[object] = ["Base", 1.5, [], {}]
    wrong = {"chainId": no_number, "deadline": no_number, "demo": [5, "maybe", [], {}]}.get(field, NO_TEXT)
    for value in [*wrong, *([] if field in OPTIONAL - {"demo"} else [None])]:
        said = await told(town, visitor.trader.http, "POST", path, json={**BODIES[path], field: value})
        assert (said["code"], said["field"]) == ("INVALID_FIELD", field), value


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        (NONCE, "address", [*NO_HEX, HASH, "0x" + "12" * 19, "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]),
        (NONCE, "chainId", [-1, 0, 1, 2**63, 10**30, -(10**30)]),
        (VERIFY, "message", ["x" * 2001]),
        (VERIFY, "signature", ["", "0x0", "0xabc", "ab" * 65, "0x" + "zz" * 65, "0x" + "ab" * 10_000]),
        (SUBMIT, "purchaseOrderId", NO_HEX),
        (SUBMIT, "payTxHash", NO_HEX),
        (SUBMIT, "payer", [*NO_HEX, HASH, "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]),
        (CANCEL, "purchaseOrderId", NO_HEX),
        *[(path, "payer", [*NO_HEX, HASH]) for path in (PREFLIGHT, PERMIT, PERMIT_CALLS)],
        (PERMIT_CALLS, "deadline", [-1, 2**53, 2**64, 10**30, -(10**30)]),
        (PERMIT_CALLS, "signature", ["", "0x0", "0xabc", "ab" * 65, "0x" + "zz" * 65, "0x" + "ab" * 10_000]),
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
    ("path", "changes", "code", "field"),
    [
        (BIND, {"sku": "LIQPASS_1H"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"sku": "liqpass_24h"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"sku": "LIQPASS_24H\x00"}, "SKU_NOT_FOUND", "sku"),
        (BIND, {"instId": "NOPE-USDT-SWAP"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"instId": "btc-usdt-swap"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"instId": "ＢＴＣ-USDT-SWAP"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"instId": "BTC'--"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"posSide": "short"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"mgnMode": "cross"}, "POSITION_NOT_FOUND", "instId"),
        (BIND, {"apiAccountId": SOME_ID}, "API_ACCOUNT_NOT_FOUND", "apiAccountId"),
        (CREATE, {}, "BINDING_NOT_FOUND", "bindId"),
        (SUBMIT, {}, "ORDER_NOT_FOUND", "purchaseOrderId"),
        *[
            (path, {}, "ORDER_NOT_FOUND", "purchaseOrderId")
            for path in (CANCEL, PREFLIGHT, PERMIT, PERMIT_CALLS)
        ],
    ],
)
async def test_what_is_not_there_is_not_found(
    town: TestWorld, visitor: Newcomer, path: str, changes: dict[str, str], code: str, field: str
) -> None:
    own = {"apiAccountId": visitor.account} if path == BIND else {}
    body = {**BODIES[path], **own, **changes}
    said = await told(town, visitor.trader.http, "POST", path, json=body)
    assert (said["code"], said["field"], said["status"]) == (code, field, 404)


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
