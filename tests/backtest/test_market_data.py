"""The price on six years of real candles: the part that its numbers have not seen, one hour of many.

The whole is `liqpass price backtest`, and docs/price.md.
"""

from pathlib import Path
from typing import Any

import pytest

from liqpass.backtest.page import off_buckets
from liqpass.backtest.report import report
from liqpass.pricing.skus import load_products

CANDLES = Path(__file__).resolve().parents[3] / "shared" / "market_data"
MOST_BRIER_PPM = {"LIQPASS_8H": 102_000, "LIQPASS_24H": 141_000, "LIQPASS_30D": 179_000}
EVERY_HOURS = 11  # no part of a day or a week


@pytest.fixture(scope="module")
def products() -> list[dict[str, Any]]:
    if not CANDLES.is_dir():
        pytest.skip("the candles of ../shared/market_data are not here")
    found: list[dict[str, Any]] = report(CANDLES, load_products(None), lambda line: None, every=EVERY_HOURS)[
        "products"
    ]
    return found


def test_chances_are_better_than_the_table_before_and_a_constant(products: list[dict[str, Any]]) -> None:
    for one in products:
        assert one["brierPpm"] < one["brierBeforePpm"] < one["brierConstantPpm"]
        assert one["brierPpm"] <= MOST_BRIER_PPM[one["sku"]]


def test_no_bucket_is_off_by_more_than_a_fifth_of_itself(products: list[dict[str, Any]]) -> None:
    assert {one["sku"]: off_buckets(one) for one in products if off_buckets(one)} == {}


def test_no_year_costs_more_than_its_premiums_though_volatile_days_are_bought(
    products: list[dict[str, Any]],
) -> None:
    for one in products[:2]:
        for buyers in one["buyers"][:4]:  # all but those with foresight
            for year in buyers["years"]:
                assert year["lossRatioBps"] is None or year["lossRatioBps"] < 10_000, (buyers["of"], year)
