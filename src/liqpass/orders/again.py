"""Prices computed again, from what is stored with their orders and the kept numbers of their products."""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum

import msgspec

from liqpass.db import Connection
from liqpass.money import usd
from liqpass.orders.priced import PricedFrom
from liqpass.orders.stored import sql
from liqpass.pricing.premium import NotInsurable, Price, price
from liqpass.pricing.skus import Sku
from liqpass.pricing.versions import all_kept

ALL = (bytes(32), b"\xff" * 32)


class Outcome(StrEnum):
    """What became of it."""

    EQUAL = "EQUAL"
    BEFORE = "BEFORE"  # priced by the table before: what it was made from is not there
    DIFFERENT = "DIFFERENT"  # another price, or none at all


class Again(msgspec.Struct, frozen=True):
    """One order's price, computed again; `words` say what came out beside what is stored."""

    order_id: bytes
    outcome: Outcome
    words: str


async def again(conn: Connection, order_id: bytes | None) -> AsyncIterator[list[Again]]:
    """Of the order with this public id, whosever it is; None: of all. Inside a transaction."""
    skus = await all_kept(conn)
    first, last = ALL if order_id is None else (order_id, order_id)
    async for orders in sql.stored_prices(conn, first, last):
        yield [_again(order, skus) for order in orders]


def _again(order: sql.StoredPrice, skus: Mapping[tuple[str, str], Sku]) -> Again:
    def came_out(outcome: Outcome, words: str) -> Again:
        return Again(order.purchase_order_id, outcome, words)

    if order.chance_ppm is None:
        return came_out(Outcome.BEFORE, "priced by the table before, and is not computed again")
    stored = Price(order.premium_amount, order.payout_amount, order.chance_ppm)
    try:
        of = msgspec.json.decode(order.priced_from, type=PricedFrom)
    except msgspec.DecodeError as error:
        return came_out(
            Outcome.DIFFERENT, f"stored: {_told(stored)}; what it was made from is unreadable: {error}"
        )
    name = f"{of.sku} of version {of.version}"
    sku = skus.get((of.version, of.sku))
    if sku is None:
        return came_out(
            Outcome.DIFFERENT, f"stored: {_told(stored)}; the numbers of {name} are not kept here"
        )
    try:
        now = price(sku, of.facts, of.volatility, of.at)
    except NotInsurable as refused:
        return came_out(Outcome.DIFFERENT, f"stored: {_told(stored)}; again: {name} refuses it: {refused}")
    if now == stored:
        return came_out(Outcome.EQUAL, f"equal: {_told(stored)}, {name}")
    return came_out(Outcome.DIFFERENT, f"stored: {_told(stored)}; again: {_told(now)}, {name}")


def _told(price: Price) -> str:
    chance = f"{price.chance_ppm / 10_000:.4f} %"
    return f"premium {usd(price.premium)}, payout {usd(price.payout)} USDC, chance {chance}"
