"""submit-payment is a hint: it stores a hash and answers. What the chain shows decides."""

import json
from collections.abc import Sequence
from datetime import datetime

from liqpass.combining import Combining, in_place
from liqpass.db import Connection, Database, Overtaken
from liqpass.hexes import to_hex
from liqpass.orders.states import OrderStatus
from liqpass.payments import sql
from liqpass.problems import Problem
from liqpass.signin.sessions import not_signed_in


def submitting(db: Database) -> Combining[sql.Hash, OrderStatus]:
    """`submit`, of hashes that come in at the same time."""

    async def alone(one: sql.Hash) -> OrderStatus:
        return await db.run(lambda conn: submit(conn, one), one_statement=True)

    async def together(several: Sequence[sql.Hash]) -> list[OrderStatus | None]:
        moved = await db.at_hand.use(lambda conn: sql.submit_many(conn, list(several)))
        found = in_place(moved, len(several))
        return [one.moved_to if one else None for one in found]

    return Combining(db.turns, alone, together, keys=lambda one: (one.purchase_order_id, one.tx_hash))


def hash_of(
    token_sha256: bytes, purchase_order_id: bytes, tx_hash: bytes, payer: bytes | None, now: datetime
) -> sql.Hash:
    """What is told of an order of the session's user."""
    details = json.dumps({"txHash": to_hex(tx_hash)})
    return sql.Hash(token_sha256, purchase_order_id, tx_hash, payer, now, details)


async def submit(conn: Connection, told: sql.Hash) -> OrderStatus:
    """Store the hash of the user's own order; the same hash again answers the same.

    Raises NOT_SIGNED_IN, ORDER_NOT_FOUND, ORDER_NOT_PAYABLE (cancelled), TX_ALREADY_SUBMITTED (another order
    holds the hash), ORDER_ALREADY_HAS_DIFFERENT_TX; and Overtaken when the order was moved while we waited
    for its row: the lock shows the row as it is, the update looks for it as it was.
    """
    result = await sql.submit(conn, told)
    if result is None:
        raise not_signed_in()
    if result.status is None:
        raise Problem("ORDER_NOT_FOUND", "You have no such order.", field="purchaseOrderId")
    if result.moved_to is not None:
        return result.moved_to
    if result.claimed:
        raise Overtaken
    if result.status == OrderStatus.CANCELLED:
        raise Problem(
            "ORDER_NOT_PAYABLE",
            "The order was cancelled. If its payment went through all the same, it is kept for you: "
            "tell us the transaction.",
            field="purchaseOrderId",
        )
    if result.pay_tx_hash == told.tx_hash:
        return result.status
    if result.status == OrderStatus.DRAFT:
        raise Problem("TX_ALREADY_SUBMITTED", "Another order has this transaction.", field="payTxHash")
    raise Problem(
        "ORDER_ALREADY_HAS_DIFFERENT_TX",
        "The order waits for another transaction. If that one fails, submit this one again.",
        field="payTxHash",
    )
