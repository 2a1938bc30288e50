"""Who asks to order, by which binding, of which account: one statement for all who ask at once."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining, in_columns, in_place
from liqpass.db import Database
from liqpass.market.reading import MAX_AGE
from liqpass.orders.on_sale import sql
from liqpass.signin.sessions import not_signed_in


class AskingToOrder(msgspec.Struct, frozen=True):
    """By which session, by which binding."""

    token_sha256: bytes
    binding_id: UUID


def asking_to_order(db: Database, clock: Clock) -> Combining[AskingToOrder, sql.ToOrder]:
    """Raises Problem NOT_SIGNED_IN without a living session."""

    async def alone(one: AskingToOrder) -> sql.ToOrder:
        (found,) = await together([one])
        if found is None:
            raise not_signed_in()
        return found

    async def together(several: Sequence[AskingToOrder]) -> list[sql.ToOrder | None]:
        tokens, bindings = in_columns(several)
        now = clock()
        async with db.pool.acquire() as conn:
            found = await sql.to_order(conn, tokens, bindings, now, now - MAX_AGE)
        return in_place(found, len(several))

    return Combining(alone, together)
