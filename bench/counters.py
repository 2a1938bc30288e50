"""What PostgreSQL counts of itself: transactions, flushes of its write-ahead log and how much is written to
it; and statements, by its server log."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

# A session that has been idle for ten seconds has reported all that it did (PGSTAT_IDLE_INTERVAL); one that
# ends reports at once.
REPORTED_SEC = 10.5
# of sessions: what autovacuum does in the seconds after a load is not the load's
COUNTED = """
    select (select sum(fsyncs)::float8 from pg_stat_io
            where object = 'wal' and backend_type = 'client backend'),
        (select (xact_commit + xact_rollback)::float8 from pg_stat_database
            where datname = current_database())
"""
WRITTEN = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
ALL_LOGGED = {"log_statement": "all", "log_line_prefix": "%a|", "log_parameter_max_length": "0"}
# a line that goes on begins with a tab; who gives no name, as we, is [unknown]
EXECUTED = re.compile(rb"^(?!liqpass work|\[unknown\]|\t)[^|\n]+\|LOG:  (?:execute|statement)", re.MULTILINE)


class Counters(msgspec.Struct, frozen=True):
    """Since the server began, or of a span, or of one loop."""

    flushes: float
    transactions: float

    def since(self, before: "Counters") -> "Counters":
        """What came to it."""
        return Counters(self.flushes - before.flushes, self.transactions - before.transactions)

    def times(self, factor: float) -> "Counters":
        """So often."""
        return Counters(factor * self.flushes, factor * self.transactions)


async def read_counters(owner: asyncpg.Connection) -> Counters:
    """As far as sessions have reported."""
    counted = await owner.fetchrow(COUNTED)
    return Counters(*(counted or ()))


async def wal_bytes(owner: asyncpg.Connection) -> int:
    """How much was ever written to the write-ahead log, by now."""
    return int(await owner.fetchval(WRITTEN))


class Executed(msgspec.Struct):
    """How many statements were executed, known at the end."""

    number: int = 0


@asynccontextmanager
async def counting_statements(owner: asyncpg.Connection, log: Path) -> AsyncIterator[Executed]:
    """Every statement is logged meanwhile, which makes it slow; those of all but the worker are counted. Each
    is one round trip: asyncpg and pgbench wait for each answer."""
    executed = Executed()
    for name, value in ALL_LOGGED.items():
        await owner.execute(f"alter system set {name} = '{value}'")
    begins = await _reload(owner, log)
    try:
        yield executed
    finally:
        for name in ALL_LOGGED:
            await owner.execute(f"alter system reset {name}")
        ends = await _reload(owner, log)
        with log.open("rb") as file:
            file.seek(begins)
            executed.number = len(EXECUTED.findall(file.read(ends - begins)))


async def _reload(owner: asyncpg.Connection, log: Path) -> int:
    """How long the log is once every session has its settings anew."""
    await owner.execute("select pg_reload_conf()")
    await asyncio.sleep(0.5)
    return log.stat().st_size  # noqa: ASYNC240  (nothing else happens meanwhile)
