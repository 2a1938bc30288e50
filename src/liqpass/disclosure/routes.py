"""GET /api/price and GET /api/reserve, for everybody."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from liqpass.disclosure import figures
from liqpass.disclosure.figures import Figures
from liqpass.disclosure.reliability import Reliability, reliability
from liqpass.disclosure.reserve import Reserve, reserve
from liqpass.pricing.skus import Products, Sku
from liqpass.reads import Reads
from liqpass.reconcile.views import camel
from liqpass.settings import ChainSettings


class ProductView(msgspec.Struct, frozen=True, rename="camel"):
    """What a product's price is made with: shares in basis points, money in micro-USDC. `model`: the numbers
    of the formula in docs/price.md."""

    sku: str
    duration_sec: int
    delay_sec: int
    payout_ratio_bps: int
    payout_cap: str
    load_bps: int
    fee: str
    floor: str
    most_chance_bps: int
    most_premium_bps: int
    min_distance_bps: int
    model: dict[str, int]


class PriceView(msgspec.Struct, frozen=True, rename="camel"):
    """`version` and `products`: what is sold now. `pastData`: how the delivered products did on prices that
    their fit had not seen. `figures`: from our own books, of the last day; null before the first."""

    version: str
    products: list[ProductView]
    past_data: Reliability
    figures: Figures | None
    figures_sha256: str | None


@get("/price", summary="How prices are made, and how good they were")
async def price(reads: NamedDependency[Reads], products: NamedDependency[Products]) -> PriceView:
    """Brought up to date once a day. No figure tells about fewer than five wallets."""
    told, _ = await reads.look(figures.newest)
    return PriceView(
        version=products.version,
        products=[_view(sku) for sku in products.sku],
        past_data=reliability(),
        figures=told.figures if told else None,
        figures_sha256=told.sha256 if told else None,
    )


def _view(sku: Sku) -> ProductView:
    return ProductView(
        sku=sku.id,
        duration_sec=sku.duration_sec,
        delay_sec=sku.delay_sec,
        payout_ratio_bps=sku.payout_ratio_bps,
        payout_cap=str(sku.payout_cap_micro),
        load_bps=sku.load_bps,
        fee=str(sku.fee_micro),
        floor=str(sku.floor_micro),
        most_chance_bps=sku.most_chance_bps,
        most_premium_bps=sku.most_premium_bps,
        min_distance_bps=sku.min_distance_bps,
        model={camel(name): value for name, value in msgspec.structs.asdict(sku.model).items()},
    )


@get("/price/days/{day:date}", summary="A day's figures as they were told", media_type=MediaType.JSON)
async def price_of_day(
    reads: NamedDependency[Reads], day: Annotated[date, PathParameter()]
) -> Response[bytes]:
    """Byte for byte what its SHA-256 is of; it names the SHA-256 of the figures before."""
    document, _ = await reads.look(lambda conn: figures.document_of(conn, day))
    if document is None:
        raise NotFoundException
    return Response(document.encode(), media_type=MediaType.JSON)


@get("/reserve", summary="That every open cover can be paid")
async def show_reserve(
    reads: NamedDependency[Reads],
    now: NamedDependency[datetime],
    chain: NamedDependency[ChainSettings],
) -> Reserve:
    """What the treasury held at a block, by the last reconciliation, and what to ask any node to see it."""
    found, _ = await reads.look(lambda conn: reserve(conn, now, chain))
    return found


def disclosure_router(*, products: Products, chain: ChainSettings) -> Router:
    """Public, under /api; `reads` and `now` are provided by the app."""
    return Router(
        path="/api",
        route_handlers=[price, price_of_day, show_reserve],
        dependencies={
            "products": Provide(lambda: products, sync_to_thread=False),
            "chain": Provide(lambda: chain, sync_to_thread=False),
        },
        tags=["disclosure"],
    )
