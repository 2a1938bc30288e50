"""Rows of the sandbox exchange that come late, in another order, or not any more, and its outages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.asking import (
    BILLS,
    BILLS_ARCHIVE,
    BTC,
    ETH,
    FILLS,
    FILLS_HISTORY,
    HISTORY,
    ORDERS,
    ORDERS_ARCHIVE,
    POSITIONS,
    Reader,
    somebody,
)


@pytest.fixture
async def trader() -> AsyncIterator[Reader]:
    async with somebody() as reader:
        reader.books.open_position(reader.uid, BTC, contracts=10, lever=20)
        reader.clock.advance(minutes=10)
        yield reader


@pytest.mark.parametrize("path", [BILLS, BILLS_ARCHIVE, ORDERS, ORDERS_ARCHIVE, FILLS, FILLS_HISTORY])
async def test_a_delayed_endpoint_shows_a_liquidation_later_than_all_others(
    trader: Reader, path: str
) -> None:
    trader.faults.delay(path, 90)
    trader.books.liquidate(trader.uid, BTC)
    seen = {each: len(await trader.rows(each)) for each in (BILLS, ORDERS, FILLS, HISTORY)}
    assert seen == {BILLS: 2, ORDERS: 2, FILLS: 2, HISTORY: 1} | ({path: 1} if path in seen else {})
    assert len(await trader.rows(path)) == 1
    trader.clock.advance(seconds=89, milliseconds=999)
    assert len(await trader.rows(path)) == 1
    trader.clock.advance(milliseconds=1)
    assert len(await trader.rows(path)) == 2


async def test_the_history_of_a_position_can_come_minutes_later_or_with_its_type_of_before(
    trader: Reader,
) -> None:
    trader.faults.delay(HISTORY, 120)
    trader.books.liquidate_partly(trader.uid, BTC, contracts=4)
    assert await trader.rows(HISTORY) == []
    trader.clock.advance(seconds=60)
    trader.books.close_position(trader.uid, BTC)
    trader.clock.advance(seconds=60)
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["closeTotalPos"]) == ("4", "4")
    trader.clock.advance(seconds=60)
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["closeTotalPos"]) == ("2", "10")


async def test_positions_that_lag_are_shown_as_they_were(trader: Reader) -> None:
    (before,) = await trader.rows(POSITIONS)
    trader.faults.delay(POSITIONS, 30)
    trader.books.add_margin(trader.uid, BTC, 50)
    assert await trader.rows(POSITIONS) == [before]
    trader.clock.advance(seconds=30)
    (moved,) = await trader.rows(POSITIONS)
    assert moved["margin"] == "350"
    trader.books.liquidate(trader.uid, BTC)
    assert [row["type"] for row in await trader.rows(HISTORY)] == ["3"]
    assert await trader.rows(POSITIONS) == [moved]
    trader.clock.advance(seconds=30)
    assert await trader.rows(POSITIONS) == []


async def test_a_slot_that_was_opened_again_is_shown_with_its_old_episode_first(trader: Reader) -> None:
    (before,) = await trader.rows(POSITIONS)
    trader.faults.delay(POSITIONS, 30)
    trader.books.close_position(trader.uid, BTC)
    trader.clock.advance(seconds=20)
    trader.books.open_position(trader.uid, BTC, contracts=3, lever=20)
    assert (await trader.rows(POSITIONS))[0]["cTime"] == before["cTime"]
    trader.clock.advance(seconds=10)
    assert await trader.rows(POSITIONS) == []
    trader.clock.advance(seconds=20)
    (again,) = await trader.rows(POSITIONS)
    assert (again["pos"], again["posId"]) == ("3", before["posId"])


async def test_a_cross_position_that_lags_can_be_closed_meanwhile(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=1, lever=10, mgn_mode="cross")
    trader.clock.advance(minutes=1)
    before = await trader.rows(POSITIONS)
    trader.faults.delay(POSITIONS, 30)
    trader.books.close_position(trader.uid, BTC, mgn_mode="cross")
    assert [row["pos"] for row in await trader.rows(POSITIONS)] == [row["pos"] for row in before]


async def test_rows_with_delays_of_their_own_come_in_another_order(trader: Reader) -> None:
    trader.clock.advance(days=1)
    trader.faults.delay("", 1, spread=600)
    for _ in range(8):
        trader.books.close_position(trader.uid, BTC, contracts=1)
    came: dict[str, list[str]] = {BILLS: [], FILLS: []}
    for _ in range(61):
        for path, ids in came.items():
            ids += [row["billId"] for row in await trader.rows(path) if row["billId"] not in ids]
        trader.clock.advance(seconds=10)
    opened, *bills = came[BILLS]
    assert came[FILLS][0] == opened
    assert sorted(bills) == sorted(came[FILLS][1:])
    assert len({tuple(bills), tuple(came[FILLS][1:]), tuple(sorted(bills)), tuple(sorted(bills)[::-1])}) == 4


async def test_a_delay_can_be_for_a_number_of_requests(trader: Reader) -> None:
    trader.books.liquidate(trader.uid, BTC)
    trader.clock.advance(minutes=5)
    trader.faults.delay(BILLS, 3600, count=2)
    assert [len(await trader.rows(BILLS)) for _ in range(3)] == [0, 0, 2]


async def test_single_rows_can_be_hidden_by_their_ids_until_it_is_healed(trader: Reader) -> None:
    trader.books.liquidate(trader.uid, BTC, fills=3)
    newest, middle, _, opening = await trader.rows(BILLS)
    trader.faults.hide(middle["billId"], path=BILLS)
    assert middle not in await trader.rows(BILLS)
    assert len(await trader.rows(BILLS)) == len(await trader.rows(BILLS_ARCHIVE)) - 1 == 3
    trader.faults.hide(newest["ordId"])
    assert await trader.rows(BILLS) == [opening]
    assert [row["ordId"] for row in await trader.rows(ORDERS)] == [opening["ordId"]]
    assert [row["ordId"] for row in await trader.rows(FILLS)] == [opening["ordId"]]
    (row,) = await trader.rows(HISTORY)
    trader.faults.hide(row["posId"], path=HISTORY, count=1)
    assert [await trader.rows(HISTORY) for _ in range(2)] == [[], [row]]
    trader.faults.heal()
    assert len(await trader.rows(BILLS)) == 4


async def test_hidden_rows_leave_no_gap_in_a_page(trader: Reader) -> None:
    for _ in range(4):
        trader.books.close_position(trader.uid, BTC, contracts=1)
    whole = await trader.rows(ORDERS)
    trader.faults.hide(whole[1]["ordId"])
    assert await trader.rows(ORDERS, limit="3") == [whole[0], *whole[2:4]]


@pytest.mark.parametrize("path", ["account/balance", "/api/v5/public/time", "position"])
async def test_an_endpoint_that_cannot_lag_is_named(trader: Reader, path: str) -> None:
    with pytest.raises(ValueError, match="no endpoint that can lag ends in"):
        trader.faults.delay(path, 1)


@pytest.mark.parametrize(
    ("path", "archive", "days"),
    [(BILLS, BILLS_ARCHIVE, 7), (ORDERS, ORDERS_ARCHIVE, 7), (FILLS, FILLS_HISTORY, 3)],
)
async def test_after_some_days_a_row_is_in_the_archive_alone_and_after_three_months_nowhere(
    trader: Reader, path: str, archive: str, days: int
) -> None:
    trader.books.liquidate(trader.uid, BTC)
    trader.clock.advance(days=days)
    assert (len(await trader.rows(path)), len(await trader.rows(archive))) == (1, 2)
    trader.clock.advance(milliseconds=2)
    assert (len(await trader.rows(path)), len(await trader.rows(archive))) == (0, 2)
    trader.clock.advance(days=90 - days)
    assert await trader.rows(archive) == []


async def test_the_history_of_positions_reaches_three_months_back_from_its_last_change(
    trader: Reader,
) -> None:
    trader.books.liquidate_partly(trader.uid, BTC, contracts=4)
    trader.clock.advance(days=89)
    trader.books.close_position(trader.uid, BTC)
    trader.clock.advance(days=90)
    assert len(await trader.rows(HISTORY)) == 1
    trader.clock.advance(milliseconds=1)
    assert await trader.rows(HISTORY) == []


async def test_a_page_of_the_history_of_positions_has_all_that_share_its_last_time(trader: Reader) -> None:
    for _ in range(5):
        trader.books.close_position(trader.uid, BTC)
        trader.books.open_position(trader.uid, BTC, side="long", contracts=1, lever=10)
        trader.books.open_position(trader.uid, ETH, side="long", contracts=1, lever=10)
        trader.books.close_position(trader.uid, ETH)
        trader.clock.advance(seconds=1)
    whole = await trader.rows(HISTORY)
    pages, page = list[Any](), await trader.rows(HISTORY, limit="1")
    while page:
        pages.append(page)
        page = await trader.rows(HISTORY, limit="1", after=page[-1]["uTime"])
    assert [row for page in pages for row in page] == whole
    assert [len(page) for page in pages] == [2] * 5


async def test_pages_of_a_hundred_and_of_less_hold_every_row_once(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=300, lever=100)
    for _ in range(130):
        trader.books.close_position(trader.uid, BTC, contracts=1)
    for path, id_name in ((BILLS, "billId"), (ORDERS, "ordId"), (FILLS_HISTORY, "billId")):
        for limit in ({}, {"limit": "45"}):
            ids, page = list[str](), await trader.rows(path, **limit)
            while page:
                ids += [row[id_name] for row in page]
                page = await trader.rows(path, after=ids[-1], **limit)
            assert len(ids) == len(set(ids)) == 132
            assert ids == sorted(ids, key=int, reverse=True)
            newer = await trader.rows(path, before=ids[10], **limit)
            assert [row[id_name] for row in newer] == ids[:10]


async def test_an_outage_ends_by_itself_and_is_for_every_key_and_endpoint(trader: Reader) -> None:
    trader.faults.outage(3600)
    for path in (POSITIONS, BILLS, "public/time"):
        status, body = await trader.ask(path)
        assert (status, b'"50001"' in body) == (503, True)
    trader.books.liquidate(trader.uid, BTC)
    trader.clock.advance(seconds=3599)
    assert (await trader.ask(POSITIONS))[0] == 503
    trader.clock.advance(seconds=1)
    assert await trader.rows(POSITIONS) == []
    assert [row["type"] for row in await trader.rows(HISTORY)] == ["3"]


async def test_an_outage_of_one_endpoint_leaves_the_others(trader: Reader) -> None:
    trader.faults.outage(60, path=BILLS)
    assert (await trader.ask(BILLS))[0] == 503
    assert len(await trader.rows(ORDERS)) == 1
