"""Claims: for who is covered under /api/insurance/claims, for operators under /api/admin/claims.

For all others than the wallets of LIQPASS_ADMIN_WALLETS the latter do not exist, signed in or not.
"""

import os
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from liqpass import hexes
from liqpass.claims.states import ClaimStatus
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.ids import RANDOM_BYTES
from liqpass.limits import Limiter, Rate
from liqpass.review import asking, objecting, reading
from liqpass.review.views import (
    ClaimList,
    ClaimView,
    Queue,
    QueuedClaim,
    list_view,
    queue_view,
    queued_view,
    shown_view,
)
from liqpass.settings import ClaimLimits
from liqpass.signin.admins import only
from liqpass.signin.sessions import User

# Each asks the exchange at once. Nobody needs more.
ASKED = (Rate(30, timedelta(minutes=1)), Rate(120, timedelta(hours=1)))

Limit = Annotated[int, QueryParameter(ge=1, le=100)]


class ClaimRequest(msgspec.Struct, frozen=True, rename="camel"):
    """For which order: 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]


class ObjectionRequest(msgspec.Struct, frozen=True):
    """What you object, in your words; line breaks are kept."""

    text: Annotated[str, Meta(max_length=objecting.TEXT_MOST, pattern=r"\S")]


@get("/claims", summary="Your claims, newest first")
async def list_claims(
    user: User,
    db: NamedDependency[Database],
    limit: Limit = 50,
    before: FromQuery[UUID] = reading.NEWEST,
) -> ClaimList:
    """One page; `before` is the `next` of the page before it."""
    async with db.one_moment() as conn:
        found, moves = await reading.own_claims(conn, user, before, limit)
    return list_view(found, moves, limit)


@get("/claims/{claim_id:str}", summary="One claim: where it stands, why, and what is waited for")
async def get_claim(user: User, db: NamedDependency[Database], claim_id: FromPath[str]) -> ClaimView:
    """With its moves, and a receipt for each payout that the chain shows. Refused with CLAIM_NOT_FOUND."""
    named = reading.claim_named(claim_id)
    async with db.one_moment() as conn:
        return shown_view(await reading.own_claim(conn, user, named))


@post("/claims", status_code=200, summary="Claim for an order: opens, or returns the one that is there")
async def open_claim(
    user: User,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    asks: NamedDependency[Limiter],
    data: JSONBody[ClaimRequest],
) -> ClaimView:
    """The exchange is asked at once, also where it is being asked already. Refused with ORDER_NOT_FOUND for
    what is no order of yours, and with ORDER_NOT_COVERED where none was paid for or the time for claims is
    over."""
    order_id = hexes.bytes32(data.purchase_order_id, "purchaseOrderId")
    asks.take(user, now, "Too many claims were asked for from this wallet. Wait a little.")
    random = os.urandom(RANDOM_BYTES)
    named = await db.run(lambda conn: asking.ask(conn, now, random, user, order_id))
    db.wake()
    async with db.one_moment() as conn:
        return shown_view(await reading.own_claim(conn, user, named))


@post("/claims/{claim_id:str}/objection", status_code=200, summary="Object to what was decided, once")
async def object_to_claim(
    user: User,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    asks: NamedDependency[Limiter],
    claim_id: FromPath[str],
    data: JSONBody[ObjectionRequest],
) -> ClaimView:
    """An operator looks at it and answers. Refused with CLAIM_NOT_OPEN unless the claim is NOT_COVERED or
    REFUSED, and with OBJECTION_ALREADY_MADE the second time."""
    named = reading.claim_named(claim_id)
    asks.take(user, now, "Too many claims were asked for from this wallet. Wait a little.")
    await db.run(lambda conn: objecting.object_to(conn, now, user, named, data.text))
    async with db.one_moment() as conn:
        return shown_view(await reading.own_claim(conn, user, named))


@get("/", summary="Claims of everybody, newest first")
async def list_queue(
    db: NamedDependency[Database],
    limit: Limit = 50,
    before: FromQuery[UUID] = reading.NEWEST,
    status: Annotated[list[ClaimStatus] | None, QueryParameter(max_items=20)] = None,
) -> Queue:
    """One page; `before` is the `next` of the page before it. `?status=PAYABLE&status=IN_REVIEW`: those that
    wait for an operator; without it, all."""
    async with db.one_moment() as conn:
        found, moves = await reading.queue(conn, status or list(ClaimStatus), before, limit)
    return queue_view(found, moves, limit)


@get("/{claim_id:str}", summary="One claim with its verdict, what was gathered, and who approved it")
async def get_queued(
    db: NamedDependency[Database], limits: NamedDependency[ClaimLimits], claim_id: FromPath[str]
) -> QueuedClaim:
    """The answers of the exchange without their bytes, which are in its bundle."""
    named = reading.claim_named(claim_id)
    async with db.one_moment() as conn:
        return queued_view(await reading.any_claim(conn, named), limits)


def claims_router() -> Router:
    """For signed-in users; `user`, `db` and `now` are provided by the app."""
    asks = Limiter(*ASKED)
    return Router(
        path="/api/insurance",
        route_handlers=[list_claims, get_claim, open_claim, object_to_claim],
        dependencies={"asks": Provide(lambda: asks, sync_to_thread=False)},
        tags=["claims"],
    )


def review_router(
    *, db: Database, clock: Clock, cookie: str, admins: frozenset[bytes], limits: ClaimLimits
) -> Router:
    """For `admins`, addresses of 20 bytes; `db`, `now` and `user` are provided by the app."""
    return Router(
        path="/api/admin/claims",
        route_handlers=[list_queue, get_queued],
        guards=[only(admins, db, clock, cookie)],
        dependencies={"limits": Provide(lambda: limits, sync_to_thread=False)},
        tags=["claims"],
    )
