"""Positions of the sandbox exchange: the arithmetic of real rows, and what liquidation leaves behind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_margin import FEE_RATE, Account, Instrument, Position
from liqpass.sandbox.okx_rows import history_row, position_row

BTC = "BTC-USDT-SWAP"


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def books(clock: Hands) -> Books:
    return Books(clock, seed=7)


@pytest.fixture
def trader(books: Books) -> Account:
    return books.add_account()


def test_the_arithmetic_gives_the_numbers_of_a_real_isolated_row() -> None:
    """okx_samples/positions_isolated_long_hedge_mode.json, the DOGE row (contract value 10 at that time)."""
    doge = Instrument("DOGE-USDT-SWAP", *map(Decimal, ("10", "0.005", "0.00001", "0.10046")))
    position = Position(doge, "isolated", "long", "1", 1, Decimal(3), 0, 0)
    position.contracts, position.avg_px = Decimal(199), Decimal("0.10045")
    position.margin = position.notional(position.avg_px) / 3
    row = position_row(Account("1", "1", "global", False, "long_short_mode", Decimal(0)), position)
    assert row["margin"].startswith("66.63183333333333")
    assert row["upl"] == "0.0199"
    assert row["uplRatio"].startswith("0.000298656047785")
    assert row["mmr"] == "0.999577"
    assert row["mgnRatio"].startswith("60.61812631591648")
    assert row["bePx"] == "0.1005505002501251"


@given(
    st.sampled_from([1, -1]),
    st.decimals("0.01", "300000", places=2),
    st.decimals("100", "100000", places=1),
    st.integers(1, 100),
)
def test_at_its_liquidation_price_a_position_has_a_margin_ratio_of_one(
    sign: int, contracts: Decimal, avg_px: Decimal, lever: int
) -> None:
    instrument = Instrument(BTC, *map(Decimal, ("0.01", "0.004", "0.1", "1")))
    account = Account("1", "1", "global", False, "long_short_mode", Decimal(0))
    position = Position(instrument, "isolated", "long", "1", sign, Decimal(lever), 0, 0)
    position.contracts, position.avg_px = contracts, avg_px
    position.margin = position.notional(avg_px) / lever
    liq_px = account.liq_px(position)
    if liq_px is None:
        assert lever == 1
        return
    assert (liq_px - avg_px) * sign < 0
    instrument.mark = liq_px
    assert abs(account.mgn_ratio(position) - 1) < Decimal("1e-9")


def test_crossing_the_liquidation_price_liquidates_and_stopping_short_of_it_does_not(
    books: Books, trader: Account
) -> None:
    position = books.open_position(trader.uid, BTC, contracts=10, lever=20)
    liq_px = trader.liq_px(position)
    assert liq_px is not None
    assert books.move_mark(BTC, liq_px + 1) == []
    assert books.move_mark(BTC, liq_px - 1) == [position]
    row = history_row(position)
    assert (row["type"], row["direction"], row["closeTotalPos"]) == ("3", "long", "10")
    assert row["triggerPx"] == row["closeAvgPx"]
    assert liq_px - Decimal("0.1") <= Decimal(row["triggerPx"]) <= liq_px


def test_a_short_is_liquidated_when_the_price_rises(books: Books, trader: Account) -> None:
    position = books.open_position(trader.uid, BTC, side="short", contracts=1, lever=50)
    assert books.move_mark(BTC, 59000) == []
    assert books.move_mark(BTC, 62000) == [position]


def test_the_sum_of_a_liquidation_is_exact_and_takes_the_whole_margin(books: Books, trader: Account) -> None:
    position = books.open_position(trader.uid, BTC, contracts=10, lever=20)
    margin, opening_fee = position.margin, position.fee
    books.liquidate(trader.uid, BTC)
    row = history_row(position)
    parts = [Decimal(row[name]) for name in ("pnl", "fee", "fundingFee", "liqPenalty")]
    assert sum(parts) == Decimal(row["realizedPnl"])
    one_tick = 10 * Decimal("0.01") * Decimal("0.1")
    assert abs(position.pnl + position.fee - opening_fee + position.liq_penalty + margin) <= one_tick


def test_a_partial_liquidation_leaves_the_rest_open_and_shows_its_penalty_while_it_lives(
    books: Books, trader: Account
) -> None:
    position = books.open_position(trader.uid, BTC, contracts=10, lever=20)
    books.liquidate_partly(trader.uid, BTC, contracts=4)
    row = position_row(trader, position)
    assert (row["pos"], history_row(position)["type"]) == ("6", "4")
    assert Decimal(row["liqPenalty"]) < 0
    assert [bill["subType"] for bill in trader.bills] == ["3", "100"]
    assert [order["category"] for order in trader.orders] == ["normal", "partial_liquidation"]


def test_after_a_partial_liquidation_a_close_by_the_owner_hides_the_type_but_not_the_penalty(
    books: Books, trader: Account
) -> None:
    position = books.open_position(trader.uid, BTC, contracts=10, lever=20)
    books.liquidate_partly(trader.uid, BTC, contracts=4)
    books.close_position(trader.uid, BTC)
    (row,) = [history_row(episode) for episode in trader.episodes]
    assert (row["type"], row["triggerPx"], row["closeTotalPos"]) == ("2", "", "10")
    assert Decimal(row["liqPenalty"]) < 0
    assert position.contracts == 0


def test_a_slot_keeps_its_pos_id_when_it_reopens_within_thirty_days(
    books: Books, trader: Account, clock: Hands
) -> None:
    first = books.open_position(trader.uid, BTC, contracts=1, lever=10)
    books.close_position(trader.uid, BTC)
    clock.now += timedelta(days=30)
    second = books.open_position(trader.uid, BTC, contracts=1, lever=10)
    assert second.pos_id == first.pos_id
    assert second.c_time_ms > first.c_time_ms
    assert (second.fee, second.pnl) == (-600 * FEE_RATE, Decimal(0))
    books.close_position(trader.uid, BTC)
    clock.now += timedelta(days=30, milliseconds=1)
    assert books.open_position(trader.uid, BTC, contracts=1, lever=10).pos_id != first.pos_id


def test_adding_to_a_position_keeps_its_time_and_moves_its_average_price(
    books: Books, trader: Account, clock: Hands
) -> None:
    first = books.open_position(trader.uid, BTC, contracts=1, lever=10, avg_px=60000)
    opened_ms = first.c_time_ms
    clock.now += timedelta(hours=1)
    again = books.open_position(trader.uid, BTC, contracts=3, lever=10, avg_px=64000)
    assert again is first
    assert (again.avg_px, again.contracts) == (Decimal(63000), Decimal(4))
    assert again.c_time_ms == opened_ms


def test_in_net_mode_a_short_is_below_zero(books: Books) -> None:
    account = books.add_account(pos_mode="net_mode")
    row = position_row(account, books.open_position(account.uid, BTC, side="short", contracts=2, lever=10))
    assert (row["posSide"], row["pos"], row["availPos"]) == ("net", "-2", "")
    books.liquidate(account.uid, BTC)
    assert account.bills[-1]["subType"] == "106", "a net short is liquidated by buying"


def test_a_cross_position_with_ample_balance_has_no_liquidation_price(books: Books, trader: Account) -> None:
    position = books.open_position(trader.uid, BTC, contracts=1, lever=10, mgn_mode="cross")
    row = position_row(trader, position)
    assert (row["liqPx"], row["margin"]) == ("", "")
    assert Decimal(row["imr"]) == 60
    assert Decimal(row["mgnRatio"]) > 100


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "many", ""])
def test_the_impossible_is_refused_in_words(books: Books, trader: Account, amount: str) -> None:
    with pytest.raises(ValueError, match="not a positive number"):
        books.open_position(trader.uid, BTC, contracts=amount, lever=10)
    with pytest.raises(ValueError, match="0 open positions"):
        books.close_position(trader.uid, BTC)
