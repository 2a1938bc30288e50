"""What every product would cost for every open position, and which of them have an order. Binds nothing."""

from uuid import UUID

import msgspec

from liqpass.db import Connection
from liqpass.exchange.records import Position
from liqpass.exchange.rows import Unread
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balance
from liqpass.money import usd
from liqpass.orders import sql
from liqpass.orders.capacity import shortage
from liqpass.positions.readings import AccountReading
from liqpass.positions.refusals import Refusal, WhyNot, unread_refusal
from liqpass.pricing.premium import NotInsurable, Price, facts_of, price
from liqpass.pricing.skus import Products, Sku


class Quote(msgspec.Struct, frozen=True):
    """A product for a position: its price, or why it cannot be bought now."""

    sku: Sku
    offer: Price | Refusal


class QuotedPosition(msgspec.Struct, frozen=True):
    """An open position with the living binding of just this position, and a quote of each product. One that
    cannot be read is offered nothing, and has the binding of its slot: what is covered stays so."""

    position: Position | Unread
    binding: sql.LiveBinding | None
    quotes: list[Quote]


async def quoted(
    conn: Connection, user: bytes, api_account_id: UUID, account: AccountReading, products: Products
) -> list[QuotedPosition]:
    """All products for all open positions of a reading.

    A binding of an earlier position in the same slot is not told: its order does not cover this one.
    """
    bindings = await sql.live_bindings(conn, user, api_account_id)
    living = {(b.inst_id, b.mgn_mode, b.pos_side): b for b in bindings}
    free = await balance(conn, Account.POOL_FREE)
    found = []
    for position in account.reading.positions:
        if not position.closed:
            quotes = [Quote(sku, _offer(sku, position, account.refusal, free)) for sku in products.sku]
            binding = living.get(position.slot)
            if binding and (binding.pos_id, binding.pos_created_ms) != (position.pos_id, position.c_time_ms):
                binding = None
            found.append(QuotedPosition(position, binding, quotes))
    for one in account.reading.unread:
        quotes = [Quote(sku, account.refusal or unread_refusal(one)) for sku in products.sku]
        found.append(QuotedPosition(one, living.get((one.inst_id, one.mgn_mode, one.pos_side)), quotes))
    return found


def _offer(sku: Sku, position: Position, refusal: Refusal | None, free: int) -> Price | Refusal:
    if refusal is not None:
        return refusal
    try:
        cost = price(sku, facts_of(position))
    except NotInsurable as error:
        return error.refusal
    if cost.payout > free:
        return Refusal(WhyNot.CAPACITY_EXHAUSTED, shortage(cost.payout, free), {"freeUsd": usd(free)})
    return cost
