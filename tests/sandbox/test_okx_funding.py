"""Funding at the sandbox exchange: out of an isolated position's margin and into it, so that liqPx moves."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from liqpass.sandbox.okx_margin import FEE_RATE
from tests.sandbox.asking import BILLS, BTC, ETH, HISTORY, POSITIONS, Reader, somebody

MMR = Decimal("0.004")


@pytest.fixture
async def trader() -> AsyncIterator[Reader]:
    async with somebody() as reader:
        yield reader


@pytest.mark.parametrize(("side", "sign"), [("long", 1), ("short", -1)])
@pytest.mark.parametrize(("rate", "sub_type_of_longs"), [("0.001", "173"), ("-0.002", "174")])
async def test_an_isolated_position_pays_out_of_its_margin_and_its_liquidation_price_moves_by_that(
    trader: Reader, side: str, sign: int, rate: str, sub_type_of_longs: str
) -> None:
    trader.books.open_position(trader.uid, BTC, side=side, contracts=10, lever=20)
    (before,) = await trader.rows(POSITIONS)
    balance = trader.books.accounts[trader.uid].balance
    trader.clock.advance(hours=8)
    trader.books.fund(BTC, rate)
    (after,) = await trader.rows(POSITIONS)
    paid = -sign * Decimal(rate) * 10 * Decimal("0.01") * 60_000
    assert Decimal(after["margin"]) - Decimal(before["margin"]) == paid
    assert Decimal(after["fundingFee"]) == paid
    assert Decimal(after["realizedPnl"]) == Decimal(before["realizedPnl"]) + paid
    moved = -sign * paid / (10 * Decimal("0.01")) / (1 - sign * (MMR + FEE_RATE))
    assert abs(Decimal(after["liqPx"]) - Decimal(before["liqPx"]) - moved) < Decimal("1e-9")
    assert (after["cTime"], int(after["uTime"])) == (before["cTime"], int(before["uTime"]) + 8 * 3_600_000)
    bill = (await trader.rows(BILLS, type="8"))[0]
    assert bill["subType"] == (
        sub_type_of_longs if sign > 0 else {"173": "174", "174": "173"}[sub_type_of_longs]
    )
    assert (bill["balChg"], Decimal(bill["bal"])) == ("0.0000000000000000", balance)
    assert Decimal(bill["pnl"]) == Decimal(bill["posBalChg"]) == paid
    assert bill["posBal"] == after["margin"]
    assert (bill["px"], bill["sz"], bill["ordId"], bill["mgnMode"]) == ("60000", "10", "", "isolated")


async def test_a_cross_position_pays_out_of_the_balance(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20, mgn_mode="cross")
    before = trader.books.accounts[trader.uid].balance
    trader.books.fund(BTC, "0.001")
    (bill,) = await trader.rows(BILLS, type="8")
    assert (bill["balChg"], bill["pnl"], bill["posBalChg"]) == ("-6.0000000000000000", "-6", "0")
    assert Decimal(bill["bal"]) == before - 6
    assert (await trader.rows(POSITIONS))[0]["fundingFee"] == "-6"


async def test_all_holders_of_the_instrument_pay_or_receive_and_nobody_else(trader: Reader) -> None:
    other = trader.books.add_account().uid
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    trader.books.open_position(trader.uid, ETH, contracts=10, lever=20)
    trader.books.open_position(other, BTC, side="short", contracts=4, lever=10)
    funded = trader.books.fund(BTC, "0.0005")
    of_these = {position.pos_id: position.funding_fee for position in funded}
    mine = {row["instId"]: row for row in await trader.rows(POSITIONS)}
    assert of_these[mine[BTC]["posId"]] == Decimal("-3")
    assert mine[ETH]["fundingFee"] == "0"
    assert trader.books.accounts[other].slots[BTC, "isolated", "short"].funding_fee == Decimal("1.2")


async def test_the_history_of_a_closed_position_holds_its_funding_and_the_owner_gets_the_margin_that_is_left(
    trader: Reader,
) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=20)
    for rate in ("0.001", "0.002", "-0.0005"):
        trader.books.fund(BTC, rate)
    trader.books.close_position(trader.uid, BTC)
    (row,) = await trader.rows(HISTORY)
    assert (row["fundingFee"], row["pnl"], row["liqPenalty"]) == ("-15", "0", "0")
    assert Decimal(row["realizedPnl"]) == -15 + Decimal(row["fee"])
    assert trader.books.accounts[trader.uid].balance == 10_000 + Decimal(row["realizedPnl"])


async def test_funding_that_brings_a_position_past_its_liquidation_price_liquidates_it(
    trader: Reader,
) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=100)
    left = trader.books.accounts[trader.uid].balance
    trader.books.fund(BTC, "0.005")
    assert (await trader.rows(POSITIONS))[0]["fundingFee"] == "-30"
    trader.books.fund(BTC, "0.001")
    assert await trader.rows(POSITIONS) == []
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["triggerPx"], row["fundingFee"]) == ("3", "60000", "-36")
    parts = [Decimal(row[name]) for name in ("pnl", "fee", "fundingFee", "liqPenalty")]
    assert sum(parts) == Decimal(row["realizedPnl"]) == -60 - 10 * Decimal("0.01") * 60_000 * FEE_RATE
    assert trader.books.accounts[trader.uid].balance == left


async def test_an_isolated_position_never_pays_more_than_its_margin(trader: Reader) -> None:
    trader.books.open_position(trader.uid, BTC, contracts=10, lever=100)
    left = trader.books.accounts[trader.uid].balance
    trader.books.fund(BTC, "0.5")
    (row,) = await trader.rows(HISTORY)
    assert (row["type"], row["fundingFee"]) == ("3", "-60")
    assert trader.books.accounts[trader.uid].balance == left


async def test_the_rates_that_were_settled_are_public(trader: Reader) -> None:
    for rate in ("0.0001", "-0.0003"):
        trader.clock.advance(hours=8)
        trader.books.fund(BTC, rate)
    (now,) = await trader.rows("public/funding-rate", instId=BTC)
    assert (now["fundingRate"], now["settFundingRate"]) == ("-0.0003", "-0.0003")
    history = await trader.rows("public/funding-rate-history", instId=BTC)
    assert [row["realizedRate"] for row in history] == ["-0.0003", "0.0001"]
    older = await trader.rows("public/funding-rate-history", instId=BTC, after=history[0]["fundingTime"])
    assert older == history[1:]
    assert await trader.rows("public/funding-rate-history", instId=ETH) == []


@pytest.mark.parametrize("rate", ["NaN", "much", "Infinity", ""])
async def test_a_rate_that_is_no_number_settles_nothing(trader: Reader, rate: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        trader.books.fund(BTC, rate)
    assert await trader.rows("public/funding-rate-history", instId=BTC) == []
