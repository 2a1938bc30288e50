"""The loop's statements as a pgbench script: the product's own, in its order, one round trip each.

Every statement is its own transaction, as in the product. A parameter becomes an expression of pgbench
variables, cast to the type that PostgreSQL has inferred for it; what an earlier statement answered is used
by the later ones.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import asyncpg

from bench.slots import ACCOUNT_SQL, INSTRUMENT_SQL, INSTRUMENTS, TOKEN_SHA256_SQL
from liqpass import app
from liqpass.db import QUERIES

assert app  # noqa: S101  (importing it declares every query)

ACCOUNT = ACCOUNT_SQL.format(n=":user::bigint")
THIRTY_TWO_RANDOM_BYTES = "int8send(:a) || int8send(:b) || int8send(:c) || int8send(:d)"

# (query, where its answer goes or None, parameters in order)
TOKEN = TOKEN_SHA256_SQL.format(n=":user::bigint")
INSTRUMENT = INSTRUMENT_SQL.format(k=":k")
AN_HOUR_AGO = "now() - interval '1 hour'"
LOOP: list[tuple[str, str | None, list[str]]] = [
    (
        "positions.sql.to_bind",
        "asked_",
        [f"array[{TOKEN}]", f"array[{ACCOUNT}]", f"array[{INSTRUMENT}]", "now()", AN_HOUR_AGO],
    ),
    (
        "positions.sql.bind",
        "bound_",
        [
            TOKEN,
            "encode(int8send(:first) || int8send(:a), 'hex')",
            ACCOUNT,
            "'okx'",
            ":user",
            INSTRUMENT,
            "'isolated'",
            "'long'",
            ":sku",
            ":pos_id",
            ":pos_created_ms",
            ":position_as_read",
            ":position_sha256",
            ":asked_read_at",
            "now()",
            "now()",
        ],
    ),
    (
        "orders.on_sale.sql.to_order",
        None,
        [f"array[{TOKEN}]", "array[(:bound_id)::uuid]", "now()", AN_HOUR_AGO],
    ),
    (
        "orders.sql.draft",
        "order_",
        [
            TOKEN,
            "encode(int8send(:first) || int8send(:b), 'hex')",
            THIRTY_TWO_RANDOM_BYTES,
            ":bound_id",
            ":sku",
            ":premium_amount",
            ":payout_amount",
            ":priced_from",
            ":coverage_delay_sec",
            ":duration_sec",
            "now() + interval '15 minutes'",
            ":chain_id",
            ":checkout",
            "now()",
            ":pos_id",
            ":pos_created_ms",
            ":claims_policy",
            ":chance_ppm",
            "'long'",
            ":asked_read_at",
            "now()",
        ],
    ),
    (
        "payments.sql.submit",
        None,
        [TOKEN, ":order_purchase_order_id", THIRTY_TWO_RANDOM_BYTES, "null", "now()", ":details"],
    ),
]

DRAW = f"""\\set i :i + 1
\\set k :i % {len(INSTRUMENTS)}
\\set user :client_id + :traders * (:i / {len(INSTRUMENTS)})
\\set first :now_ms * 65536 + :i
"""
# The values of one real order, for what does not follow from a user's number.
REAL_ORDER = """
    select o.sku, o.premium_amount, o.payout_amount, o.priced_from, o.coverage_delay_sec, o.duration_sec,
        o.chain_id, o.checkout, o.claims_policy, o.chance_ppm, b.pos_id, b.pos_created_ms,
        b.position_as_read, b.position_sha256, e.details
    from purchase_orders o
    join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    join order_events e on e.user_id = o.user_id and e.order_id = o.id and e.reason = 'HASH_SUBMITTED'
"""


async def script(conn: asyncpg.Connection) -> str:
    """The pgbench script of one loop."""
    declared = {query.name.removeprefix("liqpass."): query.sql for query in QUERIES}
    draws = "".join(f"\\set {name} random(0, {1 << 62})\n" for name in "abcd")
    statements = [await _statement(conn, declared[name], into, values) for name, into, values in LOOP]
    return DRAW + draws + "\n".join(statements) + "\n"


async def variables(conn: asyncpg.Connection, traders: int) -> Mapping[str, str]:
    """What the script reads: the values of the one order that is there."""
    order: Mapping[str, Any] = dict(await conn.fetchrow(REAL_ORDER) or {})
    values = {
        name: f"\\x{value.hex()}" if isinstance(value, bytes) else str(value) for name, value in order.items()
    }
    return {**values, "i": "-1", "traders": str(traders), "now_ms": str(time.time_ns() // 1_000_000)}


async def _statement(conn: asyncpg.Connection, sql: str, into: str | None, values: list[str]) -> str:
    types = (await conn.prepare(sql)).get_parameters()
    if len(types) != len(values):
        raise ValueError(f"{len(values)} values for the {len(types)} parameters of: {sql}")
    casts = [f"({value})::{kind.name}" for value, kind in zip(values, types, strict=True)]
    filled = re.sub(r"\$(\d+)", lambda place: casts[int(place[1]) - 1], sql.strip())
    return f"{filled};" if into is None else f"{filled}\n\\gset {into}"
