"""An exchange that is away for an hour, one instrument that is out of order, workers that die on the way."""

import math
from datetime import timedelta

import pytest

from liqpass.gauges import SEEN
from liqpass.market import standing
from liqpass.market.sql import take_due
from liqpass.market.step import AT_ONCE, SILENT
from tests.market.conftest import Market

CANDLES = "mark-price-candles"


async def remarks(market: Market) -> list[str]:
    """What /readyz and `liqpass check` say of the market now."""
    async with market.db.pool.acquire() as conn:
        return standing.remarks(await standing.standing(conn, market.clock()), market.clock())


async def test_an_outage_of_an_hour_takes_the_price_away_and_its_end_brings_it_back(market: Market) -> None:
    before = await market.read()
    market.okx.faults.outage(2 * 3600, path=CANDLES)
    for _ in range(11):
        assert await market.read(minutes=5) == before  # at most an hour old
    assert await remarks(market) == []
    assert await market.read(minutes=6) is None
    failing = await market.instrument()
    assert failing["failures"] > 5
    assert not failing["doubted"]
    (said,) = await remarks(market)
    assert said.startswith(f"1 of 1 instruments have no price ({market.inst_id}: OKX does not answer as it")
    await market.want()
    assert await market.read(minutes=58) is None
    after = await market.read(minutes=2)
    assert after is not None
    assert (await market.instrument())["trouble"] is None
    assert await remarks(market) == []


async def test_one_that_is_out_of_order_holds_up_no_other(market: Market) -> None:
    names = [market.add() for _ in range(9)]
    odd, gone = names[0], names[1]
    market.inst_id = odd
    market.tell(0, ["", "", "", "", "", ""])
    for ago in range(1, 12):
        market.tell(ago, None)
    market.okx.books.delist_instrument(gone)
    await market.want(*names)
    for name in names:
        market.inst_id = name
        read = await market.read()
        assert (read is None) == (name in (odd, gone)), name
    (said,) = await remarks(market)
    assert said.startswith("2 of 10 instruments have no price (")
    assert f"{gone}: OKX lists no such instrument" in said


async def test_what_is_odd_about_candles_that_have_a_price_is_told_by_name(market: Market) -> None:
    market.tell(7, None)
    await market.read()
    async with market.db.pool.acquire() as conn:
        found = await standing.standing(conn, market.clock())
    assert standing.oddities(found) == [f"{market.inst_id}: 1 of its hours: missing"]
    assert standing.remarks(found, market.clock()) == []


async def test_where_none_of_some_gets_an_answer_the_others_are_not_tried(market: Market) -> None:
    names = [market.add() for _ in range(12)]
    await market.want(*names)
    market.okx.faults.outage(60, path=CANDLES)
    await market.read()
    tried = "select count(*) from market_instruments where inst_id = any($1) and failures > 0"
    assert await market.db.pool.fetchval(tried, names) <= AT_ONCE + SILENT
    market.okx.faults.heal()
    await market.read(seconds=10)
    read = "select count(*) from market_instruments where inst_id = any($1) and read_at is not null"
    assert await market.db.pool.fetchval(read, names) == len(names)


async def test_what_a_worker_took_that_died_is_due_again_in_a_minute(market: Market) -> None:
    async with market.db.pool.acquire() as conn:
        now = market.clock()
        taken = await take_due(conn, now, now - timedelta(days=1), now + timedelta(minutes=1), 100)
    assert [one.inst_id for one in taken] == [market.inst_id]
    assert await market.read(seconds=59) is None
    assert await market.read(seconds=1) is not None


async def test_metrics_tell_of_each_instrument_and_of_nothing_while_the_database_is_away(
    market: Market,
) -> None:
    def shown(name: str, **labels: str) -> float | None:
        return SEEN.get_sample_value(f"liqpass_{name}", labels)

    async def told() -> None:
        async with market.db.pool.acquire() as conn:
            standing.tell(await standing.standing(conn, market.clock()), market.clock())

    await told()
    of = {"instrument": market.inst_id}
    assert (shown("instruments_wanted"), shown("instruments_unpriced")) == (1, 1)
    assert math.isnan(shown("volatility_age_seconds", **of) or 0)
    await market.read()
    market.okx.books.delist_instrument(market.inst_id)
    await market.read(seconds=61)
    await told()
    assert (shown("instruments_wanted"), shown("instruments_unpriced")) == (1, 1)
    assert (shown("volatility_age_seconds", **of), shown("volatility_failures", **of)) == (61, 1)
    standing.tell(None, market.clock())
    assert math.isnan(shown("instruments_wanted") or 0)
    assert shown("volatility_age_seconds", **of) is None


async def test_without_a_worker_it_is_said_what_to_do(market: Market) -> None:
    market.clock.advance(minutes=6)
    assert await remarks(market) == ["1 of 1 instruments are not read in time: is liqpass work running?"]


@pytest.mark.parametrize("days", [199, 201])
async def test_what_no_order_needs_any_more_is_deleted(market: Market, days: int) -> None:
    await market.read()
    now = market.clock() + timedelta(days=days)
    async with market.db.pool.acquire() as conn:
        await standing.forget(conn, now)
        kept = await conn.fetchval("select count(*) from volatilities where inst_id = $1", market.inst_id)
        candles = await conn.fetchval("select count(*) from mark_candles where inst_id = $1", market.inst_id)
        assert (kept, candles) == (1 if days < 200 else 0, 198)
        while await standing.forget(conn, now + timedelta(days=200)):
            pass
        assert await conn.fetchval("select count(*) from mark_candles") == 0
