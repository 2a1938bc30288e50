"""Claims: for who is covered under /api/insurance/claims, for operators under /api/admin/claims.

For all others than the wallets of LIQPASS_ADMIN_WALLETS the latter do not exist, signed in or not.
"""

import os
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from liqpass import hexes
from liqpass.claims.states import ClaimStatus
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.ids import RANDOM_BYTES
from liqpass.limits import Limiter, Rate
from liqpass.review import approving, asking, objecting, reading
from liqpass.review.approving import REASON_MOST, Said
from liqpass.review.sql import ListedClaim
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
from liqpass.settings import ChainSettings, ClaimLimits
from liqpass.signin.admins import only
from liqpass.signin.sessions import User
from liqpass.treasury.holding import Held, Nodes

# Each asks the exchange at once. Nobody needs more.
ASKED = (Rate(30, timedelta(minutes=1)), Rate(120, timedelta(hours=1)))

Sha256 = Annotated[str | None, QueryParameter(max_length=80)]
Limit = Annotated[int, QueryParameter(ge=1, le=100)]


class ClaimRequest(msgspec.Struct, frozen=True, rename="camel"):
    """For which order: 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]


class ObjectionRequest(msgspec.Struct, frozen=True):
    """What you object, in your words; line breaks are kept."""

    text: Annotated[str, Meta(max_length=objecting.TEXT_MOST, pattern=r"\S")]


class ApproveRequest(msgspec.Struct, frozen=True):
    """Why; how much in micro-USDC, if not what the verdict says; to whom, if not to the order's owner."""

    reason: Annotated[str, Meta(max_length=REASON_MOST, pattern=r"\S")]
    amount: Annotated[str, Meta(pattern="^[0-9]{1,16}$")] | None = None
    recipient: Annotated[str, Meta(max_length=50)] | None = None


class RefuseRequest(msgspec.Struct, frozen=True):
    """Why, in words for whose claim it is."""

    reason: Annotated[str, Meta(max_length=REASON_MOST, pattern=r"\S")]


class Decided(msgspec.Struct, frozen=True, rename="camel"):
    """The claim after it; `said`: what is to be done next. `complete`: it is owed now. `held`: why USDC would
    not pay it now; it waits until it does."""

    claim: QueuedClaim
    said: str
    complete: bool
    held: Held | None = None


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


@get(
    "/claims/{claim_id:str}/bundle",
    summary="All from which the claim was decided, as one canonical JSON document",
    media_type=MediaType.JSON,
)
async def get_bundle(
    user: User, db: NamedDependency[Database], claim_id: FromPath[str], sha256: Sha256 = None
) -> Response[bytes]:
    """Byte for byte what `bundleSha256` is of; `liqpass claims replay FILE` computes the verdict again,
    with neither database nor network. Refused with BUNDLE_NOT_FOUND while nothing was decided."""
    named, wanted = reading.claim_named(claim_id), _sha256(sha256)
    async with db.one_moment() as conn:
        claim = (await reading.own_claim(conn, user, named)).claim
        return _bundle(claim, await reading.bundle_of(conn, claim, wanted))


def _sha256(text: str | None) -> bytes | None:
    return None if text is None else hexes.bytes32(text, "sha256")


def _bundle(claim: ListedClaim, document: bytes) -> Response[bytes]:
    named = f'attachment; filename="liqpass-claim-{claim.id}.json"'
    headers = {"Content-Disposition": named, "Cache-Control": "no-store"}
    return Response(document, media_type=MediaType.JSON, headers=headers)


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


@get(
    "/{claim_id:str}/bundle",
    summary="All from which a claim was decided, as its owner is shown it",
    media_type=MediaType.JSON,
)
async def get_queued_bundle(
    db: NamedDependency[Database], claim_id: FromPath[str], sha256: Sha256 = None
) -> Response[bytes]:
    """The same bytes, for operators. Refused with BUNDLE_NOT_FOUND while nothing was decided."""
    named, wanted = reading.claim_named(claim_id), _sha256(sha256)
    async with db.one_moment() as conn:
        claim = (await reading.any_claim(conn, named)).claim
        return _bundle(claim, await reading.bundle_of(conn, claim, wanted))


@post("/{claim_id:str}/approve", status_code=200, summary="Approve a claim's payout, in your wallet's name")
async def approve_claim(
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    user: User,
    chain: NamedDependency[ChainSettings],
    nodes: NamedDependency[Nodes],
    limits: NamedDependency[ClaimLimits],
    claim_id: FromPath[str],
    data: JSONBody[ApproveRequest],
) -> Decided:
    """Above LIQPASS_CLAIM_ONE_APPROVES_UP_TO another operator has to approve the same amount to the same
    recipient. Refused with CLAIM_NOT_OPEN unless it is PAYABLE or IN_REVIEW, OWN_CLAIM, ORDER_NOT_COVERED
    (the payment left the chain), CAPITAL_SHORT."""
    named = reading.claim_named(claim_id)
    said = Said(
        by=hexes.checksum(user),
        reason=data.reason,
        amount=None if data.amount is None else int(data.amount),
        to=None if data.recipient is None else hexes.address(data.recipient, "recipient"),
    )
    done, held = await approving.approve_told(db, nodes, now, chain, limits, named, said)
    return await _decided(db, limits, named, done.said, complete=done.complete, held=held)


@post("/{claim_id:str}/refuse", status_code=200, summary="Refuse a claim, with a reason for its owner")
async def refuse_claim(
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    user: User,
    limits: NamedDependency[ClaimLimits],
    claim_id: FromPath[str],
    data: JSONBody[RefuseRequest],
) -> Decided:
    """Its owner may object once. Refused with CLAIM_NOT_OPEN unless it is PAYABLE or IN_REVIEW."""
    named = reading.claim_named(claim_id)
    said = Said(by=hexes.checksum(user), reason=data.reason)
    await db.run(lambda conn: approving.refuse(conn, now, named, said))
    return await _decided(db, limits, named, "Refused: its owner is shown the reason.", complete=True)


async def _decided(
    db: Database,
    limits: ClaimLimits,
    claim_id: UUID,
    said: str,
    *,
    complete: bool,
    held: Held | None = None,
) -> Decided:
    async with db.one_moment() as conn:
        claim = queued_view(await reading.any_claim(conn, claim_id), limits)
    return Decided(claim, said, complete, held)


def claims_router() -> Router:
    """For signed-in users; `user`, `db` and `now` are provided by the app."""
    asks = Limiter(*ASKED)
    return Router(
        path="/api/insurance",
        route_handlers=[list_claims, get_claim, get_bundle, open_claim, object_to_claim],
        dependencies={"asks": Provide(lambda: asks, sync_to_thread=False)},
        tags=["claims"],
    )


def review_router(
    *,
    db: Database,
    clock: Clock,
    cookie: str,
    admins: frozenset[bytes],
    limits: ClaimLimits,
    chain: ChainSettings,
    nodes: Nodes,
) -> Router:
    """For `admins`, addresses of 20 bytes; `db`, `now` and `user` are provided by the app."""
    return Router(
        path="/api/admin/claims",
        route_handlers=[list_queue, get_queued, get_queued_bundle, approve_claim, refuse_claim],
        guards=[only(admins, db, clock, cookie)],
        dependencies={
            "limits": Provide(lambda: limits, sync_to_thread=False),
            "chain": Provide(lambda: chain, sync_to_thread=False),
            "nodes": Provide(lambda: nodes, sync_to_thread=False),
        },
        tags=["claims"],
    )
