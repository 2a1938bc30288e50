"""Who asks to order, by which binding, of which account: remembered, or by one statement for all at once."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining
from liqpass.db import Database
from liqpass.orders.on_sale import sql
from liqpass.orders.orders import READING_MAX_AGE
from liqpass.orders.sql import Quotable
from liqpass.positions.asking import asking
from liqpass.positions.remembered import Known, Remembered


def asking_to_order(db: Database, clock: Clock) -> Combining[sql.AskingToOrder, sql.ToOrder]:
    """Raises Problem NOT_SIGNED_IN without a living session."""
    return asking(db, clock, sql.to_order)


class Orderable(msgspec.Struct, frozen=True):
    """A binding without an order, and what its price is made from."""

    binding: Quotable
    known: Known


def orderable(remembered: Remembered, token_sha256: bytes, bind_id: UUID, now: datetime) -> Orderable | None:
    """What this process has just bound, if it is remembered with all that its price is made from."""
    just = remembered.just_bound.get((token_sha256, bind_id))
    if just is None:
        return None
    slot = just.slot
    known = remembered.known(token_sha256, slot.api_account_id, slot.inst_id, now, READING_MAX_AGE)
    if known is None:
        return None
    binding = Quotable(
        bind_id,
        just.status,
        slot.sku,
        slot.api_account_id,
        slot.inst_id,
        slot.mgn_mode,
        slot.pos_side,
        just.pos_id,
        just.pos_created_ms,
        None,
    )
    return Orderable(binding, known)
