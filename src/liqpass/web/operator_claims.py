"""The operator's pages of claims: the queue, and one claim with its evidence side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter

from liqpass.claims.case import Part
from liqpass.claims.policy import CURRENT, POLICIES
from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection, Database
from liqpass.orders.priced import PricedPosition
from liqpass.problems import Problem
from liqpass.reads import Reads
from liqpass.review import reading
from liqpass.review.approving import REASON_MOST
from liqpass.review.reading import ShownClaim, names_needed, receipts
from liqpass.review.views import code_and_words
from liqpass.settings import ClaimLimits
from liqpass.web import claim_words, sql
from liqpass.web.claim_sight import bundle_name, line_of, position_of
from liqpass.web.evidence import SAID_OF_ENDPOINT, changed, columns
from liqpass.web.operator_words import SAID_OF_HELD
from liqpass.web.rendering import page
from liqpass.web.site import Site
from liqpass.web.viewing import Viewer

HERE = "/operator"
PER_PAGE = 50
FIRST = UUID(int=0)
_S = ClaimStatus
GROUPS: Mapping[str, Sequence[ClaimStatus]] = {
    "decide": (_S.PAYABLE, _S.IN_REVIEW),
    "evidence": (_S.OPEN, _S.GATHERING),
    "pay": (_S.APPROVED, _S.BATCHED),
    "done": (_S.PAID, _S.NOT_COVERED, _S.REFUSED),
    "all": tuple(_S),
}

Looking = NamedDependency[Viewer]
Of = NamedDependency[Site]


@get("/claims")
async def show_claims(
    viewer: Looking,
    site: Of,
    reads: NamedDependency[Reads],
    now: NamedDependency[datetime],
    limits: NamedDependency[ClaimLimits],
    show: FromQuery[str] = "decide",
    after: Annotated[UUID, QueryParameter()] = FIRST,
) -> Response[str]:
    """Those that somebody has to decide, or all in another group of states, the oldest first."""
    group = show if show in GROUPS else "decide"

    async def looked(conn: Connection) -> tuple[list[sql.QueuedRow], list[sql.ClaimCount]]:
        found = await sql.queued(conn, after, list(GROUPS[group]), PER_PAGE + 1)
        return found, await sql.claims_by_status(conn)

    (found, counted), source = await reads.look(looked)
    counts = {one.status: one.claims for one in counted}
    shown = found[:PER_PAGE]
    return page(
        viewer, "operator_claims.html", here=HERE, site=site, now=now, source=source, group=group,
        is_first=after == FIRST,
        counts={name: sum(counts.get(status, 0) for status in statuses) for name, statuses in GROUPS.items()},
        claims=[(one, _names_needed(one, limits)) for one in shown],
        next=shown[-1].id if len(found) > len(shown) else None,
    )  # fmt: skip


@get("/claims/{claim_id:str}")
async def show_claim(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    limits: NamedDependency[ClaimLimits],
    claim_id: FromPath[str],
) -> Response[str]:
    """Everything that is known of one claim, and what can be decided."""
    async with db.one_moment() as conn:
        try:
            found = await reading.any_claim(conn, UUID(claim_id))
        except (ValueError, Problem):
            raise NotFoundException from None
        evidence = await reading.evidence_of(conn, found.claim)
    return page(
        viewer, "operator_claim.html", here=HERE, site=site, now=now, claim=found, of=found.claim,
        columns=columns(evidence, found.claim.inst_id), receipts=receipts(found),
        changes=[(one, changed(one.what, one.row)) for one in reversed(found.changes)],
        refused_because=code_and_words(found.claim, found.events)[1], bundle_name=bundle_name(found),
        reason_most=REASON_MOST, said_of_endpoint=SAID_OF_ENDPOINT, said_of_change=claim_words.SAID_OF_CHANGE,
        said_of_claim_actor=claim_words.SAID_OF_CLAIM_ACTOR, opened_by=claim_words.OPENED_BY,
        said_of_held=SAID_OF_HELD,
        **_judged(found, limits),
    )  # fmt: skip


def _judged(found: ShownClaim, limits: ClaimLimits) -> Mapping[str, Any]:
    """What the rules say of it, and what is still to be said by whom."""
    of, owed = found.claim, _owed(found)
    priced = position_of(msgspec.json.decode(found.cover.priced_from, type=PricedPosition))
    return {
        "position": priced,
        "line": line_of(priced, POLICIES.get(of.policy_version, CURRENT), found),
        "parts": _parts(found),
        "share": _decimal(found.verdict.share if found.verdict else None),
        "owed": owed,
        "needed": found.names_needed(limits),
        "one_approves_up_to": limits.one_approves_up_to,
    }


def _names_needed(one: sql.QueuedRow, limits: ClaimLimits) -> int | None:
    """How many names have to approve what its verdict says; None where none does."""
    return names_needed(one.amount, limits) if one.status == _S.PAYABLE and one.amount else None


def _owed(found: ShownClaim) -> int | None:
    """What is still to be approved by the verdict; None where an operator has to say how much."""
    of = found.claim
    return (of.amount or 0) - of.approved_amount if of.status == _S.PAYABLE else None


def _parts(found: ShownClaim) -> Sequence[Mapping[str, Any]]:
    """Each liquidation that the verdict looked at, its numbers as numbers."""
    return [_part(part) for part in (found.verdict.parts if found.verdict else [])]


def _part(part: Part) -> Mapping[str, Any]:
    names = ("contracts", "px", "trigger_px", "bound_px", "pnl", "fee")
    numbers = {name: _decimal(getattr(part, name)) for name in names}
    return {"ord_id": part.ord_id, "at_ms": part.at_ms, "why_not": part.why_not, **numbers}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
