"""GET /api/insurance/skus."""

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide

from liqpass.money import usd
from liqpass.pricing.skus import Products, Sku


class SkuView(msgspec.Struct, frozen=True, rename="camel"):
    """A product as shown. Times in seconds, money in dollars."""

    sku: str
    title: str
    duration_sec: int
    coverage_delay_sec: int
    max_leverage: int
    max_payout_usd: str
    min_premium_usd: str
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
