"""The rules of claims, each with rows on both sides of its boundary. What happens stands on a tape, which
shows it as the exchange does; a row of a table changes one thing."""

import pytest

from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, Happens, after, insured, shown, told
from tests.claims.tape import END_MS, START_MS, Tape, case


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
        ("3001.6", "10", "-0.0992", 100_000_000, "NO_LOSS"),
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


def in_two_parts(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    tape.liquidate(MIDDLE + 60_000, 2650, penalty="-6.36")


def partly_then_by_hand(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    tape.close(MIDDLE + 60_000, 2750)


def partly_then_adl(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    tape.deleverage(MIDDLE + 60_000, 2690)


def a_part_before_the_start(tape: Tape) -> None:
    tape.liquidate(START_MS - 1, 2700, 4, penalty="-4.32")
    tape.liquidate(MIDDLE, 2650, penalty="-6.36")


def a_part_after_the_end(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2700, 4, penalty="-4.32")
    tape.liquidate(END_MS, 2650, penalty="-6.36")


def closed_in_time(tape: Tape) -> None:
    tape.close(MIDDLE - 1000, 2710)


def opened_again_and_liquidated(tape: Tape) -> None:
    tape.close(MIDDLE, 2900)
    tape.open(MIDDLE + 1, 10, 2900)
    tape.liquidate(MIDDLE + 60_000, 2650)


def liquidated_and_opened_again(tape: Tape) -> None:
    tape.liquidate(MIDDLE)
    tape.open(MIDDLE + 1, 50, 2700)
    tape.close(MIDDLE + 2, 2800)


def half_closed_by_hand(tape: Tape) -> None:
    tape.close(MIDDLE - 1000, 2800, 5)
    tape.liquidate(MIDDLE)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda tape: tape.liquidate(MIDDLE, fills=4), "pays 100.00"),
        (in_two_parts, "pays 100.00"),
        (partly_then_by_hand, "pays 40.00"),
        (partly_then_adl, "pays 40.00"),
        (a_part_before_the_start, "pays 60.00"),
        (a_part_after_the_end, "pays 40.00"),
        (half_closed_by_hand, "pays 50.00"),
        (liquidated_and_opened_again, "pays 100.00"),
        (closed_in_time, "CLOSED_BY_OWNER"),
        (opened_again_and_liquidated, "CLOSED_BY_OWNER"),
        (lambda tape: tape.deleverage(MIDDLE, 2690), "AUTO_DELEVERAGED"),
        (lambda tape: tape.liquidate(END_MS + 5), "AFTER_END"),
        (lambda tape: tape.liquidate(MIDDLE, 2750), "SHORT_OF_PRICE"),
        (lambda tape: tape.close(MIDDLE, 2690, how="3", penalty=0), "pays 100.00"),
    ],
)
@pytest.mark.parametrize("net", [False, True], ids=["hedge", "net"])
def test_what_happened_in_either_mode(happens: Happens, said: str, net: bool) -> None:
    tape, position = insured(net=net)
    happens(tape)
    verdict = decide(case(position, shown(tape)))
    assert told(verdict) == said
    assert verdict.episode_over
