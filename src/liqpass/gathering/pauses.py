"""When the exchange is asked again about a claim: soon, then less and less often."""

from datetime import UTC, datetime, timedelta

from liqpass.claims.case import Missing, Outcome, Verdict
from liqpass.claims.policy import Policy
from liqpass.claims.sql import CaseOrder
from liqpass.claims.states import ClaimStatus
from liqpass.gathering.asking import ARCHIVES_REACH
from liqpass.gathering.troubles import UNANSWERED

FIRST = timedelta(seconds=2)
LONGEST = timedelta(hours=6)
# The exchange is down, and will be back; a key is given, which makes the claim due by itself.
LONGEST_UNANSWERED = timedelta(minutes=5)
LONGEST_IN_TROUBLE = timedelta(hours=1)
LONGEST_BEFORE_PAID = timedelta(minutes=30)
# After a verdict that decides, rows may still come that change it: an hour or so.
STILL_ASKED = 11
AT_LEAST_OPEN = timedelta(days=1)
_AWAITS_PAYOUT = (ClaimStatus.APPROVED, ClaimStatus.BATCHED)


def pause(asked: int, trouble: str | None, status: ClaimStatus) -> timedelta:
    """After so many questions that brought nothing new."""
    longest = LONGEST
    if trouble is not None:
        longest = LONGEST_UNANSWERED if trouble in UNANSWERED else LONGEST_IN_TROUBLE
    if status in _AWAITS_PAYOUT:
        longest = min(longest, LONGEST_BEFORE_PAID)
    return min(FIRST * (1 << min(asked, 20)), longest)


def closes_at(order: CaseOrder, policy: Policy, opened_at: datetime, priced_ms: int) -> datetime:
    """When the exchange will show no more of it, or the claim window is over; one that was opened late has a
    day all the same."""
    window = order.coverage_end_at + timedelta(seconds=policy.claim_window_sec)
    reach = datetime.fromtimestamp(priced_ms / 1000, UTC) + ARCHIVES_REACH
    return max(opened_at + AT_LEAST_OPEN, min(window, reach))


def ask_again_at(
    now: datetime,
    status: ClaimStatus,
    verdict: Verdict | None,
    asked: int,
    trouble: str | None,
    *,
    ended_at: datetime,
    closes: datetime,
) -> datetime | None:
    """None: not before something happens. `ended_at`: when a reading shows that nothing came before the
    cover's end."""
    soon = now + pause(asked, trouble, status)
    if status in _AWAITS_PAYOUT:
        return soon
    at_end = ended_at if now < ended_at and not (verdict and verdict.episode_over) else None
    if trouble is None and verdict is not None:
        if verdict.missing == [Missing.EPISODE_RUNS] and at_end is not None:
            return at_end
        if verdict.outcome is not Outcome.NOT_YET_KNOWN and asked >= STILL_ASKED:
            return at_end
    if status is ClaimStatus.GATHERING:
        return max(now + FIRST, min(soon, closes))
    return soon if now < closes else None
