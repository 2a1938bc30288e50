"""What can be said while it runs, when it is gone and after the cover, and which trigger price is whose."""

import pytest

from liqpass.claims.case import Verdict
from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, Happens, insured, shown, told
from tests.claims.tape import (
    END_MS,
    HISTORY,
    POSITIONS,
    START_MS,
    Row,
    Tape,
    answer,
    case,
    seen,
)

SETTLED = END_MS + 30_000


def nothing(tape: Tape) -> None:
    """Nothing happens."""


def a_part_is_liquidated(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")


def a_part_is_liquidated_early(tape: Tape) -> None:
    tape.liquidate(START_MS - 1, 2700, 4, penalty="-4.32")


def a_part_is_closed(tape: Tape) -> None:
    tape.close(MIDDLE, 2900, 4)


def size_is_added(tape: Tape) -> None:
    tape.open(MIDDLE, 4, 2900)


@pytest.mark.parametrize(
    ("happens", "read_ms", "said"),
    [
        (nothing, MIDDLE, "waits for EPISODE_RUNS"),
        (nothing, SETTLED - 1, "waits for EPISODE_RUNS"),
        (nothing, SETTLED, "NOT_LIQUIDATED"),
        (a_part_is_closed, SETTLED - 1, "waits for EPISODE_RUNS"),
        (a_part_is_closed, SETTLED, "NOT_LIQUIDATED"),
        (size_is_added, SETTLED, "NOT_LIQUIDATED"),
        (a_part_is_liquidated, MIDDLE + 1000, "pays 40.00"),
        (a_part_is_liquidated, SETTLED, "pays 40.00"),
        (a_part_is_liquidated_early, SETTLED - 1, "waits for EPISODE_RUNS"),
        (a_part_is_liquidated_early, SETTLED, "BEFORE_START"),
    ],
)
def test_while_it_is_open(happens: Happens, read_ms: int, said: str) -> None:
    tape, position = insured()
    happens(tape)
    verdict = decide(case(position, shown(tape, at_ms=read_ms)))
    assert told(verdict) == said
    assert not verdict.episode_over
    watched = seen(tape.position(), read_ms, "alive_after_end")
    assert told(decide(case(position, shown(tape, without=POSITIONS), [watched]))) == said


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (["alive"], "waits for EPISODE_RUNS"),
        (["alive", "gone"], "waits for HISTORY_ROW"),
        (["gone", "alive"], "waits for EPISODE_RUNS"),
        (["alive", "other"], "waits for HISTORY_ROW"),
        (["other"], "waits for HISTORY_ROW"),
        (["closed"], "waits for HISTORY_ROW"),
        (["alive", "unreadable"], "waits for EPISODE_RUNS"),
        (["alive", "harmed"], "waits for HISTORY_ROW ORDERS_OR_BILLS"),
        # read after the cover, as it was insured; what became of it then is nothing to us
        (["late", "gone"], "NOT_LIQUIDATED"),
        (["late", "harmed"], "NOT_LIQUIDATED"),
        ([], "waits for HISTORY_ROW"),
    ],
)
def test_what_was_watched_before_anything_else_is_shown(what: list[str], said: str) -> None:
    position = insured()[1]
    rows: dict[str, Row | None] = {
        "alive": position,
        "gone": None,
        "other": position | {"cTime": str(MIDDLE)},
        "closed": position | {"pos": "0"},
        "unreadable": position | {"pos": "many"},
        "harmed": position | {"liqPenalty": "-1", "uTime": str(MIDDLE)},
        "late": position,
    }
    watched = [
        seen(rows[one], (SETTLED if "late" in what else MIDDLE) + n, one) for n, one in enumerate(what)
    ]
    assert told(decide(case(position, [], watched))) == said


def test_liquidated_just_after_the_cover_and_read_alive_in_between_is_not_covered_either_way() -> None:
    tape, position = insured()
    tape.liquidate(SETTLED + 5_000)
    alive = seen(position, SETTLED + 1, "alive_after_end")
    assert told(decide(case(position, shown(tape, without=HISTORY), [alive]))) == "NOT_LIQUIDATED"
    assert told(decide(case(position, shown(tape), [alive]))) == "AFTER_END"


def test_a_reading_that_contradicts_the_row_of_its_end_is_no_answer() -> None:
    tape, position = insured()
    tape.close(MIDDLE, 2900)
    alive = seen(position | {"uTime": str(MIDDLE + 1)}, MIDDLE + 10, "pos")
    assert told(decide(case(position, shown(tape), [alive]))) == "waits for AGREEMENT"


def liquidated_with(tape: Tape, **changed: str) -> Verdict:
    """The verdict of a liquidation when the history row says something else of its price."""
    position = insured()[1]
    rows = [tape.history() | changed]
    return decide(case(position, [*shown(tape, without=HISTORY), answer(HISTORY, rows)]))


@pytest.mark.parametrize(
    ("trigger", "mark", "said"),
    [
        ("2704.05", "9999", "pays 100.00"),
        ("2704.06", "1", "SHORT_OF_PRICE"),
        ("", "2704.05", "pays 100.00"),
        ("", "2704.06", "SHORT_OF_PRICE"),
        ("", "", "waits for TRIGGER_PRICE"),
    ],
)
def test_without_a_trigger_price_the_mark_price_of_the_bill_counts(
    trigger: str, mark: str, said: str
) -> None:
    tape, _ = insured()
    tape.liquidate(MIDDLE)
    for row in (tape.bills[-1], tape.fills[-1]):
        row["fillMarkPx"] = mark
    assert told(liquidated_with(tape, triggerPx=trigger)) == said


def test_marks_of_several_fills_decide_when_all_of_them_say_the_same() -> None:
    tape, _ = insured()
    tape.liquidate(MIDDLE, fills=2)
    for row, mark in zip(tape.bills[-2:], ("2704.05", "2704.06"), strict=True):
        row["fillMarkPx"] = mark
    tape.fills.clear()
    assert told(liquidated_with(tape, triggerPx="")) == "waits for TRIGGER_PRICE"


def test_each_part_has_its_own_trigger_price() -> None:
    """The history row shows that of the latest part only; the earlier one has its bill's mark price."""
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 4, trigger="2800", penalty="-4.32")
    early = answer(HISTORY, tape.histories(), at_ms=MIDDLE + 1)
    for row in (*tape.bills, *tape.fills):
        row["fillMarkPx"] = ""
    tape.liquidate(MIDDLE + 60_000, 2650, trigger="2700", penalty="-6.36")
    without = decide(case(position, shown(tape)))
    both = decide(case(position, [*shown(tape), early]))
    assert told(without) == "waits for TRIGGER_PRICE"
    assert told(both) == "pays 60.00"
    assert [(part.trigger_px, part.why_not) for part in both.parts] == [
        ("2800", "SHORT_OF_PRICE"),
        ("2700", None),
    ]
    assert (both.liquidated_at_ms, both.trigger_px, both.share) == (MIDDLE + 60_000, "2700", "0.6")


def test_history_has_to_know_of_the_last_part_too() -> None:
    """Order, bill and the open position show two parts; the row of positions-history is from between them."""
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    between = answer(HISTORY, tape.histories(), at_ms=MIDDLE + 1)
    tape.liquidate(MIDDLE + 60_000, 2690, 4, penalty="-4.30")
    late = [*shown(tape, without=HISTORY), between]
    assert told(decide(case(position, late))) == "waits for HISTORY_ROW"
    assert told(decide(case(position, [*late, answer(HISTORY, tape.histories())]))) == "pays 80.00"


def test_a_reading_says_nothing_of_what_was_traded_after_it() -> None:
    """Even where the exchange shows neither profit nor fees, which would give it away."""
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    bare = tape.position() | {"pnl": "", "fee": ""}
    partly = answer(HISTORY, tape.histories(), at_ms=MIDDLE + 1)
    tape.open(MIDDLE + 5, 3, 2800)
    tape.close(MIDDLE + 9, 2800, 3)
    evidence = [
        *shown(tape, without=f"{HISTORY} {POSITIONS}"),
        partly,
        answer(POSITIONS, [bare], at_ms=MIDDLE + 2),
    ]
    assert told(decide(case(position, evidence))) == "waits for ALL_FILLS"
