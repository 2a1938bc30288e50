"""What counts as evidence: a liquidation is shown when two endpoints say the same of this very episode."""

import pytest

from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, Happens, insured, shown, told
from tests.claims.tape import (
    BILLS,
    FILLS,
    HISTORY,
    INSTRUMENTS,
    OPENED_MS,
    ORDERS,
    POSITIONS,
    Row,
    answer,
    case,
)

NO_ORDER = "waits for ORDERS_OR_BILLS"
NOT_ALL = "waits for ALL_FILLS"
TORN = "waits for AGREEMENT"


def order(**changed: str) -> Happens:
    """The newest order says something else."""
    return lambda tape: tape.orders[-1].update(changed)


def bill(**changed: str) -> Happens:
    """The newest bill says something else."""
    return lambda tape: tape.bills[-1].update(changed)


@pytest.mark.parametrize(
    ("words", "without", "change", "said"),
    [
        ("history and orders", f"{BILLS} {FILLS}", None, "pays 100.00"),
        ("history and bills", f"{ORDERS} {FILLS}", None, "pays 100.00"),
        ("history, orders and fills", BILLS, None, "pays 100.00"),
        ("history alone", f"{ORDERS} {BILLS} {FILLS}", None, NO_ORDER),
        ("history and fills, which say no margin mode", f"{ORDERS} {BILLS}", None, NO_ORDER),
        ("orders and bills alone", HISTORY, None, "waits for HISTORY_ROW"),
        ("nothing", f"{HISTORY} {ORDERS} {BILLS} {FILLS} {POSITIONS}", None, "waits for HISTORY_ROW"),
        ("no instrument, which nothing depends on", INSTRUMENTS, None, "pays 100.00"),
        # the order is another slot's: then nothing is known of ours
        ("order of another instrument", BILLS, order(instId="BTC-USDT-SWAP"), NO_ORDER),
        ("order in cross margin", BILLS, order(tdMode="cross"), NO_ORDER),
        ("order of the short beside it", BILLS, order(posSide="short"), NO_ORDER),
        ("bill in cross margin", ORDERS, bill(mgnMode="cross"), NO_ORDER),
        ("bill of another instrument", ORDERS, bill(instId="SOL-USDT-SWAP"), NO_ORDER),
        ("bill of the short beside it", ORDERS, bill(subType="105"), NO_ORDER),
        ("a clawback is no liquidation", ORDERS, bill(subType="108"), NO_ORDER),
        ("by hand, the order says", BILLS, order(category="normal"), NO_ORDER),
        ("an opening side cannot be a liquidation's", BILLS, order(side="buy"), NO_ORDER),
        # a contract too few, a contract too many
        ("order of 9 of 10", BILLS, order(accFillSz="9"), NOT_ALL),
        ("order of 11 of 10", BILLS, order(accFillSz="11"), f"{NOT_ALL} AGREEMENT"),
        ("bill of 9 of 10", ORDERS, bill(sz="9"), NOT_ALL),
        ("never filled", BILLS, order(accFillSz="0", state="canceled"), NO_ORDER),
        # the rest of an order was cancelled
        ("filled in part, then cancelled", BILLS, order(state="canceled", sz="25"), "pays 100.00"),
        # two endpoints, two answers
        ("order 10, bill 9", "", bill(sz="9"), TORN),
        ("order 10, bill 11", "", bill(sz="11"), TORN),
        ("order and bill a second apart", "", bill(fillTime=str(MIDDLE + 1000)), "pays 100.00"),
        ("order and bill further apart", "", bill(fillTime=str(MIDDLE + 1001)), TORN),
        ("a bill by hand, an order of liquidation", "", bill(type="2", subType="5"), TORN),
        # ways of closing that nobody has told us of
        ("category unheard of", BILLS, order(category="delivery"), f"{NO_ORDER} UNKNOWN_CLOSING"),
        ("sub-type unheard of", ORDERS, bill(subType="199"), f"{NO_ORDER} UNKNOWN_CLOSING"),
        ("moved to another account", ORDERS, bill(type="6", subType="324"), f"{NO_ORDER} UNKNOWN_CLOSING"),
        ("margin moved by hand", ORDERS, bill(type="6", subType="161"), NO_ORDER),
        # an order that does not say when: its bill does
        ("order without its time", "", order(fillTime=""), "pays 100.00"),
        ("order and fill, without its time", BILLS, order(fillTime=""), "pays 100.00"),
        ("order alone, without its time", f"{BILLS} {FILLS}", order(fillTime=""), NO_ORDER),
        # a row that may be it
        ("order without its time", BILLS, order(fillTime="soon"), f"{NO_ORDER} READABLE_ROWS"),
        ("bill without its size", ORDERS, bill(sz="many"), f"{NO_ORDER} READABLE_ROWS"),
        ("its bill is told by the order, too", "", bill(px="cheap"), "waits for READABLE_ROWS"),
    ],
)  # fmt: skip
def test_at_least_two_endpoints_say_the_same_of_this_slot(
    words: str, without: str, change: Happens | None, said: str
) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    if change:
        change(tape)
    assert told(decide(case(position, shown(tape, without=without)))) == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "pays 100.00"),
        ({"posSide": ""}, "pays 100.00"),  # rows of 2023 do not say it
        ({"instId": "BTC-USDT-SWAP"}, "waits for HISTORY_ROW"),
        ({"mgnMode": "cross"}, "waits for HISTORY_ROW"),
        ({"posSide": "short"}, "waits for HISTORY_ROW"),
        ({"direction": "short"}, "waits for HISTORY_ROW"),
        ({"posId": "6"}, "waits for HISTORY_ROW"),
        ({"cTime": str(OPENED_MS + 1)}, "waits for HISTORY_ROW"),
        ({"cTime": str(OPENED_MS - 1)}, "waits for HISTORY_ROW"),
        # only the latest way of closing is shown; the penalty stays
        ({"type": "2", "triggerPx": ""}, "pays 100.00"),
        ({"type": "2", "triggerPx": "", "liqPenalty": "0"}, TORN),
        ({"type": "3", "liqPenalty": "0"}, "pays 100.00"),
        ({"type": "4"}, "pays 100.00"),  # all of it was, as its orders and bills say
        ({"type": "9"}, "waits for HISTORY_ROW UNKNOWN_CLOSING"),
        ({"direction": "up"}, "waits for HISTORY_ROW READABLE_ROWS"),
        # what it has added up itself
        ({"closeTotalPos": "9"}, TORN),
        ({"fee": "-3.85"}, NOT_ALL),
        ({"pnl": "-299"}, NOT_ALL),
        ({"uTime": str(MIDDLE - 1)}, NO_ORDER),
    ],
)
def test_the_history_row_is_of_this_episode(changed: Row, said: str) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    evidence = [*shown(tape, without=HISTORY), answer(HISTORY, [tape.history() | changed])]
    assert told(decide(case(position, evidence))) == said


@pytest.mark.parametrize(
    ("uid", "status", "code", "said"),
    [
        ("7001", 200, "0", "pays 100.00"),
        ("7002", 200, "0", "waits for HISTORY_ROW"),
        ("7001", 503, "0", "waits for HISTORY_ROW"),
        ("7001", 200, "50011", "waits for HISTORY_ROW"),
    ],
)
def test_an_answer_counts_when_it_is_one_and_of_this_account(
    uid: str, status: int, code: str, said: str
) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    row = answer(HISTORY, [tape.history()], uid=uid, status=status, code=code)
    assert told(decide(case(position, [*shown(tape, without=HISTORY), row]))) == said
