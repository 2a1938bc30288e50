"""What the payments of one order shall stand at in the books, whatever was posted before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from liqpass.chain.view import Stage
from liqpass.ledger.book import Entry, Kind, log_ref
from liqpass.orders.states import OrderStatus
from liqpass.payments.matching import PayableOrder, Payment, booked, judge

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ORDER, TX, PAYER = b"\x07" * 32, b"\x01" * 32, b"\x02" * 20
PREMIUM = 3_000_000


@pytest.mark.parametrize(("stage", "stands"), [(Stage.FINAL, PREMIUM), (Stage.SEEN, 0), (Stage.DROPPED, 0)])
def test_a_cover_that_is_over_has_earned_what_of_its_premium_is_on_the_chain(
    stage: Stage, stands: int
) -> None:
    """A chain that does not become final for hours may still take the payment away, or bring it back."""
    order = PayableOrder(
        user_id=PAYER,
        id=UUID(int=1),
        purchase_order_id=ORDER,
        status=OrderStatus.EXPIRED,
        event_seq=4,
        premium_amount=PREMIUM,
        coverage_delay_sec=0,
        duration_sec=86_400,
        pay_before=AT,
        pay_tx_hash=TX,
        payer=PAYER,
        submitted_at=AT,
        paid_at=AT,
        coverage_start_at=AT,
        coverage_end_at=AT + DAY,
    )
    payment = Payment(TX, 5, 9, b"\x03" * 32, AT, ORDER, PAYER, PREMIUM, stage)
    (outcome,) = judge(order, [payment]).outcomes
    assert booked(order, [payment], {(TX, 5): outcome}) == [
        Entry(Kind.RECEIVED, log_ref(TX, 5), 0),
        Entry(Kind.PREMIUM, ORDER, stands),
        Entry(Kind.EARNED, ORDER, stands),
    ]
