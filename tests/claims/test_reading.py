"""From the exchange's bytes to a verdict: pages, repeated and reordered answers, rows that cannot be read,
orders that reach back before pricing, and real rows."""

import json
import random
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import structs

from liqpass.claims.case import Answer, Case
from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, insured, shown, told
from tests.claims.tape import (
    BILLS,
    END_MS,
    FILLS,
    HISTORY,
    OPENED_MS,
    ORDERS,
    POSITIONS,
    PRICED_MS,
    START_MS,
    Row,
    Tape,
    answer,
    case,
)

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "okx_samples"


def liquidated_in_parts() -> tuple[Tape, Row]:
    tape, position = insured()
    tape.open(MIDDLE, 2, 2950)
    tape.liquidate(MIDDLE + 10, 2700, 4, penalty="-4.32", fills=3)
    tape.close(MIDDLE + 20, 2720, 3)
    tape.liquidate(MIDDLE + 30, 2690, penalty="-5.4", fills=2)
    return tape, position


def in_pages(tape: Tape) -> list[Answer]:
    """A row a page, the newest first."""
    paths = {ORDERS: tape.orders, BILLS: tape.bills, FILLS: tape.fills}
    pages = [answer(path, [row]) for path, rows in paths.items() for row in reversed(rows)]
    return [*shown(tape, without=f"{ORDERS} {BILLS} {FILLS}"), *pages]


def test_pages_and_repeated_answers_in_any_order_give_the_same_verdict() -> None:
    tape, position = liquidated_in_parts()
    once = decide(case(position, shown(tape)))
    assert told(once) == "pays 90.00"
    chance = random.Random(1)  # noqa: S311
    for _ in range(20):
        answers = [*in_pages(tape), *shown(tape, at_ms=END_MS + 5), *in_pages(tape)]
        chance.shuffle(answers)
        assert decide(case(position, answers)) == once


def test_archives_are_read_as_what_they_keep() -> None:
    tape, position = liquidated_in_parts()
    archives = {ORDERS: f"{ORDERS}-archive", BILLS: f"{BILLS}-archive", FILLS: f"{FILLS}-history"}
    kept = [structs.replace(one, endpoint=archives.get(one.endpoint, one.endpoint)) for one in shown(tape)]
    assert decide(case(position, kept)) == decide(case(position, shown(tape)))


def test_bytes_that_are_no_text_are_read_all_the_same() -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    row = json.dumps({"code": "0", "msg": "", "data": [tape.history() | {"uly": "?"}]}).encode()
    raw = row.replace(b'"?"', b'"\xff"')
    odd = structs.replace(
        answer(HISTORY, []), body=b64encode(raw).decode(), encoding="base64", sha256=sha256(raw).hexdigest()
    )
    # the row with half a character in it is one that nobody can keep, so it is none; the next answer has it
    assert (
        told(decide(case(position, [*shown(tape, without=HISTORY), odd])))
        == "waits for HISTORY_ROW READABLE_ROWS"
    )
    again = answer(HISTORY, [tape.history()], at_ms=END_MS + 1)
    assert told(decide(case(position, [*shown(tape, without=HISTORY), odd, again]))) == "pays 100.00"


def told_with(*rows: tuple[str, object]) -> str:
    """The verdict of a whole liquidation, with these rows beside what was shown of it."""
    tape, position = insured()
    tape.liquidate(MIDDLE)
    return told(decide(case(position, [*shown(tape), *(answer(path, [row]) for path, row in rows)])))


@pytest.mark.parametrize(
    ("path", "row", "said"),
    [
        (ORDERS, None, "pays 100.00"),  # an answer without a single row is a failed one
        (ORDERS, {"ordId": "1"}, "waits for READABLE_ROWS"),
        (ORDERS, {"ordId": "1", "instId": "BTC-USDT-SWAP"}, "pays 100.00"),
        (ORDERS, {"ordId": "1", "instId": 7}, "waits for READABLE_ROWS"),
        (ORDERS, {"ordId": "1", "tdMode": "cross"}, "pays 100.00"),
        (ORDERS, {"ordId": "1", "posSide": "short"}, "pays 100.00"),
        (ORDERS, {"ordId": "1", "fillTime": str(OPENED_MS)}, "pays 100.00"),
        (ORDERS, {"ordId": "1", "fillTime": str(OPENED_MS + 1)}, "waits for READABLE_ROWS"),
        (ORDERS, {"ordId": "1", "fillTime": str(MIDDLE)}, "waits for READABLE_ROWS"),
        (ORDERS, {"ordId": "1", "fillTime": str(MIDDLE + 60_000)}, "pays 100.00"),
        (BILLS, {"billId": "1"}, "waits for READABLE_ROWS"),
        (BILLS, {"billId": "1", "mgnMode": "cross"}, "pays 100.00"),
        (BILLS, {"billId": "1", "instId": "ETH-USDT-SWAP", "type": "8"}, "pays 100.00"),
        (BILLS, {"billId": "1", "ts": str(OPENED_MS)}, "pays 100.00"),
        (FILLS, {"billId": "1"}, "pays 100.00"),
        (HISTORY, {"posId": "6"}, "pays 100.00"),
        (HISTORY, {"cTime": "1"}, "pays 100.00"),
        (HISTORY, {"mgnMode": "isolated"}, "waits for READABLE_ROWS"),
        (POSITIONS, {"instId": "ETH-USDT-SWAP"}, "pays 100.00"),
    ],
)
def test_a_row_that_cannot_be_read_matters_when_it_may_be_of_the_episode(
    path: str, row: object, said: str
) -> None:
    assert told_with((path, row)) == said


def test_a_row_that_was_read_elsewhere_is_not_missed() -> None:
    tape, position = insured()
    order = tape.liquidate(MIDDLE)
    broken = [answer(ORDERS, [order | {"accFillSz": []}]), answer(BILLS, [tape.bills[-1] | {"sz": {}}])]
    assert told(decide(case(position, [*broken, *shown(tape)]))) == "pays 100.00"


def test_a_priced_position_that_cannot_be_read_decides_nothing() -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    for broken in ({"liqPx": ""}, {"pos": "0"}, {"pos": "many"}, {"avgPx": ""}, {"fee": "?"}):
        assert told(decide(case(position | broken, shown(tape)))) == "waits for READABLE_ROWS"


def resting(shown_of_it: str) -> Case:
    """An order to close seven, made before pricing: two were filled before it, five after."""
    tape, _ = insured()
    tape.close(PRICED_MS - 5, 3100, 2)
    position = tape.position()
    tape.close(MIDDLE, 3100, 5)
    tape.liquidate(MIDDLE + 60_000, 2700)
    first, second = tape.orders[1], tape.orders.pop(2)
    first |= {"accFillSz": "7", "fillTime": second["fillTime"]}
    first["pnl"] = str(int(first["pnl"]) + int(second["pnl"]))
    first["fee"] = str(float(first["fee"]) + float(second["fee"]))
    tape.bills[2]["ordId"] = tape.fills[2]["ordId"] = first["ordId"]
    return case(position, shown(tape, without=shown_of_it))


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("", "pays 37.50"),
        (FILLS, "pays 37.50"),
        (BILLS, "pays 37.50"),
        (ORDERS, "pays 37.50"),
        (f"{BILLS} {FILLS}", "waits for ALL_FILLS"),
    ],
)
def test_of_an_order_that_reaches_back_before_pricing_only_what_came_after_counts(
    without: str, said: str
) -> None:
    assert told(decide(resting(without))) == said


def test_two_positions_of_one_instrument_are_not_mixed() -> None:
    """Long and short, isolated and cross, all liquidated in the same minute."""
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 5, penalty="-5.4")
    tape.close(MIDDLE + 5, 2750)
    others = [
        Tape(last_id=4 * 10**18),
        Tape(mgn_mode="cross", last_id=5 * 10**18),
        Tape(net=True, last_id=6 * 10**18),
    ]
    for other, side in zip(others, ("short", "long", "long"), strict=True):
        other.open(OPENED_MS, 20, 3000, side)
        other.liquidate(MIDDLE + 1, 2700 if side == "long" else 3300)
    evidence = [one for each in (tape, *others[:2]) for one in shown(each)]
    assert told(decide(case(position, evidence))) == "pays 50.00"


def test_the_real_row_of_a_liquidated_position_is_read() -> None:
    """Its order and bill are not among the real rows: without them it waits for these, for nothing else."""
    path = SAMPLES / "positions_history_type3_liquidation_cross.json"
    if not path.exists():
        pytest.skip("the samples of OKX's rows are not beside this tree")
    real = answer(HISTORY, [])
    body = path.read_text()
    real = structs.replace(real, body=body, sha256=sha256(body.encode()).hexdigest())
    row = json.loads(body)["data"][0]
    position = Tape("ETH-USDT-SWAP", "cross", net=True, liq_px="2277.6")
    position.open(int(row["cTime"]), 3849, "2335.3571628994544037")
    insured_row = position.position() | {"posId": row["posId"], "fee": "-44.9"}
    verdict = decide(case(insured_row, [real], start_us=START_MS * 1000))
    assert told(verdict) == "waits for ORDERS_OR_BILLS"
    assert verdict.penalty == "-350.6577564"
    order = position.close(int(row["uTime"]), "2277.59", how="3")
    order |= {"pnl": row["pnl"], "fee": str(float(row["fee"]) + 44.9)}
    begun = int(row["cTime"]) * 1000
    paid = decide(case(insured_row, [real, answer(ORDERS, [order])], start_us=begun, end_us=begun * 2))
    assert (told(paid), paid.trigger_px, paid.episode_over) == ("pays 100.00", "2277.59", True)
