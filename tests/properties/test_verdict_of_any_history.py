"""Whatever happens at the exchange, in whatever order and however little of it is shown: the verdict is
right, or it waits. When everything is shown, it is there."""

import random
from dataclasses import dataclass

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from liqpass.claims.case import Outcome, Verdict
from liqpass.claims.policy import CURRENT
from liqpass.claims.verdict import decide
from tests.claims.tape import HISTORY, INSTRUMENTS, ORDERS, Tape, answer, case, instrument, seen
from tests.properties.verdict_town import FIRST_MS, Town, everything, owed, shared_out, something, towns


def said(verdict: Verdict) -> int | str:
    if verdict.outcome is Outcome.PAYABLE and verdict.amount is not None:
        return verdict.amount
    return verdict.reason.value if verdict.reason else "waits"


@settings(max_examples=120)
@given(towns())
def test_when_everything_is_shown_it_is_decided_and_right(town: Town) -> None:
    evidence, watched = everything(town)
    verdict = decide(town.case(evidence, watched))
    right = owed(town, town.glances[-1])
    event(str(right) if isinstance(right, str) else "paid")
    assert said(verdict) == right, verdict


@settings(max_examples=120)
@given(towns(), st.integers(0, 2**32))
def test_however_little_is_shown_it_is_never_wrong(town: Town, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    evidence, watched = something(town, chance)
    verdict = decide(town.case(evidence, watched))
    answers = {owed(town, glance) for glance in town.glances} - {"open"}
    event(verdict.outcome)
    if verdict.outcome is Outcome.PAYABLE:
        assert verdict.amount is not None
        assert verdict.amount in answers or shared_out(town, verdict.amount), verdict
    elif verdict.outcome is Outcome.NOT_COVERED:
        assert verdict.reason in answers, verdict
        assert isinstance(owed(town, town.glances[-1]), str), verdict
    chance.shuffle(evidence)
    chance.shuffle(watched)
    assert decide(town.case(evidence, watched)) == verdict


@dataclass(frozen=True)
class Change:
    """What its owner does when the mark price has gone so far: withdraws or adds margin, or raises leverage
    (the liquidation price moves), adds size or takes some off, or closes it and opens the slot again."""

    step: int
    what: str
    moved: int
    contracts: int


changes = st.builds(
    Change,
    step=st.integers(0, 5),
    what=st.sampled_from(["margin", "margin", "add", "reduce", "switch"]),
    moved=st.integers(-250, 250),
    contracts=st.integers(1, 40),
)


def lived_through(path: list[int], side: str, payout: int, done: list[Change]) -> Verdict:
    """The verdict of a position of ten at 3000 that was priced to be liquidated 300 away, when the mark price
    goes this way; rules without tolerance, so that not a tick is given away."""
    far = 1 if side == "long" else -1
    tape = Tape(liq_px=str(3000 - far * 300))
    tape.open(FIRST_MS, 10, 3000, side)
    position, liq_px = tape.position(), 3000 - far * 300
    for step, mark in enumerate(path):
        at_ms = FIRST_MS + 1_000 * (step + 1)
        if tape.now.pos and far * (mark - liq_px) <= 0:
            tape.liquidate(at_ms, liq_px, penalty=str(-tape.now.pos))
            break
        for n, change in enumerate(one for one in done if one.step == step):
            liq_px = _changed(tape, change, at_ms + 2 * n + 1, mark, liq_px, far)
    until = FIRST_MS + 1_000 * (len(path) + 10)
    rows = {HISTORY: tape.histories(), ORDERS: tape.orders, INSTRUMENTS: [instrument()]}
    evidence = [answer(path, found, at_ms=until + 60_000) for path, found in rows.items()]
    alive = [seen(tape.position() if tape.now.pos else None, until + 60_000)]
    rules = msgspec.structs.replace(CURRENT, tolerance_bps=0)
    start_us, end_us = FIRST_MS * 1000, until * 1000
    covered = case(position, evidence, alive, payout=payout, start_us=start_us, end_us=end_us, policy=rules)
    return decide(covered)


def _changed(tape: Tape, change: Change, at_ms: int, mark: int, liq_px: int, far: int) -> int:
    """Its liquidation price after that: never past the mark price, or it would have been liquidated."""
    side = "long" if far > 0 else "short"
    if change.what == "add":
        tape.open(at_ms, change.contracts, mark, side)
    elif change.what == "reduce":
        tape.close(at_ms, mark, min(change.contracts, int(tape.now.pos) - 1) or None)
        if not tape.now.pos:
            tape.open(at_ms + 1, change.contracts, mark, side)
    elif change.what == "switch":
        tape.close(at_ms, mark)
        tape.open(at_ms + 1, change.contracts, mark, side)
    moved = liq_px + change.moved
    return min(moved, mark - 1) if far > 0 else max(moved, mark + 1)


@settings(max_examples=120)
@given(
    st.lists(st.integers(-600, 200), min_size=1, max_size=6),
    st.sampled_from(["long", "short"]),
    st.sampled_from([50_000_000, 150_000_000, 300_000_000]),
    st.lists(changes, min_size=1, max_size=3),
)
def test_what_is_changed_after_pricing_never_pays_more_than_leaving_it_alone(
    moves: list[int], side: str, payout: int, done: list[Change]
) -> None:
    path = [3000 + (move if side == "long" else -move) for move in moves]
    alone = lived_through(path, side, payout, [])
    changed = lived_through(path, side, payout, done)
    assert {alone.outcome, changed.outcome} <= {Outcome.PAYABLE, Outcome.NOT_COVERED}
    event(f"{alone.outcome} alone, {changed.outcome} changed")
    assert (changed.amount or 0) <= (alone.amount or 0), (alone, changed)
