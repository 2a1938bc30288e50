"""The verdict: a pure function of the case."""

from liqpass.claims.case import Case, Missing, Outcome, Verdict


def decide(case: Case) -> Verdict:
    """What is owed, by the rules of the case's policy."""
    return Verdict(outcome=Outcome.NOT_YET_KNOWN, missing=[Missing.HISTORY_ROW])
