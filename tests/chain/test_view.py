"""Stored rows and a view → changes: the cases one by one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from liqpass.chain.checkout import LogPlace, PremiumPaid, UsdcTransfer
from liqpass.chain.view import (
    Changes,
    Cursor,
    Head,
    Heads,
    Log,
    Stage,
    StoredLog,
    View,
    Witness,
    compare,
    known_by_all,
    moved,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PAYER = b"\x01" * 20


def block_hash(number: int, fork: int = 0) -> bytes:
    return fork.to_bytes(16, "big") + number.to_bytes(16, "big")


def head(number: int, fork: int = 0) -> Head:
    return Head(number=number, hash=block_hash(number, fork), time=START + timedelta(seconds=2 * number))


def paid(tx: int, block: int, fork: int = 0, *, amount: int = 5, log_index: int = 0) -> PremiumPaid:
    place = LogPlace(
        block_number=block,
        block_hash=block_hash(block, fork),
        tx_hash=tx.to_bytes(32, "big"),
        log_index=log_index,
    )
    return PremiumPaid(place=place, purchase_order_id=tx.to_bytes(32, "big"), payer=PAYER, amount=amount)


def moved_in(tx: int, block: int, fork: int = 0) -> UsdcTransfer:
    place = paid(tx, block, fork).place
    return UsdcTransfer(place=place, sender=PAYER, recipient=b"\x02" * 20, amount=5)


def cursor_at(finalized: int, safe: int) -> Cursor:
    return Cursor(
        finalized_number=finalized,
        finalized_hash=block_hash(finalized),
        safe_number=safe,
        safe_time=head(safe).time,
        latest_number=safe,
        latest_time=head(safe).time,
        read_at=START,
        doubtful_views=0,
        doubt=None,
        halted=None,
    )


CURSOR = cursor_at(finalized=10, safe=15)


def view(
    *logs: Log,
    finalized: int = 10,
    safe: int = 15,
    latest: int = 20,
    upto: int | None = None,
    blocks: Iterable[Head] = (),
    unknown: Iterable[int] = (),
    spoken: Sequence[int] = (),
    transfers_upto: int | None = None,
) -> View:
    """A view of fork 0 with these logs; `blocks` are headers that differ from it."""
    known: dict[int, Head | None] = {number: head(number) for number in range(latest + 1)}
    known |= {block.number: block for block in blocks} | dict.fromkeys(unknown)
    return View(
        heads=Heads(finalized=head(finalized), safe=head(safe), latest=head(latest)),
        upto=latest if upto is None else upto,
        transfers_upto=latest if transfers_upto is None else transfers_upto,
        logs=logs,
        blocks=known,
        spoken=spoken,
    )


SEEN, SAFE, FINAL, DROPPED = Stage.SEEN, Stage.SAFE, Stage.FINAL, Stage.DROPPED
AT_17, AT_14, AT_12 = paid(1, 17), paid(1, 14), paid(1, 12)


def shows(*logs: Log, transfers_upto: int = 15) -> Witness:
    """Another endpoint that shows these."""
    return Witness(frozenset(logs), transfers_upto)


@pytest.mark.parametrize(
    ("log", "finalized", "witnesses", "stage"),
    [
        pytest.param(AT_17, 10, [], SEEN, id="above safe it is only seen"),
        pytest.param(AT_14, 10, [], SAFE, id="below safe it is safe"),
        pytest.param(AT_12, 12, [], FINAL, id="at finalized it is final"),
        pytest.param(AT_14, 10, [shows(AT_14)], SAFE, id="a second endpoint shows it: safe"),
        pytest.param(AT_14, 10, [shows()], SEEN, id="one that does not show it keeps it back"),
        pytest.param(AT_14, 10, [None], SEEN, id="one that cannot say keeps it back"),
        pytest.param(AT_14, 10, [shows(AT_14), None], SEEN, id="one of two is not enough"),
        pytest.param(AT_12, 12, [None], SEEN, id="nothing is final that was not safe"),
        pytest.param(
            AT_14, 10, [shows(paid(1, 14, amount=6))], None, id="another amount is another log: doubt"
        ),
        pytest.param(AT_14, 10, [shows(paid(1, 14, fork=1))], None, id="another block hash too"),
    ],
)
def test_a_new_log_is_added_at_its_stage(
    log: Log, finalized: int, witnesses: list[Witness | None], stage: Stage | None
) -> None:
    changes = compare(CURSOR, [], view(log, finalized=finalized), witnesses)
    assert list(changes.add) == ([] if stage is None else [(log, stage)])
    assert (changes.doubt is None) == (stage is not None)


@pytest.mark.parametrize(
    ("row", "shown", "finalized", "stage"),
    [
        (StoredLog(AT_14, SEEN), AT_14, 10, SAFE),
        (StoredLog(AT_12, SAFE), AT_12, 13, FINAL),
        (StoredLog(AT_12, SEEN), AT_12, 13, FINAL),
        (StoredLog(AT_14, SAFE), paid(1, 17), 10, SEEN),
        (StoredLog(AT_17, SEEN), paid(1, 14), 10, SAFE),
        (StoredLog(AT_14, DROPPED), paid(1, 17), 10, SEEN),
        (StoredLog(AT_14, DROPPED), AT_14, 10, SAFE),
    ],
)
def test_a_known_log_advances_or_moves_to_its_new_block(
    row: StoredLog, shown: Log, finalized: int, stage: Stage
) -> None:
    changes = compare(CURSOR, [row], view(shown, finalized=finalized), [])
    assert list(changes.advance) == [(shown, stage)]
    assert not changes.add
    assert not changes.drop


def test_a_log_that_stands_where_it_stood_changes_nothing() -> None:
    stored = [StoredLog(AT_17, SEEN), StoredLog(paid(2, 12), SAFE)]
    changes = compare(CURSOR, stored, view(AT_17, paid(2, 12)), [])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=True)


def test_a_safe_log_stays_safe_while_the_other_endpoint_is_away_and_the_cursor_waits() -> None:
    changes = compare(CURSOR, [StoredLog(AT_12, SAFE)], view(AT_12, finalized=13), [None])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=False)
    assert moved(CURSOR, view(AT_12, finalized=13), changes, START).finalized_number == 10


@pytest.mark.parametrize("stage", [SEEN, SAFE])
def test_a_log_that_is_not_shown_is_dropped_when_its_block_is_another_one(stage: Stage) -> None:
    changes = compare(CURSOR, [StoredLog(AT_17, stage)], view(blocks=[head(17, fork=1)]), [])
    assert list(changes.drop) == [AT_17]
    assert changes.agreed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(view(), id="an empty list, and its block is still there"),
        pytest.param(view(unknown=[17]), id="a node that does not know its block"),
        pytest.param(view(latest=16, unknown=[17]), id="a node whose head is below its block"),
        pytest.param(view(paid(1, 17, amount=6)), id="the same log, saying something else"),
        pytest.param(view(AT_17, finalized=9), id="a finalized head that went back"),
        pytest.param(view(AT_17, finalized=9, blocks=[head(10, fork=1)]), id="the same, on a fork that died"),
        pytest.param(view(AT_17, unknown=[10]), id="a node that does not know the cursor's block"),
        pytest.param(view(safe=12, latest=14), id="a head below what was safe"),
        pytest.param(view(AT_17, spoken=[16]), id="a bloom filter that speaks of another payment"),
    ],
)
def test_a_doubtful_view_changes_nothing(answer: View) -> None:
    changes = compare(CURSOR, [StoredLog(AT_17, SEEN)], answer, [])
    assert changes.doubt
    assert changes == Changes(doubt=changes.doubt)


def test_a_log_that_only_another_endpoint_shows_raises_doubt() -> None:
    changes = compare(CURSOR, [], view(), [shows(AT_14)])
    assert changes.doubt == f"Another endpoint shows Log 0 of transaction 0x{1:064x}, and this one does not."


def test_a_bloom_filter_that_speaks_of_a_payment_that_is_shown_raises_none() -> None:
    assert not compare(CURSOR, [], view(AT_14, spoken=[14]), []).doubt


def test_while_catching_up_what_lies_above_the_part_read_is_left_alone() -> None:
    part = view(finalized=13, safe=13, upto=13, latest=40)
    cursor = cursor_at(finalized=10, safe=20)
    changes = compare(cursor, [StoredLog(AT_17, SEEN)], part, [])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=True)
    after = moved(cursor, part, changes, START)
    assert (after.finalized_number, after.safe_number, after.latest_number) == (13, 20, 40)


@pytest.mark.parametrize(
    ("stored", "answer"),
    [
        pytest.param([], view(blocks=[head(10, fork=1)]), id="the cursor's block is another one"),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)], view(blocks=[head(4, fork=1)]), id="a final log's block is"
        ),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)],
            view(latest=9, finalized=5, safe=7, unknown=[10], blocks=[head(4, fork=1)]),
            id="a new chain that is shorter than the old one was",
        ),
        pytest.param([StoredLog(paid(1, 4), FINAL)], view(AT_14), id="a final log is shown elsewhere"),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)],
            view(paid(1, 14, log_index=3)),
            id="a final transaction is shown elsewhere",
        ),
    ],
)
def test_a_contradiction_of_what_was_final_changes_nothing_but_is_told(
    stored: list[StoredLog], answer: View
) -> None:
    changes = compare(CURSOR, stored, answer, [])
    assert changes.contradiction
    assert changes == Changes(contradiction=changes.contradiction)


def test_the_cursor_never_goes_back_and_its_reading_time_never_stands_still() -> None:
    seen = view(safe=14, latest=16)
    after = moved(CURSOR, seen, compare(CURSOR, [], seen, []), START - timedelta(hours=1))
    assert (after.safe_number, after.safe_time, after.latest_number) == (15, head(15).time, 16)
    assert after.read_at > CURSOR.read_at


def test_a_payment_whose_place_another_kind_of_log_takes_in_another_block_is_dropped() -> None:
    """Logs are numbered through their block: behind one more of somebody else, the transfer of a premium
    stands where its payment stood."""
    stored = [StoredLog(moved_in(1, 14), SAFE), StoredLog(paid(1, 14, log_index=1), SAFE)]
    place = paid(1, 19, log_index=1).place
    transfer = replace(moved_in(1, 19), place=place)
    payment = paid(1, 19, log_index=2)
    changes = compare(CURSOR, stored, view(transfer, payment, blocks=[head(14, fork=1)]), [])
    assert changes.add == [(transfer, SEEN), (payment, SEEN)]
    assert changes.drop == [row.log for row in stored]


def test_transfers_and_payments_of_one_transaction_are_kept_apart() -> None:
    into = replace(moved_in(1, 14), place=replace(AT_14.place, log_index=1))
    assert list(compare(CURSOR, [], view(AT_14, into), []).add) == [(AT_14, SAFE), (into, SAFE)]


INTO_12, INTO_14 = moved_in(2, 12), moved_in(3, 14)


@pytest.mark.parametrize(
    ("answer", "witnesses", "known"),
    [
        pytest.param(view(INTO_12), [], 20, id="all is read"),
        pytest.param(view(transfers_upto=13), [], 13, id="the source does not read on"),
        pytest.param(view(INTO_12), [shows(INTO_12, transfers_upto=13)], 13, id="a witness does not"),
        pytest.param(view(INTO_12), [shows(INTO_12)], 15, id="a witness is asked up to the safe head"),
        pytest.param(view(INTO_12, INTO_14), [shows(INTO_12)], 13, id="a witness does not show one"),
        pytest.param(view(moved_in(4, 17)), [shows()], 15, id="above the safe head nobody asked it"),
        pytest.param(view(INTO_12, INTO_14), [None], 20, id="one that is away does not count"),
        pytest.param(view(AT_14), [shows()], 15, id="payments do not count"),
        pytest.param(view(latest=8), [], 10, id="never below the cursor"),
    ],
)
def test_what_becomes_final_does_not_pass_a_transfer_that_not_all_know(
    answer: View, witnesses: list[Witness | None], known: int
) -> None:
    assert known_by_all(CURSOR, answer, witnesses) == known


def test_transfers_where_they_are_not_read_raise_no_doubt_and_stay_unless_their_block_is_gone() -> None:
    stored = [StoredLog(INTO_12, SAFE), StoredLog(INTO_14, SAFE), StoredLog(AT_14, SAFE)]
    part = view(AT_14, transfers_upto=11)
    assert compare(CURSOR, stored, part, [shows(AT_14, INTO_12)]) == Changes(
        add=[], advance=[], drop=[], agreed=True
    )
    fork = view(transfers_upto=11, blocks=[head(14, fork=1)])
    assert list(compare(CURSOR, stored, fork, []).drop) == [INTO_14, AT_14]
    assert compare(CURSOR, stored, view(AT_14, transfers_upto=12), []).doubt, "block 12 is read"


def test_a_transfer_that_a_witness_does_not_show_keeps_no_payment_back() -> None:
    changes = compare(CURSOR, [], view(AT_14, INTO_12), [shows(AT_14)])
    assert list(changes.add) == [(AT_14, SAFE), (INTO_12, SEEN)]
    assert changes.agreed
