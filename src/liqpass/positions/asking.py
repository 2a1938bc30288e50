"""Who asks, by a living session, and what is known of what they ask for: one statement for all at once."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining, Placed, in_place
from liqpass.db import Database
from liqpass.market.reading import MAX_AGE, by_instrument
from liqpass.positions import sql
from liqpass.positions.readings import PositionReader, StoredReading
from liqpass.positions.remembered import Known, Remembered
from liqpass.signin.sessions import not_signed_in

R = TypeVar("R", bound=msgspec.Struct)
P = TypeVar("P", bound=Placed)


def asking_to_bind(db: Database, clock: Clock) -> Combining[sql.AskingToBind, sql.ToBind]:
    """Raises Problem NOT_SIGNED_IN without a living session."""
    return asking(db, clock, sql.to_bind)


class AskedOfMoves(Protocol):
    """What a statement found of one who asks: an `Asked`, and how instruments move, as JSON."""

    @property
    def user_id(self) -> bytes: ...
    @property
    def volatilities(self) -> str: ...
    def account(self) -> StoredReading | None: ...


async def found_out(
    reader: PositionReader,
    remembered: Remembered,
    token_sha256: bytes,
    asked: AskedOfMoves,
    api_account_id: UUID,
    inst_id: str,
    max_age: timedelta,
) -> Known:
    """The account as it was read at most `max_age` ago, else as it is read now, and how an instrument moves;
    and remember it. Raises what `PositionReader.recent` raises."""
    account = reader.kept(asked.account(), max_age)
    if account is None:
        account = await reader.anew(asked.user_id, api_account_id)
    moves = by_instrument(asked.volatilities)
    remembered.keep(token_sha256, asked.user_id, api_account_id, account, moves.values())
    return Known(asked.user_id, account, moves.get(inst_id))


def asking(db: Database, clock: Clock, statement: Callable[..., Awaitable[list[P]]]) -> Combining[R, P]:
    """What `statement` finds for requests that come in at the same time. Its parameters are these, now, and
    since when prices are young enough; a request without a living session gets no row.

    Raises Problem NOT_SIGNED_IN.
    """

    async def alone(one: R) -> P:
        (found,) = await together([one])
        if found is None:
            raise not_signed_in()
        return found

    async def together(several: Sequence[R]) -> list[P | None]:
        now = clock()
        found = await db.at_hand.use(lambda conn: statement(conn, list(several), now, now - MAX_AGE))
        return in_place(found, len(several))

    return Combining(db.turns, alone, together)
