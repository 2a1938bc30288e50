"""Asking for a claim: it is opened, or the one that is there is looked at again."""

from datetime import datetime, timedelta
from uuid import UUID

from liqpass.claims import sql as claims
from liqpass.claims.opening import open_for
from liqpass.claims.states import Opener
from liqpass.db import Connection

# Whoever asks each second would take the turns of others at the exchange.
NOT_SOONER = timedelta(seconds=10)


async def ask(
    conn: Connection,
    now: datetime,
    random: bytes,
    user: bytes | None,
    purchase_order_id: bytes,
    *,
    by_name: str | None = None,
) -> UUID:
    """The claim's id. `user` is whose order it has to be; None: an operator asks, `by_name`. `random`: 10
    bytes. Raises ORDER_NOT_FOUND, ORDER_NOT_COVERED."""
    by = Opener.OPERATOR if user is None else Opener.TRADER
    claim = await open_for(conn, now, random, purchase_order_id, by=by, user=user, by_name=by_name)
    if claim.asked_at is None or now - claim.asked_at >= NOT_SOONER:
        await claims.ask_soon(conn, claim.user_id, claim.id, now)
    return claim.id
