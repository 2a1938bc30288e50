"""What the worker reads of the market, and what a price can be made of then."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from liqpass.market.judging import Told
from liqpass.market.step import known, read_due, variances
from liqpass.market.wanting import want
from tests.market.conftest import Market

DAILY = Decimal("0.03")  # what the sandbox's prices move unless they are told otherwise


async def candles(market: Market, bar: str) -> list[Any]:
    """What is kept of its bars, oldest first; of one that was told twice both."""
    return await market.db.pool.fetch(
        "select * from mark_candles where inst_id = $1 and bar = $2 order by start_at, read_at",
        market.inst_id,
        bar,
    )


async def made_again(market: Market) -> list[tuple[int, int, str]]:
    """Each of its variances with their hash, of the candles that are kept; the stored ones must be these."""
    rows = await market.db.pool.fetch(
        "select * from volatilities where inst_id = $1 order by read_at", market.inst_id
    )
    found = []
    for row in rows:
        async with market.db.pool.acquire() as conn:
            at = await known(conn, market.inst_id, row["read_at"])
        running = msgspec.json.decode(row["running"], type=list[Told])
        at = msgspec.structs.replace(at, running=running)
        again = variances(market.inst_id, at, row["read_at"], row["source"]).volatility
        made = (again.short_e12, again.long_e12, again.candles_sha256)
        assert made == (row["short_e12"], row["long_e12"], row["candles_sha256"].hex())
        found.append(made)
    return found


async def test_a_wanted_instrument_has_its_variances_after_one_step(market: Market) -> None:
    assert await market.newest() is None
    read = await market.read()
    assert read is not None
    assert (read.inst_id, read.read_at) == (market.inst_id, market.clock())
    hourly = DAILY**2 * 10**12 / 24
    assert hourly / 2 < read.short_e12 < hourly * 2
    assert hourly / 2 < read.long_e12 < hourly * 2
    assert read.source == "okx global /api/v5/market/mark-price-candles"
    assert await market.remarks() == []


async def test_a_complete_bar_is_kept_once_with_the_hash_of_its_answer(market: Market) -> None:
    answer = await market.gateway.mark_candles(market.inst_id, "1H")
    await market.read()
    hours = await candles(market, "1H")
    assert [row["answer_sha256"] for row in hours] == [answer.sha256] * 99
    told = {row.start_ms: row for row in answer.rows}
    first, last = hours[0], hours[-1]
    assert (first["start_at"].timestamp() * 1000, last["start_at"].timestamp() * 1000) == (
        market.hour_ms(99),
        market.hour_ms(1),
    )
    of_last = told[market.hour_ms(1)]
    assert (last["open"], last["high"], last["low"], last["close"]) == (
        of_last.open,
        of_last.high,
        of_last.low,
        of_last.close,
    )
    await market.read(minutes=1)
    assert await candles(market, "1H") == hours
    await market.read(hours=1)
    assert (await candles(market, "1H"))[:-1] == hours
    assert len(await candles(market, "1Dutc")) == 99


async def test_days_are_asked_for_once_a_day_and_hours_each_time(market: Market) -> None:
    await market.read()
    days = await candles(market, "1Dutc")
    await market.read(hours=18)  # 23:16
    assert await candles(market, "1Dutc") == days
    await market.want()
    await market.read(hours=1)  # 00:16
    assert (await candles(market, "1Dutc"))[:-1] == days
    assert len(await candles(market, "1Dutc")) == len(days) + 1


async def test_every_variance_can_be_made_again_of_what_is_kept(market: Market) -> None:
    await market.read()
    market.okx.books.move_mark(market.inst_id, "93")
    await market.read(minutes=9)
    market.tell(3, [str(market.hour_ms(3)), "100", "108", "99", "101", "1"])  # not as before
    await market.read(minutes=40)
    await market.want()
    await market.read(hours=23)
    made = await made_again(market)
    assert len(set(made)) == 4


async def test_so_it_can_where_the_hour_ended_while_the_exchange_was_asked(market: Market) -> None:
    await market.read()
    await market.read(hours=1)
    market.clock.advance(hours=1)
    await read_due(market.db, market.gateway, lambda: market.clock() - timedelta(minutes=17))
    assert len(await made_again(market)) == 3


async def test_a_crash_of_the_last_minutes_is_in_both_at_once(market: Market) -> None:
    before = await market.read()
    market.okx.books.move_mark(market.inst_id, "85")
    after = await market.read(minutes=1)
    assert before is not None
    assert after is not None
    assert after.short_e12 > 2 * before.short_e12
    assert after.long_e12 > before.long_e12


async def test_an_hour_that_has_only_begun_makes_nothing_cheaper(market: Market) -> None:
    market.clock.now = market.clock.now.replace(minute=59, second=59)
    before = await market.read()
    after = await market.read(seconds=61)
    assert before is not None
    assert after is not None
    begun = await market.gateway.mark_candles(market.inst_id, "1H")
    assert begun.rows[0].high == begun.rows[0].low  # it did not move yet
    assert after.short_e12 * 100 > before.short_e12 * 97  # but for the weight of an hour


async def test_it_is_read_every_minute_while_it_is_looked_at_and_every_five_for_a_day(market: Market) -> None:
    async def reads(minutes: int) -> int:
        return sum([await read_at(step) for step in range(minutes)])

    async def read_at(_step: int) -> bool:
        market.clock.advance(minutes=1)
        return await read_due(market.db, market.gateway, market.clock) > 0

    assert await reads(9) == 9
    assert await reads(30) <= 8
    await market.want()
    assert await reads(5) == 5
    market.clock.advance(hours=24)
    assert await reads(10) == 0


async def test_wanting_again_writes_nothing_and_what_is_new_wakes_the_worker(market: Market) -> None:
    woken: list[str] = []

    async def version() -> Any:
        return await market.db.pool.fetchval(
            "select (xmin, xmax)::text from market_instruments where inst_id = $1", market.inst_id
        )

    await market.read()
    before = await version()
    async with market.db.pool.acquire() as listening, market.db.pool.acquire() as conn:
        await listening.add_listener("liqpass_work", lambda *_: woken.append("woken"))
        await want(conn, [market.inst_id], market.clock())
        await listening.execute("select 1")
        assert (await version(), woken) == (before, [])
        fresh = market.add()
        await want(conn, [market.inst_id, fresh], market.clock())
        await listening.execute("select 1")
        assert woken == ["woken"]
        await listening.reset()


async def test_names_in_chinese_and_prices_of_a_millionth_are_read_as_any(market: Market) -> None:
    for inst_id, mark in (("币安人生-USDT-SWAP", "0.25"), ("SATS-USDT-SWAP", "0.00000012")):
        market.inst_id = inst_id
        market.okx.books.list_instrument(inst_id, mark=mark)
        await market.want()
        read = await market.read()
        assert read is not None, (await market.instrument())["trouble"]
        assert read.short_e12 > DAILY**2 * 10**12 / 48
