"""What a payment that the chain shows means for its order. Pure.

The event decides, whichever hash was submitted, or none. An order is judged with all its payments at once,
so that it does not matter in which order the watcher saw them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from liqpass.chain.view import CONFIRMED, Stage
from liqpass.hexes import to_hex
from liqpass.ledger.book import Entry, Kind, log_ref
from liqpass.orders.states import CLOSED, Move, OrderStatus


class Outcome(StrEnum):
    """What a payment turned out to be."""

    MATCHED = "MATCHED"
    """Pays its order exactly."""
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    """No order has this id."""
    WRONG_AMOUNT = "WRONG_AMOUNT"
    """Not the order's premium."""
    LATE = "LATE"
    """In a block after pay_before."""
    ORDER_CLOSED = "ORDER_CLOSED"
    """The order had been cancelled, or another payment had paid it."""
    DROPPED = "DROPPED"
    """Was taken up and has left the chain."""


class Payment(msgspec.Struct, frozen=True):
    """One PremiumPaid as stored by the watcher."""

    tx_hash: bytes
    log_index: int
    block_number: int
    block_hash: bytes
    block_time: datetime
    purchase_order_id: bytes
    payer: bytes
    amount: int
    stage: Stage


class PayableOrder(msgspec.Struct, frozen=True):
    """What matching needs to know of an order."""

    user_id: bytes
    id: UUID
    purchase_order_id: bytes
    status: OrderStatus
    event_seq: int
    premium_amount: int
    coverage_delay_sec: int
    duration_sec: int
    pay_before: datetime
    pay_tx_hash: bytes | None
    payer: bytes | None
    submitted_at: datetime | None
    paid_at: datetime | None
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None


SUREST_FIRST = (Stage.FINAL, Stage.SAFE, Stage.SEEN)


class Verdict(msgspec.Struct, frozen=True):
    """The moves that an order's payments ask for, and what each payment is (in the order given)."""

    moves: list[Move]
    outcomes: list[Outcome]


def judge(order: PayableOrder, payments: Sequence[Payment]) -> Verdict:
    """Judge an order with all its payments; no move when it is where it should be.

    A payment at the safe head makes it ACTIVE; one that is only seen makes it PAID_PENDING_CONFIRM. An
    ACTIVE order whose payment has left the chain, or stands in another block now, is suspended first.
    """
    paying = _paying(order, payments)
    outcomes = [_outcome(order, payment, paying) for payment in payments]
    return Verdict([] if order.status in CLOSED else _moves(order, payments, paying), outcomes)


def booked(
    order: PayableOrder | None, payments: Sequence[Payment], outcomes: Mapping[tuple[bytes, int], Outcome]
) -> list[Entry]:
    """What the payments that name one order shall stand at in the books.

    The one that pays it is unearned premium, any other confirmed one is in suspense. An order that is over
    has earned what it was paid; should that leave the chain after all, nothing was earned either.
    """
    entries, premium = [], 0
    for payment in payments:
        outcome = outcomes[payment.tx_hash, payment.log_index]
        confirmed = payment.amount if payment.stage in CONFIRMED else 0
        matched = outcome == Outcome.MATCHED
        premium += confirmed if matched else 0
        ref = log_ref(payment.tx_hash, payment.log_index)
        entries.append(Entry(Kind.RECEIVED, ref, 0 if matched else confirmed))
    if order is not None:
        entries.append(Entry(Kind.PREMIUM, order.purchase_order_id, premium))
        if order.status == OrderStatus.EXPIRED:
            entries.append(Entry(Kind.EARNED, order.purchase_order_id, premium))
    return entries


def _paying(order: PayableOrder, payments: Sequence[Payment]) -> Payment | None:
    if order.status == OrderStatus.CANCELLED:
        return None
    exact = [
        p
        for p in payments
        if p.stage != Stage.DROPPED
        and p.amount == order.premium_amount
        and p.block_time <= order.pay_before
        and (order.status != OrderStatus.EXPIRED or p.tx_hash == order.pay_tx_hash)
    ]
    return min(exact, key=lambda p: (SUREST_FIRST.index(p.stage), p.block_number, p.log_index), default=None)


def _outcome(order: PayableOrder, payment: Payment, paying: Payment | None) -> Outcome:
    if payment.stage == Stage.DROPPED:
        return Outcome.DROPPED
    if payment is paying:
        return Outcome.MATCHED
    if payment.amount != order.premium_amount:
        return Outcome.WRONG_AMOUNT
    return Outcome.LATE if payment.block_time > order.pay_before else Outcome.ORDER_CLOSED


def _moves(order: PayableOrder, payments: Sequence[Payment], paying: Payment | None) -> list[Move]:
    moves: list[Move] = []
    if order.status == OrderStatus.ACTIVE:
        if paying is not None and _is_cover_of(order, paying):
            return []
        if paying is None and not any(p.tx_hash == order.pay_tx_hash for p in payments):
            return []  # nothing is known of the payment that made it active: unknown is not failed
        moves.append(_suspended(order))
    if paying is not None and order.status == OrderStatus.DRAFT:
        moves.append(_seen(order, paying))
    if paying is not None and paying.stage in CONFIRMED:
        moves.append(_covered(order, paying, order.event_seq + len(moves)))
    return moves


def _is_cover_of(order: PayableOrder, paying: Payment) -> bool:
    return paying.stage in CONFIRMED and (paying.tx_hash, paying.block_time) == (
        order.pay_tx_hash,
        order.paid_at,
    )


def _seen(order: PayableOrder, paying: Payment) -> Move:
    return Move(
        user_id=order.user_id,
        order_id=order.id,
        seq=order.event_seq,
        from_status=OrderStatus.DRAFT,
        to_status=OrderStatus.PAID_PENDING_CONFIRM,
        reason="PAYMENT_SEEN",
        actor="CHAIN",
        details=_of(paying),
        pay_tx_hash=paying.tx_hash,
        payer=paying.payer,
        submitted_at=_known_since(order, paying),
    )


def _suspended(order: PayableOrder) -> Move:
    return Move(
        user_id=order.user_id,
        order_id=order.id,
        seq=order.event_seq,
        from_status=OrderStatus.ACTIVE,
        to_status=OrderStatus.PAID_PENDING_CONFIRM,
        reason="PAYMENT_REORGED_AWAY",
        actor="CHAIN",
        details=json.dumps({"txHash": to_hex(order.pay_tx_hash or b"")}),
        pay_tx_hash=order.pay_tx_hash,
        payer=order.payer,
        submitted_at=order.submitted_at,
    )


def _covered(order: PayableOrder, paying: Payment, seq: int) -> Move:
    start = paying.block_time + timedelta(seconds=order.coverage_delay_sec)
    return Move(
        user_id=order.user_id,
        order_id=order.id,
        seq=seq,
        from_status=OrderStatus.PAID_PENDING_CONFIRM,
        to_status=OrderStatus.ACTIVE,
        reason="PAYMENT_SAFE",
        actor="CHAIN",
        details=_of(paying),
        pay_tx_hash=paying.tx_hash,
        payer=paying.payer,
        submitted_at=_known_since(order, paying),
        paid_at=paying.block_time,
        coverage_start_at=start,
        coverage_end_at=start + timedelta(seconds=order.duration_sec),
    )


def _known_since(order: PayableOrder, paying: Payment) -> datetime:
    """A payment that no browser told of counts as submitted when it was mined: should it leave the chain for
    good, what became of its transaction is asked for as if it had been submitted."""
    return order.submitted_at or paying.block_time


def _of(payment: Payment) -> str:
    return json.dumps(
        {
            "txHash": to_hex(payment.tx_hash),
            "blockNumber": payment.block_number,
            "blockHash": to_hex(payment.block_hash),
            "amount": str(payment.amount),
        }
    )
