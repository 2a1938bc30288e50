"""What an exchange may show that is odd: nothing of it refuses anything, or pays a wrong amount."""

from decimal import Decimal

import pytest

from liqpass.claims.case import Verdict
from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, Happens, insured, shown, told
from tests.claims.tape import BILLS, END_MS, HISTORY, ORDERS, POSITIONS, Row, Tape, answer, case, text


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


def deleveraged(tape: Tape) -> None:
    tape.deleverage(MIDDLE, 2700)


def liquidated(tape: Tape) -> None:
    tape.liquidate(MIDDLE)


def closed(tape: Tape) -> None:
    tape.close(MIDDLE, 2900)


@pytest.mark.parametrize(
    ("happens", "kind", "said"),
    [
        (deleveraged, "5", "AUTO_DELEVERAGED"),
        (liquidated, "4", "pays 100.00"),
        (closed, "1", "CLOSED_BY_OWNER"),
        (closed, "4", "waits for ORDERS_OR_BILLS"),
        (closed, "5", "waits for AGREEMENT"),
    ],
)
def test_what_is_gone_and_closed_to_the_last_contract_is_over_though_its_row_says_partly(
    happens: Happens, kind: str, said: str
) -> None:
    """OKX documents type 5 for auto-deleveraging, and 6 only where it is asked for."""
    tape, position = insured()
    happens(tape)
    history = answer(HISTORY, [tape.history() | {"type": kind}])
    evidence = [history, *shown(tape, without=HISTORY)]
    assert told(decide(case(position, evidence))) == said
    without_reading = [history, *shown(tape, without=f"{HISTORY} {POSITIONS}")]
    assert "waits" in told(decide(case(position, without_reading)))
    some_hidden = [history, *shown(tape, without=f"{HISTORY} {ORDERS} {BILLS}")]
    assert "waits" in told(decide(case(position, some_hidden)))


def turned(tape: Tape) -> list[Row]:
    """Fifteen of ten are sold at once in net mode: what is over is a short."""
    order = tape.close(MIDDLE, 2900)
    fee = text(Decimal(order["fee"]) * 15 / 10)
    order |= {"accFillSz": "15", "fee": fee}
    tape.bills[-1] |= {"sz": "15", "fee": fee}
    tape.fills[-1] |= {"fillSz": "15", "fee": fee}
    short = tape.position() | {"pos": "-5", "cTime": str(MIDDLE), "uTime": str(MIDDLE), "liqPx": "3200"}
    return [short]


def test_an_order_that_turns_a_position_round_has_closed_it() -> None:
    tape, position = insured(net=True)
    now = turned(tape)
    evidence = [*shown(tape, without=POSITIONS), answer(POSITIONS, now)]
    assert told(decide(case(position, evidence))) == "CLOSED_BY_OWNER"


def test_a_liquidation_that_is_not_shown_is_not_hidden_by_an_order_that_turned_the_rest_round() -> None:
    tape, position = insured(net=True)
    tape.liquidate(MIDDLE - 10, 2700, 4, penalty="-4.32")
    liquidation = tape.orders.pop()
    tape.bills.pop(), tape.fills.pop()
    now = turned(tape)
    evidence = [*shown(tape, without=POSITIONS), answer(POSITIONS, now)]
    assert told(decide(case(position, evidence))) == "waits for ORDERS_OR_BILLS"
    silent = tape.history() | {"liqPenalty": "0"}
    evidence = [answer(HISTORY, [silent]), *shown(tape, without=HISTORY)]
    assert told(decide(case(position, evidence))) == "waits for ALL_FILLS"
    assert liquidation["category"] == "partial_liquidation"
