"""A row changed by hand: the next run names it, by its ids, and nothing else."""

import pytest

from tests.flows.newcomers import Newcomer
from tests.reconcile.hands import BALANCES, by_hand, covered, found, sql
from tests.world import TestWorld

MINE = "purchase_order_id = {order}"
LEG = "kind = '{kind}' and ref = {{order}}"
THE_BINDING = "id = (select binding_id from purchase_orders where purchase_order_id = {order})"
ACCOUNTS = {("LEDGER_INCONSISTENT", f"account {name}") for name in ("TREASURY", "UNEARNED_PREMIUM")}

COVER_MOVED = """update {table} set {paid}
    coverage_start_at = coverage_start_at - interval '3 h', coverage_end_at = coverage_end_at - interval '3 h'
    where """
THE_ORDER_ID = "(select id from purchase_orders where purchase_order_id = {order})"
TURNED = """insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
    select '{kind}', ref, {leg}, '{debit}', '{credit}', amount, at from ledger_transfers
    where ref = {{order}} and leg = 1 and kind = """

# What the hand does, and what is found: a type, and which id it names.
HANDS = {
    "an amount in a payment": (
        [f"update premium_payments set amount = amount + 1 where {MINE}"],
        {("AMOUNT_DIFFERS", "order")},
    ),
    "an amount in an order": (
        [f"update purchase_orders set premium_amount = premium_amount - 1 where {MINE}"],
        {("AMOUNT_DIFFERS", "order")},
    ),
    "an amount in the ledger": (
        [f"update ledger_transfers set amount = amount - 1 where {LEG.format(kind='PREMIUM')}"],
        {("AMOUNT_DIFFERS", "order"), *ACCOUNTS},
    ),
    "an amount in a transfer": (
        ["update usdc_transfers set amount = amount + 1 where tx_hash = {tx}"],
        {("AMOUNT_DIFFERS", "order")},
    ),
    "a deleted ledger row": (
        [f"delete from ledger_transfers where {LEG.format(kind='PREMIUM')}"],
        {("EVENT_WITHOUT_LEDGER", "order"), *ACCOUNTS},
    ),
    "a deleted ledger row, and balances made to fit": (
        [f"delete from ledger_transfers where {LEG.format(kind='PREMIUM')}", BALANCES],
        {("EVENT_WITHOUT_LEDGER", "order"), ("BALANCE_DIFFERS", "treasury")},
    ),
    "a deleted payment": (
        [
            f"delete from payment_settlements where {'tx_hash = {tx}'}",
            f"delete from premium_payments where {MINE}",
        ],
        {("ORDER_PAID_WITHOUT_EVENT", "order"), ("EVENT_WITHOUT_LEDGER", "tx")},
    ),
    "a byte of a transaction in an order": (
        [
            "update purchase_orders "
            "set pay_tx_hash = set_byte(pay_tx_hash, 31, 255 - get_byte(pay_tx_hash, 31)) "
            f"where {MINE}"
        ],
        {("ORDER_PAID_WITHOUT_EVENT", "order")},
    ),
    "a premium for an order that was not paid": (
        [
            "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) values "
            "('PREMIUM', {unpaid}, 1, 'TREASURY', 'UNEARNED_PREMIUM', 5, now())",
        ],
        {("LEDGER_WITHOUT_EVENT", "unpaid"), *ACCOUNTS},
    ),
    "capital that is not held": (
        [f"delete from ledger_transfers where {LEG.format(kind='HELD')}", BALANCES],
        {("COVER_WITHOUT_CAPITAL", "order")},
    ),
    "a premium earned too early": (
        [
            "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) values "
            "('EARNED', {order}, 1, 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', 5, now())",
            BALANCES,
        ],
        {("PREMIUM_EARNED_WRONG", "order")},
    ),
    "a premium moved to the free capital, and balances made to fit": (
        [
            "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) values "
            "('CAPITAL', {order}, 1, 'UNEARNED_PREMIUM', 'POOL_FREE', 5, now())",
            BALANCES,
        ],
        {("LEDGER_INCONSISTENT", "CAPITAL from POOL_FREE to UNEARNED_PREMIUM")},
    ),
    "a leg renumbered": (
        [f"update ledger_transfers set leg = 2 where {LEG.format(kind='PREMIUM')}"],
        {("LEDGER_INCONSISTENT", "order")},
    ),
    "a balance": (
        ["update ledger_accounts set balance = balance + 1 where id = 'POOL_FREE'"],
        {("LEDGER_INCONSISTENT", "account POOL_FREE")},
    ),
    "the opening balance": (
        ["update ledger_openings set opening = opening - 1"],
        {("AMOUNT_DIFFERS", "opening")},
    ),
    "an order set ACTIVE": (
        [
            """update purchase_orders set status = 'ACTIVE', pay_tx_hash = {tx}, payer = user_id,
                submitted_at = created_at, paid_at = created_at,
                coverage_start_at = created_at + make_interval(secs => coverage_delay_sec),
                coverage_end_at = created_at + make_interval(secs => coverage_delay_sec + duration_sec)
            where purchase_order_id = {unpaid}"""
        ],
        {
            ("ORDER_PAID_WITHOUT_EVENT", "unpaid"),
            ("HISTORY_BROKEN", "unpaid"),
            ("BINDING_DISAGREES", "unpaid"),
        },
    ),
    "a deleted event": (
        [
            "delete from order_events where seq = 2 and order_id = "
            f"(select id from purchase_orders where {MINE})"
        ],
        {("HISTORY_BROKEN", "order")},
    ),
    "a binding's cover": (
        [
            "update insured_bindings set coverage_end_at = coverage_end_at + interval '1 day' "
            f"where {THE_BINDING}"
        ],
        {("BINDING_DISAGREES", "order")},
    ),
    "a cover and its binding moved to before the payment": (
        [
            COVER_MOVED.format(table="purchase_orders", paid="paid_at = paid_at - interval '3 h',") + MINE,
            COVER_MOVED.format(table="insured_bindings", paid="") + THE_BINDING,
        ],
        {("ORDER_PAID_WITHOUT_EVENT", "order")},
    ),
    "a cover ended before its time, and all else made to fit": (
        [
            "insert into order_events select user_id, order_id, 4, 'ACTIVE', 'EXPIRED', reason, actor, "
            f"details, at from order_events where seq = 3 and order_id = {THE_ORDER_ID}",
            f"update purchase_orders set status = 'EXPIRED', event_seq = 4 where {MINE}",
            f"update insured_bindings set status = 'EXPIRED' where {THE_BINDING}",
            f"delete from insured_positions where binding_{THE_BINDING}",
            "update watched_covers set settled_at = now(), settled_by = 'ENDED' "
            f"where order_id = {THE_ORDER_ID}",
            TURNED.format(kind="HELD", leg=2, debit="POOL_LOCKED", credit="POOL_FREE") + "'HELD'",
            TURNED.format(kind="EARNED", leg=1, debit="UNEARNED_PREMIUM", credit="EARNED_PREMIUM")
            + "'PREMIUM'",
            BALANCES,
        ],
        {("PREMIUM_EARNED_WRONG", "order")},
    ),
    "a position set free": (
        [f"delete from insured_positions where binding_{THE_BINDING}"],
        {("BINDING_DISAGREES", "order")},
    ),
}


@pytest.mark.parametrize("hand", HANDS)
async def test_the_next_run_names_what_a_hand_did(
    world: TestWorld, alice: Newcomer, bob: Newcomer, database_url: str, hand: str
) -> None:
    order = await covered(world, alice)
    unpaid = await bob.order()
    assert await found(world) == set()
    ids = {"order": order["purchaseOrderId"], "tx": order["tx"], "unpaid": unpaid["purchaseOrderId"]}
    statements, wanted = HANDS[hand]
    places = {name: sql(value) for name, value in ids.items()}
    await by_hand(database_url, *(s.format(**places) if "{" in s else s for s in statements))
    assert await found(world) == {(kind, ids.get(name, name)) for kind, name in wanted}
