"""Queries of what orders promise and what their prices were made of."""

from collections.abc import AsyncIterator

import msgspec

from liqpass.db import Connection, query


class StoredPrice(msgspec.Struct, frozen=True):
    """Of an order. Money in micro-USDC. `priced_from`: JSON, orders.PricedFrom; `chance_ppm`: None for orders
    that were priced by the table before."""

    purchase_order_id: bytes
    premium_amount: int
    payout_amount: int
    chance_ppm: int | None
    priced_from: str


@query("""
    select o.purchase_order_id, o.premium_amount, o.payout_amount, o.chance_ppm, o.priced_from
    from order_refs r join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
    where r.purchase_order_id between $1 and $2
""")
def stored_prices(conn: Connection, first: bytes, last: bytes) -> AsyncIterator[list[StoredPrice]]:
    """Of the orders whose public ids lie between these two, whosever they are."""
    ...
