"""Suspense and payouts for the wallets of LIQPASS_ADMIN_WALLETS, under /api/admin/treasury.

For everybody else these paths do not exist, signed in or not. Nothing here sends money: a batch is a file
that the treasury's owners load into Safe{Wallet} and sign.
"""

from datetime import datetime

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody

from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.settings import ChainSettings
from liqpass.signin.admins import only
from liqpass.treasury import disbursements, suspense
from liqpass.treasury.batch_file import file_of, name_of
from liqpass.treasury.holding import Nodes, seen
from liqpass.treasury.views import BatchView, SuspenseView, due_view, item_view


class BatchRequest(msgspec.Struct, frozen=True):
    """`again`: also what stands in an earlier batch, which nobody must sign any more."""

    again: bool = False


@get("/suspense", summary="Money that pays no order, and what is to be paid out")
async def show_suspense(
    db: NamedDependency[Database], chain: NamedDependency[ChainSettings], nodes: NamedDependency[Nodes]
) -> SuspenseView:
    """What `liqpass suspense list` shows."""
    async with db.one_moment(whole=True) as conn:
        items = await suspense.items(conn, chain)
        dues = await disbursements.dues(conn, chain)
        by_hand = await disbursements.paid_by_hand(conn, chain, dues)
    held = await seen(nodes, chain, dues)
    return SuspenseView(
        items=[item_view(item, chain) for item in items],
        dues=[due_view(due, held.get(due.id), by_hand.get(due.recipient, ())) for due in dues],
    )


@post("/batch", status_code=200, summary="Make a batch of all that is to be paid out")
async def make_batch(
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    chain: NamedDependency[ChainSettings],
    nodes: NamedDependency[Nodes],
    data: JSONBody[BatchRequest],
) -> BatchView:
    """What is in it counts as batched from now on, as with `liqpass suspense batch`: two signed files with
    the same payout pay it twice. What USDC refuses to pay is held back, and named."""
    made = await disbursements.make_batch(db, nodes, chain, now, again=data.again)
    return BatchView(
        file=file_of(made.included, chain, now) if made.included else None,
        name=name_of(now),
        included=len(made.included),
        held=[due_view(due, made.held[due.id]) for due in made.held_back],
        batched=len(made.batched),
        on_their_way=len(made.on_their_way),
        later=len(made.later),
        doubtful=[
            due_view(due, None, made.by_hand[due.recipient])
            for due in made.included
            if due.recipient in made.by_hand
        ],
    )


def treasury_router(
    *, db: Database, clock: Clock, cookie: str, admins: frozenset[bytes], chain: ChainSettings, nodes: Nodes
) -> Router:
    """For `admins`, addresses of 20 bytes; `db` and `now` are provided by the app."""
    return Router(
        path="/api/admin/treasury",
        route_handlers=[show_suspense, make_batch],
        guards=[only(admins, db, clock, cookie)],
        dependencies={
            "chain": Provide(lambda: chain, sync_to_thread=False),
            "nodes": Provide(lambda: nodes, sync_to_thread=False),
        },
        tags=["treasury"],
    )
