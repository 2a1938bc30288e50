"""An order beside a model, through whatever a chain may show and a user may do.

The model knows no moves. It looks at the payments as they stand and says where the order has to be.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from liqpass.chain.view import Stage
from liqpass.orders.states import LEGAL_MOVES, Move, OrderStatus
from liqpass.payments.matching import Outcome, PayableOrder, Payment, Verdict, judge

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAY_BEFORE = MADE + timedelta(minutes=15)
PREMIUM = 3_000_000
PUBLIC_ID = b"\x07" * 32

amounts = st.sampled_from([PREMIUM] * 6 + [PREMIUM - 1, PREMIUM + 1])
seconds_to_the_deadline = st.sampled_from([-600, -600, -60, -60, -1, 0, 0, 1])
hashes = st.integers(1, 3).map(lambda number: bytes([number]) * 32)
living_stages = st.sampled_from([Stage.SEEN, Stage.SEEN, Stage.SAFE, Stage.SAFE, Stage.FINAL])
payers = st.integers(1, 3).map(lambda number: bytes([number]) * 20)


def pays(payment: Payment) -> bool:
    """Whether this is the payment that was asked for, on the chain as it is now."""
    on_chain = payment.stage in (Stage.SEEN, Stage.SAFE, Stage.FINAL)
    return on_chain and payment.amount == PREMIUM and payment.block_time <= PAY_BEFORE


def after(order: PayableOrder, move: Move) -> PayableOrder:
    """What the one statement that moves orders makes of this order."""
    assert (move.user_id, move.order_id) == (order.user_id, order.id)
    assert move.seq == order.event_seq, "the move was decided on another state"
    assert move.from_status == order.status
    assert (move.from_status, move.to_status) in LEGAL_MOVES
    return msgspec.structs.replace(
        order,
        status=move.to_status,
        event_seq=order.event_seq + 1,
        pay_tx_hash=move.pay_tx_hash,
        payer=move.payer,
        submitted_at=move.submitted_at,
        paid_at=move.paid_at,
        coverage_start_at=move.coverage_start_at,
        coverage_end_at=move.coverage_end_at,
    )


class AnOrder(RuleBasedStateMachine):
    """Payments come, advance, leave and return; hashes are submitted; time passes. After each of these the
    order is judged, as the worker does."""

    def __init__(self) -> None:
        super().__init__()
        self.payments: list[Payment] = []
        self.verdict = Verdict([], [])
        self.block = 0

    @initialize(delay_sec=st.integers(0, 86_400), duration_sec=st.integers(1, 30 * 86_400))
    def ordered(self, delay_sec: int, duration_sec: int) -> None:
        self.order = PayableOrder(
            user_id=b"\x01" * 20,
            id=UUID(int=1),
            purchase_order_id=PUBLIC_ID,
            status=OrderStatus.DRAFT,
            event_seq=1,
            premium_amount=PREMIUM,
            coverage_delay_sec=delay_sec,
            duration_sec=duration_sec,
            pay_before=PAY_BEFORE,
            pay_tx_hash=None,
            payer=None,
            submitted_at=None,
            paid_at=None,
            coverage_start_at=None,
            coverage_end_at=None,
        )

    # What the chain does

    @rule(amount=amounts, payer=payers, offset=seconds_to_the_deadline, stage=living_stages)
    def a_payment_is_seen(self, amount: int, payer: bytes, offset: int, stage: Stage) -> None:
        index, time = len(self.payments), PAY_BEFORE + timedelta(seconds=offset)
        if index < 3:
            self.block += 1
            tx = bytes([index + 1]) * 32
            self.payments.append(
                Payment(tx, index, self.block, self.a_block_hash(), time, PUBLIC_ID, payer, amount, stage)
            )
            self.settle()

    @rule(which=st.integers(0, 2))
    def a_payment_gets_surer(self, which: int) -> None:
        for payment in self.chosen(which):
            if payment.stage in (Stage.SEEN, Stage.SAFE):
                self.put(payment, stage=Stage.SAFE if payment.stage == Stage.SEEN else Stage.FINAL)

    @rule(which=st.integers(0, 2))
    def a_payment_leaves_the_chain(self, which: int) -> None:
        for payment in self.chosen(which):
            if payment.stage in (Stage.SEEN, Stage.SAFE):
                self.put(payment, stage=Stage.DROPPED)

    @rule(which=st.integers(0, 2), later=st.sampled_from([0, 0, 2, 600]), stage=living_stages)
    def a_payment_stands_in_another_block(self, which: int, later: int, stage: Stage) -> None:
        for payment in self.chosen(which):
            if payment.stage != Stage.FINAL:
                self.block += 1
                time = payment.block_time + timedelta(seconds=later)
                where = {"block_number": self.block, "block_hash": self.a_block_hash(), "block_time": time}
                self.put(payment, stage=stage, **where)

    # What the user and the clock do; nothing cancels before the chain has shown something

    @rule(tx=hashes)
    def a_hash_is_submitted(self, tx: bytes) -> None:
        if self.order.status == OrderStatus.DRAFT:
            self.change(status=OrderStatus.PAID_PENDING_CONFIRM, pay_tx_hash=tx, submitted_at=MADE)

    @rule()
    def the_transaction_is_forgotten(self) -> None:
        if self.order.status == OrderStatus.PAID_PENDING_CONFIRM and not self.on_chain():
            self.change(status=OrderStatus.DRAFT, pay_tx_hash=None, payer=None, submitted_at=None)

    @rule()
    def the_user_cancels(self) -> None:
        if self.order.status == OrderStatus.DRAFT and self.block > 0:
            self.change(status=OrderStatus.CANCELLED)

    @rule()
    def it_is_too_late(self) -> None:
        if self.order.status == OrderStatus.PAID_PENDING_CONFIRM and self.block > 0 and not self.on_chain():
            self.change(status=OrderStatus.CANCELLED)

    @rule()
    def the_cover_ends(self) -> None:
        if self.order.status == OrderStatus.ACTIVE:
            self.change(status=OrderStatus.EXPIRED)

    # How it is taken up

    def put(self, payment: Payment, **changed: object) -> None:
        self.payments[payment.log_index] = msgspec.structs.replace(payment, **changed)
        self.settle()

    def change(self, **changed: object) -> None:
        self.order = msgspec.structs.replace(self.order, event_seq=self.order.event_seq + 1, **changed)
        self.settle()

    def settle(self) -> None:
        before, was = self.order, len(self.payments)
        self.verdict = judge(before, self.payments)
        assert len(self.verdict.outcomes) == was
        backwards = judge(before, self.payments[::-1])
        assert backwards.moves == self.verdict.moves, "it matters in which order payments are read"
        assert backwards.outcomes == self.verdict.outcomes[::-1]
        for move in self.verdict.moves:
            self.order = after(self.order, move)
        if currently_in_test_context():
            event(f"{before.status} -> {self.order.status}")

    def chosen(self, which: int) -> list[Payment]:
        return [self.payments[which % len(self.payments)]] if self.payments else []

    def a_block_hash(self) -> bytes:
        return self.block.to_bytes(32, "big")

    def on_chain(self) -> list[Payment]:
        return [p for p in self.payments if p.stage != Stage.DROPPED]

    def confirmed(self) -> list[Payment]:
        return [p for p in self.payments if pays(p) and p.stage in (Stage.SAFE, Stage.FINAL)]

    # What must be true, always

    @invariant()
    def judging_again_moves_nothing(self) -> None:
        again = judge(self.order, self.payments)
        assert again.moves == []
        assert again.outcomes == self.verdict.outcomes or self.order.status == OrderStatus.EXPIRED

    @invariant()
    def it_is_active_exactly_while_an_exact_payment_in_time_is_safe(self) -> None:
        if self.order.status not in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
            assert (self.order.status == OrderStatus.ACTIVE) == bool(self.confirmed())

    @invariant()
    def a_payment_that_is_only_seen_makes_it_pending(self) -> None:
        if any(map(pays, self.payments)):
            assert self.order.status != OrderStatus.DRAFT

    @invariant()
    def the_cover_begins_the_waiting_period_after_the_block_of_its_payment(self) -> None:
        order = self.order
        if order.status == OrderStatus.ACTIVE:
            cover = (order.pay_tx_hash, order.payer, order.paid_at)
            paid = next(p for p in self.confirmed() if (p.tx_hash, p.payer, p.block_time) == cover)
            start = paid.block_time + timedelta(seconds=order.coverage_delay_sec)
            assert order.coverage_start_at == start
            assert order.coverage_end_at == start + timedelta(seconds=order.duration_sec)
        elif order.status != OrderStatus.EXPIRED:
            assert (order.paid_at, order.coverage_start_at, order.coverage_end_at) == (None, None, None)

    @invariant()
    def the_columns_fit_the_state_as_the_database_wants(self) -> None:
        order = self.order
        if order.status == OrderStatus.DRAFT:
            assert (order.pay_tx_hash, order.payer, order.submitted_at) == (None, None, None)
        elif order.status != OrderStatus.CANCELLED:
            assert order.pay_tx_hash is not None
            assert order.submitted_at is not None

    @invariant()
    def every_payment_is_what_it_is(self) -> None:
        for payment, outcome in zip(self.payments, self.verdict.outcomes, strict=True):
            if payment.stage == Stage.DROPPED:
                assert outcome == Outcome.DROPPED
            elif payment.amount != PREMIUM:
                assert outcome == Outcome.WRONG_AMOUNT
            elif payment.block_time > PAY_BEFORE:
                assert outcome == Outcome.LATE
            else:
                assert outcome in (Outcome.MATCHED, Outcome.ORDER_CLOSED)
        indexes = [i for i, outcome in enumerate(self.verdict.outcomes) if outcome == Outcome.MATCHED]
        matched = len(indexes)
        if self.order.status == OrderStatus.CANCELLED:
            assert matched == 0
        elif self.order.status == OrderStatus.EXPIRED:
            assert {self.payments[i].tx_hash for i in indexes} <= {self.order.pay_tx_hash}
        else:
            assert matched == any(map(pays, self.payments)), "one payment pays an order, if any does"

    @invariant()
    def what_is_closed_stays_closed(self) -> None:
        if self.order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
            assert self.verdict.moves == []


AnOrder.TestCase.settings = settings(max_examples=300, stateful_step_count=30)
TestAnOrder = AnOrder.TestCase


def test_a_payment_that_stands_in_another_block_at_the_same_time_and_is_only_seen_suspends_the_cover() -> (
    None
):
    machine = AnOrder()
    machine.ordered(delay_sec=600, duration_sec=28_800)
    machine.a_payment_is_seen(amount=PREMIUM, payer=b"\x01" * 20, offset=-60, stage=Stage.SAFE)
    assert [machine.order.status, machine.order.event_seq] == [OrderStatus.ACTIVE, 3]
    machine.a_payment_stands_in_another_block(which=0, later=0, stage=Stage.SEEN)
    assert [machine.order.status, machine.order.event_seq] == [OrderStatus.PAID_PENDING_CONFIRM, 4]
    machine.a_payment_gets_surer(which=0)
    assert [machine.order.status, machine.order.event_seq] == [OrderStatus.ACTIVE, 5]
