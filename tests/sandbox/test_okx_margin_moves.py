"""What an owner can do to a position that lives: move its margin, set another leverage, add to it."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import pytest

from liqpass.sandbox.okx_accounts import Books
from tests.sandbox.asking import BILLS, BTC, HISTORY, ORDERS, POSITIONS, Reader, somebody


@pytest.fixture
async def trader() -> AsyncIterator[Reader]:
    async with somebody() as reader:
        reader.books.open_position(reader.uid, BTC, contracts=10, lever=20)
        yield reader


@pytest.mark.parametrize(
    ("move", "change", "sub_type", "nearer"),
    [
        (lambda books, uid: books.add_margin(uid, BTC, 100), 100, "160", False),
        (lambda books, uid: books.remove_margin(uid, BTC, "100.5"), Decimal("-100.5"), "161", True),
        (lambda books, uid: books.set_leverage(uid, BTC, 40), -150, "161", True),
        (lambda books, uid: books.set_leverage(uid, BTC, 10), 300, "160", False),
    ],
)
async def test_margin_moves_between_balance_and_position_and_the_liquidation_price_with_it(
    trader: Reader, move: Callable[[Books, str], object], change: Decimal, sub_type: str, nearer: bool
) -> None:
    (before,) = await trader.rows(POSITIONS)
    balance = trader.books.accounts[trader.uid].balance
    trader.clock.advance(minutes=1)
    move(trader.books, trader.uid)
    (after,) = await trader.rows(POSITIONS)
    assert Decimal(after["margin"]) - Decimal(before["margin"]) == change
    assert (Decimal(after["liqPx"]) > Decimal(before["liqPx"])) == nearer
    assert trader.books.accounts[trader.uid].balance == balance - change
    (bill,) = await trader.rows(BILLS, type="6")
    assert (bill["subType"], Decimal(bill["posBalChg"])) == (sub_type, change)
    assert (Decimal(bill["balChg"]), bill["posBal"], bill["ordId"]) == (-change, after["margin"], "")
    same = ("posId", "cTime", "pos", "avgPx", "realizedPnl", "liqPenalty")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert len(await trader.rows(ORDERS)) == 1


async def test_the_leverage_that_was_set_is_shown(trader: Reader) -> None:
    trader.books.set_leverage(trader.uid, BTC, "33.5")
    assert (await trader.rows(POSITIONS))[0]["lever"] == "33.5"
    trader.books.close_position(trader.uid, BTC)
    assert (await trader.rows(HISTORY))[0]["lever"] == "33.5"


async def test_the_leverage_of_a_cross_position_moves_no_margin(trader: Reader) -> None:
    other = trader.books.add_account()
    position = trader.books.open_position(other.uid, BTC, contracts=1, lever=10, mgn_mode="cross")
    trader.books.set_leverage(other.uid, BTC, 50, mgn_mode="cross")
    assert (position.lever, position.margin) == (Decimal(50), Decimal(0))
    assert [bill["type"] for bill in other.bills] == ["2"]


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (lambda books, uid: books.remove_margin(uid, BTC, 290), "liquidated at once"),
        (lambda books, uid: books.remove_margin(uid, BTC, 301), "liquidated at once"),
        (lambda books, uid: books.set_leverage(uid, BTC, 400), "liquidated at once"),
        (lambda books, uid: books.add_margin(uid, BTC, 10_000), "the balance is 9697"),
        (lambda books, uid: books.set_leverage(uid, BTC, "0.1"), "the balance is 9697"),
        (lambda books, uid: books.add_margin(uid, BTC, 0), "not a positive number"),
        (lambda books, uid: books.add_margin(uid, "ETH-USDT-SWAP", 1), "0 open positions"),
    ],
)
async def test_what_cannot_be_moved_is_refused_in_words_and_nothing_changes(
    trader: Reader, move: Callable[[Books, str], object], words: str
) -> None:
    before = await trader.rows(POSITIONS), await trader.rows(BILLS)
    with pytest.raises(ValueError, match=words):
        move(trader.books, trader.uid)
    assert (await trader.rows(POSITIONS), await trader.rows(BILLS)) == before


async def test_size_that_is_added_brings_its_own_margin(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=5, lever=50, avg_px=60_000)
    (row,) = await trader.rows(POSITIONS)
    assert (row["pos"], row["margin"], row["avgPx"]) == ("15", "360", "60000")
    bill = (await trader.rows(BILLS))[0]
    assert (bill["balChg"], bill["posBalChg"], bill["fee"]) == ("-61.5", "60", "-1.5")
