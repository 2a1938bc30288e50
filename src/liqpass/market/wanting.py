"""Instruments whose price is asked for: they are read while somebody wants them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from liqpass.db import Connection
from liqpass.market import sql

# So long after somebody wanted it an instrument is read.
WANTED = timedelta(days=1)
# So long after it, it is read every minute.
LIVELY = timedelta(minutes=10)
NOTED_EVERY = timedelta(minutes=5)
SOON = timedelta(minutes=1)
LATER = timedelta(minutes=5)


async def want(conn: Connection, inst_ids: Iterable[str], now: datetime) -> None:
    """Somebody holds a position in these. Most calls write nothing; where one is new, or was not read in the
    last minute, the worker is woken."""
    names = sorted(set(inst_ids))
    if names:
        await sql.want(conn, names, now, now - NOTED_EVERY, now - SOON)
