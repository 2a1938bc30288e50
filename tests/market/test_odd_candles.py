"""An exchange that answers with gaps and nonsense: what is wrong is named, crashes nothing, and makes no
price cheaper."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from liqpass.market.volatility import Volatility
from tests.market.conftest import Market

Row = list[Any]


async def shown(market: Market, bar: str = "1H") -> list[Row]:
    """What the exchange answers, newest first."""
    rows = (await market.gateway.mark_candles(market.inst_id, "1H" if bar == "1H" else "1Dutc")).rows
    return [[str(r.start_ms), r.open, r.high, r.low, r.close, "1" if r.complete else "0"] for r in rows]


async def before(market: Market) -> Volatility:
    """What is read while all is well; forgotten again, so that the next reading is the first."""
    read = await market.read()
    assert read is not None
    for table in ("volatilities", "mark_candles"):
        await market.db.pool.execute(f"delete from {table} where inst_id = $1", market.inst_id)
    return read


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: None, "missing"),
        (lambda row: [*row[:2], str(float(row[2]) * 101), *row[3:]], "moving a hundredfold"),
        (lambda row: [*row[:2], float(row[2]), *row[3:]], "cannot be read"),
    ],
)
async def test_an_absurd_bar_is_named_and_makes_nothing_cheaper(
    market: Market, change: Callable[[Row], Any], said: str
) -> None:
    sound = await before(market)
    rows = await shown(market)
    by_width = sorted((float(row[2]) / float(row[3]), at) for at, row in enumerate(rows) if at > 1)
    _, ago = by_width[len(by_width) // 2]
    row = change(rows[ago])
    market.tell(ago, row)
    read = await market.read(minutes=1)
    assert read is not None, (await market.instrument())["trouble"]
    assert read.short_e12 >= sound.short_e12
    assert read.long_e12 >= sound.long_e12
    remarks = " ".join(await market.remarks())
    assert said in remarks
    assert "1 of its hours" in remarks


@pytest.mark.parametrize("bar", ["1H", "1Dutc"])
async def test_ten_odd_bars_make_a_price_dearer_and_eleven_make_none(market: Market, bar: str) -> None:
    sound = await before(market)
    for ago in range(20, 40, 2):
        market.tell(ago, None, bar=bar)
    read = await market.read(minutes=1)
    assert read is not None
    dearer = (read.short_e12 > sound.short_e12, read.long_e12 > sound.long_e12)
    assert dearer == (bar == "1H", bar == "1Dutc")
    await market.db.pool.execute("delete from mark_candles where inst_id = $1", market.inst_id)
    market.tell(50, None, bar=bar)
    assert await market.read(minutes=1) is None
    word = "hours" if bar == "1H" else "days"
    trouble = (await market.instrument())["trouble"]
    assert trouble == f"11 of its last 100 {word} are missing, still or absurd."


async def test_days_are_asked_for_again_until_they_are_sound(market: Market) -> None:
    for ago in range(5, 16):
        market.tell(ago, None, bar="1Dutc")
    assert await market.read() is None
    market.okx.books.instruments[market.inst_id].told.clear()
    assert await market.read(minutes=1) is not None


async def test_a_gap_is_filled_by_what_was_told_before(market: Market) -> None:
    sound = await market.read()
    market.tell(5, None)
    read = await market.read(minutes=1)
    assert await market.remarks() == []
    assert sound is not None
    assert read is not None
    assert read.short_e12 == pytest.approx(sound.short_e12, rel=1e-3)  # the page goes an hour further back


async def test_an_hour_of_now_that_cannot_be_is_no_price_at_once(market: Market) -> None:
    assert await market.read() is not None
    market.tell(0, [str(market.hour_ms(0)), "100", "1", "10000", "100", "0"])
    assert await market.read(minutes=1) is None  # though it was read a minute ago
    row = await market.instrument()
    assert "what OKX shows of this hour cannot be" in row["trouble"]
    market.tell(0, [str(market.hour_ms(0)), "100", "100.1", "99.9", "100", "0"])
    assert await market.read(minutes=1) is not None
    row = await market.instrument()
    assert (row["failures"], row["doubted"], row["trouble"]) == (0, False, None)


async def test_a_bar_of_now_that_is_told_narrower_than_before_takes_no_fall_out_of_the_price(
    market: Market,
) -> None:
    """Another server of theirs may lag behind, or somebody lies."""
    fallen = [str(market.hour_ms(0)), "100", "100", "70", "99", "0"]
    market.tell(0, fallen)
    dear = await market.read()
    market.tell(0, [*fallen[:3], "98", *fallen[4:]])
    for _ in range(2):
        read = await market.read(minutes=1)
        assert dear is not None
        assert read is not None
        assert read.read_at > dear.read_at
        assert (read.short_e12, read.long_e12) == (dear.short_e12, dear.long_e12)
        assert await market.remarks() == ["1 of its hours: narrower than they were before"]


async def test_a_price_that_jumps_a_hundredfold_is_none(market: Market) -> None:
    for ago in range(1, 30):
        market.tell(ago, [str(market.hour_ms(ago)), "0.9", "0.91", "0.89", "0.9", "1"])
    assert await market.read() is None
    assert "its price jumped a hundredfold" in (await market.instrument())["trouble"]


async def test_a_bar_that_is_told_otherwise_later_is_kept_beside_and_counts(market: Market) -> None:
    sound = await market.read()
    market.tell(2, [str(market.hour_ms(2)), "100", "120", "99", "101", "1"])
    read = await market.read(minutes=1)
    assert sound is not None
    assert read is not None
    assert read.short_e12 > sound.short_e12
    assert await market.remarks() == ["1 of its hours: not as they were told before"]
    kept = await market.db.pool.fetchval(
        "select count(*) from mark_candles where inst_id = $1 and start_at = to_timestamp($2::bigint / 1000)",
        market.inst_id,
        market.hour_ms(2),
    )
    assert kept == 2
    await market.read(minutes=1)
    assert await market.remarks() == []


async def test_the_same_number_in_another_writing_is_the_same(market: Market) -> None:
    await market.read()
    newest = (await shown(market))[1]
    market.tell(1, [newest[0], *(f"{float(price) * 10:.4f}0e-1" for price in newest[1:5]), "1"])
    assert await market.read(minutes=1) is not None
    assert await market.remarks() == []


async def answered(market: Market, rows: Any) -> Volatility | None:
    """What is read when the next answer about candles is this."""
    said = json.dumps({"code": "0", "msg": "", "data": rows})
    market.okx.faults.answer(said, path="mark-price-candles", count=1)
    return await market.read(minutes=1)


async def test_the_order_and_the_number_of_times_of_a_row_do_not_matter(market: Market) -> None:
    sound = await market.read()
    rows = await shown(market)
    read = await answered(market, [*rows[::-1], *rows[:7]])
    assert (read and read.short_e12) == (sound and sound.short_e12)
    assert any("out of order" in remark for remark in await market.remarks())


async def test_of_two_bars_of_one_time_the_wider_counts(market: Market) -> None:
    sound = await market.read()
    rows = await shown(market)
    wide = [rows[4][0], rows[4][1], str(float(rows[4][2]) * 1.1), *rows[4][3:]]
    for both in ([*rows[:5], wide, *rows[5:]], [*rows[:4], wide, *rows[4:]]):
        read = await answered(market, both)
        assert sound is not None
        assert read is not None
        assert read.short_e12 > sound.short_e12
        await market.db.pool.execute("delete from mark_candles where inst_id = $1", market.inst_id)


@pytest.mark.parametrize(
    ("rows", "trouble"),
    [
        ([], "OKX shows no candles of it."),
        ([["1597026383085", "1", "1", "1", "1", "0"]], "OKX shows no candles of it."),
        ("none", "OKX's answer cannot be read with certainty. Nothing was changed."),
        ([{"ts": "1"}], "OKX's answer cannot be read with certainty. Nothing was changed."),
        ([[[[]]]] * 3, "OKX shows no candles of it."),
    ],
)
async def test_an_answer_without_a_bar_of_now_is_no_price(market: Market, rows: Any, trouble: str) -> None:
    assert await answered(market, rows) is None
    assert (await market.instrument())["trouble"] == trouble


async def test_an_exchange_that_answers_with_an_old_page_is_no_price(market: Market) -> None:
    old = await shown(market)
    assert await market.read() is not None
    market.clock.advance(hours=2)
    await market.want()
    began = f"{market.clock():%Y-%m-%d} 05:00 UTC"
    assert await answered(market, old) is None
    assert (await market.instrument())["trouble"] == f"the newest hour that OKX shows of it began at {began}."


@pytest.mark.parametrize(
    ("days", "trouble"),
    [
        (0, "OKX shows no candles of it."),
        (2, "47 hours of its price can be used, and 72 are needed."),
        (14, "13 days of its price can be used, and 14 are needed."),
        (15, None),
    ],
)
async def test_a_new_listing_needs_two_weeks(market: Market, days: int, trouble: str | None) -> None:
    market.add(days=days)
    await market.want()
    read = await market.read()
    assert (read is None, (await market.instrument())["trouble"]) == (trouble is not None, trouble)


async def test_what_is_not_listed_any_more_has_no_price_at_once(market: Market) -> None:
    assert await market.read() is not None
    market.okx.books.delist_instrument(market.inst_id)
    assert await market.read(minutes=1) is None
    assert (await market.instrument())["trouble"] == "OKX lists no such instrument."
