"""What is stored of an order, a payment, a transaction, as it is judged. Money in micro-USDC."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.chain.view import Stage
from liqpass.orders.states import OrderStatus
from liqpass.payments.matching import Outcome
from liqpass.treasury.pairing import Purpose


class OrderSuspect(msgspec.Struct, frozen=True):
    """An order whose history or binding may be off; without a public id there is no such order."""

    order_id: UUID
    purchase_order_id: bytes | None


class PositionSuspect(msgspec.Struct, frozen=True):
    """A binding that lives without its position, or the reverse; without a public id it has no order."""

    user_id: bytes
    binding_id: UUID
    living: bool
    purchase_order_id: bytes | None
    at: datetime | None


class Order(msgspec.Struct, frozen=True):
    """An order."""

    status: OrderStatus
    premium_amount: int
    payout_amount: int
    duration_sec: int
    event_seq: int
    pay_before: datetime
    pay_tx_hash: bytes | None
    submitted_at: datetime | None
    paid_at: datetime | None
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    created_at: datetime


class OrderFacts(msgspec.Struct, frozen=True):
    """Whatever is stored under one public id. The order's own columns are None where there is no order.

    `settled`: no claim of it can come any more. `premium`, `held`, `earned`, `claimed`: what the ledger has.
    `gaps`: the kinds whose legs are not 1, 2, 3, … `events` many events are there, `last_status` is what the
    one of number event_seq led to, `breaks` are the events that do not begin where the one before them ended.
    `binding_status` is None without a binding that follows this order; `same_cover`: its times are the
    order's. `positions`: how many the binding holds, `own_position`: the right one is among them.
    """

    purchase_order_id: bytes
    status: OrderStatus | None
    premium_amount: int | None
    payout_amount: int | None
    duration_sec: int | None
    event_seq: int | None
    pay_before: datetime | None
    pay_tx_hash: bytes | None
    submitted_at: datetime | None
    paid_at: datetime | None
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    created_at: datetime | None
    settled: bool | None
    premium: int
    held: int
    earned: int
    claimed: int
    gaps: list[str]
    posted_at: datetime | None
    events: int
    last_status: OrderStatus | None
    breaks: int
    binding_status: str | None
    same_cover: bool | None
    positions: int
    own_position: bool

    def order(self) -> Order | None:
        """The order, if there is one."""
        if self.status is None:
            return None
        values = {name: getattr(self, name) for name in Order.__struct_fields__}
        return msgspec.convert(values, Order)


class PaymentFacts(msgspec.Struct, frozen=True):
    """A payment that names an order; `in_suspense` is what the ledger has received of it as money that pays
    no order. `waiting`: it changed lately and is not settled yet."""

    purchase_order_id: bytes
    tx_hash: bytes
    log_index: int
    block_time: datetime
    payer: bytes
    amount: int
    stage: Stage
    in_suspense: int
    waiting: bool


class LogFacts(msgspec.Struct, frozen=True):
    """A transfer into the treasury or, where a recipient is named, out of it; or a payment, where an order is
    named: then `order_known` says whether there is one, and `outcome` what settling made of it.
    `waiting`: its transaction changed lately and is not settled or booked yet."""

    tx_hash: bytes
    log_index: int
    block_hash: bytes
    block_time: datetime
    sender: bytes
    recipient: bytes | None
    amount: int
    stage: Stage
    purchase_order_id: bytes | None
    order_known: bool
    outcome: Outcome | None
    waiting: bool


class DueFacts(msgspec.Struct, frozen=True):
    """What is still to be paid out to a wallet."""

    id: UUID
    purpose: Purpose
    recipient: bytes
    amount: int
    asked_at: datetime


class RefFacts(msgspec.Struct, frozen=True):
    """What the ledger has of a log: received, given on (to the pool, or back), paid out for a known reason
    (`paid`) or none (`unexplained`). `gaps`: as of an order."""

    tx_hash: bytes
    log_index: int
    received: int
    given: int
    paid: int
    unexplained: int
    gaps: list[str]
    posted_at: datetime


class OpeningFacts(msgspec.Struct, frozen=True):
    """What was measured when the books began (None: they have not), and what the ledger has of it."""

    measured: int | None
    booked: int
    unexplained: int
    given: int


class OddRef(msgspec.Struct, frozen=True):
    """Something in the ledger under a ref that cannot be one of its kind."""

    kind: str
    ref: bytes
    stands: int
    posted_at: datetime
