"""How suspense and payouts look to admins: amounts as strings of micro-USDC, times in ISO 8601, hashes in
lower-case hexadecimal, addresses in EIP-55."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from liqpass.hexes import checksum, to_hex
from liqpass.settings import ChainSettings
from liqpass.treasury import suspense
from liqpass.treasury.holding import Held
from liqpass.treasury.pairing import Purpose
from liqpass.treasury.records import Disbursement, Outflow, Suspended
from liqpass.treasury.suspense import Why


class SuspenseItem(msgspec.Struct, frozen=True, rename="camel"):
    """What came in and pays no order; `remaining` of it is still in suspense. `said`: why, in words;
    `nextSteps`: one of these an operator does."""

    key: str
    amount: str
    remaining: str
    sender: str | None
    tx_hash: str | None
    purchase_order_id: str | None
    why: Why
    said: str
    final: bool
    next_steps: list[str]
    at: datetime | None


class OutflowView(msgspec.Struct, frozen=True):
    """What left the treasury without a reason: how `liqpass suspense adopt` names it, and how much."""

    transfer: str
    amount: str


class DueView(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be paid out. `shown`: the transaction, at whatever stage, that pays it. `held`: why it
    cannot be paid now; it stays out of every batch until it can. `mayBePaidBy`: what left to the same wallet
    without a reason."""

    id: UUID
    purpose: Purpose
    recipient: str
    amount: str
    reason: str
    asked_by: str
    asked_at: datetime
    batched_at: datetime | None
    shown: str | None
    held: Held | None = None
    may_be_paid_by: list[OutflowView] = []


class SuspenseView(msgspec.Struct, frozen=True):
    """All that is in suspense, and all that is to be paid out, the oldest first."""

    items: list[SuspenseItem]
    dues: list[DueView]


class BatchView(msgspec.Struct, frozen=True, rename="camel"):
    """A batch for Safe's Transaction Builder (null when nothing new is to be paid out) and how to name its
    file; how many payouts are in it, and what is not: held back, in an earlier batch, seen on chain, too
    many. `doubtful`: what is in it and may have been paid by hand."""

    file: dict[str, Any] | None
    name: str
    included: int
    held: list[DueView]
    batched: int
    on_their_way: int
    later: int
    doubtful: list[DueView]


def item_view(item: Suspended, chain: ChainSettings) -> SuspenseItem:
    """An item for its reader."""
    return SuspenseItem(
        key=suspense.key_of(item.ref),
        amount=str(item.amount),
        remaining=str(item.remaining),
        sender=checksum(item.sender) if item.sender else None,
        tx_hash=to_hex(item.tx_hash) if item.tx_hash else None,
        purchase_order_id=to_hex(item.purchase_order_id) if item.purchase_order_id else None,
        why=suspense.why(item, chain),
        said=suspense.said(item, chain),
        final=suspense.is_final(item, chain),
        next_steps=suspense.next_steps(item, chain),
        at=item.at,
    )


def due_view(due: Disbursement, held: Held | None, by_hand: Sequence[Outflow] = ()) -> DueView:
    """A payout for its reader."""
    return DueView(
        id=due.id,
        purpose=due.purpose,
        recipient=checksum(due.recipient),
        amount=str(due.amount),
        reason=due.reason,
        asked_by=due.asked_by,
        asked_at=due.asked_at,
        batched_at=due.batched_at,
        shown=to_hex(due.shown) if due.shown else None,
        held=held,
        may_be_paid_by=[OutflowView(suspense.key_of(one.ref), str(one.amount)) for one in by_hand],
    )
