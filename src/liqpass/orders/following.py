"""Following one order: its moves, its payment and its claim as server-sent events, each when it happens."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from litestar.response import ServerSentEventMessage

from liqpass.db import Database
from liqpass.limits import Places
from liqpass.orders import sql
from liqpass.orders.states import CLOSED
from liqpass.orders.views import claim_view, event_view, payment_view

POLL_SEC = 1
HEARTBEAT_POLLS = 15  # so that a proxy does not take a quiet stream for a dead one
STREAM_SEC = 15 * 60
STREAMS_PER_USER = 8  # in one process

# A claim in one of these has had its answer: nothing more happens by itself.
ANSWERED = frozenset({"NOT_COVERED", "REFUSED", "PAID"})
MARK = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
"""What a reader has seen: the last move of the order and, after a dot, the last one of its claim."""

Messages = AsyncIterator[ServerSentEventMessage]
LivesOn = Callable[[], Awaitable[bool]]


class Seen(msgspec.Struct, frozen=True):
    """How far a reader has got: the order's moves, and its claim's."""

    order: int
    claim: int

    @classmethod
    def of(cls, last_event_id: str | None) -> "Seen":
        """From the id of the last event, as MARK has it."""
        found = re.fullmatch(MARK, last_event_id or "0")
        order, _, claim = found[0].partition(".") if found else ("0", "", "")
        return cls(int(order), int(claim or 0))

    def __str__(self) -> str:
        return f"{self.order}.{self.claim}" if self.claim else f"{self.order}"


def all_seen(order: sql.Order, claim: sql.OrderClaim | None, seen: Seen) -> bool:
    """Whether nothing is left to tell, and nothing more will come: the order is over, its claim answered."""
    return order.status in CLOSED and seen.order >= order.event_seq and _is_over(claim, seen)


def _is_over(claim: sql.OrderClaim | None, seen: Seen) -> bool:
    return claim is None or (claim.status in ANSWERED and seen.claim >= claim.event_seq)


async def followed(
    db: Database, places: Places, user: bytes, order: sql.Order, seen: Seen, lives_on: LivesOn
) -> Messages:
    """What happens to the user's own order, in one of the user's places. The first message is for the caller,
    who begins with it: a generator that never began would not give its place back when the reader is gone
    already. `lives_on`: whether the session does that asked for it. Raises Problem TOO_MANY_REQUESTS."""
    with places.one(user, "You follow too many orders at once: close a page, or wait."):
        yield ServerSentEventMessage(data=None, comment="begun")
        async for message in _news(db, user, order, seen, lives_on):
            yield message


async def _news(db: Database, user: bytes, order: sql.Order, seen: Seen, lives_on: LivesOn) -> Messages:
    """Moves and claims have an id, from which a reader who was away goes on. Payments have none: where the
    payment stands is told at the beginning, and again when that changed; so is the claim, if there is one.
    After the end of the session nothing is told, and the stream ends."""
    closed = order.status in CLOSED and seen.order >= order.event_seq
    paid: sql.SeenPayment | None = None
    claimed: sql.OrderClaim | None = None
    for poll in range(STREAM_SEC // POLL_SEC):
        async with db.pool.acquire() as conn:
            events = await sql.history(conn, user, order.id, seen.order)
            payment = await sql.seen_payment(conn, order.chain_id, order.purchase_order_id)
            claim = await sql.claim_of(conn, user, order.id)
        is_news = events or payment != paid or claim != claimed
        if (is_news or poll % HEARTBEAT_POLLS == 0) and not await lives_on():
            return
        for event in events:
            seen = Seen(event.seq, seen.claim)
            closed = event.to_status in CLOSED
            yield _message("order", event_view(event), id_=str(seen))
        if poll == 0 or payment != paid:
            yield _message("payment", payment_view(payment) if payment else None)
            paid = payment
        if claim is not None and claim != claimed:
            seen = Seen(seen.order, claim.event_seq)
            yield _message("claim", claim_view(claim), id_=str(seen))
            claimed = claim
        if closed and _is_over(claim, seen):
            return
        if poll % HEARTBEAT_POLLS == 0:
            yield ServerSentEventMessage(data=None, comment="waiting")
        await asyncio.sleep(POLL_SEC)


def _message(event: str, content: object, *, id_: str | None = None) -> ServerSentEventMessage:
    return ServerSentEventMessage(data=msgspec.json.encode(content).decode(), event=event, id=id_)
