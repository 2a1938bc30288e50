"""What the sandbox exchange does to positions, as all its histories tell it: liquidation, ADL, clawback."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.clock import system_clock
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_rows import history_row
from tests.sandbox.asking import BILLS, BTC, FILLS, HISTORY, ORDERS, POSITIONS, Reader, somebody


@pytest.fixture
async def trader() -> AsyncIterator[Reader]:
    async with somebody() as reader:
        yield reader


def sums(rows: list[dict[str, Any]], *names: str) -> list[Decimal]:
    return [sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in names]


@given(
    st.sampled_from(["long", "short"]),
    st.integers(1, 400),
    st.integers(5, 75),
    st.integers(-3_000, 3_000),
    st.integers(1, 4),
)
def test_however_far_the_price_went_an_isolated_liquidation_takes_the_margin_and_leaves_the_balance(
    side: str, contracts: int, lever: int, beyond: int, fills: int
) -> None:
    books = Books(system_clock, seed=5)
    account = books.add_account(balance=10_000_000)
    position = books.open_position(account.uid, BTC, side=side, contracts=contracts, lever=lever)
    margin, fee, balance = position.margin, position.fee, account.balance
    liq_px = account.liq_px(position)
    assert liq_px is not None
    px = round(liq_px) + beyond
    books.liquidate(account.uid, BTC, px=px, fills=fills)
    row = history_row(position)
    assert Decimal(row["realizedPnl"]) - fee == -margin
    assert (account.balance, position.margin) == (balance, Decimal(0))
    assert row["triggerPx"] == str(px)
    assert Decimal(row["liqPenalty"]) < 0
    assert sum(sums([row], "pnl", "fee", "fundingFee", "liqPenalty")) == Decimal(row["realizedPnl"])


async def test_a_liquidation_in_several_fills_is_one_order_with_as_many_bills_and_fills(
    trader: Reader,
) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    trader.clock.advance(minutes=1)
    trader.books.liquidate(trader.uid, BTC, fills=3)
    (order,) = await trader.rows(ORDERS, category="full_liquidation")
    bills = await trader.rows(BILLS, type="5")
    fills = await trader.rows(FILLS, ordId=order["ordId"])
    (row,) = await trader.rows(HISTORY)
    assert [bill["billId"] for bill in bills] == [fill["billId"] for fill in fills]
    assert {(bill["ordId"], bill["subType"], bill["fillTime"]) for bill in bills} == {
        (order["ordId"], "104", order["fillTime"])
    }
    assert {int(row["ts"]) for row in (*bills, *fills)} == {int(order["fillTime"]) + 1}
    assert sorted(fill["fillSz"] for fill in fills) == ["3.33", "3.33", "3.34"]
    assert len({fill["tradeId"] for fill in fills}) == len({fill["fillPx"] for fill in fills}) == 3
    assert all(int(fill["tradeId"]) < 0 for fill in fills)
    assert {bill["fillMarkPx"] for bill in bills} == {row["triggerPx"]}
    assert sums(bills, "sz", "pnl", "fee") == [Decimal(order[name]) for name in ("accFillSz", "pnl", "fee")]
    assert order["tradeId"] == "0"
    assert order["avgPx"] == row["closeAvgPx"]
    assert bills[0]["posBal"] == "0" < bills[1]["posBal"] < bills[2]["posBal"]
    assert sums(bills, "balChg") == [0]


async def test_more_fills_than_there_are_lots_are_refused_and_nothing_happens(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts="0.02", lever=20)
    for fills in (3, 0, -1):
        with pytest.raises(ValueError, match="cannot be filled in"):
            trader.books.liquidate(trader.uid, BTC, fills=fills)
    assert len(await trader.rows(POSITIONS)) == len(await trader.rows(BILLS)) == 1
    assert await trader.rows(HISTORY) == []


@pytest.mark.parametrize("fills", [1, 2])
async def test_after_a_part_the_rest_keeps_its_share_of_the_margin_and_the_balance_is_as_it_was(
    trader: Reader, fills: int
) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    (before,) = await trader.rows(POSITIONS)
    balance = trader.books.accounts[trader.uid].balance
    trader.books.liquidate_partly(trader.uid, BTC, contracts=4, fills=fills)
    (after,) = await trader.rows(POSITIONS)
    assert (after["pos"], after["posId"], after["cTime"]) == ("6", before["posId"], before["cTime"])
    assert Decimal(after["liqPenalty"]) < 0
    assert Decimal(after["margin"]) == pytest.approx(Decimal(before["margin"]) * 6 / 10, rel=Decimal("0.001"))
    assert trader.books.accounts[trader.uid].balance == balance
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["closeTotalPos"], row["triggerPx"]) == ("4", "4", row["closeAvgPx"][:7])


async def test_the_penalty_stays_and_the_type_is_the_latest_whatever_comes_after_a_part(
    trader: Reader,
) -> None:
    books, uid = trader.books, trader.uid
    books.open_position(uid, BTC, contracts=10, lever=20)
    books.liquidate_partly(uid, BTC, contracts=4)
    (row,) = await trader.rows(HISTORY)
    penalty = row["liqPenalty"]
    seen = [(row["type"], row["triggerPx"] != "")]
    changes: tuple[Callable[[], object], ...] = (
        lambda: books.close_position(uid, BTC, contracts=1),
        lambda: books.deleverage(uid, BTC, contracts=1),
        lambda: books.open_position(uid, BTC, contracts=2, lever=20),
        lambda: books.deleverage(uid, BTC),
    )
    for change in changes:
        trader.clock.advance(minutes=1)
        change()
        (row,) = await trader.rows(HISTORY)
        assert row["liqPenalty"] == penalty
        seen.append((row["type"], row["triggerPx"] != ""))
    assert seen == [("4", True), ("1", False), ("5", True), ("5", True), ("6", False)]
    assert (row["closeTotalPos"], row["openMaxPos"]) == ("12", "10")


async def test_a_part_then_the_rest_is_one_episode_with_two_orders(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    trader.books.liquidate_partly(trader.uid, BTC, contracts=4)
    trader.clock.advance(minutes=1)
    trader.books.liquidate(trader.uid, BTC)
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["closeTotalPos"]) == ("3", "10")
    orders = await trader.rows(ORDERS)
    assert [order["category"] for order in orders] == ["full_liquidation", "partial_liquidation", "normal"]
    assert [order["accFillSz"] for order in orders] == ["6", "4", "10"]
    assert [bill["subType"] for bill in await trader.rows(BILLS, type="5")] == ["104", "100"]


@pytest.mark.parametrize(
    ("pos_mode", "side", "sub_types"),
    [
        ("long_short_mode", "long", ["125", "100", "104"]),
        ("long_short_mode", "short", ["126", "101", "105"]),
        ("net_mode", "short", ["127", "102", "106"]),
        ("net_mode", "long", ["128", "103", "107"]),
    ],
)
async def test_bills_and_fills_name_what_was_closed_in_okxs_numbers(
    pos_mode: str, side: str, sub_types: list[str]
) -> None:
    async with somebody(pos_mode=pos_mode) as trader:
        trader.books.open_position(trader.uid, BTC, side=side, contracts=10, lever=20)
        trader.books.deleverage(trader.uid, BTC, contracts=2)
        trader.books.liquidate_partly(trader.uid, BTC, contracts=2)
        trader.books.liquidate(trader.uid, BTC)
        forced = [row for row in await trader.rows(BILLS) if row["type"] != "2"]
        assert [(row["type"], row["subType"]) for row in reversed(forced)] == list(
            zip(["9", "5", "5"], sub_types, strict=True)
        )
        fills = (await trader.rows(FILLS))[:3]
        assert [fill["subType"] for fill in reversed(fills)] == sub_types
        assert all(int(fill["tradeId"]) < 0 for fill in fills)
        (row,) = await trader.rows(HISTORY)
        assert row["posSide"] == ("net" if pos_mode == "net_mode" else side)
        orders = (await trader.rows(ORDERS))[:3]
        assert {order["side"] for order in orders} == {"sell" if side == "long" else "buy"}


async def test_adl_closes_at_the_mark_price_without_penalty_and_gives_the_margin_back(
    trader: Reader,
) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    trader.books.move_mark(BTC, 61_000)
    trader.books.deleverage(trader.uid, BTC)
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["liqPenalty"], row["triggerPx"], row["pnl"]) == ("6", "0", "", "100")
    (order,) = await trader.rows(ORDERS, category="adl")
    assert (order["avgPx"], order["accFillSz"], order["pnl"]) == ("61000", "10", "100")
    balance = trader.books.accounts[trader.uid].balance
    assert balance == 10_000 + Decimal(row["realizedPnl"])


async def test_a_clawback_takes_from_the_balance_and_liquidates_nobody(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    (before,) = await trader.rows(POSITIONS)
    balance = trader.books.accounts[trader.uid].balance
    trader.books.claw_back(trader.uid, BTC, amount="2.5")
    (bill,) = await trader.rows(BILLS, subType="108")
    assert (bill["type"], bill["balChg"], bill["ordId"], bill["instId"]) == ("10", "-2.5", "", BTC)
    assert Decimal(bill["bal"]) == balance - Decimal("2.5")
    assert await trader.rows(POSITIONS) == [before]
    assert await trader.rows(HISTORY) == []


async def test_a_slot_that_is_opened_again_has_the_same_pos_id_and_its_own_row_of_history(
    trader: Reader,
) -> None:
    for _ in range(2):
        trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
        trader.books.liquidate(trader.uid, BTC)
        trader.clock.advance(hours=1)
    newer, older = await trader.rows(HISTORY)
    assert newer["posId"] == older["posId"]
    assert int(newer["cTime"]) > int(older["cTime"])
    assert [row["openMaxPos"] for row in (newer, older)] == ["10", "10"]
    orders = await trader.rows(ORDERS, category="full_liquidation")
    assert [order["fillTime"] for order in orders] == [newer["uTime"], older["uTime"]]


async def test_what_happens_in_one_millisecond_is_told_apart_by_ids_that_grow(trader: Reader) -> None:
    books, uid = trader.books, trader.uid
    books.open_position(uid, BTC, contracts=10, lever=20)
    books.close_position(uid, BTC, contracts=1)
    books.liquidate_partly(uid, BTC, contracts=2)
    books.liquidate(uid, BTC)
    orders = await trader.rows(ORDERS)
    assert len({order["fillTime"] for order in orders}) == 1
    assert [order["category"] for order in orders] == [
        "full_liquidation",
        "partial_liquidation",
        "normal",
        "normal",
    ]
    ids = [int(bill["billId"]) for bill in await trader.rows(BILLS)]
    assert ids == sorted(ids, reverse=True)
