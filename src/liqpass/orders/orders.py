"""Making, finding and cancelling orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import msgspec

from liqpass import ids
from liqpass.chain.checkout import Call, payment_calls, sign_quote
from liqpass.combining import Combining, in_place
from liqpass.db import Connection, Database, Overtaken
from liqpass.exposure.limits import Direction
from liqpass.exposure.rooms import beyond_limits
from liqpass.ledger.posting import overdrawn
from liqpass.orders import sql
from liqpass.orders.capacity import refused
from liqpass.orders.priced import PricedFrom, priced
from liqpass.orders.states import OrderStatus
from liqpass.positions.remembered import Known
from liqpass.pricing.skus import Products
from liqpass.problems import Problem
from liqpass.settings import ChainSettings

READING_MAX_AGE = timedelta(seconds=60)


@dataclass(frozen=True)
class Terms:
    """What all quotes share: the chain and its contracts, the products, how long a quote holds, and the
    version of the rules of claims."""

    chain: ChainSettings
    products: Products
    quote_ttl: timedelta
    claims_policy: str


def quotable(binding: sql.Quotable | None) -> sql.Quotable:
    """The user's own binding. Raises BINDING_NOT_FOUND, BINDING_NOT_OPEN."""
    if binding is None:
        raise Problem("BINDING_NOT_FOUND", "You have no such binding.", field="bindId")
    if binding.status not in ("DRAFT", "ACTIVE"):
        raise Problem(
            "BINDING_NOT_OPEN", f"This binding is {binding.status}. Bind the position again.", field="bindId"
        )
    return binding


async def open_order(conn: Connection, now: datetime, user: bytes, purchase_order_id: bytes) -> sql.Order:
    """The order that a binding has already. Raises ORDER_NOT_PAYABLE when its quote has run out."""
    order = await sql.find_order(conn, user, purchase_order_id)
    if order is None:
        raise LookupError("a binding names an order that is not there")
    return refuse_lapsed(order, now)


def refuse_lapsed(order: sql.Order, now: datetime) -> sql.Order:
    """The order, unless its quote has run out. Raises ORDER_NOT_PAYABLE."""
    if order.status == OrderStatus.DRAFT and order.pay_before <= now:
        raise Problem(
            "ORDER_NOT_PAYABLE",
            "The quote of this order has run out. It is cancelled as soon as the chain shows that it was not "
            "paid in time, usually within three minutes; then bind the position again.",
            field="bindId",
        )
    return order


class Drafting(msgspec.Struct, frozen=True):
    """An order to be made, and what a refusal says: whose, of which binding, and what it was priced from."""

    order: sql.NewOrder
    user_id: bytes
    binding: sql.Quotable
    made_from: PricedFrom


def drafting(
    now: datetime,
    random: bytes,
    terms: Terms,
    token_sha256: bytes,
    binding: sql.Quotable,
    known: Known,
) -> Drafting:
    """The order of a binding, priced. `random` is 38 bytes: order id, row id. Raises what `priced` raises."""
    cost, made_from, sku = priced(binding, known.account, terms.products, known.volatility, now)
    order = sql.NewOrder(
        token_sha256,
        ids.uuid7(now, random[ids.ORDER_RANDOM_BYTES :]),
        ids.order_id(now, random),
        binding.id,
        sku.id,
        cost.premium,
        cost.payout,
        msgspec.json.encode(made_from).decode(),
        sku.delay_sec,
        sku.duration_sec,
        # Whole seconds, because the contract's deadline has no smaller ones.
        now.replace(microsecond=0) + terms.quote_ttl,
        terms.chain.chain_id,
        terms.chain.checkout,
        now,
        binding.pos_id,
        binding.pos_created_ms,
        terms.claims_policy,
        cost.chance_ppm,
        Direction(made_from.facts.side),
        known.account.read_at,
        made_from.volatility.read_at,
    )
    return Drafting(order, known.user_id, binding, made_from)


def making(db: Database, products: Products) -> Combining[Drafting, sql.Order | None]:
    """`make`, of orders that are asked for at the same time."""

    async def alone(one: Drafting) -> sql.Order | None:
        return await db.run(lambda conn: make(conn, products, one), one_statement=True)

    async def together(several: Sequence[Drafting]) -> list[sql.OrderAt | None]:
        found = await db.at_hand.use(lambda conn: sql.draft_many(conn, [one.order for one in several]))
        return in_place(found, len(several))

    refusals = (asyncpg.CheckViolationError,)
    return Combining(db.turns, alone, together, keys=lambda one: [one.order.binding_id], of_one=refusals)


async def make(conn: Connection, products: Products, one: Drafting) -> sql.Order | None:
    """Make the order of a binding, or return the one that it has; None when what it was priced from no longer
    stands.

    Raises CAPACITY_EXHAUSTED when the payout is more than the free capital or a limit of exposure leaves, and
    SALE_STOPPED while its direction is not sold.
    """
    asked = one.order
    try:
        return await sql.draft(conn, asked)
    except asyncpg.CheckViolationError as error:
        if not (overdrawn(error) or beyond_limits(error)):
            raise
        where = (one.user_id, one.binding.api_account_id, one.binding.inst_id)
        raise await refused(conn, asked.now, *where, products, one.made_from, asked.payout_amount) from None


def calls(order: sql.NewOrder | sql.Order | sql.ShownOrder, chain: ChainSettings) -> list[Call]:
    """What the payer's wallet is to send: approve, then payPremium with our signature of the quote.

    Signing is deterministic (RFC 6979): the same order always gets the same calls.
    """
    deadline = int(order.pay_before.timestamp())
    signature = sign_quote(
        chain.quote_signer_key,
        chain_id=order.chain_id,
        checkout=order.checkout,
        order_id=order.purchase_order_id,
        amount=order.premium_amount,
        deadline=deadline,
    )
    return payment_calls(
        chain.usdc,
        checkout=order.checkout,
        order_id=order.purchase_order_id,
        amount=order.premium_amount,
        deadline=deadline,
        signature=signature,
    )


async def cancel(conn: Connection, now: datetime, user: bytes, purchase_order_id: bytes) -> OrderStatus:
    """Cancel a draft; again is harmless. Raises ORDER_NOT_FOUND, ORDER_NOT_CANCELLABLE."""
    status = await sql.cancel(conn, user, purchase_order_id, now)
    if status is None:
        raise order_not_found()
    if status == OrderStatus.DRAFT:
        raise Overtaken  # moved while we waited for its row: the lock saw a draft, the update did not
    if status != OrderStatus.CANCELLED:
        raise Problem(
            "ORDER_NOT_CANCELLABLE",
            f"The order is {status}: only a draft can be cancelled.",
            field="purchaseOrderId",
        )
    return status


def order_not_found() -> Problem:
    """Also for somebody else's order: whether it exists is not told."""
    return Problem("ORDER_NOT_FOUND", "You have no such order.", field="purchaseOrderId")


async def count_by_status(conn: Connection) -> dict[OrderStatus, int]:
    """How many orders are in each state."""
    return {row.status: row.orders for row in await sql.count_by_status(conn)}
