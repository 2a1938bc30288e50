"""What is broken of one order: held against its payments, its postings, its history and its binding."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from liqpass.chain.view import CONFIRMED
from liqpass.hexes import to_hex
from liqpass.ledger.book import Account
from liqpass.money import usd
from liqpass.orders.states import OrderStatus
from liqpass.reconcile.checks import (
    EARN_SLACK,
    STUCK_AFTER,
    BreakType,
    Found,
    log_subject,
    order_subject,
)
from liqpass.reconcile.facts.records import Order, OrderFacts, PaymentFacts

PAID = (OrderStatus.ACTIVE, OrderStatus.EXPIRED)
OPEN = (OrderStatus.DRAFT, OrderStatus.PAID_PENDING_CONFIRM, OrderStatus.ACTIVE)
DAY_SEC = 86_400
_TIME = "%Y-%m-%d %H:%M:%S UTC"


def judge_order(
    facts: OrderFacts, payments: Sequence[PaymentFacts], now: datetime, chain_time: datetime
) -> list[Found]:
    """What is broken of whatever stands under one public id. `chain_time` is that of the newest block."""
    found = list(_gaps(facts))
    if not any(payment.waiting for payment in payments):
        found += _money(facts, payments)
    order = facts.order()
    if order is None:
        found += [_held(facts, 0)] if facts.held else []
        found += [_earned(facts, 0)] if facts.earned else []
        return found
    if facts.held != (expected := facts.claimed if facts.settled else order.payout_amount):
        found.append(_held(facts, expected))
    # Of what is booked as paid or, should that be broken, which is a break by itself, of what it cost.
    right = [earned_by(order, paid, now, chain_time) for paid in (facts.premium, order.premium_amount)]
    if facts.earned not in right[0] + right[1]:
        found.append(_earned(facts, right[0][-1]))
    return [*found, *_stuck(facts, order, now), *_history(facts, order), *_binding(facts, order)]


def _found(
    facts: OrderFacts,
    kind: BreakType,
    said: str,
    *accounts: Account,
    expected: int | None = None,
    found: int | None = None,
) -> Found:
    return Found(
        type=kind,
        subject=order_subject(facts.purchase_order_id),
        said=said,
        purchase_order_id=facts.purchase_order_id,
        tx_hash=facts.pay_tx_hash,
        accounts=accounts,
        expected=expected,
        found=found,
        at=facts.created_at or facts.posted_at,
    )


# Money: order, event, ledger -----------------------------------------------------------------------------


def _money(facts: OrderFacts, payments: Sequence[PaymentFacts]) -> Iterator[Found]:
    """What order, payments and ledger say of the premium."""
    confirmed = [p for p in payments if p.stage in CONFIRMED]
    meant = [p for p in confirmed if not p.in_suspense]  # those that are booked as this premium, or nowhere
    order = facts.order()
    if order is None:
        yield from (_nobodys(facts, p) for p in meant)
        if facts.premium and not meant:
            yield _booked_only(facts, "which does not exist")
    elif order.status in PAID:
        own = [p for p in meant if (p.tx_hash, p.block_time) == (order.pay_tx_hash, order.paid_at)][:1]
        if own:
            yield from _amounts(facts, order, own[0])
        else:
            yield _unpaid(facts, order, confirmed)
        yield from (_nowhere(facts, p) for p in meant if p not in own and own)
    elif meant and facts.premium:
        yield _not_covered(facts, order, meant)
    elif meant:
        yield from (_nowhere(facts, p) for p in meant)
    elif facts.premium:
        yield _booked_only(facts, f"which is {order.status} and was never paid")


def _nobodys(facts: OrderFacts, payment: PaymentFacts) -> Found:
    booked = "booked as a premium" if facts.premium else "not in the ledger"
    return Found(
        type=BreakType.EVENT_WITHOUT_ORDER,
        subject=log_subject(payment.tx_hash, payment.log_index),
        said=f"a payment of {usd(payment.amount)} names an order that does not exist; it is {booked}",
        purchase_order_id=facts.purchase_order_id,
        tx_hash=payment.tx_hash,
        log_index=payment.log_index,
        wallet=payment.payer,
        expected=0,
        found=payment.amount,
        at=payment.block_time,
    )


def _booked_only(facts: OrderFacts, what: str) -> Found:
    said = f"{usd(facts.premium)} are booked as the premium of an order {what}"
    accounts = (Account.TREASURY, Account.UNEARNED_PREMIUM)
    return _found(facts, BreakType.LEDGER_WITHOUT_EVENT, said, *accounts, expected=0, found=facts.premium)


def _amounts(facts: OrderFacts, order: Order, own: PaymentFacts) -> Iterator[Found]:
    accounts = (Account.TREASURY, Account.UNEARNED_PREMIUM)
    if not facts.premium:
        said = f"its payment of {usd(own.amount)} is confirmed and not booked"
        kind = BreakType.EVENT_WITHOUT_LEDGER
        yield _found(facts, kind, said, *accounts, expected=own.amount, found=0)
    elif not order.premium_amount == own.amount == facts.premium:
        said = _three(order.premium_amount, own.amount, facts.premium)
        other = own.amount if own.amount != order.premium_amount else facts.premium
        kind = BreakType.AMOUNT_DIFFERS
        yield _found(facts, kind, said, *accounts, expected=order.premium_amount, found=other)


def _three(order: int, event: int, ledger: int) -> str:
    """Which of the three differ."""
    pairs = {"order and event": order != event, "event and ledger": event != ledger}
    pairs["order and ledger"] = order != ledger
    differ = ", ".join(name for name, unequal in pairs.items() if unequal)
    return f"{differ}: order {usd(order)}, event {usd(event)}, ledger {usd(ledger)}"


def _unpaid(facts: OrderFacts, order: Order, confirmed: Sequence[PaymentFacts]) -> Found:
    said = f"the order is {order.status}, and its transaction shows no confirmed payment"
    if same := [p for p in confirmed if p.tx_hash == order.pay_tx_hash]:
        said = f"the order is {order.status}, and its payment of {usd(same[0].amount)} is in suspense"
        if not same[0].in_suspense:
            said = f"the order counts as paid at {order.paid_at:{_TIME}}, its payment is of "
            said += f"{same[0].block_time:{_TIME}}: its cover has other times than were paid for"
    elif confirmed:
        said += f"; {to_hex(confirmed[0].tx_hash)} pays {usd(confirmed[0].amount)} for it"
    if facts.premium:
        said += f"; the ledger has {usd(facts.premium)} as its premium"
    expected = order.premium_amount
    return _found(facts, BreakType.ORDER_PAID_WITHOUT_EVENT, said, expected=expected, found=0)


def _not_covered(facts: OrderFacts, order: Order, meant: Sequence[PaymentFacts]) -> Found:
    paid = sum(p.amount for p in meant)
    said = (
        f"the order is {order.status}, as if it was not paid; event {usd(paid)}, ledger {usd(facts.premium)}"
    )
    return _found(facts, BreakType.AMOUNT_DIFFERS, said, expected=0, found=paid)


def _nowhere(facts: OrderFacts, payment: PaymentFacts) -> Found:
    return Found(
        type=BreakType.EVENT_WITHOUT_LEDGER,
        subject=log_subject(payment.tx_hash, payment.log_index),
        said=f"a payment for this order, which is {facts.status}, is neither its premium nor in suspense",
        purchase_order_id=facts.purchase_order_id,
        tx_hash=payment.tx_hash,
        log_index=payment.log_index,
        wallet=payment.payer,
        accounts=(Account.TREASURY, Account.SUSPENSE),
        expected=payment.amount,
        found=0,
        at=payment.block_time,
    )


def _gaps(facts: OrderFacts) -> Iterator[Found]:
    if facts.gaps:
        said = f"the legs of {', '.join(facts.gaps)} are not numbered 1, 2, 3, …: a transfer is missing"
        yield _found(facts, BreakType.LEDGER_INCONSISTENT, said)


# Capital and earning -------------------------------------------------------------------------------------


def _held(facts: OrderFacts, expected: int) -> Found:
    what = "which does not exist" if facts.status is None else f"which is {facts.status}"
    if facts.status is not None and facts.settled:
        what += " and settled" + (f" with a claim of {usd(facts.claimed)}" if facts.claimed else "")
    said = f"{usd(facts.held)} are held for the order, {what}; it should be {usd(expected)}"
    accounts = (Account.POOL_FREE, Account.POOL_LOCKED)
    return _found(
        facts, BreakType.COVER_WITHOUT_CAPITAL, said, *accounts, expected=expected, found=facts.held
    )


def earned_by(order: Order, premium: int, now: datetime, chain_time: datetime) -> list[int]:
    """What the cover may have earned of what was booked as its premium, the last of it due by now: whole days
    of one that lasts longer than a day, all of it when it is over. One that was ended before its time has not
    given more than one that goes on."""
    over = order.coverage_end_at is not None and order.coverage_end_at <= now + EARN_SLACK
    if order.status == OrderStatus.EXPIRED and over:
        return [premium]
    if order.status not in PAID or order.duration_sec <= DAY_SEC or not order.coverage_start_at:
        return [0]
    run = min(now, chain_time) - order.coverage_start_at
    first, last = ((run + slack).days for slack in (-EARN_SLACK, EARN_SLACK))
    most = order.duration_sec // DAY_SEC
    days = range(min(max(0, first), most), min(max(0, last), most) + 1)
    return [premium * day * DAY_SEC // order.duration_sec for day in days]


def _earned(facts: OrderFacts, expected: int) -> Found:
    what = "does not exist" if facts.status is None else f"is {facts.status}"
    said = f"{usd(facts.earned)} are earned of an order that {what}; by now it should be {usd(expected)}"
    accounts = (Account.UNEARNED_PREMIUM, Account.EARNED_PREMIUM)
    return _found(
        facts, BreakType.PREMIUM_EARNED_WRONG, said, *accounts, expected=expected, found=facts.earned
    )


# State, history, binding ---------------------------------------------------------------------------------


def _stuck(facts: OrderFacts, order: Order, now: datetime) -> Iterator[Found]:
    due, what = {
        OrderStatus.DRAFT: (order.pay_before, "was to be paid before"),
        OrderStatus.PAID_PENDING_CONFIRM: (order.submitted_at, "waits for its payment since"),
        OrderStatus.ACTIVE: (order.coverage_end_at, "was to end at"),
    }.get(order.status, (None, ""))
    if due is not None and due < now - STUCK_AFTER:
        said = f"the order is {order.status}, and {what} {due:%Y-%m-%d %H:%M:%S} UTC"
        yield _found(facts, BreakType.ORDER_STUCK, said)


def _history(facts: OrderFacts, order: Order) -> Iterator[Found]:
    wrong = []
    if facts.last_status != order.status:
        last = f"led to {facts.last_status}" if facts.last_status else "is missing"
        wrong.append(f"the order is {order.status}, its event {order.event_seq} {last}")
    if facts.events != order.event_seq:
        wrong.append(f"{facts.events} of {order.event_seq} events are there")
    elif facts.breaks:
        wrong.append(f"{facts.breaks} events do not begin where the one before them ended")
    if wrong:
        yield _found(facts, BreakType.HISTORY_BROKEN, "; ".join(wrong))


def _binding(facts: OrderFacts, order: Order) -> Iterator[Found]:
    wanted = "DRAFT" if order.status == OrderStatus.PAID_PENDING_CONFIRM else str(order.status)
    wrong = []
    if facts.binding_status is None:
        wrong.append("no binding follows this order")
    elif facts.binding_status != wanted:
        wrong.append(f"the binding is {facts.binding_status}")
    elif not facts.same_cover:
        wrong.append("the binding has other cover times")
    if order.status in OPEN and not (facts.own_position and facts.positions == 1):
        wrong.append("its position is not held" if not facts.positions else "another position is held")
    elif order.status not in OPEN and facts.positions:
        wrong.append("its position is still held")
    if wrong:
        said = f"the order is {order.status}, and {', '.join(wrong)}"
        yield _found(facts, BreakType.BINDING_DISAGREES, said)
