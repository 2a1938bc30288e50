"""Quotes; making, listing, showing, following and cancelling orders, under /api/insurance."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.response import ServerSentEvent
from msgspec import Meta

from liqpass import hexes, ids
from liqpass.chain.checkout import Call
from liqpass.limits import Limiter, Places, Rate
from liqpass.market.reading import by_instrument
from liqpass.orders import following, orders, quotes, reading, sql
from liqpass.orders.asking import Orderable, asking_to_order, orderable
from liqpass.orders.on_sale.sql import AskingToOrder
from liqpass.orders.quote_views import QuoteList, quoted_position_view
from liqpass.orders.states import OrderStatus
from liqpass.orders.views import OrderAnswer, OrderList, OrderView, order_answer
from liqpass.positions import bindings
from liqpass.positions.asking import found_out
from liqpass.positions.readings import PositionReader
from liqpass.positions.remembered import Remembered, made_from
from liqpass.problems import Problem
from liqpass.signin.sessions import Session, Token, User, lives_on

Reader = NamedDependency[PositionReader]
QuoteTerms = NamedDependency[orders.Terms]

# Nobody needs more. An order that was made and cancelled stays in the books for ever, and costs nothing.
CANCELLED = (Rate(100, timedelta(minutes=1)), Rate(300, timedelta(hours=1)))


class CreateRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which binding is to be covered."""

    bind_id: UUID


Ordering = Callable[[Token, CreateRequest], Awaitable[OrderAnswer]]


class OrderRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which order is meant: 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]


class CancelAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The order's status after it."""

    ok: bool
    status: OrderStatus


@get("/quotes", summary="What each product would cost for each of an account's open positions")
async def list_quotes(
    token: Session,
    reader: Reader,
    terms: QuoteTerms,
    remembered: NamedDependency[Remembered],
    api_account_id: Annotated[UUID, QueryParameter(name="apiAccountId")],
) -> QuoteList:
    """From the positions as last seen (at most 30 seconds ago, else they are read anew), with the orders that
    they have. Binds nothing: the price is fixed by create-order."""
    account, on_sale = await quotes.on_sale(reader, token, api_account_id, bindings.READING_MAX_AGE)
    now, moves = reader.clock(), by_instrument(on_sale.volatilities)
    remembered.keep(token.sha256, on_sale.user_id, api_account_id, account, moves.values())
    found = quotes.quoted(now, account, on_sale, moves, terms.products)
    return QuoteList(account.read_at, [quoted_position_view(position, now) for position in found])


@post("/create-order", status_code=200, summary="Get the price of a binding and what to send to pay it")
async def create_order(
    token: Session,
    ordering: NamedDependency[Ordering],
    data: JSONBody[CreateRequest],
) -> OrderAnswer:
    """One open order per binding: asking again answers the same until its quote runs out."""
    return await ordering(token, data)


def ordering_with(reader: PositionReader, terms: orders.Terms, remembered: Remembered) -> Ordering:
    """What makes orders: those that are asked for at the same time together."""
    asking, making = asking_to_order(reader.db, reader.clock), orders.making(reader.db, terms.products)

    async def order(token: Token, data: CreateRequest) -> OrderAnswer:
        async def find_out() -> Orderable | sql.Order:
            asked = await asking(AskingToOrder(token.sha256, data.bind_id))
            binding = orders.quotable(asked.binding())
            if binding.open_order is not None:
                async with reader.db.pool.acquire() as conn:
                    return await orders.open_order(conn, reader.clock(), asked.user_id, binding.open_order)
            of, max_age = (binding.api_account_id, binding.inst_id), orders.READING_MAX_AGE
            known = await found_out(reader, remembered, token.sha256, asked, *of, max_age)
            return Orderable(binding, known)

        def drafting(found: Orderable | sql.Order) -> orders.Drafting | sql.Order:
            if isinstance(found, sql.Order):
                return found
            now, random = reader.clock(), os.urandom(ids.ORDER_RANDOM_BYTES + ids.RANDOM_BYTES)
            return orders.drafting(now, random, terms, token.sha256, found.binding, found.known)

        signed: dict[bytes, list[Call]] = {}

        def sign(new: sql.NewOrder) -> None:
            signed[new.purchase_order_id] = orders.calls(new, terms.chain)

        async def make(asked: orders.Drafting | sql.Order) -> sql.Order | None:
            if isinstance(asked, sql.Order):
                return asked
            asyncio.get_running_loop().call_soon(sign, asked.order)  # while the database works
            return await making(asked)

        known = orderable(remembered, token.sha256, data.bind_id, reader.clock())
        made = await made_from(known, find_out, drafting, make)
        remembered.just_bound.forget((token.sha256, data.bind_id))
        if made is None:
            words = "The binding was changed meanwhile. Bind the position again."
            raise Problem("BINDING_NOT_OPEN", words, field="bindId")
        now = reader.clock()
        calls = signed.get(made.purchase_order_id)
        return order_answer(orders.refuse_lapsed(made, now), terms.chain, now, calls)

    return order


@post("/cancel", status_code=200, summary="Cancel an order that is not paid")
async def cancel_order(
    user: User, reader: Reader, cancels: NamedDependency[Limiter], data: JSONBody[OrderRequest]
) -> CancelAnswer:
    """Only a draft can be cancelled; the binding ends with it. Again is harmless."""
    order_id = hexes.bytes32(data.purchase_order_id, "purchaseOrderId")
    cancels.take(user, reader.clock(), "Too many orders were cancelled from this wallet. Wait a little.")
    status = await reader.db.run(
        lambda conn: orders.cancel(conn, reader.clock(), user, order_id), one_statement=True
    )
    return CancelAnswer(ok=True, status=status)


@get("/orders", summary="Your orders, newest first")
async def list_orders(
    user: User,
    reader: Reader,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50,
    before: FromQuery[UUID] = reading.NEWEST,
) -> OrderList:
    """One page; `before` is the `next` of the page before it."""
    async with reader.db.pool.acquire() as conn:
        return await reading.listed(conn, user, before, limit)


@get("/orders/{purchase_order_id:str}", summary="One order with its payment, cover and history")
async def get_order(
    user: User,
    reader: Reader,
    terms: QuoteTerms,
    purchase_order_id: FromPath[str],
) -> OrderView:
    """Also what to send to pay it, while it is a draft."""
    order_id = hexes.bytes32(purchase_order_id, "purchaseOrderId")
    async with reader.db.transaction() as conn:
        return await reading.shown(conn, user, order_id, terms.chain)


@get(
    "/orders/{purchase_order_id:str}/events",
    summary="An order's moves, payment, claim: server-sent events",
)
async def order_events(
    user: User,
    token: Session,
    reader: Reader,
    streams: NamedDependency[Places],
    purchase_order_id: FromPath[str],
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", pattern=following.MARK, max_length=20)
    ] = None,
) -> ServerSentEvent | Response[None]:
    """First the moves so far (`order`, after Last-Event-ID), the payment that the chain shows (`payment`,
    or null) and the claim if there is one (`claim`), then each as it happens or changes. The stream ends with
    the order, and where there is a claim, with its answer; with the session; or after a quarter of an hour:
    a browser then connects again by itself and goes on where it was, until 204 tells it that all was told."""
    order_id = hexes.bytes32(purchase_order_id, "purchaseOrderId")
    async with reader.db.pool.acquire() as conn:
        order = await sql.find_order(conn, user, order_id)
        if order is None:
            raise orders.order_not_found()
        claim = await sql.claim_of(conn, user, order.id)
    seen = following.Seen.of(last_event_id)
    if following.all_seen(order, claim, seen):
        return Response(None, status_code=204)
    news = following.followed(
        *(reader.db, streams, user, order, seen), lambda: lives_on(reader.db, reader.clock(), token, user)
    )
    await anext(news)
    # no-cache would let it be kept, and nginx would wait for more before it passes an event on
    return ServerSentEvent(news, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def orders_router(
    *, reader: PositionReader, terms: orders.Terms, ordering: Ordering, remembered: Remembered
) -> Router:
    """For signed-in users; `user` and `token` are provided by the app."""
    streams, cancels = Places(following.STREAMS_PER_USER), Limiter(*CANCELLED)
    return Router(
        path="/api/insurance",
        route_handlers=[list_quotes, create_order, cancel_order, list_orders, get_order, order_events],
        dependencies={
            "reader": Provide(lambda: reader, sync_to_thread=False),
            "terms": Provide(lambda: terms, sync_to_thread=False),
            "remembered": Provide(lambda: remembered, sync_to_thread=False),
            "streams": Provide(lambda: streams, sync_to_thread=False),
            "ordering": Provide(lambda: ordering, sync_to_thread=False),
            "cancels": Provide(lambda: cancels, sync_to_thread=False),
        },
        tags=["orders"],
    )
