"""What a database of an earlier version holds is there after the upgrade, and goes on."""

from uuid import UUID

import asyncpg
import msgspec

from liqpass.migrate import migrate, migrations_of
from tests.schema import rows
from tests.schema.rows import BINDING, COVER, END, ORDER, PAYMENT, PUBLIC_ID, USER

BEFORE_CLAIMS = 7


async def test_a_cover_that_runs_is_watched_after_the_upgrade_and_one_that_is_over_is_not(
    empty_database: str,
) -> None:
    await migrate(empty_database, migrations_of()[:BEFORE_CLAIMS])
    conn = await asyncpg.connect(empty_database)
    position = msgspec.json.encode({"liqPenalty": "-1.5"}).decode()
    priced_from = msgspec.json.encode({"position": position}).decode()
    await rows.account(conn)
    cover = {"coverage_start_at": COVER["coverage_start_at"], "coverage_end_at": END}
    for number, status in enumerate(("ACTIVE", "EXPIRED")):
        name, public_id = UUID(int=ORDER.int + 10 * number), bytes([10 + number]) * 32
        binding_id = UUID(int=BINDING.int + 10 * number)
        await rows.binding(conn, id=binding_id, status=status, inst_id=f"{number}-USDT-SWAP", **cover)
        paid = {**PAYMENT, **COVER, "priced_from": priced_from, "status": status}
        await rows.order(conn, id=name, binding_id=binding_id, purchase_order_id=public_id, **paid)
    await migrate(empty_database, migrations_of())
    watched = await conn.fetch("select * from watched_covers")
    assert [(one["user_id"], one["order_id"], one["penalty"], one["ends_at"]) for one in watched] == [
        (USER, ORDER, "-1.5", END)
    ]
    assert [one["exchange_uid"] for one in await conn.fetch("select * from watched_accounts")] == ["1"]
    sold = await conn.fetch(
        "select claims_policy from purchase_orders where purchase_order_id = $1", PUBLIC_ID
    )
    assert [one["claims_policy"] for one in sold] == ["2026-11-29"]
    await conn.close()
