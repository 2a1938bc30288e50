"""What an exchange may show that is odd: nothing of it refuses anything, or pays a wrong amount."""

import pytest

from liqpass.claims.case import Verdict
from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, insured, shown, told
from tests.claims.tape import BILLS, END_MS, HISTORY, ORDERS, POSITIONS, Row, answer, case


def with_history(*rows: Row) -> Verdict:
    """The verdict of a liquidation when positions-history says these things of it, one after the other."""
    tape, position = insured()
    tape.liquidate(MIDDLE)
    said = [answer(HISTORY, [tape.history() | row], at_ms=END_MS + n) for n, row in enumerate(rows)]
    evidence = [*said, *shown(tape, without=HISTORY)]
    return decide(case(position, evidence, payout=500_000_000))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{}], "pays 312.15"),
        # a penalty that is not shown is not 0: it is a part of what was lost
        ([{"liqPenalty": ""}], "waits for HISTORY_ROW READABLE_ROWS"),
        ([{"liqPenalty": ""}, {}], "pays 312.15"),
        ([{"liqPenalty": "-5"}, {}], "pays 312.15"),
        # and it is never given back
        ([{}, {"liqPenalty": "-5"}], "waits for AGREEMENT"),
        ([{"liqPenalty": "10.8"}], "waits for AGREEMENT"),
        ([{}, {"type": "2", "liqPenalty": "", "triggerPx": ""}], "waits for AGREEMENT"),
    ],
)
def test_what_the_penalty_was_is_shown_or_waited_for(rows: list[Row], said: str) -> None:
    assert told(with_history(*rows)) == said


@pytest.mark.parametrize("first", [{}, {"triggerPx": "2900"}])
def test_two_rows_of_one_answer_that_contradict_each_other_are_no_answer(first: Row) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    rows = [tape.history() | first, tape.history() | {"triggerPx": "2650"}]
    evidence = [answer(HISTORY, rows), *shown(tape, without=HISTORY)]
    assert told(decide(case(position, evidence))) == "waits for AGREEMENT"
    rows = [tape.history(), tape.history()]
    evidence = [answer(HISTORY, rows), *shown(tape, without=HISTORY)]
    assert told(decide(case(position, evidence))) == "pays 100.00"


@pytest.mark.parametrize("penalty", ["", None])
def test_a_reading_after_the_cover_that_says_nothing_of_the_penalty_refuses_nothing(
    penalty: str | None,
) -> None:
    """Four of ten were liquidated, and nothing but the position is shown yet."""
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    silent = tape.position() | {"liqPenalty": penalty}
    assert decide(case(position, [answer(POSITIONS, [silent], at_ms=END_MS + 40_000)])).missing


def test_where_no_row_ever_says_what_the_penalty_is_the_others_still_count() -> None:
    _, position = insured()
    position["liqPenalty"] = ""
    assert told(decide(case(position, [answer(POSITIONS, [position], at_ms=END_MS + 40_000)]))) == (
        "NOT_LIQUIDATED"
    )


def test_a_size_below_zero_is_no_size() -> None:
    """Together with one above it there would be nothing to divide by."""
    tape, position = insured()
    tape.liquidate(MIDDLE)
    bad = tape.bills[-1] | {"billId": "9", "sz": "-10"}
    evidence = [*shown(tape, without=f"{BILLS} {ORDERS}"), answer(BILLS, [*tape.bills, bad])]
    assert told(decide(case(position, evidence))) == "waits for READABLE_ROWS"
