"""What a database of an earlier version holds is there after the upgrade, and goes on."""

from uuid import UUID

import asyncpg
import msgspec

from liqpass.migrate import migrate, migrations_of
from tests.schema import rows
from tests.schema.rows import BINDING, COVER, END, MADE, ORDER, PAYMENT, PUBLIC_ID, USER

BEFORE_CLAIMS = 7
BEFORE_EXPOSURE = 9


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


async def test_covers_of_before_count_in_exposure_after_the_upgrade(empty_database: str) -> None:
    """One in one-way mode, whose side is the sign of what was priced; one whose claim takes a part; one of
    which nothing is held any more."""
    await migrate(empty_database, migrations_of()[:BEFORE_EXPOSURE])
    conn = await asyncpg.connect(empty_database)
    await rows.account(conn, main_uid="the main one")
    cover = {"coverage_start_at": COVER["coverage_start_at"], "coverage_end_at": END}
    held, claimed = ("HELD", "POOL_FREE", "POOL_LOCKED"), ("CLAIM", "POOL_LOCKED", "CLAIMS_PAYABLE")
    await conn.execute("update ledger_accounts set balance = 1000 where id = 'POOL_FREE'")
    for number, (side, contracts, transfers) in enumerate(
        [("net", "-5", [(held, 100)]), ("long", "5", [(held, 70), (claimed, 30)]), ("long", "5", [])]
    ):
        name, public_id = UUID(int=ORDER.int + 10 * number), bytes([10 + number]) * 32
        binding_id = UUID(int=BINDING.int + 10 * number)
        position = msgspec.json.encode({"pos": contracts}).decode()
        priced_from = msgspec.json.encode({"position": position}).decode()
        slot = {"pos_side": side, "inst_id": f"{number}-USDT-SWAP"}
        await rows.binding(conn, id=binding_id, status="ACTIVE", **slot, **cover)
        paid = {**PAYMENT, **COVER, "priced_from": priced_from, "status": "ACTIVE"}
        await rows.order(conn, id=name, binding_id=binding_id, purchase_order_id=public_id, **paid)
        for leg, ((kind, debit, credit), amount) in enumerate(transfers):
            await rows.insert(
                conn, "ledger_transfers", kind=kind, ref=public_id, leg=1 if kind == "CLAIM" else leg + 1,
                debit=debit, credit=credit, amount=amount, at=MADE,
            )  # fmt: skip
    claim = {"user_id": USER, "id": UUID(int=99), "order_id": UUID(int=ORDER.int + 10)}
    claim |= {"purchase_order_id": bytes([11]) * 32, "status": "GATHERING", "event_seq": 2, "opened_at": MADE}
    await rows.insert(conn, "claims", **claim, opened_by="TRADER", recipient=USER)
    await migrate(empty_database, migrations_of())
    found = {
        (row["scope"], row["key"]): row["open_sum"] for row in await conn.fetch("select * from exposures")
    }
    wallet = "0x" + USER.hex()
    assert {at: amount for at, amount in found.items() if amount} == {
        ("DIRECTION", "short"): 100,
        ("DIRECTION", "long"): 40,
        ("INSTRUMENT", "0-USDT-SWAP"): 100,
        ("INSTRUMENT", "1-USDT-SWAP"): 40,
        ("ACCOUNT", "the main one"): 140,
        ("WALLET", wallet): 140,
    }
    weighs = await conn.fetch(
        "select direction, claimed, claimed_at from order_risks where claimed is not null"
    )
    assert [tuple(row) for row in weighs] == [("long", 100_000_000, MADE)]
    await conn.close()
