"""Rows of the sandbox exchange have the fields and the types of real ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from liqpass.clock import system_clock
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_market_rows import instrument_row
from liqpass.sandbox.okx_rows import config_row, history_row, position_row

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "okx_samples"
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the folder shared/okx_samples beside the repository is not there"
)
BTC = "BTC-USDT-SWAP"


def sample(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((SAMPLES / name).read_text())["data"]
    return rows


def types(row: dict[str, Any]) -> dict[str, str]:
    return {name: type(value).__name__ for name, value in row.items()}


@pytest.fixture
def books() -> Books:
    return Books(system_clock, seed=3)


@pytest.mark.parametrize("mgn_mode", ["isolated", "cross"])
def test_a_position_has_the_fields_of_a_real_one_of_2025_in_their_order(books: Books, mgn_mode: str) -> None:
    account = books.add_account()
    position = books.open_position(account.uid, BTC, contracts=1, lever=10, mgn_mode=mgn_mode)
    (real,) = sample("positions_net_cross_liqpx_empty_2025-08-29.json")
    row = position_row(account, position)
    assert types(row) == types(real)
    assert list(row) == list(real)
    books.close_position(account.uid, BTC, mgn_mode=mgn_mode)
    assert types(position_row(account, position)) == types(real)


@pytest.mark.parametrize(
    ("mgn_mode", "pos_mode", "name"),
    [
        ("isolated", "long_short_mode", "positions_isolated_long_hedge_mode.json"),
        ("cross", "net_mode", "positions_net_cross_liqpx_empty_2025-08-29.json"),
    ],
)
def test_what_is_empty_in_a_real_position_is_empty_here(
    books: Books, mgn_mode: str, pos_mode: str, name: str
) -> None:
    account = books.add_account(pos_mode=pos_mode)
    row = position_row(
        account, books.open_position(account.uid, BTC, contracts=1, lever=10, mgn_mode=mgn_mode)
    )
    real = sample(name)[0]
    empty = {field for field, value in real.items() if value == ""} - {"usdPx"}
    assert empty == {field for field in real if row[field] == ""}


def test_a_liquidated_position_has_the_fields_of_a_real_one_and_those_added_since(books: Books) -> None:
    account = books.add_account()
    books.open_position(account.uid, BTC, contracts=1, lever=100, mgn_mode="isolated")
    row = types(history_row(books.liquidate(account.uid, BTC)))
    for real in map(types, sample("positions_history_type3_liquidation_cross.json")):
        assert real.items() <= row.items()
    assert row == types(sample("DOCS_positions_history_type1.json")[0])


def test_an_order_has_the_fields_of_a_real_one_in_their_order(books: Books) -> None:
    account = books.add_account()
    books.open_position(account.uid, BTC, contracts=1, lever=10)
    books.liquidate(account.uid, BTC)
    (real,) = sample("orders_history_nautilus.json")
    for row in account.orders:
        assert types(row) == types(real)
        assert list(row) == list(real)


def test_a_bill_has_the_fields_of_okxs_example(books: Books) -> None:
    account = books.add_account()
    books.open_position(account.uid, BTC, contracts=1, lever=10)
    (real,) = sample("DOCS_bills.json")
    assert types(account.bills[0]) == types(real)


def test_the_config_has_the_fields_of_okxs_example_in_their_order(books: Books) -> None:
    account = books.add_account()
    row = config_row(account, books.add_key(account.uid))
    (real,) = sample("DOCS_account_config.json")
    assert types(row) == types(real)
    assert list(row) == list(real)


def test_a_fill_has_the_fields_of_okxs_example(books: Books) -> None:
    account = books.add_account()
    books.open_position(account.uid, BTC, contracts=1, lever=10)
    (real,) = sample("DOCS_fills.json")
    assert types(account.fills[0]) == types(real)


@pytest.mark.parametrize("inst_id", [BTC, "ETH-USDT-SWAP"])
def test_an_instrument_has_the_fields_of_a_real_one_in_their_order_and_those_added_since(
    books: Books, inst_id: str
) -> None:
    real = next(row for row in sample("instruments_swap_nautilus.json") if row["instId"] == inst_id)
    row = instrument_row(books.instruments[inst_id])
    assert [name for name in row if name in real] == list(real)
    assert {name: row[name] for name in row.keys() - real.keys()} == {
        "groupId": "2",
        "instCategory": "1",
        "upcChg": [],
    }
    own = {"maxMktSz", "maxStopSz"}
    assert {name: row[name] for name in real.keys() - own} == {name: real[name] for name in real.keys() - own}
