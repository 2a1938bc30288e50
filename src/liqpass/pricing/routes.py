"""GET /api/insurance/skus."""

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide

from liqpass.money import usd
from liqpass.pricing.skus import Products, Sku


class SkuView(msgspec.Struct, frozen=True, rename="camel"):
    """A product as shown. Times in seconds, money in dollars, shares in basis points: the load on
    payout × chance, the largest chance and the largest premium (of the payout) that are sold, the smallest
    distance of the mark price to the liquidation price, and how much of the margin is paid."""

    sku: str
    title: str
    duration_sec: int
    coverage_delay_sec: int
    max_leverage: int
    max_payout_usd: str
    min_premium_usd: str
    load_bps: int
    fee_usd: str
    most_chance_bps: int
    most_premium_bps: int
    min_distance_bps: int
    payout_ratio_bps: int
    version: str


class SkuList(msgspec.Struct, frozen=True):
    """All products on sale."""

    skus: list[SkuView]


@get("/skus", summary="The products on sale")
async def list_skus(products: NamedDependency[Products]) -> SkuList:
    """What can be bought, whoever asks."""
    return SkuList([_view(sku, products.version) for sku in products.sku])


def _view(sku: Sku, version: str) -> SkuView:
    return SkuView(
        sku=sku.id,
        title=sku.title,
        duration_sec=sku.duration_sec,
        coverage_delay_sec=sku.delay_sec,
        max_leverage=sku.max_leverage,
        max_payout_usd=usd(sku.payout_cap_micro),
        min_premium_usd=usd(sku.floor_micro),
        load_bps=sku.load_bps,
        fee_usd=usd(sku.fee_micro),
        most_chance_bps=sku.most_chance_bps,
        most_premium_bps=sku.most_premium_bps,
        min_distance_bps=sku.min_distance_bps,
        payout_ratio_bps=sku.payout_ratio_bps,
        version=version,
    )


def pricing_router(*, products: Products) -> Router:
    """Public, under /api/insurance."""
    return Router(
        path="/api/insurance",
        route_handlers=[list_skus],
        dependencies={"products": Provide(lambda: products, sync_to_thread=False)},
        tags=["products"],
    )
