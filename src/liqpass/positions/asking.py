"""Who asks, by a living session, and what is known of what they ask for: one statement for all at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from liqpass.clock import Clock
from liqpass.combining import Combining, Placed, in_place
from liqpass.db import Database
from liqpass.market.reading import MAX_AGE
from liqpass.positions import sql
from liqpass.signin.sessions import not_signed_in

R = TypeVar("R", bound=msgspec.Struct)
P = TypeVar("P", bound=Placed)


def asking_to_bind(db: Database, clock: Clock) -> Combining[sql.AskingToBind, sql.ToBind]:
    """Raises Problem NOT_SIGNED_IN without a living session."""
    return asking(db, clock, sql.to_bind)


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
        async with db.pool.acquire() as conn:
            found = await statement(conn, list(several), now, now - MAX_AGE)
        return in_place(found, len(several))

    return Combining(alone, together)
