"""Every call that LiqPass answers, and how it is asked about a thing. A new route needs a line here, and one
in docs/who-may-see-what.md."""

from dataclasses import dataclass, field
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute


@dataclass(frozen=True)
class Ask:
    """`path`, `query` and `body` name things by what they are called in `Things.own`: "{draft}"."""

    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def filled(self, template: str, names: Any) -> tuple[str, dict[str, Any], Any]:
        """Path, query and body about the things of these names."""
        path = template.format_map({name: what.format_map(names) for name, what in self.path.items()})
        return path, _filled(self.query, names), _filled(self.body, names)


def _filled(value: Any, names: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(held, names) for name, held in value.items()}
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return names[value[1:-1]]
    return value


AUTH, ACCOUNTS, TRADING = "/api/auth", "/api/okx/api-accounts", "/api/insurance"
ADMIN, CLAIMS, BOOKS = "/api/admin", "/api/admin/claims", "/api/admin/reconciliation"
ORDER = {"purchase_order_id": "{paid}"}
DRAFT = {"purchase_order_id": "{draft}"}
CLAIM = {"claim_id": "{claim}"}
HERE = {"apiAccountId": "{account}"}
SLOT = {"instId": "{inst}", "mgnMode": "isolated", "posSide": "{side}"}
PAYER = {"payer": "{payer}"}
KEY = {"apiKey": "{key}", "secret": "{secret}", "passphrase": "{passphrase}"}
PERMIT = {**PAYER, "deadline": "{deadline}", "signature": "{permit}"}

# In this order they can all be done: what ends something comes last.
CALLS: dict[str, Ask] = {
    "GET /": Ask(),
    "GET /price": Ask(),
    "GET /reserve": Ask(),
    "GET /what-is-covered": Ask(),
    "GET /preferences": Ask(query={"lang": "en"}),
    "GET /static/{digest}/{name}": Ask({"digest": "{digest}", "name": "{file}"}),
    "GET /healthz": Ask(),
    "HEAD /healthz": Ask(),
    "GET /readyz": Ask(),
    "HEAD /readyz": Ask(),
    "GET /metrics": Ask(),
    "GET /openapi.json": Ask(),
    "GET /docs": Ask(),
    "GET /docs/openapi.json": Ask(),
    "GET /docs/{path}": Ask({"path": "nothing"}),
    "GET /api/policy": Ask(),
    "GET /api/price": Ask(),
    "GET /api/price/days/{day}": Ask({"day": "{day}"}),
    "GET /api/reserve": Ask(),
    f"GET {TRADING}/skus": Ask(),
    f"POST {AUTH}/nonce": Ask(body={"address": "{address}"}),
    f"POST {AUTH}/verify": Ask(body={"message": "{message}", "signature": "{signature}"}),
    f"GET {AUTH}/me": Ask(),
    f"GET {ACCOUNTS}": Ask(),
    "GET /api/okx/positions": Ask(query=HERE),
    f"GET {TRADING}/quotes": Ask(query=HERE),
    f"POST {TRADING}/bind-position": Ask(body={**HERE, **SLOT, "sku": "{sku}"}),
    f"POST {TRADING}/create-order": Ask(body={"bindId": "{bind}"}),
    f"POST {TRADING}/orders/{{purchase_order_id}}/preflight": Ask(DRAFT, body=PAYER),
    f"POST {TRADING}/orders/{{purchase_order_id}}/permit": Ask(DRAFT, body=PAYER),
    f"POST {TRADING}/orders/{{purchase_order_id}}/permit-calls": Ask(DRAFT, body=PERMIT),
    f"GET {TRADING}/orders": Ask(),
    f"GET {TRADING}/orders/{{purchase_order_id}}": Ask(ORDER),
    f"GET {TRADING}/orders/{{purchase_order_id}}/events": Ask(ORDER),
    f"GET {TRADING}/claims": Ask(),
    f"GET {TRADING}/claims/{{claim_id}}": Ask(CLAIM),
    f"GET {TRADING}/claims/{{claim_id}}/bundle": Ask(CLAIM, {"sha256": "{sha256}"}),
    "GET /cover": Ask(),
    "GET /keys": Ask(),
    "GET /prices/picture": Ask(query={**HERE, **SLOT}),
    "GET /orders/{purchase_order_id}": Ask(ORDER),
    "GET /orders/{purchase_order_id}/receipt": Ask(ORDER),
    "GET /orders/{purchase_order_id}/payouts/{number}": Ask({**ORDER, "number": "{payout}"}),
    "GET /operator": Ask(),
    "GET /operator/breaks": Ask(),
    "GET /operator/suspense": Ask(),
    "GET /operator/claims": Ask(query={"show": "all"}),
    "GET /operator/claims/{claim_id}": Ask(CLAIM),
    f"GET {ADMIN}/exposure": Ask(),
    f"GET {ADMIN}/treasury/suspense": Ask(),
    f"GET {BOOKS}": Ask(),
    f"GET {BOOKS}/runs": Ask(),
    f"GET {BOOKS}/runs/{{run_id}}": Ask({"run_id": "{run}"}),
    f"GET {BOOKS}/runs/{{run_id}}/pages/{{page}}": Ask({"run_id": "{run}", "page": "{page}"}),
    f"GET {BOOKS}/breaks": Ask(),
    f"GET {BOOKS}/breaks/{{break_id}}": Ask({"break_id": "{break}"}),
    f"GET {CLAIMS}": Ask(),
    f"GET {CLAIMS}/{{claim_id}}": Ask(CLAIM),
    f"GET {CLAIMS}/{{claim_id}}/bundle": Ask(CLAIM, {"sha256": "{sha256}"}),
    f"POST {TRADING}/claims": Ask(body={"purchaseOrderId": "{paid}"}),
    f"POST {TRADING}/claims/{{claim_id}}/objection": Ask({"claim_id": "{refused}"}, body={"text": "No."}),
    f"POST {TRADING}/submit-payment": Ask(body={"purchaseOrderId": "{draft}", "payTxHash": "{tx}"}),
    f"POST {TRADING}/cancel": Ask(body={"purchaseOrderId": "{second}"}),
    f"POST {CLAIMS}/{{claim_id}}/approve": Ask({"claim_id": "{payable}"}, body={"reason": "shown"}),
    f"POST {CLAIMS}/{{claim_id}}/refuse": Ask({"claim_id": "{reviewed}"}, body={"reason": "not shown"}),
    f"POST {ADMIN}/treasury/batch": Ask(body={}),
    f"POST {BOOKS}/breaks/{{break_id}}/close": Ask({"break_id": "{break}"}, body={"reason": "a gift"}),
    f"POST {ACCOUNTS}": Ask(body=KEY),
    f"DELETE {ACCOUNTS}/{{api_account_id}}": Ask({"api_account_id": "{account}"}),
    f"POST {AUTH}/logout": Ask(),
}


def answered(app: Litestar, before: Any) -> dict[str, set[str]]:
    """Every path that is answered, as the router has it, with its methods but OPTIONS, which it makes itself;
    and those that are answered before the router comes to see them."""
    found: dict[str, set[str]] = {}
    for route in app.routes:
        assert isinstance(route, HTTPRoute), (
            f"{route.path}: no websocket, and no other application, is served"
        )
        found.setdefault(route.path_format, set()).update(set(route.methods) - {"OPTIONS"})
    for path in before:
        found.setdefault(path, set()).add("POST")
    return found
