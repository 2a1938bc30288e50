"""The table that priced before, as it is held against: examples by hand from its file of 2026-11-22."""

import pytest

from liqpass.backtest.before import chance_before_bps, sold_before

USDC = 10**6


@pytest.mark.parametrize(
    ("sku", "leverage", "sold"),
    [
        ("LIQPASS_8H", 10, (1_940_000, 500 * USDC)),  # 500 × 0.25 % × 1.15 + 0.50, up to a cent
        ("LIQPASS_8H", 20, (6_940_000, 500 * USDC)),
        ("LIQPASS_8H", 75, (209_850_000, 300 * USDC)),
        ("LIQPASS_24H", 50, (281_330_000, 400 * USDC)),
        ("LIQPASS_30D", 2, (3_000_000, 500 * USDC)),  # its floor
        ("LIQPASS_30D", 21, None),
        ("OTHER", 10, None),
    ],
)
def test_a_premium_of_the_table_before(sku: str, leverage: int, sold: tuple[int, int] | None) -> None:
    assert sold_before(sku, leverage, 1_000 * USDC) == sold
    assert (chance_before_bps(sku, leverage) is None) == (sold is None)


def test_it_sold_nothing_for_more_than_it_paid() -> None:
    assert sold_before("LIQPASS_8H", 10, 2 * USDC) is None
