"""A claim as its owner sees it: what is done and what comes next, and the prices that decide. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec

from liqpass.claims.case import Part, Verdict
from liqpass.claims.policy import CURRENT, POLICIES, Policy
from liqpass.claims.states import ClaimStatus
from liqpass.exchange.fields import UnreadableRow
from liqpass.exchange.records import Position, position
from liqpass.gathering.troubles import WITHOUT_KEY
from liqpass.orders.priced import PricedPosition
from liqpass.orders.states import CLOSED, OrderStatus
from liqpass.orders.views import OrderView
from liqpass.review.reading import ShownClaim, receipts
from liqpass.review.views import code_and_words
from liqpass.watching.own_cover import OwnCover, needs_key, unread_since
from liqpass.web.price_line import PriceLine, price_line

_S = ClaimStatus
DECIDED_AGAINST = (_S.NOT_COVERED, _S.REFUSED)
"""To which its owner may object."""
AT_REST = (*DECIDED_AGAINST, _S.PAID)
"""Nothing more is to be expected of them."""


class Stage(StrEnum):
    """The way of a claim, in order."""

    NOTICED = "NOTICED"
    EVIDENCE = "EVIDENCE"
    VERDICT = "VERDICT"
    APPROVED = "APPROVED"
    BATCHED = "BATCHED"
    PAID = "PAID"


@dataclass(frozen=True)
class Step:
    """`state`: done, now, todo, or no where it ends there. `at`: when it was done last."""

    stage: Stage
    state: str
    at: datetime | None


# How far a claim is: the stage at which it is, or at which it has ended.
_AT: Mapping[ClaimStatus, Stage] = {
    _S.OPEN: Stage.EVIDENCE,
    _S.GATHERING: Stage.EVIDENCE,
    _S.NOT_COVERED: Stage.VERDICT,
    _S.PAYABLE: Stage.APPROVED,
    _S.IN_REVIEW: Stage.APPROVED,
    _S.REFUSED: Stage.APPROVED,
    _S.APPROVED: Stage.BATCHED,
    _S.BATCHED: Stage.PAID,
    _S.PAID: Stage.PAID,
}
# The moves that a stage is done by.
_DONE_BY: Mapping[Stage, tuple[ClaimStatus, ...]] = {
    Stage.NOTICED: (_S.OPEN,),
    Stage.EVIDENCE: (_S.PAYABLE, _S.NOT_COVERED, _S.IN_REVIEW),
    Stage.VERDICT: (_S.PAYABLE, _S.NOT_COVERED),
    Stage.APPROVED: (_S.APPROVED, _S.REFUSED),
    Stage.BATCHED: (_S.BATCHED,),
    Stage.PAID: (_S.PAID,),
}


def sight(
    order: OrderView,
    claim: ShownClaim | None,
    cover: OwnCover | None,
    position: Position | None,
    now: datetime,
) -> dict[str, Any]:
    """What an order's page says of its claim, or of how to make one; `position` as it was priced."""
    policy = POLICIES.get(cover.claims_policy, CURRENT) if cover else CURRENT
    is_covered = order.status in (OrderStatus.ACTIVE, OrderStatus.EXPIRED)
    return {
        "claim": claim,
        "cover": cover,
        "unread_since": unread_since(cover, now) if cover else None,
        "unread_needs_key": cover is not None and needs_key(cover),
        "steps": steps_of([(it.to_status, it.at) for it in claim.events]) if claim else [],
        "line": line_of(position, policy, claim) if is_covered or claim else None,
        "receipts": receipts(claim) if claim else [],
        "refused_because": code_and_words(claim.claim, claim.events)[1] if claim else None,
        "wants_key": claim is not None and claim.claim.trouble in WITHOUT_KEY,
        "bundle_name": bundle_name(claim) if claim else None,
        "claim_until": _claim_until(order, policy) if is_covered else None,
        "is_followed": _is_followed(order, claim),
    }


def position_of(priced_from: PricedPosition) -> Position | None:
    """None where its row, which another version may have kept, cannot be read: the order stands without."""
    try:
        return position(msgspec.json.decode(priced_from.position, type=dict[str, Any]))
    except (UnreadableRow, msgspec.DecodeError):
        return None


def bundle_name(claim: ShownClaim) -> str:
    """Of the file with the evidence."""
    return f"liqpass-claim-{claim.claim.id}.json"


def _claim_until(order: OrderView, policy: Policy) -> datetime | None:
    end = order.coverage_end_at
    return end + timedelta(seconds=policy.claim_window_sec) if end else None


def _is_followed(order: OrderView, claim: ShownClaim | None) -> bool:
    """Whether anything is still to happen that the page has to show."""
    goes_on = claim is not None and claim.claim.status not in AT_REST
    return goes_on or order.status not in CLOSED


def steps_of(moves: Sequence[tuple[ClaimStatus, datetime]]) -> list[Step]:
    """The way so far and what is left of it; one that was decided against ends there. `moves`: to which
    status, when, the oldest first."""
    status = moves[-1][0]
    stages, at = list(Stage), list(Stage).index(_AT[status])
    steps = []
    for place, stage in enumerate(stages):
        is_last = status in DECIDED_AGAINST and place == at
        state = "no" if is_last else "done" if place < at or status == _S.PAID else "now"
        if place > at:
            state = "todo" if status != _S.PAID else state
        when = next((moved for to, moved in reversed(moves) if to in _DONE_BY[stage]), None)
        steps.append(Step(stage, state, when if state in ("done", "no") else None))
        if is_last:
            break
    return steps


def shown_part(verdict: Verdict | None) -> Part | None:
    """The liquidation that the verdict speaks of: the first that counts, else the first."""
    parts = verdict.parts if verdict else []
    return next((part for part in parts if part.why_not is None), next(iter(parts), None))


def line_of(position: Position | None, policy: Policy, claim: ShownClaim | None) -> PriceLine | None:
    """The prices of a position as it was priced, and of its liquidation; None where its liquidation price
    cannot be read."""
    if position is None or position.liq_px is None:
        return None
    part = shown_part(claim.verdict if claim else None)
    bound = _price(part.bound_px) if part else None
    tolerated = position.liq_px * policy.tolerance_bps / 10_000
    return price_line(
        position.side,
        {
            "entry": position.avg_px,
            "liquidation": position.liq_px,
            "bound": bound or position.liq_px + (tolerated if position.side == "long" else -tolerated),
            "trigger": _price((claim and claim.claim.trigger_px) or (part and part.trigger_px) or None),
        },
        is_funded=bound is not None,
    )


def _price(text: str | None) -> Decimal | None:
    """None for what is no price: the line stands without."""
    try:
        price = Decimal(text) if text else None
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() else None
