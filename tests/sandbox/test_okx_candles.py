"""The candles of the sandbox exchange, asked for over HTTP and without a key."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from liqpass.sandbox.okx_server import SandboxExchange
from tests.clock import SettableClock

BTC = "BTC-USDT-SWAP"
MARK, HISTORY_MARK = "mark-price-candles", "history-mark-price-candles"
BOTH = pytest.mark.parametrize("name", ["candles", "history-candles", MARK, HISTORY_MARK])
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC))


@pytest.fixture
async def okx(clock: SettableClock) -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(clock, monotonic=iter(range(0, 10**9, 10)).__next__) as exchange:
        yield exchange


async def answer(okx: SandboxExchange, name: str, **query: Any) -> dict[str, Any]:
    asked = {key: str(value) for key, value in {"instId": BTC, **query}.items() if value is not None}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{okx.hosts['global']}/api/v5/market/{name}", params=asked) as response,
    ):
        said: dict[str, Any] = await response.json()
        return said


async def rows(okx: SandboxExchange, name: str, **query: Any) -> list[list[str]]:
    said = await answer(okx, name, **query)
    assert said["code"] == "0", said
    return list(said["data"])


def starts(bars: list[list[str]]) -> list[int]:
    return [int(bar[0]) for bar in bars]


def prices(bar: list[str]) -> list[Decimal]:
    """Open, high, low, close."""
    return [Decimal(text) for text in bar[1:5]]


@BOTH
async def test_pages_of_them_join_without_a_gap_newest_first(okx: SandboxExchange, name: str) -> None:
    whole = await rows(okx, name, bar="1m", limit=100)
    first = await rows(okx, name, bar="1m", limit=60)
    second = await rows(okx, name, bar="1m", limit=40, after=first[-1][0])
    assert first + second == whole
    assert [later - earlier for later, earlier in pairwise(starts(whole))] == [MINUTE_MS] * 99
    assert await rows(okx, name, bar="1m", limit=100, before=whole[9][0]) == whole[:9]
    between = await rows(okx, name, bar="1m", after=whole[2][0], before=whole[6][0])
    assert between == whole[3:6]


@BOTH
async def test_each_opens_where_the_one_before_closed(okx: SandboxExchange, name: str) -> None:
    bars = await rows(okx, name, bar="5m", limit=100)
    assert all(prices(later)[0] == prices(earlier)[3] for later, earlier in pairwise(bars))
    assert all(prices(bar)[1] == max(prices(bar)) and prices(bar)[2] == min(prices(bar)) for bar in bars)
    assert len({bar[1] for bar in bars}) > 90  # it is no straight line


@pytest.mark.parametrize(
    ("long", "short", "number"),
    [("1H", "1m", 60), ("4H", "30m", 8), ("1Dutc", "1H", 24), ("1Wutc", "1Dutc", 7)],
)
async def test_short_ones_add_up_to_a_long_one(
    okx: SandboxExchange, long: str, short: str, number: int
) -> None:
    (whole,) = await rows(okx, "history-candles", bar=long, limit=1)
    parts = await rows(okx, "history-candles", bar=short, before=int(whole[0]) - 1, limit=300)
    parts = parts[::-1][:number]
    assert starts(parts)[0] == int(whole[0])
    assert prices(whole) == [
        prices(parts[0])[0],
        max(prices(part)[1] for part in parts),
        min(prices(part)[2] for part in parts),
        prices(parts[-1])[3],
    ]
    assert Decimal(whole[5]) == sum(Decimal(part[5]) for part in parts)
    assert Decimal(whole[6]) == Decimal(whole[5]) * Decimal("0.01")


async def test_the_seed_and_the_clock_decide_them_and_nothing_else(
    okx: SandboxExchange, clock: SettableClock
) -> None:
    before = await rows(okx, HISTORY_MARK, bar="1H")
    clock.advance(minutes=30)
    assert await rows(okx, HISTORY_MARK, bar="1H") == before
    clock.advance(minutes=-30)
    async with SandboxExchange(clock) as same, SandboxExchange(clock, seed=2) as other:
        assert await rows(same, HISTORY_MARK, bar="1H") == before
        assert await rows(other, HISTORY_MARK, bar="1H") != before


async def test_mark_prices_index_and_trades_are_one_price_here(okx: SandboxExchange) -> None:
    mark = await rows(okx, MARK, bar="15m")
    assert [bar[:5] for bar in await rows(okx, "candles", bar="15m")] == [bar[:5] for bar in mark]
    assert await rows(okx, "index-candles", instId="BTC-USDT", bar="15m") == mark
    assert (len(mark[0]), len((await rows(okx, "candles"))[0])) == (6, 9)


async def test_a_moved_mark_price_is_in_its_minute_and_stays_after(
    okx: SandboxExchange, clock: SettableClock
) -> None:
    clock.advance(minutes=10)
    okx.books.move_mark(BTC, 61_000)
    okx.books.move_mark(BTC, 59_500)
    clock.advance(minutes=2)
    now, last, moved, *still = await rows(okx, MARK, limit=12)
    assert [prices(now), prices(last)] == [[Decimal(59_500)] * 4] * 2
    assert prices(moved) == [Decimal(60_000), Decimal(61_000), Decimal(59_500), Decimal(59_500)]
    assert [prices(bar) for bar in still[:8]] == [[Decimal(60_000)] * 4] * 8
    assert (now[5], last[5]) == ("0", "1")


@pytest.mark.parametrize("partly", [False, True])
async def test_the_candle_of_its_minute_holds_the_price_that_liquidated(
    okx: SandboxExchange, clock: SettableClock, partly: bool
) -> None:
    uid = str(okx.test_keys()[0]["uid"])
    clock.advance(hours=1)
    position = okx.books.liquidate_partly(uid, BTC, contracts=1) if partly else okx.books.liquidate(uid, BTC)
    clock.advance(minutes=1)
    _, bar, before, *_ = await rows(okx, MARK)
    trigger = position.trigger_px or Decimal(0)
    assert prices(bar) == [Decimal(60_000), Decimal(60_000), trigger, Decimal(60_000)]
    assert prices(before)[2] > trigger


async def test_old_ones_are_complete_and_new_ones_are_the_last_1440(okx: SandboxExchange) -> None:
    now_ms = okx.books.now_ms()
    running = (await rows(okx, MARK, bar="1H"))[0]
    assert (running[0], running[5]) == (str(now_ms - now_ms % HOUR_MS), "0")
    assert {bar[5] for bar in await rows(okx, HISTORY_MARK, bar="1H")} == {"1"}
    assert (await rows(okx, HISTORY_MARK, bar="1H"))[0][0] == str(int(running[0]) - HOUR_MS)
    too_old = int(running[0]) - 1439 * HOUR_MS
    assert await rows(okx, MARK, bar="1H", after=too_old) == []
    assert len(await rows(okx, MARK, bar="1H", after=too_old + 1)) == 1
    assert len(await rows(okx, HISTORY_MARK, bar="1H", after=too_old)) == 100


async def test_the_history_has_a_beginning(okx: SandboxExchange) -> None:
    months = await rows(okx, HISTORY_MARK, bar="1M")
    assert 23 <= len(months) <= 24
    assert await rows(okx, HISTORY_MARK, bar="1M", after=months[-1][0]) == []


@pytest.mark.parametrize(
    ("bar", "begins"),
    [
        ("4H", "2026-03-04 04:00"),
        ("6H", "2026-03-04 04:00"),
        ("6Hutc", "2026-03-04 00:00"),
        ("12H", "2026-03-04 04:00"),
        ("1D", "2026-03-03 16:00"),
        ("1Dutc", "2026-03-04 00:00"),
        ("1W", "2026-03-01 16:00"),
        ("1Wutc", "2026-03-02 00:00"),
        ("1M", "2026-02-28 16:00"),
        ("1Mutc", "2026-03-01 00:00"),
        ("3M", "2025-12-31 16:00"),
        ("3Mutc", "2026-01-01 00:00"),
    ],
)
async def test_long_ones_begin_at_midnight_in_china_unless_utc_is_asked_for(
    okx: SandboxExchange, bar: str, begins: str
) -> None:
    running, before, *_ = await rows(okx, MARK, bar=bar)
    assert f"{datetime.fromtimestamp(int(running[0]) / 1000, UTC):%Y-%m-%d %H:%M}" == begins
    assert prices(before)[3] == prices(running)[0]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"instId": None}, "50014"),
        ({"instId": "NO-SUCH-SWAP"}, "51001"),
        ({"bar": "7m"}, "51000"),
        ({"bar": "1mutc"}, "51000"),
        ({"limit": 101}, "51000"),
        ({"limit": 0}, "51000"),
        ({"after": "yesterday"}, "51000"),
        ({"after": 0}, "0"),
        ({"after": 10**18}, "0"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_by_name(
    okx: SandboxExchange, query: dict[str, Any], code: str
) -> None:
    said = await answer(okx, MARK, **query)
    assert said["code"] == code
    if code == "51000":
        assert next(iter(query)) in said["msg"]


async def control(okx: SandboxExchange, name: str, **arguments: Any) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{okx.control_url}/control/{name}", json=arguments) as response,
    ):
        return await response.json()


def width(bars: list[list[str]]) -> float:
    """Their root mean square width, as a logarithm."""
    return math.sqrt(sum(math.log(prices(bar)[1] / prices(bar)[2]) ** 2 for bar in bars) / len(bars))


async def test_how_much_an_instrument_moves_can_be_said(okx: SandboxExchange, clock: SettableClock) -> None:
    """By Parkinson's estimate a price that moves by σ is √(4 ln 2) σ wide."""
    for daily in ("0.03", "0.003", "0.12"):
        await control(okx, "set_volatility", inst_id=BTC, daily=daily)
        for bar, share in (("1H", math.sqrt(24)), ("1Dutc", 1)):
            moved = width(await rows(okx, HISTORY_MARK, bar=bar)) * share / math.sqrt(4 * math.log(2))
            assert moved == pytest.approx(float(daily), rel=0.15)
    assert "not a positive number" in (await control(okx, "set_volatility", inst_id=BTC, daily=0))["error"]


async def test_no_hour_since_the_start_stands_still_and_a_quiver_liquidates_nobody(
    okx: SandboxExchange, clock: SettableClock
) -> None:
    before = len([account for account in okx.books.accounts.values() if account.episodes])
    clock.advance(hours=101)
    bars = (await rows(okx, HISTORY_MARK, bar="1H"))[:100]
    assert all(prices(bar)[2] < prices(bar)[0] == prices(bar)[3] < prices(bar)[1] for bar in bars)
    assert width(bars) * math.sqrt(24 / (4 * math.log(2))) == pytest.approx(0.03, rel=0.15)
    assert len([account for account in okx.books.accounts.values() if account.episodes]) == before


async def test_a_candle_is_told_otherwise_or_not_at_all(okx: SandboxExchange) -> None:
    true = await rows(okx, MARK, bar="1H", limit=5)
    nonsense = ["yesterday", {"of": None}, 7]
    await control(okx, "tell_candle", inst_id=BTC, start_ms=true[1][0], row=nonsense)
    await control(okx, "tell_candle", inst_id=BTC, start_ms=true[3][0])
    told = await rows(okx, MARK, bar="1H", limit=4)
    assert told == [true[0], nonsense, true[2], true[4]]
    assert starts(await rows(okx, MARK, bar="30m", limit=2))  # other bars are as they were
    await control(okx, "reset")
    assert await rows(okx, MARK, bar="1H", limit=5) == true


async def test_what_was_listed_lately_has_few_candles_and_what_is_delisted_none(okx: SandboxExchange) -> None:
    await control(okx, "list_instrument", inst_id="NEW-USDT-SWAP", mark="0.0000012", days=3)
    bars = await rows(okx, MARK, instId="NEW-USDT-SWAP", bar="1H")
    assert len(bars) == 72
    assert all(len(set(bar[1:5])) > 1 for bar in bars)  # its ticks are as fine as its price
    assert "e" not in str(bars).lower()
    await control(okx, "delist_instrument", inst_id="NEW-USDT-SWAP")
    assert (await answer(okx, MARK, instId="NEW-USDT-SWAP"))["code"] == "51001"
    assert "no instrument" in (await control(okx, "delist_instrument", inst_id="NEW-USDT-SWAP"))["error"]
