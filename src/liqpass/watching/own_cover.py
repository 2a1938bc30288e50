"""What an order's owner is told of its watching: the rules that it was sold under, and whether its account
can be read."""

from datetime import datetime

from liqpass.db import Connection
from liqpass.vault.exchange_trouble import SAID_OF_KEYS
from liqpass.watching import sql
from liqpass.watching.alarms import UNSEEN
from liqpass.watching.step import NO_KEY

OwnCover = sql.OwnCover
NEEDS_KEY = frozenset({NO_KEY, *SAID_OF_KEYS})


async def own_cover(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> OwnCover | None:
    """Of the user's own order."""
    return await sql.own_cover(conn, user_id, purchase_order_id)


def needs_key(cover: OwnCover) -> bool:
    """Whether another key of the same account would show it again."""
    return cover.trouble in NEEDS_KEY


def unread_since(cover: OwnCover, now: datetime) -> datetime | None:
    """Since when a watched position, as far as is known still there, was not seen; None while all is well.

    A key that is refused is told at once. What passes by itself is told when it lasts.
    """
    since = cover.seen_at or cover.coverage_start_at
    if not cover.watched or since is None or since > now:
        return None
    lasts = now - since >= UNSEEN
    return since if lasts or needs_key(cover) else None
