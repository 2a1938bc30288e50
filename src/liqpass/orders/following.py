"""Following one order: its moves and its payment as server-sent events, each when it happens."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from litestar.response import ServerSentEventMessage

from liqpass.db import Database
from liqpass.limits import Places
from liqpass.orders import sql
from liqpass.orders.states import CLOSED
from liqpass.orders.views import event_view, payment_view

POLL_SEC = 1
HEARTBEAT_POLLS = 15  # so that a proxy does not take a quiet stream for a dead one
STREAM_SEC = 15 * 60
STREAMS_PER_USER = 8  # in one process

Messages = AsyncIterator[ServerSentEventMessage]


async def followed(db: Database, places: Places, user: bytes, order: sql.Order, after_seq: int) -> Messages:
    """What happens to the user's own order, in one of the user's places. The first message is for the caller,
    who begins with it: a generator that never began would not give its place back when the reader is gone
    already. Raises Problem TOO_MANY_REQUESTS."""
    with places.one(user, "You follow too many orders at once: close a page, or wait."):
        yield ServerSentEventMessage(data=None, comment="begun")
        async for message in _news(db, user, order, after_seq):
            yield message


async def _news(db: Database, user: bytes, order: sql.Order, after_seq: int) -> Messages:
    """Moves have an id, from which a reader who was away goes on. Payments have none: where the payment
    stands is told at the beginning, and again when that changed."""
    ended = False
    told: sql.SeenPayment | None = None
    for poll in range(STREAM_SEC // POLL_SEC):
        async with db.pool.acquire() as conn:
            events = await sql.history(conn, user, order.id, after_seq)
            payment = await sql.seen_payment(conn, order.chain_id, order.purchase_order_id)
        for event in events:
            after_seq = event.seq
            ended = event.to_status in CLOSED
            yield _message("order", event_view(event), id_=str(event.seq))
        if poll == 0 or payment != told:
            yield _message("payment", payment_view(payment) if payment else None)
            told = payment
        if ended:
            return
        if poll % HEARTBEAT_POLLS == 0:
            yield ServerSentEventMessage(data=None, comment="waiting")
        await asyncio.sleep(POLL_SEC)


def _message(event: str, content: object, *, id_: str | None = None) -> ServerSentEventMessage:
    return ServerSentEventMessage(data=msgspec.json.encode(content).decode(), event=event, id=id_)
