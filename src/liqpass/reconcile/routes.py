"""Reconciliation for the wallets of LIQPASS_ADMIN_WALLETS, under /api/admin/reconciliation.

For everybody else these paths do not exist, signed in or not: they get what an unknown path gets.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.hexes import checksum
from liqpass.problems import Problem
from liqpass.reconcile import sql, standing
from liqpass.reconcile.closing import REASON_MOST, close
from liqpass.reconcile.kept import NEWEST
from liqpass.reconcile.views import (
    BreakList,
    BreakView,
    Overview,
    RunList,
    break_view,
    run_view,
)
from liqpass.signin.admins import only
from liqpass.signin.sessions import User

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Before = Annotated[int, QueryParameter(ge=1, le=NEWEST)]
Number = Annotated[int, PathParameter(le=NEWEST)]  # beyond it nothing is stored
PageNumber = Annotated[int, PathParameter(le=2**31 - 1)]


class CloseRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Why the break is none any more: something that can be read."""

    reason: Annotated[str, Meta(max_length=REASON_MOST, pattern=r"\S")]


@get("/", summary="The latest run, what is open, and the books' own rules")
async def overview(db: NamedDependency[Database]) -> Overview:
    """The first thing to look at."""
    async with db.one_moment(whole=True) as conn:
        return await standing.overview(conn)


@get("/runs", summary="All runs, newest first")
async def list_runs(db: NamedDependency[Database], limit: Limit = 50, before: Before = NEWEST) -> RunList:
    """One page; `before` is the `next` of the page before it."""
    async with db.pool.acquire() as conn:
        runs = await sql.runs_before(conn, before, limit)
    return RunList([run_view(run) for run in runs], runs[-1].id if len(runs) == limit else None)


@get("/runs/{run_id:str}", summary="The canonical document of a run", media_type=MediaType.JSON)
async def get_run(db: NamedDependency[Database], run_id: Number) -> Response[bytes]:
    """Byte for byte what its SHA-256 is of; it names the SHA-256 of the run before and of each page."""
    async with db.pool.acquire() as conn:
        document = await sql.run_document(conn, run_id)
    return _canonical(document, "There is no such run.")


@get("/runs/{run_id:str}/pages/{page:str}", summary="A page of a run's breaks", media_type=MediaType.JSON)
async def get_page(db: NamedDependency[Database], run_id: Number, page: PageNumber) -> Response[bytes]:
    """The breaks that were open after the run, byte for byte what the SHA-256 in its document is of."""
    async with db.pool.acquire() as conn:
        breaks = await sql.run_page(conn, run_id, page)
    return _canonical(breaks, "The run has no such page.")


def _canonical(text: str | None, missing: str) -> Response[bytes]:
    if text is None:
        raise Problem("RUN_NOT_FOUND", missing)
    return Response(text.encode(), media_type=MediaType.JSON)


@get("/breaks", summary="Open breaks, newest first")
async def list_breaks(
    db: NamedDependency[Database],
    limit: Limit = 50,
    before: Before = NEWEST,
    closed_too: Annotated[bool, QueryParameter(name="all")] = False,
) -> BreakList:
    """One page; `before` is the `next` of the page before it. `?all=1`: closed ones too."""
    async with db.pool.acquire() as conn:
        found = await sql.breaks_before(conn, before, closed_too, limit)
    return BreakList([break_view(one) for one in found], found[-1].id if len(found) == limit else None)


@get("/breaks/{break_id:str}", summary="One break")
async def get_break(db: NamedDependency[Database], break_id: Number) -> BreakView:
    """With how often it was closed before."""
    async with db.one_moment() as conn:
        found = await sql.stored_break(conn, break_id)
        closings = await sql.closings_of(conn, break_id)
    if found is None:
        raise Problem("BREAK_NOT_FOUND", "There is no such break.")
    return break_view(found, closings)


@post("/breaks/{break_id:str}/close", status_code=200, summary="Close a break as it is, with a reason")
async def close_break(
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    user: User,
    break_id: Number,
    data: JSONBody[CloseRequest],
) -> BreakView:
    """In your wallet's name. It is open again when its amounts change, or when it goes and comes back."""
    closed = await db.run(lambda conn: close(conn, now, break_id, by=checksum(user), reason=data.reason))
    return break_view(closed)


def reconcile_router(*, db: Database, clock: Clock, cookie: str, admins: frozenset[bytes]) -> Router:
    """For `admins`, addresses of 20 bytes; `db`, `now` and `user` are provided by the app."""
    return Router(
        path="/api/admin/reconciliation",
        route_handlers=[overview, list_runs, get_run, get_page, list_breaks, get_break, close_break],
        guards=[only(admins, db, clock, cookie)],
        tags=["reconciliation"],
    )
