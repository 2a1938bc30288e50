"""What is told to everybody of our books: right, once a day, and about no single trader."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.db import Database, open_database
from liqpass.disclosure import sql
from liqpass.disclosure.figures import (
    EDGES_PPM,
    FEWEST,
    Cell,
    Figures,
    OfProduct,
    Told,
    document_of,
    newest,
    product,
    publish_due,
)
from liqpass.hexes import to_hex
from liqpass.reconcile.documents import digest
from tests.clock import SettableClock
from tests.conftest import copy_database, in_database, on_server
from tests.disclosure.covers import Cover, forget, of_wallets, write
from tests.schema.rows import CHAIN

USDC = 1_000_000
DAY = date(2026, 11, 28)
NEXT_MORNING = datetime(2026, 11, 29, 0, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
async def one_database(server_url: str, template: str) -> AsyncIterator[str]:
    """For the tests of this file."""
    name = f"{template}_figures"
    await copy_database(server_url, template, name)
    yield in_database(server_url, name)
    await on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture(scope="module")
async def one_pool(one_database: str) -> AsyncIterator[Database]:
    """The application's own view of it."""
    database = await open_database(one_database, name="test", size=2)
    yield database
    await database.close()


@pytest.fixture
async def db(one_pool: Database, one_database: str) -> Database:
    """Nothing in it."""
    await forget(one_database)
    return one_pool


@pytest.fixture
def database_url(one_database: str) -> str:
    """Of `db`."""
    return one_database


@pytest.fixture
def clock() -> SettableClock:
    """Half a minute after the midnight on which `DAY` ended."""
    return SettableClock(NEXT_MORNING)


async def told(db: Database, clock: SettableClock) -> Told:
    """What is told after the worker's step."""
    await publish_due(db, clock, CHAIN)
    async with db.pool.acquire() as conn:
        found = await newest(conn)
    assert found is not None
    return found


async def figures(db: Database, clock: SettableClock) -> Figures:
    return (await told(db, clock)).figures


async def cells(db: Database, clock: SettableClock, sku: str = "LIQPASS_8H") -> list[Cell]:
    return next(one.cells for one in (await figures(db, clock)).products if one.sku == sku)


async def test_empty_books_have_figures_and_nothing_in_them(db: Database, clock: SettableClock) -> None:
    found = await figures(db, clock)
    assert (found.day, found.made_at, found.previous_sha256) == (DAY, NEXT_MORNING, None)
    assert (found.sold, found.premiums, found.payouts, found.capital) == (0, "0", "0", "0")
    assert found.products == []
    assert [(one.direction, one.payouts) for one in found.open] == [("long", None), ("short", None)]


async def test_what_was_expected_stands_beside_what_was_seen(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    liquidated = [Cover(wallet, 150_000, approved=40 * USDC) for wallet in (0, 1)]
    waiting = [Cover(2, 150_000, settled=False)]
    await write(database_url, [*liquidated, *waiting, *of_wallets(5, 150_000, first=3)])
    (cell,) = await cells(db, clock)
    assert (cell.ended, cell.liquidated, cell.undecided) == (8, 2, 1)
    assert cell.expected_ppm == 8 * 150_000
    assert cell.variance_ppm == 8 * 150_000 * 850_000 // 1_000_000
    assert (cell.premiums, cell.payouts) == (str(8 * 3 * USDC), str(2 * 40 * USDC))


async def test_a_part_that_was_approved_is_no_longer_undecided(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    await write(database_url, [Cover(0, approved=1, settled=False), *of_wallets(4, first=1)])
    (cell,) = await cells(db, clock)
    assert (cell.ended, cell.liquidated, cell.undecided) == (5, 1, 0)


async def test_only_covers_that_ended_before_midnight_utc_are_in_the_figures_of_a_day(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    midnight = datetime(2026, 11, 29, tzinfo=UTC)
    before = [Cover(wallet, ends=midnight - timedelta(microseconds=1)) for wallet in range(5)]
    on_the_stroke = [Cover(wallet, ends=midnight) for wallet in range(5, 9)]
    await write(database_url, [*before, *on_the_stroke])
    (cell,) = await cells(db, clock)
    assert cell.ended == 5


async def test_a_cover_that_is_over_counts_though_nobody_moved_its_order_yet(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    await write(database_url, [*of_wallets(5), Cover(5, runs=True)])
    (cell,) = await cells(db, clock)
    assert (cell.ended, cell.undecided) == (6, 1)


async def test_many_covers_of_few_wallets_are_not_told(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    await write(database_url, [Cover(number % (FEWEST - 1), approved=USDC) for number in range(40)])
    assert (await figures(db, clock)).products == [OfProduct("LIQPASS_8H", None, [])]


async def test_neighbouring_chances_are_put_together_until_five_wallets_are_in_each_group(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    crowd = of_wallets(5, 10_000)
    lonely = [Cover(5, 30_000), Cover(6, 70_000)]
    others = of_wallets(5, 150_000, first=7)
    too_few_by_themselves = [Cover(12, 250_000)]
    await write(database_url, [*crowd, *lonely, *others, *too_few_by_themselves])
    found = await cells(db, clock)
    assert [(cell.from_ppm, cell.to_ppm, cell.ended) for cell in found] == [
        (0, 20_000, 5),
        (20_000, 1_000_000, 8),
    ]


async def test_a_product_is_told_of_anew_only_when_five_wallets_more_had_a_cover_that_ended(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    """Else what changed from one day to the next would be one trader's."""
    await write(database_url, of_wallets(5))
    first = (await figures(db, clock)).products
    later = NEXT_MORNING + timedelta(hours=5)
    await write(database_url, [Cover(wallet, ends=later, approved=USDC) for wallet in (0, 1, 2, 3, 3, 3)])
    clock.advance(days=1)
    assert (await figures(db, clock)).products == first
    await write(database_url, [Cover(9, ends=later)])
    clock.advance(days=1)
    (anew,) = (await figures(db, clock)).products
    assert (anew.upto, anew.cells[0].ended, anew.cells[0].liquidated) == (DAY + timedelta(days=2), 12, 6)


async def test_what_is_new_in_a_bucket_is_never_of_fewer_than_five_wallets(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    """Its premium is on chain to the cent: the difference of a bucket would tell whose chance it was."""
    await write(database_url, [*of_wallets(5), *of_wallets(5, 150_000, first=5)])
    assert len(await cells(db, clock)) == 2
    later = NEXT_MORNING + timedelta(hours=5)
    crowd, one = [Cover(wallet, ends=later) for wallet in range(10, 14)], Cover(14, 150_000, ends=later)
    await write(database_url, [*crowd, one])
    clock.advance(days=1)
    (cell,) = await cells(db, clock)
    assert (cell.from_ppm, cell.to_ppm, cell.ended) == (0, 1_000_000, 15)


async def test_another_product_is_told_of_by_itself(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    await write(database_url, [*of_wallets(5, sku="LIQPASS_24H"), *of_wallets(4, sku="LIQPASS_8H", first=5)])
    found = (await figures(db, clock)).products
    assert [(one.sku, one.upto) for one in found] == [("LIQPASS_24H", DAY), ("LIQPASS_8H", None)]


async def test_covers_that_were_priced_before_chances_were_kept_are_counted_and_in_no_bucket(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    await write(database_url, [Cover(wallet, None) for wallet in range(7)])
    found = await figures(db, clock)
    assert (found.older, found.sold, found.products) == (7, 7, [])


async def test_open_cover_is_told_by_direction_rounded_up_and_never_of_few_wallets(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    ends = NEXT_MORNING + timedelta(hours=4)
    longs = [Cover(wallet, ends=ends, runs=True, payout=250 * USDC) for wallet in range(5)]
    shorts = [Cover(wallet, ends=ends, runs=True, direction="short") for wallet in range(4)]
    await write(database_url, [*longs, *shorts, Cover(7, direction="short")])
    found = await figures(db, clock)
    assert {one.direction: one.payouts for one in found.open} == {
        "long": str(2_000 * USDC),
        "short": None,
    }
    assert found.direction_share_bps == 2_500


async def test_figures_are_made_once_a_day_and_name_those_before(db: Database, clock: SettableClock) -> None:
    first = await told(db, clock)
    clock.advance(hours=23)
    assert await told(db, clock) == first
    clock.advance(hours=1)
    second = await told(db, clock)
    assert second.figures.day == DAY + timedelta(days=1)
    assert second.figures.previous_sha256 == first.sha256


async def test_days_on_which_nobody_worked_stay_without_and_a_clock_set_back_writes_nothing(
    db: Database, clock: SettableClock
) -> None:
    await told(db, clock)
    clock.advance(days=4)
    last = await told(db, clock)
    clock.advance(days=-2)
    assert await told(db, clock) == last
    async with db.pool.acquire() as conn:
        days = [await document_of(conn, DAY + timedelta(days=number)) for number in range(5)]
    assert [day is not None for day in days] == [True, False, False, False, True]


async def test_a_days_document_is_what_its_hash_is_of_and_nobody_changes_it(
    db: Database, clock: SettableClock, database_url: str
) -> None:
    found = await told(db, clock)
    async with db.pool.acquire() as conn:
        document = await document_of(conn, DAY)
    assert document is not None
    assert to_hex(digest(document)) == found.sha256
    owner = await asyncpg.connect(database_url)
    try:
        for statement in ("update published_figures set document = ''", "delete from published_figures"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(statement)
    finally:
        await owner.close()


BUCKETS = len(EDGES_PPM) + 1


@given(
    st.lists(st.tuples(st.integers(1, (1 << BUCKETS) - 1), st.integers(0, (1 << BUCKETS) - 1)), max_size=40)
)
def test_every_cell_has_five_wallets_that_are_new_and_every_cover_is_in_one_cell(
    wallets: list[tuple[int, int]],
) -> None:
    """`wallets`: of each the buckets in which it has a cover, and in which of them a new one."""
    masks = [mask for mask, _ in wallets]
    fresh = [mask & new for mask, new in wallets]
    of = [
        sql.EndedCell("X", bucket, held, 0, 0, held, 0, 0, 0)
        for bucket in range(BUCKETS)
        if (held := sum(mask >> bucket & 1 for mask in masks))
    ]
    alike = Counter(zip(masks, fresh, strict=True))
    holders = [sql.Holders("X", mask, new, count) for (mask, new), count in alike.items()]
    found = product(of, holders, "X", DAY, None)
    if sum(new > 0 for new in fresh) < FEWEST:
        assert found.cells == []
        return
    ends = (0, *EDGES_PPM, 1_000_000)
    assert [found.cells[0].from_ppm, found.cells[-1].to_ppm] == [0, 1_000_000]
    assert all(a.to_ppm == b.from_ppm for a, b in zip(found.cells, found.cells[1:], strict=False))
    assert sum(cell.ended for cell in found.cells) == sum(mask.bit_count() for mask in masks)
    for cell in found.cells:
        inside = range(ends.index(cell.from_ppm), ends.index(cell.to_ppm))
        assert sum(any(new >> bucket & 1 for bucket in inside) for new in fresh) >= FEWEST
