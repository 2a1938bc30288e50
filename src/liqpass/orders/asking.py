"""Who asks to order, by which binding, of which account: one statement for all who ask at once."""

from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining
from liqpass.db import Database
from liqpass.orders.on_sale import sql
from liqpass.positions.asking import asking


class AskingToOrder(msgspec.Struct, frozen=True):
    """By which session, by which binding."""

    token_sha256: bytes
    binding_id: UUID


def asking_to_order(db: Database, clock: Clock) -> Combining[AskingToOrder, sql.ToOrder]:
    """Raises Problem NOT_SIGNED_IN without a living session."""
    return asking(db, clock, sql.to_order)
