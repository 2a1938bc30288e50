"""What was changed after pricing cannot make a claim better; and what funding did to the price."""

import pytest

from liqpass.claims.verdict import decide
from tests.claims.insured import MIDDLE, Happens, after, insured, shown, told
from tests.claims.tape import END_MS, INSTRUMENTS, PRICED_MS, START_MS, Tape, answer, case, instrument, seen


def leverage_raised(tape: Tape) -> None:
    """So that it is liquidated nearer: at 2850."""
    tape.liquidate(MIDDLE, 2850, penalty="-11.4")


def margin_withdrawn(tape: Tape) -> None:
    tape.liquidate(MIDDLE, "2704.06", penalty="-10.8")


def margin_added(tape: Tape) -> None:
    tape.liquidate(MIDDLE, 2400, penalty="-9.6")


def size_added(tape: Tape) -> None:
    """Thirty more at 2900: liquidated at 2850 already."""
    tape.open(MIDDLE, 30, 2900)
    tape.liquidate(MIDDLE + 1, 2850, penalty="-45.6")


def size_added_far_away(tape: Tape) -> None:
    """Thirty more at 4000, and all of it is liquidated where it was priced."""
    tape.open(MIDDLE, 30, 4000)
    tape.liquidate(MIDDLE + 1, 2700, penalty="-43.2")


def size_added_and_a_part_liquidated(tape: Tape) -> None:
    tape.open(MIDDLE, 10, 4000)
    tape.liquidate(MIDDLE + 1, 2700, 5, penalty="-5.4")
    tape.close(MIDDLE + 2, 2800)


def slot_switched(tape: Tape) -> None:
    tape.close(MIDDLE, 2900)
    tape.open(MIDDLE + 5, 10, 2900)
    tape.liquidate(MIDDLE + 10, 2700)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (leverage_raised, "SHORT_OF_PRICE"),
        (margin_withdrawn, "SHORT_OF_PRICE"),
        (margin_added, "pays 500.00"),
        (size_added, "SHORT_OF_PRICE"),
        # untouched, 300 + 1.35 + 10.80 would have been lost: no more is paid, however much more was lost
        (size_added_far_away, "pays 312.15"),
        (size_added_and_a_part_liquidated, "pays 156.075"),
        (slot_switched, "CLOSED_BY_OWNER"),
    ],
)
def test_what_its_owner_changed_wins_nothing(happens: Happens, said: str) -> None:
    assert told(after(happens, payout=500_000_000)) == said


def paid_for_forty(tape: Tape) -> None:
    """48 are paid for 40 contracts, of which 10 were priced: 12, which move the bound by 12."""
    tape.open(PRICED_MS, 30, 3000)
    tape.fund(MIDDLE - 1, -48)


def paid_for_two(tape: Tape) -> None:
    """2.40 are paid for 2 contracts: that is 12 for 10."""
    tape.close(PRICED_MS, 3000, 8)
    tape.fund(MIDDLE - 1, "-2.4")


def paid_for_ten_or_forty(tape: Tape) -> None:
    """Size is added between two readings, and 48 are paid: for 10 contracts or for 40."""
    tape.fund(PRICED_MS, -48)
    tape.open(MIDDLE - 1, 30, 3000)


@pytest.mark.parametrize(
    ("happens", "trigger", "said"),
    [
        (paid_for_forty, "2716.05", "pays"),
        (paid_for_forty, "2716.06", "SHORT_OF_PRICE"),
        (paid_for_two, "2716.05", "pays"),
        (paid_for_two, "2716.06", "SHORT_OF_PRICE"),
        (paid_for_ten_or_forty, "2716.05", "pays"),
        (paid_for_ten_or_forty, "2716.06", "waits for FUNDING"),
        (paid_for_ten_or_forty, "2752.05", "waits for FUNDING"),
        (paid_for_ten_or_forty, "2752.06", "SHORT_OF_PRICE"),
    ],
)
def test_funding_counts_as_the_priced_contracts_would_have_paid_it(
    happens: Happens, trigger: str, said: str
) -> None:
    tape, position = insured()
    before = seen(position, PRICED_MS - 10)
    happens(tape)
    watched = [before]
    if happens is not paid_for_ten_or_forty:
        opened_or_closed = tape.position() | {"fundingFee": "0", "uTime": str(PRICED_MS)}
        watched.append(seen(opened_or_closed, PRICED_MS + 10))
    tape.liquidate(MIDDLE, 2700, trigger=trigger)
    assert told(decide(case(position, shown(tape), watched))).startswith(said)


@pytest.mark.parametrize(
    ("funding", "trigger", "said"),
    [
        # a payment seen after the first part may have come before it, or not
        ("-12", "2704.05", "pays 100.00"),
        ("-12", "2704.06", "waits for FUNDING"),
        ("-12", "2716.05", "waits for FUNDING"),
        ("-12", "2716.06", "pays 60.00"),
        ("12", "2692.05", "pays 100.00"),
        ("12", "2692.06", "waits for FUNDING"),
        ("12", "2704.06", "pays 60.00"),
        ("0", "2704.05", "pays 100.00"),
    ],
)
def test_a_payment_that_may_lie_on_either_side_of_a_part_is_not_guessed(
    funding: str, trigger: str, said: str
) -> None:
    tape, position = insured()
    tape.liquidate(MIDDLE, 2700, 4, trigger=trigger, penalty="-4.32")
    tape.fund(MIDDLE + 10, funding)
    tape.liquidate(MIDDLE + 20, 2600, penalty="-6.36")
    assert told(decide(case(position, shown(tape)))) == said


@pytest.mark.parametrize(
    ("funding", "trigger", "said"),
    [
        ("-12", "2704.05", "pays 100.00"),
        ("-12", "2704.06", "waits for CONTRACT_VALUE"),
        ("12", "2704.05", "waits for CONTRACT_VALUE"),
        ("12", "2704.06", "SHORT_OF_PRICE"),
    ],
)
def test_what_a_contract_is_worth_is_asked_for_only_where_it_decides(
    funding: str, trigger: str, said: str
) -> None:
    tape, position = insured()
    tape.fund(MIDDLE - 1, funding)
    tape.liquidate(MIDDLE, 2700, trigger=trigger)
    assert told(decide(case(position, shown(tape, without=INSTRUMENTS)))) == said


def test_without_what_a_contract_is_worth_added_size_cannot_be_left_out_of_the_loss() -> None:
    tape, position = insured()
    size_added_far_away(tape)
    assert told(decide(case(position, shown(tape, without=INSTRUMENTS)))) == "waits for CONTRACT_VALUE"


@pytest.mark.parametrize(
    "changed", [{"ctType": "inverse"}, {"settleCcy": "BTC"}, {"instId": "X"}, {"ctVal": ""}]
)
def test_only_a_linear_contract_of_this_instrument_says_what_it_is_worth(changed: dict[str, str]) -> None:
    tape, position = insured()
    size_added_far_away(tape)
    evidence = [*shown(tape, without=INSTRUMENTS), answer(INSTRUMENTS, [instrument() | changed])]
    assert told(decide(case(position, evidence))) == "waits for CONTRACT_VALUE"


def test_a_part_that_was_liquidated_before_pricing_is_none_of_the_cover() -> None:
    tape, _ = insured()
    tape.liquidate(PRICED_MS - 10, 2900, 4, penalty="-4.32")
    position = tape.position()
    assert told(decide(case(position, shown(tape, at_ms=END_MS)))) == "waits for EPISODE_RUNS"
    assert told(decide(case(position, shown(tape, at_ms=END_MS + 30_000)))) == "NOT_LIQUIDATED"
    tape.liquidate(MIDDLE, 2700, 3, penalty="-3.24")
    half = decide(case(position, shown(tape)))
    assert (told(half), half.share, half.penalty) == ("pays 50.00", "0.5", "-7.56")
    assert half.loss == "93.645"  # 3 contracts: 90 of the price, 0.405 of the fee, 3.24 of the penalty


Part = tuple[int, int, str]


@pytest.mark.parametrize(
    ("first", "second", "said", "unread"),
    [
        # (when, at what price, with what penalty): four contracts, then six
        ((MIDDLE, 2700, "-4.32"), (END_MS + 5, 2600, "-60"), "124.86", "146.268"),
        ((MIDDLE, 2700, "-4.32"), (END_MS + 5, 2600, "-6"), "124.86", "124.668"),
        ((START_MS - 1000, 2700, "-60"), (MIDDLE, 2600, "-6"), "246.78", "280.38"),
        ((MIDDLE, 2850, "-60"), (MIDDLE + 10, 2600, "-6"), "246.78", "280.38"),
        ((MIDDLE, 2700, "-4.32"), (MIDDLE + 10, 2600, "-6"), "371.64", "371.64"),
    ],
)
def test_what_was_taken_for_a_part_that_does_not_count_raises_no_claim(
    first: Part, second: Part, said: str, unread: str
) -> None:
    """After the end, before the start, or short of the price since its owner raised the leverage."""
    tape, position = insured()
    at_ms, px, penalty = first
    tape.liquidate(at_ms, px, 4, penalty=penalty)
    between = seen(tape.position(), at_ms + 1, "pos", "liqPenalty")
    at_ms, px, penalty = second
    tape.liquidate(at_ms, px, penalty=penalty)
    assert told(decide(case(position, shown(tape), [between], payout=500_000_000))) == f"pays {said}"
    # where nobody looked in between, it is shared out by contracts
    assert told(decide(case(position, shown(tape), payout=500_000_000))) == f"pays {unread}"
