"""The volatility that a price is made of: at most an hour old, or there is none."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from liqpass.db import Connection
from liqpass.market import sql
from liqpass.market.volatility import Volatility

MAX_AGE = timedelta(hours=1)
# For a statement of another slice that reads more in the same round trip: of the instruments {instruments}
# those that were read since {since}, as JSON for `by_instrument`.
NEWEST_AS_JSON = f"(select coalesce(json_agg(v), '[]')::text from ({sql.NEWEST}) v)"


async def volatilities(conn: Connection, inst_ids: Collection[str], now: datetime) -> dict[str, Volatility]:
    """By instrument; those that were not read within the hour are not there."""
    return _by_instrument(await sql.newest(conn, sorted(set(inst_ids)), now - MAX_AGE))


def by_instrument(newest: str) -> dict[str, Volatility]:
    """What NEWEST_AS_JSON gave."""
    return _by_instrument(msgspec.json.decode(newest, type=list[Volatility]))


def _by_instrument(newest: list[Volatility]) -> dict[str, Volatility]:
    return {one.inst_id: one for one in newest}
