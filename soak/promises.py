"""What somebody was told has to be true: each acknowledged answer beside the tables."""

from collections import defaultdict

import asyncpg

from soak.record import Promised

# Of each kind of promise: the names that were told and of which nothing is there any more.
LOST = {
    "bound": """select t from unnest($1::text[]) t where not exists (select from insured_bindings x
        where x.id = t::uuid)""",
    "account": """select t from unnest($1::text[]) t where not exists (select from api_accounts x
        where x.id = t::uuid)""",
    "revoked": """select t from unnest($1::text[]) t where not exists (select from api_accounts a
        where a.id = t::uuid and a.revoked_at is not null and a.secret_enc is null)""",
    "cancelled": """select t from unnest($1::text[]) t where not exists (select from purchase_orders o
        where o.purchase_order_id = decode(substr(t, 3), 'hex') and o.status = 'CANCELLED')""",
    "claimed": """select t from unnest($1::text[]) t where not exists (select from claims x
        where x.id = t::uuid)""",
    "objected": """select t from unnest($1::text[]) t where not exists (select from claims c
        where c.id = t::uuid and c.objection is not null)""",
    "approved": """select t from unnest($1::text[]) t where not exists (select from claim_approvals a
        where a.claim_id = t::uuid)""",
    "refused": """select t from unnest($1::text[]) t where not exists (select from claim_events e
        where e.claim_id = t::uuid and e.to_status = 'REFUSED')""",
    "due": """select t from unnest($1::text[]) t where not exists (select from disbursements x
        where x.id = t::uuid)""",
    "submitted": """select t from unnest($1::text[]) t where not exists (select from order_events e
        join purchase_orders o on o.user_id = e.user_id and o.id = e.order_id
        where o.purchase_order_id = decode(substr(t, 3), 'hex') and e.to_status = 'PAID_PENDING_CONFIRM')""",
}
NAMES = {"bound": "bind", "account": "account", "revoked": "account", "due": "due", "submitted": "order"}
NAMES |= {"cancelled": "order"} | dict.fromkeys(("claimed", "objected", "approved", "refused"), "claim")
ORDERED = (
    "select premium_amount, payout_amount, pay_before, sku from purchase_orders where purchase_order_id = $1"
)


async def broken_promises(owner: asyncpg.Connection, promised: list[Promised]) -> list[str]:
    """A sentence for each."""
    told: dict[str, set[str]] = defaultdict(set)
    for promise in promised:
        if promise.what in LOST:
            told[promise.what].add(promise.of[NAMES[promise.what]])
    found = []
    for what, names in told.items():
        lost = await owner.fetch(LOST[what], sorted(names))
        found += [f"somebody was told '{what}' and it is not so: {row['t']}" for row in lost]
    for promise in promised:
        if promise.what == "ordered":
            row = await owner.fetchrow(ORDERED, bytes.fromhex(promise.of["order"][2:]))
            told_of = promise.of
            same = row is not None and (
                str(row["premium_amount"]),
                str(row["payout_amount"]),
                row["sku"],
            ) == (
                told_of["premiumAmount"],
                told_of["payoutAmount"],
                told_of["sku"],
            )
            if not same:
                found.append(f"an order is not what was answered: {promise.of} is {row and dict(row)}")
    return found
