"""How reading the market stands, for metrics and remarks, and how long what was read is kept."""

from datetime import datetime, timedelta

import msgspec

from liqpass.db import Connection
from liqpass.gauges import seen_gauge
from liqpass.market import sql
from liqpass.market.reading import MAX_AGE
from liqpass.market.wanting import WANTED

# A worker that runs has read, or tried, what is due so long after.
LATE = timedelta(minutes=5)
# An order is priced within the hour, covers for thirty days, and is claimed while the exchange shows its end.
VOLATILITIES_KEPT = timedelta(days=200)
# Those of the oldest variances go a hundred days further back.
CANDLES_KEPT = VOLATILITIES_KEPT + timedelta(days=101)
FORGET_AT_ONCE = 5_000
TOLD = 3
NAN = float("nan")  # Prometheus's word for unknown

wanted_gauge = seen_gauge("liqpass_instruments_wanted", "Instruments that somebody held within the day.")
unpriced_gauge = seen_gauge("liqpass_instruments_unpriced", "Those of which no price can be made at present.")
age_gauge = seen_gauge("liqpass_volatility_age_seconds", "Since its candles were read.", ("instrument",))
failures_gauge = seen_gauge(
    "liqpass_volatility_failures", "How often in a row they could not be.", ("instrument",)
)


class Market(msgspec.Struct, frozen=True):
    """Of each instrument that somebody wanted within the day, how reading it stands."""

    wanted: list[sql.Wanted]

    def unpriced(self, now: datetime) -> list[sql.Wanted]:
        """Those of which no price can be made of what was read."""
        return [one for one in self.wanted if one.doubted or not one.read_at or now - one.read_at > MAX_AGE]


async def standing(conn: Connection, now: datetime) -> Market:
    """As it is now."""
    return Market(await sql.wanted(conn, now - WANTED))


async def forget(conn: Connection, now: datetime) -> int:
    """Delete what no order needs any more; how many rows. For the worker, every minute or so."""
    return await sql.forget(conn, now - VOLATILITIES_KEPT, now - CANDLES_KEPT, FORGET_AT_ONCE)


def remarks(market: Market, now: datetime) -> list[str]:
    """What cannot be priced, and why; a sentence."""
    late = [one for one in market.wanted if now - one.due_at > LATE]
    if late:
        of = f"{len(late)} of {len(market.wanted)} instruments"
        return [f"{of} are not read in time: is liqpass work running?"]
    lacking = [one for one in market.unpriced(now) if one.failures]
    if not lacking:
        return []
    why = "; ".join(f"{one.inst_id}: {(one.trouble or '').rstrip('.')}" for one in lacking[:TOLD])
    return [f"{len(lacking)} of {len(market.wanted)} instruments have no price ({why})."]


def oddities(market: Market) -> list[str]:
    """What was odd about candles that a price is made of all the same, by instrument."""
    return [f"{one.inst_id}: {', '.join(one.remarks)}" for one in market.wanted if one.remarks]


def tell(market: Market | None, now: datetime) -> None:
    """As metrics; None: the database does not answer."""
    wanted_gauge.set(len(market.wanted) if market else NAN)
    unpriced_gauge.set(len(market.unpriced(now)) if market else NAN)
    age_gauge.clear()
    failures_gauge.clear()
    for one in market.wanted if market else ():
        age_gauge.labels(one.inst_id).set((now - one.read_at).total_seconds() if one.read_at else NAN)
        failures_gauge.labels(one.inst_id).set(one.failures)
