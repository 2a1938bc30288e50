"""What every product would cost for every open position, and which of them have an order. Binds nothing."""

from uuid import UUID

import msgspec

from liqpass.db import Connection
from liqpass.exchange.records import Position
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balance
from liqpass.money import usd
from liqpass.orders import sql
from liqpass.orders.capacity import shortage
from liqpass.positions.readings import AccountReading
from liqpass.positions.refusals import Refusal, WhyNot
from liqpass.pricing.premium import NotInsurable, Price, facts_of, price
from liqpass.pricing.skus import Products, Sku


class Quote(msgspec.Struct, frozen=True):
    """A product for a position: its price, or why it cannot be bought now."""

    sku: Sku
    offer: Price | Refusal


class QuotedPosition(msgspec.Struct, frozen=True):
    """An open position with the living binding of just this position, and a quote of each product."""

    position: Position
    binding: sql.LiveBinding | None
    quotes: list[Quote]


async def quoted(
    conn: Connection, user: bytes, api_account_id: UUID, account: AccountReading, products: Products
) -> list[QuotedPosition]:
    """All products for all open positions of a reading.

    A binding of an earlier position in the same slot is not told: its order does not cover this one.
    """
    living = {_key(b): b for b in await sql.live_bindings(conn, user, api_account_id)}
    free = await balance(conn, Account.POOL_FREE)
    found = []
    for position in account.reading.positions:
        if not position.closed:
            quotes = [Quote(sku, _offer(sku, position, account.refusal, free)) for sku in products.sku]
            slot = (position.inst_id, position.mgn_mode, position.pos_side)
            binding = living.get((*slot, position.pos_id, position.c_time_ms))
            found.append(QuotedPosition(position, binding, quotes))
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


def _key(binding: sql.LiveBinding) -> tuple[str, str, str, str, int]:
    slot = (binding.inst_id, binding.mgn_mode, binding.pos_side)
    return (*slot, binding.pos_id, binding.pos_created_ms)
