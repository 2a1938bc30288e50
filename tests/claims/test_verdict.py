"""The rules of CLAIMS.md, each with rows on both sides of its boundary. What happens stands on a tape
(tape.py), which shows it as the exchange does; a row of a table changes one thing."""

from collections.abc import Callable
from typing import Any

import pytest

from liqpass.claims.case import Outcome, Verdict
from liqpass.claims.verdict import decide
from liqpass.money import usd
from tests.claims.tape import (
    BILLS,
    END_MS,
    FILLS,
    HISTORY,
    INSTRUMENTS,
    OPENED_MS,
    ORDERS,
    POSITIONS,
    START_MS,
    Row,
    Tape,
    answer,
    case,
    instrument,
)

MIDDLE = START_MS + 3_600_000
AFTER = END_MS + 30_000
Happens = Callable[[Tape], Any]


def insured(side: str = "long", *, net: bool = False, liq_px: str | None = None) -> tuple[Tape, Row]:
    """Ten contracts of a tenth of a coin at 3000, liquidated at 2700 (a short: 3300): q is one coin."""
    tape = Tape(net=net, liq_px=liq_px or ("2700" if side == "long" else "3300"))
    tape.open(OPENED_MS, 10, 3000, side)
    return tape, tape.position()


def shown(tape: Tape, *, without: str = "", at_ms: int = END_MS) -> list[Any]:
    """All that the exchange has of the slot, but for what these endpoints would say."""
    rows: dict[str, list[Row]] = {
        HISTORY: tape.histories(),
        ORDERS: tape.orders,
        BILLS: tape.bills,
        FILLS: tape.fills,
        POSITIONS: [tape.position()] if tape.now.pos else [],
        INSTRUMENTS: [instrument()],
    }
    return [answer(path, found, at_ms=at_ms) for path, found in rows.items() if path not in without.split()]


def told(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if verdict.outcome is Outcome.PAYABLE and verdict.amount is not None:
        return f"pays {usd(verdict.amount)}"
    if verdict.reason is not None:
        return verdict.reason.value
    return "waits for " + " ".join(verdict.missing)


def after(happens: Happens, side: str = "long", **cover: Any) -> Verdict:
    """The verdict when this happened to the insured position, and all of it is shown."""
    tape, position = insured(side)
    happens(tape)
    return decide(case(position, shown(tape), **cover))


@pytest.mark.parametrize(
    ("start_us", "end_us", "at_ms", "said"),
    [
        (START_MS * 1000 + 1, END_MS * 1000, START_MS, "BEFORE_START"),
        (START_MS * 1000, END_MS * 1000, START_MS - 1, "BEFORE_START"),
        (START_MS * 1000, END_MS * 1000, START_MS, "pays 100.00"),
        (START_MS * 1000, END_MS * 1000, END_MS - 1, "pays 100.00"),
        (START_MS * 1000, END_MS * 1000, END_MS, "AFTER_END"),
        (START_MS * 1000, END_MS * 1000 + 1, END_MS, "pays 100.00"),
    ],
)
def test_it_is_liquidated_inside_the_cover(start_us: int, end_us: int, at_ms: int, said: str) -> None:
    verdict = after(lambda tape: tape.liquidate(at_ms), start_us=start_us, end_us=end_us)
    assert told(verdict) == said
    assert verdict.episode_over


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("", "pays 100.00"),
        (ORDERS, "pays 100.00"),
        (BILLS, "pays 100.00"),
        (HISTORY, "waits for HISTORY_ROW"),
    ],
)
def test_an_order_whose_bills_are_not_shown_yet_is_read_all_the_same(without: str, said: str) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE)
    assert told(decide(case(position, shown(tape, without=without)))) == said


@pytest.mark.parametrize(
    ("side", "funding", "trigger", "said"),
    [
        # 15 basis points of 2700 are 4.05, of 3300 4.95
        ("long", "0", "2704.05", "pays 100.00"),
        ("long", "0", "2704.06", "SHORT_OF_PRICE"),
        ("long", "0", "2100", "pays 100.00"),
        ("long", "-12", "2716.05", "pays 100.00"),
        ("long", "-12", "2716.06", "SHORT_OF_PRICE"),
        ("long", "12", "2692.05", "pays 100.00"),
        ("long", "12", "2692.06", "SHORT_OF_PRICE"),
        ("short", "0", "3295.05", "pays 100.00"),
        ("short", "0", "3295.04", "SHORT_OF_PRICE"),
        ("short", "0", "4000", "pays 100.00"),
        ("short", "-12", "3283.05", "pays 100.00"),
        ("short", "-12", "3283.04", "SHORT_OF_PRICE"),
        ("short", "12", "3307.05", "pays 100.00"),
        ("short", "12", "3307.04", "SHORT_OF_PRICE"),
    ],
)
def test_it_is_liquidated_at_the_price_that_was_insured_moved_by_funding(
    side: str, funding: str, trigger: str, said: str
) -> None:
    def happens(tape: Tape) -> None:
        tape.fund(MIDDLE - 1, funding)
        tape.liquidate(MIDDLE, 2700 if side == "long" else 3300, trigger=trigger)

    verdict = after(happens, side)
    assert told(verdict) == said
    assert [part.trigger_px for part in verdict.parts] == [trigger]


@pytest.mark.parametrize(
    ("pnl_px", "contracts", "penalty", "payout", "said"),
    [
        # all of it: lost are 300 at 2700, 1.35 of fees and 10.80 of penalty
        ("2700", "10", "-10.8", 100_000_000, "pays 100.00"),
        ("2700", "10", "-10.8", 312_150_000, "pays 312.15"),
        ("2700", "10", "-10.8", 312_150_001, "pays 312.15"),
        ("2700", "10", "-10.8", 312_149_999, "pays 312.149999"),
        # a part of it: its share of the payout, rounded down to a micro-USDC
        ("2700", "4", "-4.32", 100_000_000, "pays 40.00"),
        ("2700", "9.99", "-10.8", 100_000_000, "pays 99.90"),
        ("2700", "3.33", "-3.6", 10_000_001, "pays 3.33"),
        ("2700", "3.33", "-3.6", 10_000_004, "pays 3.330001"),
        # the loss to its last digit, cut
        ("2999", "10", "-0.0000009", 100_000_000, "pays 2.4995"),
        ("2999", "10", "-0.000001", 100_000_000, "pays 2.499501"),
        # a gain pays for the fee and the penalty
        ("3001.5", "10", "-0.00075", 100_000_000, "pays 0.0015"),
        ("3001.5", "10", "0.00075", 100_000_000, "NO_LOSS"),
    ],
)
def test_it_pays_by_share_and_never_more_than_was_lost(
    pnl_px: str, contracts: str, penalty: str, payout: int, said: str
) -> None:
    def happens(tape: Tape) -> None:
        tape.liquidate(MIDDLE, pnl_px, contracts, trigger=2700, penalty=penalty)
        if tape.now.pos:
            tape.close(MIDDLE + 5, 2750)

    assert told(after(happens, payout=payout)) == said
