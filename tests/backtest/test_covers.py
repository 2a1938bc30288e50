"""The quick form of the price, beside the product's own, and what it may not look at."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest

from liqpass.backtest import covers, variances
from liqpass.backtest.covers import Side, Starts, cells, chances_ppm, cover_hours, leverages, starts
from liqpass.backtest.hourly import Series
from liqpass.backtest.report import series_of
from liqpass.market.volatility import BARS, Candle, Volatility, long_variance_e12, short_variance_e12
from liqpass.market.week import milli_hours
from liqpass.pricing.model import Model, chance_ppm
from liqpass.pricing.premium import CENT, Facts, NotInsurable, Price, made_of, price
from liqpass.pricing.skus import Sku, load_products
from tests.backtest.made import Columns, candles, write

PRODUCTS = load_products(None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chance_of(seed: int) -> Random:
    """Choices, always the same ones."""
    return Random(seed)  # noqa: S311


def series_from(path: Path, columns: Columns) -> Series:
    path.mkdir()
    write(path / "coin.parquet", columns)
    return next(iter(series_of(path, lambda line: None)))


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    return series_from(tmp_path_factory.mktemp("made") / "one", candles(4_200, seed=3))


@pytest.fixture(scope="module", params=PRODUCTS.sku, ids=lambda sku: sku.id)
def begun(series: Series, request: pytest.FixtureRequest) -> tuple[Sku, Starts]:
    return request.param, starts(
        series, variances.short_e12(series), variances.long_e12(series), request.param, every=1
    )


def bars(series: Series, first: int, end: int, long: int) -> list[Candle]:
    """Candles of so many hours each, from the series' hours."""
    return [
        Candle(
            EPOCH + timedelta(hours=series.first_hour + at),
            series.open[at],
            series.high[at : at + long].max(),
            series.low[at : at + long].min(),
            series.close[at + long - 1],
        )
        for at in range(first, end, long)
    ]


def test_variances_are_those_of_the_product_at_every_hour(series: Series) -> None:
    short, long = variances.short_e12(series), variances.long_e12(series)
    assert (short[:BARS] == -1).all()
    midnight = -series.first_hour % 24
    for at in chance_of(1).sample(range(midnight + BARS * 24, len(series.open)), 300):
        assert abs(short[at] - short_variance_e12(bars(series, at - BARS, at, 1))) <= 1
        day = at - (at - midnight) % 24
        assert abs(long[at] - long_variance_e12(bars(series, day - BARS * 24, day, 24))) <= 1
    assert (long[: midnight + BARS * 24] == -1).all()


def test_chances_are_those_of_the_product_to_the_last_bit() -> None:
    some = chance_of(2)
    for _ in range(200):
        model = Model(some.randint(0, 10_000), some.randint(1_000, 50_000), some.randint(0, 20_000))
        side: Side = some.choice(covers.SIDES)
        distance = some.randint(1, 999_999)
        many = [
            [int(10 ** some.uniform(1, 11)), int(10 ** some.uniform(1, 11)), some.randint(1, 10**6)]
            for _ in range(25)
        ]
        short, long, hours = (np.array(column) for column in zip(*many, strict=True))
        empty = np.zeros(25)
        quick = chances_ppm(model, side, distance, Starts(hours, hours, short, long, hours, empty, empty))
        assert quick.tolist() == [
            chance_ppm(model, side=side, distance_ppm=distance, short_e12=s, long_e12=long_, milli_hours=h)
            for s, long_, h in many
        ]


def test_premiums_payouts_and_refusals_are_those_of_the_product(begun: tuple[Sku, Starts]) -> None:
    sku, at = begun
    chosen = chance_of(3).sample(range(len(at.at)), 25)
    sold = 0
    for cell in cells(sku, at):
        for n in chosen:
            facts = Facts(
                cell.side,
                cell.leverage * 100,
                covers.MARGIN_MICRO,
                covers.MARGIN_MICRO * cell.leverage,
                1_000_000 // cell.leverage - covers.MAINTENANCE_PPM,
            )
            bought_at = EPOCH + timedelta(hours=int(at.hour[n]))
            known = Volatility("COIN", bought_at, int(at.short_e12[n]), int(at.long_e12[n]), "", "made up")
            try:
                asked = price(sku, facts, known, bought_at)
            except NotInsurable:
                assert not cell.sold[n]
                continue
            sold += 1
            assert cell.sold[n]
            assert (asked.premium, asked.payout) == (cell.premium[n], cell.payout)
            assert asked.chance_ppm == cell.chance_ppm[n]
    assert sold > 50


def test_premiums_are_those_of_the_product_for_any_numbers() -> None:
    some = chance_of(7)
    for _ in range(300):
        sku = msgspec.structs.replace(
            PRODUCTS.sku[0],
            load_bps=some.randint(0, 100_000),
            fee_micro=some.randint(0, 10**7),
            floor_micro=some.randint(1, 10**7),
        )
        payout = some.randint(1, 100_000) * CENT
        chances = [some.randint(5_000, 999_999) for _ in range(20)]
        assert covers.premiums(sku, payout, np.array(chances)).tolist() == [
            made_of(sku, Price(0, payout, chance)).premium for chance in chances
        ]


def test_a_cover_is_hit_when_a_price_within_it_reaches_the_liquidation(
    series: Series, begun: tuple[Sku, Starts]
) -> None:
    sku, at = begun
    hours = cover_hours(sku)
    chosen = chance_of(4).sample(range(len(at.at)), 40)
    seen = set()
    for cell in cells(sku, at):
        away = (1_000_000 // cell.leverage - covers.MAINTENANCE_PPM) / 1e6
        for n in chosen:
            first = int(at.at[n])
            opened, lived = series.open[first], slice(first, first + hours)
            if cell.side == "long":
                hit = any(low / opened <= 1 - away for low in series.low[lived])
            else:
                hit = any(high / opened >= 1 + away for high in series.high[lived])
            assert cell.hit[n] == hit
            seen.add(bool(hit))
    assert seen == {True, False}


def test_covers_begin_where_all_is_known_and_every_hour_of_the_week_has_its_turn(
    series: Series, begun: tuple[Sku, Starts]
) -> None:
    sku, at = begun
    assert at.at[0] >= BARS * 24
    assert at.at[-1] + cover_hours(sku) == len(series.open)
    fewer = starts(series, variances.short_e12(series), variances.long_e12(series), sku, every=5)
    assert set(fewer.at) <= set(at.at)
    if len(fewer.at) > 168:
        assert len(set(variances.hour_of_week(fewer.hour).tolist())) == 168
    for n in range(0, len(at.at), 97):
        begins = EPOCH + timedelta(hours=int(at.hour[n]))
        assert at.milli_hours[n] == milli_hours(begins, sku.delay_sec + sku.duration_sec)


def test_no_cover_looks_back_on_or_lives_in_a_long_gap(series: Series) -> None:
    hole = np.zeros(len(series.open), bool)
    hole[2_900:2_930] = True
    holed = msgspec.structs.replace(series, unknown=hole)
    sku = PRODUCTS.get("LIQPASS_24H")
    at = starts(holed, variances.short_e12(holed), variances.long_e12(holed), sku, every=1).at
    assert at.tolist() == list(range(int(at[0]), 2_900 - 24 + 1))


@pytest.mark.parametrize("sku", PRODUCTS.sku, ids=lambda sku: sku.id)
def test_what_comes_later_changes_no_price(tmp_path: Path, sku: Sku) -> None:
    """Prices of covers begun by an hour are the same bit for bit when all that follows is another world."""
    known, later = candles(3_800, seed=5), candles(3_800, seed=6)
    turn = 2_700
    other = {
        name: known[name][:turn] + (later[name][turn:] if name != "time" else known[name][turn:])
        for name in known
    }
    found = []
    for name, columns in (("this", known), ("other", other)):
        series = series_from(tmp_path / name, columns)
        at = starts(series, variances.short_e12(series), variances.long_e12(series), sku, every=1)
        then = int(np.count_nonzero(at.at <= turn))
        assert 100 < then < len(at.at) - 100
        prices = [
            (cell.leverage, cell.side, cell.chance_ppm[:then].tolist(), cell.premium[:then].tolist())
            for cell in cells(sku, at)
        ]
        after = [cell.chance_ppm[then:].tolist() for cell in cells(sku, at)]
        found.append((at.at[:then].tolist(), prices, after))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] != found[1][2]  # the other world is another one


def test_each_product_is_tried_at_distances_of_its_own() -> None:
    assert [leverages(sku)[0] for sku in PRODUCTS.sku] == [5, 5, 2]
