"""The bundle of a claim: built from rows to which is only added, so it is the same whenever it is built."""

from uuid import UUID

import msgspec

from liqpass.claims import bundle, sql
from liqpass.claims.case import Case, Verdict
from liqpass.claims.policy import policy_of
from liqpass.db import Connection


async def case_upto(
    conn: Connection, user: bytes, order_id: UUID, claim_id: UUID, *, evidence: int, watched: int
) -> Case:
    """All that decides a claim, up to these numbers. Raises LookupError for an order that was never covered
    or a policy that is not known."""
    order = await sql.case_order(conn, user, order_id)
    if order is None:
        raise LookupError("no such covered order")
    return bundle.case_of(
        order,
        await sql.watched(conn, user, order_id, watched),
        await sql.evidence(conn, user, claim_id, evidence),
        policy_of(order.claims_policy),
    )


async def bundle_of(conn: Connection, user: bytes, claim_id: UUID, sha256: bytes | None = None) -> bytes:
    """The bundle of the newest verdict, whose SHA-256 is the claim's `bundle_sha256`; or of an earlier one
    with this `sha256`. Raises LookupError when there is no such claim of this user's, or no such verdict."""
    claim = await sql.find_claim(conn, user, claim_id)
    if sha256 is None:
        made = await sql.newest_verdict(conn, user, claim_id)
    else:
        made = await sql.verdict_of_bundle(conn, user, claim_id, sha256)
    if claim is None or made is None:
        raise LookupError("no such claim, or no such verdict")
    case = await case_upto(
        conn, user, claim.order_id, claim_id, evidence=made.evidence_upto, watched=made.watched_upto
    )
    return bundle.document(case, msgspec.json.decode(made.verdict, type=Verdict))
