"""One step of reading the market: the instruments that are due, those that are due longest first."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from liqpass.batches import some_at_a_time
from liqpass.clock import Clock
from liqpass.db import DATABASE_AWAY, Connection, Database
from liqpass.exchange.candles import CandlePage
from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import OkxGateway
from liqpass.market import sql
from liqpass.market.judging import DAYS, HOURS, Answered, Series, Told, Untrusted, answered, judged, today
from liqpass.market.volatility import Volatility, long_variance_e12, short_variance_e12
from liqpass.market.wanting import LATER, LIVELY, SOON, WANTED

AT_ONCE = 6
# Longer than an instrument takes: then somebody else may take it.
TAKEN = timedelta(minutes=1)
FAILED_SOONEST = timedelta(seconds=5)
# After so many in a row without an answer the others are left for the next step.
SILENT = 3
UNLISTED = "51001"

log = structlog.get_logger()
Bars = dict[datetime, Told]


class Market(msgspec.Struct, frozen=True):
    """What is known of an instrument's candles at a time: complete ones by their start, and those of now."""

    hours: Bars
    days: Bars
    running: list[Told]


class Made(msgspec.Struct, frozen=True):
    """Variances, and what was odd about their candles."""

    volatility: Volatility
    remarks: list[str]


async def read_due(db: Database, gateway: OkxGateway, clock: Clock) -> int:
    """Read every wanted instrument that is due, some at a time; how many were tried.

    What is wrong with one is its own. When some in a row get no answer the exchange is away, and the others
    are left for the next step.
    """
    silent = 0

    async def take(free: int) -> list[sql.Due]:
        now = clock()
        if not free or silent >= SILENT:
            return []
        return await db.run(
            lambda conn: sql.take_due(conn, now, now - WANTED, now + TAKEN, free),
            one_statement=True,
        )

    async def read(due: sql.Due) -> None:
        nonlocal silent
        silent = 0 if await _read(db, gateway, clock, due) else silent + 1

    return await some_at_a_time(take, read, AT_ONCE)


async def _read(db: Database, gateway: OkxGateway, clock: Clock, due: sql.Due) -> bool:
    """One instrument; whether the exchange answered. What goes wrong is told and tried again later."""
    silent = doubted = False
    try:
        await _read_and_keep(db, gateway, clock, due)
        return True
    except DATABASE_AWAY:
        raise
    except ExchangeError as error:
        silent = error.kind in (Kind.UNAVAILABLE, Kind.RATE_LIMITED)
        doubted = error.code == UNLISTED
        why = "OKX lists no such instrument." if doubted else error.message_for_user
    except Untrusted as untrusted:
        why, doubted = f"{untrusted}.", True
    except Exception:
        log.exception("instrument_cannot_be_read", inst_id=due.inst_id)
        why = "Its candles cannot be read: the log of liqpass work says why."
    if why != due.trouble:  # said once: it may last
        log.warning("instrument_not_read", inst_id=due.inst_id, why=why)
    # When the exchange is back, prices are back within the minute.
    again = clock() + min(SOON if silent else LATER, FAILED_SOONEST * 2.0 ** min(due.failures, 16))
    await db.run(lambda conn: sql.note_failed(conn, due.inst_id, again, doubted, why), one_statement=True)
    return not silent


async def _read_and_keep(db: Database, gateway: OkxGateway, clock: Clock, due: sql.Due) -> None:
    """No transaction is open while the exchange is asked. Raises ExchangeError, Untrusted."""
    async with db.pool.acquire() as conn:
        market = await known(conn, due.inst_id, clock())
        ran = msgspec.json.decode(await sql.running(conn, due.inst_id) or "[]", type=list[Told])
    page = await gateway.mark_candles(due.inst_id, HOURS.bar)
    now = page.asked_at
    hours = answered(page.rows, market.hours, HOURS, now, ran)
    pages, days = [(HOURS, page, hours)], Answered([], [], [])
    if due.failures or DAYS.start(now) - DAYS.length not in market.days:
        page = await gateway.mark_candles(due.inst_id, DAYS.bar)
        days = answered(page.rows, market.days, DAYS, now)
        pages.append((DAYS, page, days))
    market = Market(
        _since(HOURS.first(now), [*market.hours.values(), *hours.new]),
        _since(DAYS.first(now), [*market.days.values(), *days.new]),
        hours.running,
    )
    remarks = [*hours.remarks, *days.remarks, *_unread(pages)]

    async def keep_answers(conn: Connection) -> None:
        for series, page, found in pages:
            await _keep(conn, due.inst_id, series, page, found.new, now)

    await db.run(keep_answers)
    made = variances(due.inst_id, market, now, pages[0][1].source)
    again = now + (SOON if now - due.wanted_at < LIVELY else LATER)
    await db.run(lambda conn: _keep_made(conn, made, market, [*remarks, *made.remarks], again))


async def known(conn: Connection, inst_id: str, at: datetime) -> Market:
    """What was kept of its candles until then; what was running is not among it."""
    rows = await sql.kept(conn, inst_id, HOURS.first(at), DAYS.first(at), at)
    found: dict[str, Bars] = {HOURS.bar: {}, DAYS.bar: {}}
    for row in rows:
        found[row.bar][row.start_at] = Told(row.start_at, row.open, row.high, row.low, row.close)
    return Market(found[HOURS.bar], found[DAYS.bar], [])


def variances(inst_id: str, market: Market, now: datetime, source: str) -> Made:
    """What the candles say, with the hour and the day of now or without, whatever is more.

    Raises Untrusted.
    """
    hours = judged(market.hours, market.running, HOURS, now)
    days = judged(market.days, [], DAYS, now)
    so_far = today(hours.with_running, now)
    with_today = [*days.complete, so_far] if so_far else days.complete
    return Made(
        Volatility(
            inst_id,
            now,
            max(short_variance_e12(hours.complete), short_variance_e12(hours.with_running)),
            max(long_variance_e12(days.complete), long_variance_e12(with_today)),
            hashlib.sha256(_text_of(market)).hexdigest(),
            source,
        ),
        hours.remarks + days.remarks,
    )


def _since(first: datetime, told: Sequence[Told]) -> Bars:
    """Those that count; of a bar that is there twice the latter."""
    return {one.start_at: one for one in told if one.start_at >= first}


def _text_of(market: Market) -> bytes:
    """The candles as JSON: what the hash is of."""
    hours, days = (
        sorted(bars.values(), key=lambda told: told.start_at) for bars in (market.hours, market.days)
    )
    return msgspec.json.encode([hours, days, market.running], order="sorted")


def _unread(pages: Sequence[tuple[Series, CandlePage, Answered]]) -> list[str]:
    return [f"{len(page.unread)} of its {of.name} cannot be read" for of, page, _ in pages if page.unread]


async def _keep(
    conn: Connection, inst_id: str, of: Series, page: CandlePage, new: list[Told], now: datetime
) -> None:
    if new:
        await sql.keep_candles(
            conn,
            inst_id,
            of.bar,
            now,
            page.source,
            page.sha256,
            [told.start_at for told in new],
            [told.open for told in new],
            [told.high for told in new],
            [told.low for told in new],
            [told.close for told in new],
        )


async def _keep_made(
    conn: Connection, made: Made, market: Market, remarks: list[str], again: datetime
) -> None:
    of = made.volatility
    running = msgspec.json.encode(market.running).decode()
    sha256 = bytes.fromhex(of.candles_sha256)
    other = await sql.keep_volatility(
        conn, of.inst_id, of.read_at, of.short_e12, of.long_e12, sha256, of.source, running, remarks
    )
    await sql.note_read(conn, of.inst_id, of.read_at, again)
    if other:
        log.warning("odd_candles", inst_id=of.inst_id, remarks=remarks)
