"""Where an order stands at a moment, and how its time is drawn. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from liqpass.orders.states import OrderStatus
from liqpass.orders.views import OrderView


class Phase(StrEnum):
    """What an order's status means at a moment."""

    UNPAID = "UNPAID"
    """Can be paid."""
    LAPSED = "LAPSED"
    """Its price has run out; a payment that was in time may still show up."""
    CONFIRMING = "CONFIRMING"
    """A payment is on its way."""
    WAITING = "WAITING"
    """Paid; the cover has not begun."""
    COVERED = "COVERED"
    """The cover runs."""
    ENDED = "ENDED"
    """The cover is over."""
    CANCELLED = "CANCELLED"
    """Nothing came of it."""


@dataclass(frozen=True)
class Timeline:
    """From the payment to some time after the cover. `start`, `end` and `now` are places on it in percent of
    its length. `is_sure`: false where it is drawn as if the order were paid now."""

    paid_at: datetime
    start_at: datetime
    end_at: datetime
    until: datetime
    start: float
    end: float
    now: float
    is_sure: bool


TAIL = 0.08  # of the time from payment to end, so that there is an afterwards to see
SEEN_PERCENT = 0.8  # a wait of ten minutes before thirty days would be too thin to see: this much at least


def phase_of(order: OrderView, now: datetime) -> Phase:
    """By the clock too: a cover begins without a move, and the move at its end comes a bit later."""
    if order.status == OrderStatus.DRAFT:
        return Phase.UNPAID if now <= order.pay_before else Phase.LAPSED
    if order.status == OrderStatus.PAID_PENDING_CONFIRM:
        return Phase.CONFIRMING
    if order.status == OrderStatus.CANCELLED:
        return Phase.CANCELLED
    if order.status == OrderStatus.EXPIRED or _over(order.coverage_end_at, now):
        return Phase.ENDED
    return Phase.COVERED if _over(order.coverage_start_at, now) else Phase.WAITING


def timeline_of(order: OrderView, now: datetime) -> Timeline:
    """An order that is not paid is drawn as if it were paid now; one that is seen, from its block on."""
    payment = order.payment if order.payment and order.payment.stage != "DROPPED" else None
    paid_at = order.paid_at or (payment.block_time if payment else now)
    start_at = paid_at + timedelta(seconds=order.coverage_delay_sec)
    end_at = start_at + timedelta(seconds=order.duration_sec)
    length = (end_at - paid_at) * (1 + TAIL)
    start = 100 * ((start_at - paid_at) / length)
    return Timeline(
        paid_at=paid_at,
        start_at=start_at,
        end_at=end_at,
        until=paid_at + length,
        start=max(SEEN_PERCENT, start) if order.coverage_delay_sec else 0,
        end=100 * ((end_at - paid_at) / length),
        now=100 * min(1, max(0, (now - paid_at) / length)),
        is_sure=order.paid_at is not None or payment is not None,
    )


def next_change(order: OrderView, now: datetime) -> datetime | None:
    """When the phase changes by itself, without a move of the order; None when it does not."""
    phase = phase_of(order, now)
    by_phase = {
        Phase.UNPAID: order.pay_before,
        Phase.WAITING: order.coverage_start_at,
        Phase.COVERED: order.coverage_end_at,
    }
    return by_phase.get(phase)


def _over(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now
