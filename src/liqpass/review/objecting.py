"""A trader objects to what was decided: once, and an operator answers."""

import re
from datetime import datetime
from uuid import UUID

from liqpass.claims import sql as claims
from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection
from liqpass.problems import Problem
from liqpass.review import sql
from liqpass.review.reading import claim_not_found

TEXT_MOST = 2_000
MAY_OBJECT = (ClaimStatus.NOT_COVERED, ClaimStatus.REFUSED)
# Line breaks and tabs are how people write; all other control characters are nobody's words.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


async def object_to(conn: Connection, now: datetime, user: bytes, claim_id: UUID, text: str) -> None:
    """An operator shall look at it. Raises CLAIM_NOT_FOUND, OBJECTION_ALREADY_MADE, CLAIM_NOT_OPEN where
    nothing was decided against it, INVALID_FIELD."""
    said = _text(text)
    claim = await claims.lock_claim(conn, user, claim_id)
    if claim is None:
        raise claim_not_found()
    if claim.objected_at is not None:
        raise Problem("OBJECTION_ALREADY_MADE", "You have objected already: a claim has one objection.")
    if claim.status not in MAY_OBJECT:
        raise Problem(
            "CLAIM_NOT_OPEN", f"The claim is {claim.status}: nothing was decided that you could object to."
        )
    await sql.keep_objection(conn, user, claim_id, said, now)
    await claims.move(
        conn,
        user,
        claim_id,
        claim.event_seq,
        claim.status,
        ClaimStatus.IN_REVIEW,
        "OBJECTED",
        "TRADER",
        None,
        "{}",
        now,
    )


def _text(text: str) -> str:
    kept = text.replace("\r\n", "\n").strip()
    if not 0 < len(kept) <= TEXT_MOST or _CONTROL.search(kept):
        what = f"text is 1 to {TEXT_MOST} characters, none of them a control character"
        raise Problem("INVALID_FIELD", f"{what}.", field="text")
    return kept
