"""What every product would cost for every open position, and which of them have an order. Binds nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from liqpass.exchange.records import Position
from liqpass.exchange.rows import Unread
from liqpass.exposure.limits import Direction
from liqpass.exposure.rooms import Room, read
from liqpass.market.reading import MAX_AGE
from liqpass.market.volatility import Volatility
from liqpass.orders.on_sale import sql
from liqpass.positions.readings import AccountReading, PositionReader
from liqpass.positions.refusals import Refusal, unread_refusal
from liqpass.pricing.premium import Facts, NotInsurable, Price, facts_of, price
from liqpass.pricing.skus import Products, Sku
from liqpass.signin.sessions import Token, not_signed_in


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


async def on_sale(
    reader: PositionReader, token: Token, api_account_id: UUID, max_age: timedelta
) -> tuple[AccountReading, sql.OnSale]:
    """The kept reading of the session's own account if it is young enough, else a new one, and what is on
    sale for the positions in it.

    Raises Problem NOT_SIGNED_IN and what `PositionReader.recent` raises.
    """
    found = await _on_sale(reader, token, api_account_id)
    account = reader.kept(found.account(), max_age)
    if account is not None and account.inst_ids == set(found.inst_ids or ()):
        return account, found
    account = await reader.anew(found.user_id, api_account_id)
    # another reading may have been kept since: what is on sale is told for the positions of that one
    found = await _on_sale(reader, token, api_account_id)
    return reader.kept(found.account(), max_age) or account, found


async def _on_sale(reader: PositionReader, token: Token, api_account_id: UUID) -> sql.OnSale:
    now = reader.clock()
    async with reader.db.pool.acquire() as conn:
        found = await sql.on_sale(conn, token.sha256, api_account_id, now, now - MAX_AGE)
    if found is None:
        raise not_signed_in()
    return found


def quoted(
    now: datetime,
    account: AccountReading,
    on_sale: sql.OnSale,
    moves: Mapping[str, Volatility],
    products: Products,
) -> list[QuotedPosition]:
    """All products for all open positions of a reading, at the prices of now. `moves`: by instrument.

    A binding of an earlier position in the same slot is not told: its order does not cover this one.
    """
    living = {(b.inst_id, b.mgn_mode, b.pos_side): b for b in on_sale.living()}
    rooms = read(on_sale.rooms)
    found = []
    for position in account.reading.positions:
        if not position.closed:
            facts, volatility = account.refusal or _facts(position), moves.get(position.inst_id)
            room = rooms.of(Direction(position.side), position.inst_id, now)
            quotes = [Quote(sku, _offer(sku, facts, volatility, now, room)) for sku in products.sku]
            binding = living.get(position.slot)
            if binding and (binding.pos_id, binding.pos_created_ms) != (position.pos_id, position.c_time_ms):
                binding = None
            found.append(QuotedPosition(position, binding, quotes))
    for one in account.reading.unread:
        quotes = [Quote(sku, account.refusal or unread_refusal(one)) for sku in products.sku]
        found.append(QuotedPosition(one, living.get((one.inst_id, one.mgn_mode, one.pos_side)), quotes))
    return found


def _facts(position: Position) -> Facts | Refusal:
    try:
        return facts_of(position)
    except NotInsurable as error:
        return error.refusal


def _offer(
    sku: Sku, facts: Facts | Refusal, volatility: Volatility | None, now: datetime, room: Room
) -> Price | Refusal:
    if isinstance(facts, Refusal):
        return facts
    try:
        cost = price(sku, facts, volatility, now)
    except NotInsurable as error:
        return error.refusal
    return room.refusal(cost.payout) or cost
