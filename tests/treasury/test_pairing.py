"""What each transfer of a transaction is, as a table of cases."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.chain.view import Stage
from liqpass.ledger.book import Entry, Kind, log_ref
from liqpass.treasury.pairing import (
    Due,
    Made,
    Premium,
    Purpose,
    Transfer,
    assign,
    entries,
    explained,
    undone,
    waiting,
)

TX, BLOCK, OTHER_BLOCK = b"\x0a" * 32, b"\xbb" * 32, b"\xbc" * 32
ADA, BOB = b"\xad" * 20, b"\xb0" * 20
FIRST, SECOND = UUID(int=1), UUID(int=2)


def came(log_index: int, amount: int = 5, **other: object) -> Transfer:
    made = Transfer(TX, log_index, 10, BLOCK, ADA, None, amount, Stage.SAFE)
    return msgspec.structs.replace(made, **other)


def left(log_index: int, amount: int = 5, to: bytes = BOB, **other: object) -> Transfer:
    return came(log_index, amount, **{"sender": b"\x77" * 20, "recipient": to, **other})


def premium(log_index: int, amount: int = 5, payer: bytes = ADA, **other: object) -> Premium:
    return msgspec.structs.replace(Premium(TX, log_index, BLOCK, payer, amount, Stage.SAFE), **other)


def made(log_index: int, due: UUID = FIRST, amount: int = 5, to: bytes = BOB) -> Made:
    return Made(TX, log_index, due, Purpose.REFUND, to, amount)


def stands(found: list[Entry]) -> dict[str, int]:
    """Kind and log index → what it stands at, without zeros."""
    return {f"{e.kind} {e.ref[-1]}": e.stands for e in found if e.stands}


@pytest.mark.parametrize(
    "paid",
    [
        premium(2, amount=6),
        premium(2, payer=BOB),
        premium(2, block_hash=OTHER_BLOCK),
        premium(2, tx_hash=b"\x0c" * 32),
        premium(2, stage=Stage.DROPPED),
    ],
    ids=["another amount", "another payer", "another block", "another transaction", "gone"],
)
def test_a_payment_explains_only_its_own_transfer(paid: Premium) -> None:
    assert explained([came(1)], [premium(2)]) == {(TX, 1)}
    assert explained([came(1)], [paid]) == set()


def test_of_two_transfers_that_are_alike_one_payment_explains_one() -> None:
    assert explained([came(3), came(1)], [premium(2)]) == {(TX, 1)}
    assert explained([came(3), came(1)], [premium(2), premium(4)]) == {(TX, 1), (TX, 3)}


def test_a_transfer_that_is_gone_takes_no_payment_from_another() -> None:
    assert explained([came(1, stage=Stage.DROPPED), came(3)], [premium(4)]) == {(TX, 3)}


def test_a_payment_explains_nothing_that_left() -> None:
    assert explained([left(1, sender=ADA)], [premium(2)]) == set()


@pytest.mark.parametrize(
    ("transfers", "premiums", "makes", "expected"),
    [
        ([came(1)], [], [], {"RECEIVED 1": 5}),
        ([came(1, stage=Stage.FINAL)], [], [], {"RECEIVED 1": 5}),
        ([came(1, stage=Stage.SEEN)], [], [], {}),
        ([came(1, stage=Stage.DROPPED)], [], [], {}),
        ([came(1)], [premium(2)], [], {}),
        ([came(1), came(3, 7)], [premium(2)], [], {"RECEIVED 3": 7}),
        ([left(1)], [], [], {"PAID_OUT 1": 5}),
        ([left(1, stage=Stage.SEEN)], [], [], {}),
        ([left(1)], [], [made(1)], {"REFUND_PAID 1": 5}),
        ([left(1), left(2)], [], [made(2)], {"PAID_OUT 1": 5, "REFUND_PAID 2": 5}),
        ([left(1, 9)], [], [made(1), made(1, SECOND, 3)], {"PAID_OUT 1": 1, "REFUND_PAID 1": 8}),
        (
            [left(1, 9)],
            [],
            [made(1), msgspec.structs.replace(made(1, SECOND, 4), purpose=Purpose.WITHDRAWAL)],
            {"REFUND_PAID 1": 5, "WITHDRAWAL_PAID 1": 4},
        ),
        (
            [left(1, 9)],
            [],
            [made(1), msgspec.structs.replace(made(1, SECOND, 4), purpose=Purpose.CLAIM)],
            {"REFUND_PAID 1": 5, "CLAIM_PAID 1": 4},
        ),
    ],
)
def test_what_transfers_stand_at(
    transfers: list[Transfer], premiums: list[Premium], makes: list[Made], expected: dict[str, int]
) -> None:
    assert stands(entries(transfers, premiums, makes)) == expected


def test_every_kind_of_a_transfer_is_named_so_that_what_it_was_before_is_undone() -> None:
    kinds = {e.kind for e in entries([came(1)], [], [])}
    paid = {Kind.REFUND_PAID, Kind.WITHDRAWAL_PAID, Kind.CLAIM_PAID, Kind.PAID_OUT}
    assert kinds == {Kind.RECEIVED, *paid}


def test_where_a_payment_stands_now_it_is_not_for_the_transfer_that_stood_there_to_say_what_came_in() -> None:
    found = entries([came(1, stage=Stage.DROPPED)], [premium(1)], [])
    assert Kind.RECEIVED not in {e.kind for e in found}
    back = entries([came(1)], [premium(1, stage=Stage.DROPPED)], [])
    assert [e.stands for e in back if e.kind == Kind.RECEIVED and e.ref == log_ref(TX, 1)] == [5]


def test_a_transfer_makes_the_oldest_disbursement_of_its_recipient_and_amount() -> None:
    dues = [Due(FIRST, Purpose.REFUND, BOB, 5), Due(SECOND, Purpose.WITHDRAWAL, BOB, 5)]
    assert [m.disbursement_id for m in assign([left(1), left(2), left(3)], dues)] == [FIRST, SECOND]
    assert assign([left(1, 6), left(2, to=ADA)], dues) == []


def test_what_waits_for_a_disbursement_is_confirmed_has_left_and_makes_none() -> None:
    transfers = [
        left(4, block_number=9),
        left(2),
        left(1, stage=Stage.SEEN),
        came(3),
        left(5, stage=Stage.DROPPED),
    ]
    assert [t.log_index for t in waiting(transfers, [])] == [4, 2]
    assert [t.log_index for t in waiting(transfers, [made(2)])] == [4]


@pytest.mark.parametrize(
    "now",
    [left(1, stage=Stage.DROPPED), left(1, stage=Stage.SEEN), left(1, 6), left(1, to=ADA), came(1)],
    ids=["gone", "above the safe head", "another amount", "another recipient", "came in"],
)
def test_a_disbursement_is_open_again_when_its_transfer_is_not_what_it_was(now: Transfer) -> None:
    assert undone([left(1)], [made(1)]) == []
    assert undone([now], [made(1)]) == [made(1)]
    assert undone([], [made(1)]) == [made(1)]


def test_what_was_adopted_stays_so_while_all_of_it_is_within_its_final_transfer() -> None:
    adopted = [made(1), made(1, SECOND, 3)]
    final = left(1, 9, stage=Stage.FINAL)
    assert undone([final], adopted) == []
    assert undone([left(1, 9)], adopted) == adopted
    assert undone([left(1, 7, stage=Stage.FINAL)], adopted) == adopted
    assert undone([left(1, 9, ADA, stage=Stage.FINAL)], adopted) == adopted


STAGES = st.sampled_from(list(Stage))
AMOUNTS = st.integers(1, 2)
INDEXES = st.lists(st.integers(0, 30), unique=True, max_size=8)


@given(INDEXES, st.data())
def test_every_confirmed_unit_is_named_once_whatever_is_in_the_transaction(
    indexes: list[int], data: st.DataObject
) -> None:
    transfers = [
        (left if data.draw(st.booleans()) else came)(i, data.draw(AMOUNTS), stage=data.draw(STAGES))
        for i in indexes
    ]
    premiums = [premium(100 + n, data.draw(AMOUNTS), stage=data.draw(STAGES)) for n in range(len(indexes))]
    own = explained(transfers, premiums)
    assert len(own) <= len([p for p in premiums if p.stage != Stage.DROPPED])
    out = waiting(transfers, [])
    makes = assign(
        out, [Due(UUID(int=n), Purpose.REFUND, BOB, 1) for n in range(data.draw(st.integers(0, 3)))]
    )
    assert len({m.disbursement_id for m in makes}) == len(makes)
    booked = entries(transfers, premiums, makes)
    assert len({(e.kind, e.ref) for e in booked}) == len(booked)
    for t in transfers:
        standing = [e.stands for e in booked if e.ref == log_ref(*t.key) and e.stands]
        assert standing == ([t.amount] if t.confirmed and t.key not in own else [])
