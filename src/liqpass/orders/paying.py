"""What a payer owes for a draft."""

from datetime import datetime

import msgspec

from liqpass.chain.checkout import Call
from liqpass.db import Connection
from liqpass.orders import sql
from liqpass.orders.orders import calls, order_not_found
from liqpass.orders.states import OrderStatus
from liqpass.problems import Problem
from liqpass.settings import ChainSettings


class Bill(msgspec.Struct, frozen=True):
    """`amount` micro-USDC until `pay_before` (whole seconds), by `pay`: the call of payPremium as the order
    gives it."""

    checkout: bytes
    amount: int
    pay_before: datetime
    pay: Call


async def bill_of(conn: Connection, user: bytes, purchase_order_id: bytes, chain: ChainSettings) -> Bill:
    """Of the user's own order. Raises ORDER_NOT_FOUND, and ORDER_NOT_PAYABLE for what is no draft."""
    order = await sql.find_order(conn, user, purchase_order_id)
    if order is None:
        raise order_not_found()
    if order.status != OrderStatus.DRAFT:
        raise Problem(
            "ORDER_NOT_PAYABLE",
            f"The order is {order.status}: only a draft is to be paid.",
            field="purchaseOrderId",
        )
    _, pay = calls(order, chain)
    return Bill(order.checkout, order.premium_amount, order.pay_before, pay)
