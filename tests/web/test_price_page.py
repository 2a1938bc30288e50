"""The page of the price: its example comes out of a pocket calculator, its price out of the code that prices
orders; its pictures and tables are those of the data."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from html import unescape
from math import log, sqrt
from statistics import NormalDist

import aiohttp
import msgspec
import pytest

from liqpass.disclosure import sql
from liqpass.disclosure.figures import Cell, Figures, OfProduct, Open
from liqpass.disclosure.reliability import Point, reliability
from liqpass.exposure.limits import Direction
from liqpass.market.week import milli_hours
from liqpass.pricing.premium import price
from liqpass.pricing.skus import Products, load_products
from liqpass.reconcile.documents import canonical, digest
from liqpass.web.luck_bar import luck_bar
from liqpass.web.price_example import (
    AT,
    DISTANCE_PPM,
    LIQUIDATION,
    MARK,
    VOLATILITY,
    Example,
    example,
    facts,
    other_distances,
)
from liqpass.web.price_page import expected
from liqpass.web.reliability_chart import reliability_chart
from liqpass.web.rendering import usdc
from liqpass.web.texts import languages
from tests.world import TestWorld

PRODUCTS = load_products(None)
USDC = 1_000_000


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a session here."""
    async with aiohttp.ClientSession() as client:
        yield client


async def source(world: TestWorld, http: aiohttp.ClientSession, language: str = "en") -> str:
    headers = {"accept": "text/html", "accept-language": language}
    async with http.get(world.api + "/price", headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


def words(html: str) -> str:
    """As a reader finds it: without tags, one space between words."""
    body = html[html.index("<main") : html.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


# The example ----------------------------------------------------------------------------------------------


def shown() -> Example:
    found = example(PRODUCTS)
    assert found is not None
    return found


def test_each_step_of_the_example_comes_out_of_the_numbers_that_are_shown_before_it() -> None:
    of = shown()
    assert float(of.distance) == pytest.approx(100 * (MARK - LIQUIDATION) / MARK)
    assert float(of.away) == pytest.approx(-100 * log(1 - float(of.distance) / 100), abs=0.0006)
    share = float(of.short_share)
    moved = sqrt(share * float(of.short_move) ** 2 + (1 - share) * float(of.long_move) ** 2)
    assert float(of.move) == pytest.approx(moved, abs=0.00006)
    assert float(of.hours) == pytest.approx(sum(float(h) * float(w) for h, w in of.pieces), abs=0.02)
    usual = float(of.scale) * float(of.move) * sqrt(float(of.hours))
    assert float(of.usual) == pytest.approx(usual, abs=0.002)
    table = NormalDist()
    for guess in of.guesses:
        away = float(of.away) / (float(of.usual) * float(guess.factor))
        assert float(guess.away) == pytest.approx(away, abs=0.02)
        assert float(guess.tail) == pytest.approx(table.cdf(-float(guess.away)), abs=0.0001)
        assert float(guess.percent) == pytest.approx(200 * float(guess.tail), abs=0.002)
    mean = sum(guess.sixths * float(guess.percent) for guess in of.guesses) / 6
    assert sum(guess.sixths for guess in of.guesses) == 6
    assert float(of.chance) == pytest.approx(mean, abs=0.002)


def test_the_price_of_the_example_is_the_one_that_an_order_would_have() -> None:
    of = shown()
    assert of.price == price(PRODUCTS.get("LIQPASS_24H"), facts(DISTANCE_PPM), VOLATILITY, AT)
    parts = of.made_of
    assert parts.risk + parts.load + parts.fee + parts.least == of.price.premium
    by_hand = Decimal(of.price.payout) * of.chance / 100 * (1 + Decimal(of.sku.load_bps) / 10_000)
    assert abs(of.price.premium - (by_hand + of.sku.fee_micro)) <= 10_000


def test_hours_of_the_example_are_weighed_as_the_weeks_clock_weighs_them() -> None:
    of = shown()
    assert AT.weekday() == 2  # the page says that it is a Wednesday
    seconds = of.sku.delay_sec + of.sku.duration_sec
    assert sum(hours for hours, _ in of.pieces) == pytest.approx(Decimal(seconds) / 3600, abs=Decimal("0.01"))
    assert float(of.hours) == pytest.approx(milli_hours(AT, seconds) / 1000, abs=0.005)


def test_products_that_take_no_such_position_have_no_example() -> None:
    """Whoever runs LiqPass may sell others than ours."""
    none = [msgspec.structs.replace(sku, max_leverage=1) for sku in PRODUCTS.sku]
    assert example(Products("none", none)) is None
    short = msgspec.structs.replace(PRODUCTS.get("LIQPASS_8H"), id="SHORT")
    found = example(Products("other", [none[1], short]))
    assert found is not None
    assert found.sku.id == "SHORT"


def test_further_away_is_never_dearer() -> None:
    rows = other_distances(PRODUCTS)
    for of_product in zip(*(row.premiums for row in rows), strict=True):
        sold = [premium for premium in of_product if premium is not None]
        assert sold == sorted(sold, reverse=True)
        assert of_product[-1] is not None


@pytest.mark.parametrize("language", languages())
async def test_anybody_reads_the_example_and_its_price(
    still: TestWorld, http: aiohttp.ClientSession, language: str
) -> None:
    text = words(await source(still, http, language))
    of = shown()
    premium = usdc(languages()[language], of.price.premium)
    assert f"= {premium} USDC" in text
    assert f"÷ 6 = {of.chance.normalize()}%" in text
    assert "60,000" in text
    assert "%(" not in text


@pytest.mark.parametrize("path", ["/", "/what-is-covered"])
@pytest.mark.parametrize("wanted", ["/price", "/reserve"])
async def test_whoever_thinks_of_buying_finds_how_prices_are_made_and_whether_we_can_pay(
    still: TestWorld, http: aiohttp.ClientSession, path: str, wanted: str
) -> None:
    async with http.get(still.api + path, headers={"accept": "text/html"}) as answer:
        main, _, foot = (await answer.text()).partition("<main")[2].partition("</main>")
    assert f'href="{wanted}"' in main
    assert f'href="{wanted}"' in foot


# Past data ------------------------------------------------------------------------------------------------


def test_past_data_are_of_the_products_that_are_sold() -> None:
    found = reliability()
    assert found.version == PRODUCTS.version
    assert [one.sku for one in found.products] == [sku.id for sku in PRODUCTS.sku]
    for one in found.products:
        assert [point.predicted_ppm for point in one.points] == sorted(it.predicted_ppm for it in one.points)
        assert all(it.from_ppm <= it.predicted_ppm < it.to_ppm for it in one.points)


CIRCLE = re.compile(r'<circle class="(\w+)" cx="([\d.]+)" cy="([\d.]+)"')


def drawn(*points: tuple[int, int]) -> list[tuple[str, float, float]]:
    """Kind and place of points of so much computed and seen."""
    picture = reliability_chart([Point(0, 1, 1_000, a, b) for a, b in points], "x", "x", "x")
    return [(kind, float(x), float(y)) for kind, x, y in CIRCLE.findall(picture)]


def test_points_that_are_right_lie_on_the_line_and_others_above_or_below() -> None:
    (_, x0, y0), (_, x1, y1), (_, x2, y2) = drawn(
        (10_000, 10_000), (100_000, 100_000), (1_000_000, 1_000_000)
    )
    assert (y1 - y0) / (x1 - x0) == pytest.approx((y2 - y0) / (x2 - x0), rel=0.01)
    (_, _, too_often), (_, _, too_seldom) = drawn((100_000, 200_000), (100_000, 50_000))
    assert too_often < y1 < too_seldom
    assert y1 - too_often == pytest.approx(too_seldom - y1, abs=0.2)  # twice and half are equally far off


def test_what_lies_beyond_the_picture_is_drawn_hollow_at_its_edge() -> None:
    (dot, _, bottom), (beyond, _, low) = drawn((5_000, 5_000), (5_000, 0))
    assert (dot, beyond) == ("dot", "beyond")
    assert low > bottom


def test_words_in_the_picture_are_never_markup() -> None:
    assert "<b>" not in reliability_chart([], "<b>", '"><b>', "<b>")


# Our own books --------------------------------------------------------------------------------------------


def cell(ended: int, chance_ppm: int) -> Cell:
    spread = ended * chance_ppm * (1_000_000 - chance_ppm) // 1_000_000
    return Cell(0, 50_000, ended, 3, 1, ended * chance_ppm, spread, str(900 * USDC), str(300 * USDC))


@pytest.mark.parametrize(
    ("ended", "chance_ppm", "low", "high"), [(100, 100_000, 4, 16), (10, 10_000, 0, 1), (4, 500_000, 0, 4)]
)
def test_what_luck_gives_lies_around_what_is_expected_and_within_what_there_is(
    ended: int, chance_ppm: int, low: int, high: int
) -> None:
    mean, least, most = expected(cell(ended, chance_ppm))
    assert (least, most) == (low, high)
    assert mean == Decimal(ended * chance_ppm) / 1_000_000


def test_the_picture_of_a_bucket_is_drawn_to_scale() -> None:
    picture = luck_bar(Decimal("5.0"), (2, 8), paid=10, undecided=0, end=10)
    (band,) = re.findall(r'<rect class="luck" x="([\d.]+)" y="5" width="([\d.]+)"', picture)
    (stroke,) = re.findall(r'<path class="expected" d="M([\d.]+) ', picture)
    (dot,) = re.findall(r'<circle class="\w+" cx="([\d.]+)"', picture)
    left, tenth = 8.0, 14.4
    assert [float(it) for it in band] == pytest.approx([left + 2 * tenth, 6 * tenth])
    assert float(stroke) == pytest.approx(left + 5 * tenth)
    assert float(dot) == pytest.approx(left + 10 * tenth)
    waiting = luck_bar(Decimal(0), (0, 0), paid=1, undecided=2, end=3)
    assert re.findall(r'class="(paid|undecided)"', waiting) == ["undecided", "paid"]


async def test_before_any_cover_ended_the_page_says_that_it_tells_of_nobody(
    still: TestWorld, http: aiohttp.ClientSession
) -> None:
    assert "There are no figures yet." in words(await source(still, http))
    await still.work()
    text = words(await source(still, http))
    assert "Covers of fewer than 5 wallets have ended." in text
    assert "Open cover for longs fewer than 5 wallets" in text


async def test_the_page_shows_what_was_told_with_its_day_and_hash(
    still: TestWorld, http: aiohttp.ClientSession
) -> None:
    """Also of a product that is sold no longer."""
    now = still.clock()
    day = now.date()
    of = Figures(
        format=1, day=day, made_at=now, previous_sha256=None, fewest_wallets=5, sold=1_234,
        premiums=str(10**17), payouts="1", capital=str(5 * USDC), direction_share_bps=2_500,
        open=[Open(Direction.LONG, str(187_000 * USDC)), Open(Direction.SHORT, None)],
        products=[OfProduct("GONE_12H", day, [cell(100, 30_000)])], older=2,
    )  # fmt: skip
    document = canonical(of)
    await still.db.run(lambda conn: sql.keep(conn, day, document, digest(document), now))
    text = words(await source(still, http))
    for told in ("100,000,000,000.00", "187,000.00", "0.000001", "1,234", "GONE_12H", "below 5%"):
        assert told in text
    assert "premiums 900.00 USDC, payouts 300.00 USDC" in text
    assert f"0x{digest(document).hex()}" in text
    async with http.get(f"{still.api}/api/price/days/{day}") as answer:
        assert await answer.text() == document
    async with http.get(still.api + "/api/price") as answer:
        found = await answer.json()
    assert found["figures"]["sold"] == 1_234
    assert found["figuresSha256"] == f"0x{digest(document).hex()}"


@pytest.mark.parametrize("day", ["1999-12-31", "9999-12-31", "tomorrow", "2026-02-30"])
async def test_days_without_figures_are_not_there(
    still: TestWorld, http: aiohttp.ClientSession, day: str
) -> None:
    async with http.get(f"{still.api}/api/price/days/{day}") as answer:
        assert answer.status == 404
