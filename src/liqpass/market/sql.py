"""Queries of the market."""

from datetime import datetime

from liqpass.db import Connection, query
from liqpass.market.volatility import Volatility

# Of each of the instruments $1 the newest variances that were read at $2 or later: the columns of Volatility.
NEWEST = """
    select newest.* from unnest($1::text[]) as wanted (inst_id)
    cross join lateral (
        select v.inst_id, v.read_at, v.short_e12, v.long_e12,
            encode(v.candles_sha256, 'hex') as candles_sha256, v.source
        from volatilities v where v.inst_id = wanted.inst_id and v.read_at >= $2
        order by v.read_at desc limit 1
    ) newest
"""


@query(NEWEST)
async def newest(conn: Connection, inst_ids: list[str], since: datetime) -> list[Volatility]:
    """Of each instrument the newest variances that were read since then."""
    ...
