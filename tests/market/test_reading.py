"""What the worker reads of the market, and what a price can be made of then."""

from decimal import Decimal

from tests.market.conftest import Market


async def test_a_wanted_instrument_has_its_variances_after_one_step(market: Market) -> None:
    assert await market.newest() is None
    read = await market.read()
    assert read is not None
    assert (read.inst_id, read.read_at) == (market.inst_id, market.clock())
    daily = Decimal("0.03") ** 2 * 10**12 / 24  # what the sandbox's prices are drawn from
    assert daily / 2 < read.short_e12 < daily * 2
    assert daily / 2 < read.long_e12 < daily * 2
    assert read.source == "okx global /api/v5/market/mark-price-candles"
