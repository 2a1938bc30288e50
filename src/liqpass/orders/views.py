"""How an order looks from outside: amounts as strings (micro-USDC, or dollars where the name says Usd),
times in ISO 8601, hashes in lower-case hexadecimal, addresses in EIP-55."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from liqpass.chain.checkout import Call
from liqpass.hexes import checksum, to_hex
from liqpass.money import usd
from liqpass.orders import sql
from liqpass.orders.orders import calls
from liqpass.orders.states import OrderStatus
from liqpass.settings import ChainSettings


class CallView(msgspec.Struct, frozen=True):
    """One call of EIP-5792's wallet_sendCalls; a wallet without batching sends them one after another."""

    to: str
    data: str
    value: str


class OrderAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """An order and what to send to pay it. The cover's times are as if it were paid now. `chance_ppm`: how
    probable the payout was when it was priced, in millionths; null in orders from before 2026-11-30."""

    id: str
    purchase_order_id: str
    status: OrderStatus
    sku: str
    premium_amount: str
    premium_usd: str
    payout_amount: str
    payout_usd: str
    chance_ppm: int | None
    coverage_delay_sec: int
    coverage_start_at: datetime
    coverage_end_at: datetime
    pay_before: datetime
    chain_id: int
    checkout: str
    usdc: str
    calls: list[CallView]


class PaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """The payment that the chain shows for an order."""

    tx_hash: str
    block_number: int
    block_time: datetime
    payer: str
    amount: str
    stage: str


class EventView(msgspec.Struct, frozen=True, rename="camel"):
    """One move of an order."""

    seq: int
    from_status: OrderStatus | None
    to_status: OrderStatus
    reason: str
    actor: str
    at: datetime
    details: dict[str, Any]


class OrderClaimView(msgspec.Struct, frozen=True, rename="camel"):
    """The claim of an order; `amount` is null while it is not known what is owed."""

    claim_id: UUID
    status: str
    amount: str | None


class OrderView(msgspec.Struct, frozen=True, rename="camel"):
    """An order with its payment, cover, claim and history; `calls` only while it can be paid."""

    id: str
    purchase_order_id: str
    bind_id: str
    status: OrderStatus
    sku: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    premium_amount: str
    premium_usd: str
    payout_amount: str
    payout_usd: str
    chance_ppm: int | None
    coverage_delay_sec: int
    duration_sec: int
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    pay_before: datetime
    chain_id: int
    checkout: str
    pay_tx_hash: str | None
    payer: str | None
    paid_at: datetime | None
    created_at: datetime
    payment: PaymentView | None = None
    claim: OrderClaimView | None = None
    history: list[EventView] = []
    calls: list[CallView] = []


class OrderList(msgspec.Struct, frozen=True, rename="camel"):
    """Orders, newest first; `next` continues the list where there is more."""

    orders: list[OrderView]
    next: str | None


def order_answer(
    order: sql.Order, chain: ChainSettings, now: datetime, signed: list[Call] | None
) -> OrderAnswer:
    """What create-order answers. `signed`: its calls, where they are there already."""
    start = order.coverage_start_at or now + timedelta(seconds=order.coverage_delay_sec)
    return OrderAnswer(
        id=str(order.id),
        purchase_order_id=to_hex(order.purchase_order_id),
        status=order.status,
        sku=order.sku,
        premium_amount=str(order.premium_amount),
        premium_usd=usd(order.premium_amount),
        payout_amount=str(order.payout_amount),
        payout_usd=usd(order.payout_amount),
        chance_ppm=order.chance_ppm,
        coverage_delay_sec=order.coverage_delay_sec,
        coverage_start_at=start,
        coverage_end_at=order.coverage_end_at or start + timedelta(seconds=order.duration_sec),
        pay_before=order.pay_before,
        chain_id=order.chain_id,
        checkout=checksum(order.checkout),
        usdc=checksum(chain.usdc),
        calls=[call_view(call) for call in signed or calls(order, chain)],
    )


def order_view(
    order: sql.ShownOrder,
    *,
    chain: ChainSettings | None = None,
    payment: sql.SeenPayment | None = None,
    events: list[sql.Event] | None = None,
) -> OrderView:
    """An order in a list; given its payment, history and chain, an order by itself."""
    payable = chain is not None and order.status == OrderStatus.DRAFT
    return OrderView(
        id=str(order.order_id),
        purchase_order_id=to_hex(order.purchase_order_id),
        bind_id=str(order.binding_id),
        status=order.status,
        sku=order.sku,
        inst_id=order.inst_id,
        mgn_mode=order.mgn_mode,
        pos_side=order.pos_side,
        premium_amount=str(order.premium_amount),
        premium_usd=usd(order.premium_amount),
        payout_amount=str(order.payout_amount),
        payout_usd=usd(order.payout_amount),
        chance_ppm=order.chance_ppm,
        coverage_delay_sec=order.coverage_delay_sec,
        duration_sec=order.duration_sec,
        coverage_start_at=order.coverage_start_at,
        coverage_end_at=order.coverage_end_at,
        pay_before=order.pay_before,
        chain_id=order.chain_id,
        checkout=checksum(order.checkout),
        pay_tx_hash=to_hex(order.pay_tx_hash) if order.pay_tx_hash else None,
        payer=checksum(order.payer) if order.payer else None,
        paid_at=order.paid_at,
        created_at=order.created_at,
        payment=payment_view(payment) if payment else None,
        claim=_claim_of(order),
        history=[event_view(event) for event in events or []],
        calls=[call_view(call) for call in calls(order, chain)] if chain and payable else [],
    )


def event_view(event: sql.Event) -> EventView:
    """One move, its details as an object."""
    return EventView(
        seq=event.seq,
        from_status=event.from_status,
        to_status=event.to_status,
        reason=event.reason,
        actor=event.actor,
        at=event.at,
        details=json.loads(event.details),
    )


def payment_view(payment: sql.SeenPayment) -> PaymentView:
    """The payment as the chain shows it now."""
    return PaymentView(
        tx_hash=to_hex(payment.tx_hash),
        block_number=payment.block_number,
        block_time=payment.block_time,
        payer=checksum(payment.payer),
        amount=str(payment.amount),
        stage=payment.stage,
    )


def claim_view(claim: sql.OrderClaim) -> OrderClaimView:
    """The claim as it stands now."""
    return OrderClaimView(claim.claim_id, claim.status, _amount(claim.amount))


def _claim_of(order: sql.ShownOrder) -> OrderClaimView | None:
    if order.claim_id is None or order.claim_status is None:
        return None
    return OrderClaimView(order.claim_id, order.claim_status, _amount(order.claim_amount))


def _amount(micro: int | None) -> str | None:
    return None if micro is None else str(micro)


def call_view(call: Call) -> CallView:
    """A call as a wallet takes it."""
    return CallView(to=checksum(call.to), data=to_hex(call.data), value=hex(call.value))
