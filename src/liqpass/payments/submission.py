"""submit-payment is a hint: it stores a hash and answers. What the chain shows decides."""

import json
from datetime import datetime

from liqpass.db import Connection, Overtaken
from liqpass.hexes import to_hex
from liqpass.orders.states import OrderStatus
from liqpass.payments import sql
from liqpass.problems import Problem


async def submit(
    conn: Connection,
    now: datetime,
    user: bytes,
    purchase_order_id: bytes,
    tx_hash: bytes,
    payer: bytes | None,
) -> OrderStatus:
    """Store the hash of the user's own order; the same hash again answers the same.

    Raises ORDER_NOT_FOUND, ORDER_NOT_PAYABLE (cancelled), TX_ALREADY_SUBMITTED (another order holds the
    hash), ORDER_ALREADY_HAS_DIFFERENT_TX; and Overtaken when the order was moved while we waited for its row:
    the lock shows the row as it is, the update looks for it as it was.
    """
    details = json.dumps({"txHash": to_hex(tx_hash)})
    result = await sql.submit(conn, user, purchase_order_id, tx_hash, payer, now, details)
    if result is None:
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
    if result.pay_tx_hash == tx_hash:
        return result.status
    if result.status == OrderStatus.DRAFT:
        raise Problem("TX_ALREADY_SUBMITTED", "Another order has this transaction.", field="payTxHash")
    raise Problem(
        "ORDER_ALREADY_HAS_DIFFERENT_TX",
        "The order waits for another transaction. If that one fails, submit this one again.",
        field="payTxHash",
    )
