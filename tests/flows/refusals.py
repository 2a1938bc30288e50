"""What is called, and what every refusal has to be."""

import json
import re
from typing import Any
from uuid import uuid4

import aiohttp
from yarl import URL

from liqpass.problems import STATUS_BY_CODE
from tests.flows.newcomers import SLOT
from tests.world import TestWorld

NONCE, VERIFY, LOGOUT, ME = (f"/api/auth/{name}" for name in ("nonce", "verify", "logout", "me"))
ACCOUNTS, POSITIONS, SKUS = "/api/okx/api-accounts", "/api/okx/positions", "/api/insurance/skus"
QUOTES = "/api/insurance/quotes"
BIND, CREATE, SUBMIT, CANCEL = (
    f"/api/insurance/{name}" for name in ("bind-position", "create-order", "submit-payment", "cancel")
)
ORDERS = "/api/insurance/orders"
HASH, ADDRESS = "0x" + "ab" * 32, "0x" + "12" * 20
PREFLIGHT, PERMIT, PERMIT_CALLS = (
    f"{ORDERS}/{HASH}/{name}" for name in ("preflight", "permit", "permit-calls")
)
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
    PREFLIGHT: {"payer": ADDRESS},
    PERMIT: {"payer": ADDRESS},
    PERMIT_CALLS: {"payer": ADDRESS, "deadline": 2_000_000_000, "signature": "0x" + "ab" * 65},
}
TELLTALES = re.compile(
    r"asyncpg|psql|postgres|Traceback|File \"|relation|\bselect\b|\binsert\b|litestar|msgspec|liqpass\.",
    re.I,
)


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
