"""A user's orders as they are shown: one by itself, or a page of them."""

from uuid import UUID

from liqpass.db import Connection
from liqpass.orders import sql
from liqpass.orders.orders import order_not_found
from liqpass.orders.priced import PricedPosition, stored_price
from liqpass.orders.views import OrderList, OrderView, order_view
from liqpass.settings import ChainSettings

NEWEST = UUID(int=(1 << 128) - 1)


async def shown(conn: Connection, user: bytes, order_id: bytes, chain: ChainSettings) -> OrderView:
    """An order by its public id, with its payment, cover and history; what to send to pay it while it is a
    draft. Raises ORDER_NOT_FOUND."""
    order = await sql.show_order(conn, user, order_id)
    if order is None:
        raise order_not_found()
    payment = await sql.seen_payment(conn, order.chain_id, order_id)
    # The order may have moved since its row was read. A move that its status does not know yet would be taken
    # for shown by whoever follows the order from here on.
    events = [
        event for event in await sql.history(conn, user, order.order_id, 0) if event.seq <= order.event_seq
    ]
    return order_view(order, chain=chain, payment=payment, events=events)


async def listed(conn: Connection, user: bytes, before: UUID, limit: int) -> OrderList:
    """One page, newest first; `before` is the `next` of the page before it."""
    found = await sql.list_orders(conn, user, before, limit)
    following = str(found[-1].order_id) if len(found) == limit else None
    return OrderList(orders=[order_view(order) for order in found], next=following)


async def open_orders(conn: Connection, user: bytes, limit: int) -> list[OrderView]:
    """Those that are not over, newest first."""
    return [order_view(order) for order in await sql.open_orders(conn, user, limit)]


async def priced_position(conn: Connection, user: bytes, order_id: bytes) -> PricedPosition:
    """The position as it was when the order was priced, and with it how (PricedFrom), but for old orders.

    Raises ORDER_NOT_FOUND.
    """
    stored = await sql.priced_from(conn, user, order_id)
    if stored is None:
        raise order_not_found()
    return stored_price(stored)
