"""The price of a binding, and what it is made from."""

from contextlib import suppress
from datetime import datetime

import msgspec

from liqpass.market.volatility import Volatility
from liqpass.orders import sql
from liqpass.positions.readings import AccountReading
from liqpass.positions.refusals import not_insurable, unread_refusal
from liqpass.pricing.premium import Facts, NotInsurable, Price, facts_of, price
from liqpass.pricing.skus import Products, Sku
from liqpass.problems import Problem


class PricedPosition(msgspec.Struct, frozen=True):
    """What is stored of every order that was priced: by which product of which version, and of which
    position, as the exchange had shown it (`read_at`)."""

    version: str
    sku: str
    position: str
    position_sha256: str
    read_at: datetime


class PricedFrom(PricedPosition, frozen=True):
    """What a price was made from, stored with its order: `price` of the product, `facts`, `volatility` and
    `at` is that price. Orders from before 2026-11-30 (their `chance_ppm` is null) have no more than the
    position, and facts of other names."""

    facts: Facts
    volatility: Volatility
    at: datetime


def stored_price(text: str) -> PricedPosition:
    """What an order was priced from, as it is stored: a PricedFrom, but for orders from before 2026-11-30."""
    with suppress(msgspec.ValidationError):
        return msgspec.json.decode(text, type=PricedFrom)
    return msgspec.json.decode(text, type=PricedPosition)


def priced(
    binding: sql.Quotable,
    account: AccountReading,
    products: Products,
    volatility: Volatility | None,
    now: datetime,
) -> tuple[Price, PricedFrom, Sku]:
    """The price of the bound position as it is now.

    Raises POSITION_NOT_FOUND when it is gone, POSITION_CHANGED when another one is in its slot (OKX uses a
    posId again), POSITION_NOT_INSURABLE when the product does not take it as it is now, or when what the
    exchange says of it cannot be read, PRICE_UNAVAILABLE when it is not known how its instrument moves.
    """
    slot = (binding.inst_id, binding.mgn_mode, binding.pos_side)
    position, hidden = account.reading.open_position(*slot), account.reading.hidden(*slot)
    if position is None and hidden is not None:
        raise not_insurable(unread_refusal(hidden), "bindId")
    if position is None:
        raise Problem("POSITION_NOT_FOUND", "The position was closed since it was bound.", field="bindId")
    if (position.pos_id, position.c_time_ms) != (binding.pos_id, binding.pos_created_ms):
        raise Problem(
            "POSITION_CHANGED",
            "The position was closed and a new one opened since it was bound. Bind it again.",
            field="bindId",
        )
    if account.refusal is not None:
        raise not_insurable(account.refusal, "bindId")
    sku = products.get(binding.sku)
    try:
        facts = facts_of(position)
        cost = price(sku, facts, volatility, now)
    except NotInsurable as error:
        raise not_insurable(error.refusal, "bindId") from None
    if volatility is None:
        raise LookupError("a price was made of nothing")
    made_from = PricedFrom(
        version=products.version,
        sku=sku.id,
        position=position.row_json,
        position_sha256=position.row_sha256.hex(),
        read_at=account.read_at,
        facts=facts,
        volatility=volatility,
        at=now,
    )
    return cost, made_from, sku
