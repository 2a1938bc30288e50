"""What the treasury's queries give, as others see it. Money in micro-USDC."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.chain.view import Stage
from liqpass.payments.matching import Outcome
from liqpass.treasury.pairing import Purpose


class Suspended(msgspec.Struct, frozen=True):
    """An item in suspense and the log under which it came in; without one it is the opening balance, or the
    log has just left the chain. `outcome` and the order's id are there when it was paid as a premium."""

    ref: bytes
    amount: int
    remaining: int
    tx_hash: bytes | None
    log_index: int | None
    sender: bytes | None
    at: datetime | None
    stage: Stage | None
    purchase_order_id: bytes | None
    outcome: Outcome | None


class Disbursement(msgspec.Struct, frozen=True):
    """What is to be paid out, and what became of it. `made_by` is the transaction that paid it; `shown` one,
    at whatever stage, that will turn out to have paid it. `uncovered`: it is for a claim whose order is not
    covered now, because its payment left the chain."""

    id: UUID
    purpose: Purpose
    ref: bytes
    recipient: bytes
    amount: int
    reason: str
    asked_by: str
    asked_at: datetime
    batched_at: datetime | None
    cancelled_at: datetime | None
    made_by: bytes | None
    uncovered: bool
    shown: bytes | None


class Outflow(msgspec.Struct, frozen=True):
    """What left the treasury and nothing says what for: `amount` of it."""

    ref: bytes
    recipient: bytes
    amount: int
    at: datetime


class OpenCover(msgspec.Struct, frozen=True):
    """The orders of one product for which capital is held, and how much: their payouts, in micro-USDC, less
    what was approved of their claims."""

    sku: str
    orders: int
    payout: int
