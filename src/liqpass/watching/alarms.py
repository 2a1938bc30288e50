"""What an operator should look at: covers that are not seen, claims that do not get on. Each remark says what
to do next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from liqpass.claims.policy import POLICIES
from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection
from liqpass.watching import sql

# Three times the latest at which an account is read again.
UNSEEN = timedelta(minutes=15)
# How long people take, where nothing is wrong.
DAY = timedelta(days=1)
CLOSES_SOON = timedelta(days=3)
# positions-history and the archives of orders and bills.
REACH_DAYS = 90

# Which states wait for somebody, and what that somebody does: {claim} is the one that waits for longest.
_WAITS = {
    ClaimStatus.PAYABLE: "payable and approved by nobody: liqpass claims show {claim}, then approve or"
    " refuse it",
    ClaimStatus.IN_REVIEW: "in review: liqpass claims show {claim} says what is missing, then approve or"
    " refuse it",
    ClaimStatus.APPROVED: "approved and in no batch: liqpass suspense batch writes one for the Safe; where"
    " the recipient is held, liqpass claims show {claim} says why",
    ClaimStatus.BATCHED: "in a batch that was not seen on the chain: let the Safe's owners send the file;"
    " where it is lost, liqpass suspense batch --again (first: {claim})",
}


class Alarms(msgspec.Struct, frozen=True):
    """How watching and claims stand: for metrics and remarks."""

    sight: sql.Sight
    troubles: list[sql.Trouble]
    claims: list[sql.Standing]
    closing: list[sql.Closing]


async def alarms(conn: Connection, now: datetime) -> Alarms:
    """As it is now, from a few queries over all that is open: too much for each probe, so keep it a while."""
    windows = [policy.claim_window_sec for policy in POLICIES.values()]
    return Alarms(
        sight=await sql.sight(conn, now - UNSEEN),
        troubles=await sql.troubles(conn),
        claims=await sql.claims_by_status(conn),
        closing=await sql.closing(conn, list(POLICIES), windows, REACH_DAYS, now + CLOSES_SOON),
    )


def unseen(found: Alarms, now: datetime) -> list[str]:
    """What of the covers is not seen, and why."""
    sight = found.sight
    if not sight.unseen or sight.oldest is None:
        return []
    late = _lasting(now - sight.oldest)
    said = (
        f"{_many(sight.unseen, 'cover')} of {sight.watched} not seen for {_lasting(UNSEEN)} or more,"
        f" the first for {late}"
    )
    if found.troubles:
        why = "; ".join(
            f"{_many(one.accounts, 'account')}: {one.trouble.rstrip('.')}" for one in found.troubles[:3]
        )
        return [f"{said} ({why}). Nothing is lost if it is seen before the claim window is over"]
    if too_slow(found, now):
        return [f"{said}: liqpass work reads too few accounts a second, raise LIQPASS_OKX_PER_SEC"]
    return [f"{said}: is liqpass work running?"]


def too_slow(found: Alarms, now: datetime) -> bool:
    """Whether covers are seen, accounts can be read, and some have their turn too late all the same."""
    seen = found.sight.newest
    return bool(found.sight.unseen and not found.troubles and seen and now - seen < UNSEEN)


def waiting(found: Alarms, now: datetime) -> list[str]:
    """Which claims do not get on, and what to do."""
    said = []
    for one in found.claims:
        if one.status in _WAITS and now - one.oldest_since >= DAY:
            what = _WAITS[one.status].format(claim=one.oldest_id)
            said.append(f"{_many(one.claims, 'claim')} {what} (since {_lasting(now - one.oldest_since)})")
    if found.closing:
        first = found.closing[0]
        left = _lasting(max(first.closes_at - now, timedelta()))
        why = f": {first.trouble.rstrip('.')}" if first.trouble else ""
        said.append(
            f"{_many(len(found.closing), 'claim')} without all evidence, which can come for {left} more{why}."
            f" liqpass claims show {first.id} says what is missing; where no key works, ask its owner for one"
        )
    return said


def remarks(found: Alarms, now: datetime) -> list[str]:
    """All of it, a sentence each."""
    return [said if said.endswith("?") else f"{said}." for said in unseen(found, now) + waiting(found, now)]


def ages(found: Sequence[sql.Standing], now: datetime) -> dict[ClaimStatus, tuple[int, float]]:
    """How many claims are in each state, and for how many seconds the one that is in it for longest; 0 and 0
    where none is."""
    known = {one.status: (one.claims, (now - one.oldest_since).total_seconds()) for one in found}
    return {status: known.get(status, (0, 0.0)) for status in ClaimStatus}


def _many(number: int, of: str) -> str:
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def _lasting(time: timedelta) -> str:
    minutes = max(0, time // timedelta(minutes=1))
    if minutes < 120:
        return _many(minutes, "minute")
    return _many(minutes // 60, "hour") if minutes < 48 * 60 else _many(minutes // 1440, "day")
