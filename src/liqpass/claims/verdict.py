"""The verdict: a pure function of the case.

Nothing is decided from one answer, from an absence or from a failure. What is not shown is NOT_YET_KNOWN,
with what is missing: late, never wrong.
"""

from collections.abc import Sequence
from fractions import Fraction

from msgspec import structs

from liqpass.claims.bounds import Reached, bound, funding_until, reached
from liqpass.claims.case import Case, Missing, Outcome, Part, Reason, Verdict
from liqpass.claims.episode import Episode, episodes_of, missing_of
from liqpass.claims.exact import digits
from liqpass.claims.facts import By
from liqpass.claims.flow import Trade
from liqpass.claims.loss import ContractValueUnknown, Owed, Unpriced, owed
from liqpass.claims.reading import facts_of
from liqpass.exchange.fields import UnreadableRow
from liqpass.exchange.records import CloseType

_US_IN_MS = 1_000
_MS_IN_SEC = 1_000
_LACKING = {
    Reached.DEPENDS: Missing.FUNDING,
    Reached.NO_CONTRACT_VALUE: Missing.CONTRACT_VALUE,
}
# Where parts count for nothing for different reasons, the verdict tells the first of these.
_TOLD_FIRST = (Reason.SHORT_OF_PRICE, Reason.AFTER_END, Reason.BEFORE_START)


def decide(case: Case) -> Verdict:
    """What is owed, by the rules of the case's policy."""
    try:
        facts = facts_of(case)
    except UnreadableRow:
        return Verdict(outcome=Outcome.NOT_YET_KNOWN, missing=[Missing.READABLE_ROWS])
    cover_over_ms = -(-case.order.coverage_end_us // _US_IN_MS)
    settled_ms = cover_over_ms + case.policy.settle_after_end_sec * _MS_IN_SEC
    verdicts = [_of_episode(case, episode) for episode in episodes_of(facts, settled_ms)]
    return next((one for one in verdicts if one.outcome is not Outcome.NOT_YET_KNOWN), verdicts[0])


def _of_episode(case: Case, episode: Episode) -> Verdict:
    known = Verdict(
        outcome=Outcome.NOT_YET_KNOWN,
        episode_over=episode.end is not None and episode.complete,
        penalty=digits(episode.penalty),
    )
    if episode.unharmed:
        return _nothing(known, Reason.NOT_LIQUIDATED) if episode.shut else _waits(known, Missing.EPISODE_RUNS)
    missing = missing_of(episode)
    judged = [_judged(case, episode, trade, price=not missing) for trade in episode.parts]
    known = structs.replace(known, parts=[part for part, _ in judged])
    missing |= {lacking for _, lacking in judged if lacking is not None}
    return _waits(known, *missing) if missing else _decided(case, episode, known)


def _judged(case: Case, episode: Episode, trade: Trade, *, price: bool) -> tuple[Part, Missing | None]:
    """Whether one liquidation order counts, and what is missing to say so. `price`: its price is judged, too;
    before everything is shown, which price is whose is not certain."""
    triggers = _triggers(episode, trade)
    part = Part(
        ord_id=trade.ord_id,
        at_ms=trade.at_ms,
        contracts=digits(trade.contracts),
        px="" if trade.px is None else digits(trade.px),
        trigger_px=digits(triggers[0]) if len(triggers) == 1 else None,
        bound_px=None,
        pnl="" if trade.pnl is None else digits(trade.pnl),
        fee="" if trade.fee is None else digits(trade.fee),
        why_not=_out_of_time(case, trade),
    )
    if part.why_not or not price:
        return part, None
    facts, tolerance = episode.facts, case.policy.tolerance_bps
    points = [*(one.standing for one in episode.told), *facts.lives]
    funding = funding_until(trade.at_ms, facts.priced, points, episode.trades)
    px = bound(facts.priced, funding.most, facts.contract_value, tolerance)
    answers = {reached(one, facts.priced, funding, facts.contract_value, tolerance) for one in triggers}
    part = structs.replace(
        part,
        bound_px=None if px is None else digits(px),
        why_not=Reason.SHORT_OF_PRICE if answers == {Reached.NO} else None,
    )
    return part, _LACKING.get(answers.pop()) if len(answers) == 1 else Missing.TRIGGER_PRICE


def _out_of_time(case: Case, trade: Trade) -> Reason | None:
    at_us = trade.at_ms * _US_IN_MS
    if at_us < case.order.coverage_start_us:
        return Reason.BEFORE_START
    return Reason.AFTER_END if at_us >= case.order.coverage_end_us else None


def _triggers(episode: Episode, trade: Trade) -> list[Fraction]:
    """The mark price that set it off: of a history row that tells of a liquidation, and of which this is the
    latest one; else the mark prices of its fills."""
    told = [
        one.trigger_px
        for one in episode.told
        if one.trigger_px is not None
        and one.close_type in (CloseType.LIQUIDATED, CloseType.PARTLY_LIQUIDATED)
        and trade is _latest(episode.parts, one.standing.at_ms)
    ]
    return told[-1:] or trade.marks


def _latest(parts: Sequence[Trade], at_ms: int) -> Trade | None:
    return next((part for part in reversed(parts) if part.at_ms <= at_ms), None)


def _decided(case: Case, episode: Episode, known: Verdict) -> Verdict:
    """All is shown: what counts is paid; that nothing does is shown, too, once nothing can come."""
    judged = zip(episode.parts, known.parts, strict=True)
    counted = [trade for trade, part in judged if part.why_not is None]
    if counted:
        try:
            made = _owed(case, episode, counted)
        except Unpriced:
            return _waits(known, Missing.ALL_FILLS)
        except ContractValueUnknown:
            return _waits(known, Missing.CONTRACT_VALUE)
        known = structs.replace(known, share=digits(made.share), loss=digits(made.loss))
        if made.amount:
            return _payable(known, made.amount)
    if not episode.shut:
        return _waits(known, Missing.EPISODE_RUNS)
    reason = Reason.NO_LOSS if counted else _why_nothing(episode, known.parts)
    return _waits(known, Missing.AGREEMENT) if reason is None else _nothing(known, reason)


def _owed(case: Case, episode: Episode, counted: Sequence[Trade]) -> Owed:
    facts = episode.facts
    value = facts.contract_value
    return owed(case.order.payout, facts.priced, counted, episode.trades, episode.standings, value)


def _why_nothing(episode: Episode, parts: Sequence[Part]) -> Reason | None:
    """Why no liquidation counts; None where how it ended and what closed it do not agree."""
    whys = {part.why_not for part in parts}
    if whys:
        return next(reason for reason in _TOLD_FIRST if reason in whys)
    closed_by = {trade.by for trade in episode.trades if not trade.opens}
    ended = episode.end.close_type if episode.end else None
    if ended in (CloseType.ADL, CloseType.PARTLY_ADL) and By.ADL in closed_by:
        return Reason.AUTO_DELEVERAGED
    by_owner = ended in (CloseType.WHOLLY, CloseType.PARTLY) and By.OWNER in closed_by
    return Reason.CLOSED_BY_OWNER if by_owner else None


def _payable(known: Verdict, amount: int) -> Verdict:
    first = next(part for part in known.parts if part.why_not is None)
    return structs.replace(
        known,
        outcome=Outcome.PAYABLE,
        amount=amount,
        liquidated_at_ms=first.at_ms,
        trigger_px=first.trigger_px,
    )


def _waits(known: Verdict, *missing: Missing) -> Verdict:
    return structs.replace(known, missing=[one for one in Missing if one in missing])


def _nothing(known: Verdict, reason: Reason) -> Verdict:
    return structs.replace(known, outcome=Outcome.NOT_COVERED, reason=reason)
