"""Making, listing, showing, following and cancelling orders, under /api/insurance."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from msgspec import Meta

from liqpass import hexes
from liqpass.db import Database
from liqpass.limits import Places
from liqpass.orders import orders, reading, sql
from liqpass.orders.states import OrderStatus
from liqpass.orders.views import OrderAnswer, OrderList, OrderView, event_view, order_answer
from liqpass.positions.readings import PositionReader
from liqpass.signin.sessions import User

Reader = NamedDependency[PositionReader]
QuoteTerms = NamedDependency[orders.Terms]

EVENT_POLL_SEC = 1.0
HEARTBEAT_POLLS = 15  # so that a proxy does not take a quiet stream for a dead one
CLOSED = (OrderStatus.EXPIRED, OrderStatus.CANCELLED)
STREAM_SEC = 15 * 60
STREAMS_PER_USER = 8  # in one process


class CreateRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which binding is to be covered."""

    bind_id: UUID


class OrderRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which order is meant: 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]


class CancelAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The order's status after it."""

    ok: bool
    status: OrderStatus


@post("/create-order", status_code=200, summary="Get the price of a binding and what to send to pay it")
async def create_order(
    user: User,
    reader: Reader,
    terms: QuoteTerms,
    data: JSONBody[CreateRequest],
) -> OrderAnswer:
    """One open order per binding: asking again answers the same until its quote runs out."""
    async with reader.db.pool.acquire() as conn:
        binding = await orders.quotable_binding(conn, user, data.bind_id)
        if binding.open_order is not None:
            order = await orders.open_order(conn, reader.clock(), user, binding.open_order)
            return order_answer(order, terms.chain, reader.clock())
    account = await reader.recent(user, binding.api_account_id, orders.READING_MAX_AGE)
    now = reader.clock()
    random = os.urandom(42)
    order = await reader.db.run(
        lambda conn: orders.draft(conn, now, random, terms, user, binding, account), one_statement=True
    )
    return order_answer(order, terms.chain, now)


@post("/cancel", status_code=200, summary="Cancel an order that is not paid")
async def cancel_order(user: User, reader: Reader, data: JSONBody[OrderRequest]) -> CancelAnswer:
    """Only a draft can be cancelled; the binding ends with it. Again is harmless."""
    order_id = hexes.bytes32(data.purchase_order_id, "purchaseOrderId")
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


@get("/orders/{purchase_order_id:str}/events", summary="An order's moves as server-sent events")
async def order_events(
    user: User,
    reader: Reader,
    streams: NamedDependency[Places],
    purchase_order_id: FromPath[str],
    last_event_id: Annotated[int | None, HeaderParameter(name="Last-Event-ID", ge=0, lt=2**31)] = None,
) -> ServerSentEvent | Response[None]:
    """First the moves so far (after Last-Event-ID), then each as it happens. The stream ends with the order,
    or after a quarter of an hour: a browser then connects again by itself and goes on where it was, until
    204 tells it that no more will come."""
    order_id = hexes.bytes32(purchase_order_id, "purchaseOrderId")
    async with reader.db.pool.acquire() as conn:
        order = await sql.find_order(conn, user, order_id)
    if order is None:
        raise orders.order_not_found()
    after_seq = last_event_id or 0
    if order.status in CLOSED and after_seq >= order.event_seq:
        return Response(None, status_code=204)
    moves = _placed(streams, user, _moves(reader.db, user, order.id, after_seq))
    await anext(moves)
    return ServerSentEvent(moves)


async def _placed(
    streams: Places, user: bytes, moves: AsyncIterator[ServerSentEventMessage]
) -> AsyncIterator[ServerSentEventMessage]:
    """The moves, in one of the user's places. The first message is for the caller, who begins with it: a
    generator that never began would not give its place back when the reader is gone already."""
    with streams.one(user, "You follow too many orders at once: close a page, or wait."):
        yield ServerSentEventMessage(comment="begun")
        async for move in moves:
            yield move


async def _moves(
    db: Database, user: bytes, order_id: UUID, after_seq: int
) -> AsyncIterator[ServerSentEventMessage]:
    ended = False
    for poll in range(int(STREAM_SEC / EVENT_POLL_SEC)):
        async with db.pool.acquire() as conn:
            events = await sql.history(conn, user, order_id, after_seq)
        for event in events:
            after_seq = event.seq
            ended = event.to_status in CLOSED
            data = msgspec.json.encode(event_view(event)).decode()
            yield ServerSentEventMessage(data=data, event="order", id=str(event.seq))
        if ended:
            return
        if poll % HEARTBEAT_POLLS == 0:
            yield ServerSentEventMessage(comment="waiting")
        await asyncio.sleep(EVENT_POLL_SEC)


def orders_router(*, reader: PositionReader, terms: orders.Terms) -> Router:
    """For signed-in users; `user` is provided by the app."""
    streams = Places(STREAMS_PER_USER)
    return Router(
        path="/api/insurance",
        route_handlers=[create_order, cancel_order, list_orders, get_order, order_events],
        dependencies={
            "reader": Provide(lambda: reader, sync_to_thread=False),
            "terms": Provide(lambda: terms, sync_to_thread=False),
            "streams": Provide(lambda: streams, sync_to_thread=False),
        },
        tags=["orders"],
    )
