"""Queries of the market."""

from datetime import datetime

import msgspec

from liqpass.db import WAKE_CHANNEL, Connection, query
from liqpass.market.volatility import Volatility

# Of each of the instruments the newest variances that were read since a time, unless what was answered after
# that cannot be trusted: the columns of Volatility. The inner `select` hides from the planner how many
# instruments there are: else it plans anew at every call.
NEWEST = """
    select newest.* from unnest((select {instruments}::text[])) as wanted (inst_id)
    cross join lateral (
        select v.inst_id, v.read_at, v.short_e12, v.long_e12,
            encode(v.candles_sha256, 'hex') as candles_sha256, v.source
        from volatilities v where v.inst_id = wanted.inst_id and v.read_at >= {since}
        order by v.read_at desc limit 1
    ) newest
    where not exists (
        select from market_instruments m where m.inst_id = newest.inst_id and m.doubted
    )
"""


class Due(msgspec.Struct, frozen=True):
    """An instrument that is to be read."""

    inst_id: str
    wanted_at: datetime
    failures: int
    trouble: str | None


class Wanted(msgspec.Struct, frozen=True):
    """How reading a wanted instrument stands; `remarks`: what was odd about the candles that were read."""

    inst_id: str
    read_at: datetime | None
    due_at: datetime
    failures: int
    doubted: bool
    trouble: str | None
    remarks: list[str] | None


class KeptCandle(msgspec.Struct, frozen=True):
    """A complete bar as it was told last."""

    bar: str
    start_at: datetime
    open: str
    high: str
    low: str
    close: str


@query(NEWEST.format(instruments="$1", since="$2"))
async def newest(conn: Connection, inst_ids: list[str], since: datetime) -> list[Volatility]:
    """Of each instrument the newest variances that were read since then."""
    ...


@query(f"""
    with unnoted as (
        select given.inst_id from unnest($1::text[]) as given (inst_id)
        where not exists (
            select from market_instruments m where m.inst_id = given.inst_id and m.wanted_at > $3
        )
    ),
    wanted as (
        insert into market_instruments (inst_id, wanted_at, due_at)
        select inst_id, $2, $2 from unnoted order by inst_id
        on conflict (inst_id) do update set
            wanted_at = excluded.wanted_at,
            due_at = case
                when market_instruments.failures = 0 and market_instruments.read_at < $4
                then least(market_instruments.due_at, excluded.due_at)
                else market_instruments.due_at
            end
        where market_instruments.wanted_at <= $3
        returning due_at
    )
    select count(pg_notify('{WAKE_CHANNEL}', '')) from wanted where due_at <= $2
""")
async def want(
    conn: Connection, inst_ids: list[str], now: datetime, noted_since: datetime, read_since: datetime
) -> int:
    """Note that these are wanted, unless it was noted after `noted_since`; one that was not read after
    `read_since` becomes due. How many are due; their worker is woken."""
    ...


@query("""
    with due as (
        select inst_id from market_instruments where due_at <= $1 and wanted_at > $2
        order by due_at limit $4
        for update skip locked
    )
    update market_instruments m set due_at = $3 from due where m.inst_id = due.inst_id
    returning m.inst_id, m.wanted_at, m.failures, m.trouble
""")
async def take_due(
    conn: Connection, now: datetime, wanted_since: datetime, until: datetime, at_most: int
) -> list[Due]:
    """Those that are due, longest first, each taken until then: whoever takes one and dies leaves it to the
    next."""
    ...


@query("""
    select distinct on (bar, start_at) bar, start_at, open, high, low, close from mark_candles
    where inst_id = $1 and read_at <= $4
        and ((bar = '1H' and start_at >= $2) or (bar = '1Dutc' and start_at >= $3))
    order by bar, start_at, read_at desc
""")
async def kept(
    conn: Connection, inst_id: str, hours_since: datetime, days_since: datetime, at: datetime
) -> list[KeptCandle]:
    """Its complete bars since then, as they were told until `at`."""
    ...


@query("select running from volatilities where inst_id = $1 order by read_at desc limit 1")
async def running(conn: Connection, inst_id: str) -> str | None:
    """Its bars that were not complete at the last reading, as JSON."""
    ...


@query("""
    insert into mark_candles (inst_id, bar, read_at, source, answer_sha256, start_at, open, high, low, close)
    select $1, $2, $3, $4, $5,
        * from unnest($6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[])
    on conflict do nothing
""")
async def keep_candles(
    conn: Connection,
    inst_id: str,
    bar: str,
    read_at: datetime,
    source: str,
    answer_sha256: bytes,
    starts: list[datetime],
    opens: list[str],
    highs: list[str],
    lows: list[str],
    closes: list[str],
) -> None:
    """Keep complete bars of an answer."""
    ...


@query("""
    with before as (
        select remarks from volatilities where inst_id = $1 order by read_at desc limit 1
    )
    insert into volatilities
        (inst_id, read_at, short_e12, long_e12, candles_sha256, source, running, remarks)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict do nothing
    returning remarks is distinct from coalesce((select remarks from before), '{}') as odd
""")
async def keep_volatility(
    conn: Connection,
    inst_id: str,
    read_at: datetime,
    short_e12: int,
    long_e12: int,
    candles_sha256: bytes,
    source: str,
    running: str,
    remarks: list[str],
) -> bool | None:
    """Keep what was made of the candles of a time; whether the remarks are other ones than last time."""
    ...


@query("""
    update market_instruments
    set read_at = $2, due_at = $3, failures = 0, doubted = false, trouble = null
    where inst_id = $1
""")
async def note_read(conn: Connection, inst_id: str, read_at: datetime, due_at: datetime) -> None:
    """Its variances were made."""
    ...


@query("""
    update market_instruments
    set due_at = $2, failures = failures + 1, doubted = doubted or $3, trouble = $4
    where inst_id = $1
""")
async def note_failed(conn: Connection, inst_id: str, due_at: datetime, doubted: bool, trouble: str) -> None:
    """Why there are none, and when it is tried again. `doubted`: nor are those from before good any more."""
    ...


@query("""
    select m.inst_id, m.read_at, m.due_at, m.failures, m.doubted, m.trouble, v.remarks
    from market_instruments m
    left join volatilities v on v.inst_id = m.inst_id and v.read_at = m.read_at
    where m.wanted_at > $1 order by m.inst_id
""")
async def wanted(conn: Connection, since: datetime) -> list[Wanted]:
    """Instruments that somebody wanted since then."""
    ...


@query("""
    with old as (
        select v.inst_id, v.read_at from market_instruments m
        join volatilities v on v.inst_id = m.inst_id and v.read_at < $1
        limit $3
    ),
    old_candles as (
        select c.inst_id, c.bar, c.start_at, c.read_at from market_instruments m
        cross join unnest(array['1H', '1Dutc']) as bars (bar)
        join mark_candles c on c.inst_id = m.inst_id and c.bar = bars.bar and c.start_at < $2
        limit $3
    ),
    forgotten as (
        delete from volatilities v using old where v.inst_id = old.inst_id and v.read_at = old.read_at
        returning 1
    ),
    forgotten_candles as (
        delete from mark_candles c using old_candles o
        where (c.inst_id, c.bar, c.start_at, c.read_at) = (o.inst_id, o.bar, o.start_at, o.read_at)
        returning 1
    )
    select (select count(*) from forgotten) + (select count(*) from forgotten_candles)
""")
async def forget(
    conn: Connection, volatilities_before: datetime, candles_before: datetime, at_most: int
) -> int:
    """Delete what is older; how many rows."""
    ...
