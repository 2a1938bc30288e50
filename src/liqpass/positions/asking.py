"""Who asks to bind a position, and their account as it was last read: one statement for all at once."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining, in_columns, in_place
from liqpass.db import Database
from liqpass.market.reading import MAX_AGE
from liqpass.positions import sql
from liqpass.signin.sessions import not_signed_in


class AskingToBind(msgspec.Struct, frozen=True):
    """By which session, a position of which account, in which instrument."""

    token_sha256: bytes
    api_account_id: UUID
    inst_id: str


def asking_to_bind(db: Database, clock: Clock) -> Combining[AskingToBind, sql.ToBind]:
    """Raises Problem NOT_SIGNED_IN without a living session."""

    async def alone(one: AskingToBind) -> sql.ToBind:
        (found,) = await together([one])
        if found is None:
            raise not_signed_in()
        return found

    async def together(several: Sequence[AskingToBind]) -> list[sql.ToBind | None]:
        tokens, accounts, inst_ids = in_columns(several)
        now = clock()
        async with db.pool.acquire() as conn:
            found = await sql.to_bind(conn, tokens, accounts, inst_ids, now, now - MAX_AGE)
        return in_place(found, len(several))

    return Combining(alone, together)
