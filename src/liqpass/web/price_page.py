"""The page of how prices are made and how good they were: an example, past data, our own books."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil, floor, sqrt
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from liqpass.disclosure import figures
from liqpass.disclosure.figures import Cell, Figures, OfProduct
from liqpass.disclosure.reliability import OfPast, Reliability, reliability
from liqpass.pricing.model import LEAST_PPM, PPM
from liqpass.pricing.skus import Products
from liqpass.reads import Reads
from liqpass.web import price_example
from liqpass.web.luck_bar import luck_bar
from liqpass.web.reliability_chart import reliability_chart
from liqpass.web.rendering import number, page, usdc
from liqpass.web.site import Site
from liqpass.web.viewing import Viewer
from liqpass.web.words import N_

PATH = "/price"
OFTEN = 1.96
"""Standard deviations on either side, which luck alone keeps to in 19 of 20 cases."""
LABEL = N_(
    "Computed chance against what happened, on logarithmic axes: %(points)s. On the line both are the same; "
    "the band is a fifth more or less."
)
COMPUTED, HAPPENED = N_("computed chance"), N_("happened")
GUESSED = (N_("much calmer"), N_("as measured"), N_("much more restless"))
POINT = N_("%(predicted)s computed, %(seen)s happened")


@get(PATH)
async def show_price(
    viewer: NamedDependency[Viewer], site: NamedDependency[Site], reads: NamedDependency[Reads]
) -> Response[str]:
    """For everybody."""
    told, _ = await reads.look(figures.newest)
    products, past = site.products, reliability()
    example = price_example.example(products)
    return page(
        viewer,
        "price.html",
        here=PATH,
        site=site,
        example=example,
        said=_sums(viewer, example) if example else {},
        guessed=GUESSED,
        of_example=price_example,
        rows=price_example.other_distances(products),
        past=past,
        charts=_charts(viewer, past, products),
        told=told,
        own=_own(told.figures, products) if told else [],
        titles={sku.id: sku for sku in products.sku},
        percent=lambda ppm: percent(viewer, ppm),
        brier=lambda ppm: number(viewer.language, round(Decimal(ppm) / PPM, 4)),
        least_ppm=LEAST_PPM,
    )


def percent(viewer: Viewer, ppm: int) -> str:
    """A chance with three digits that say something, as the reader writes numbers: 0.503%, 12.3%."""
    whole = Decimal(ppm) / (PPM // 100)
    digits = 3 if whole < 1 else 2 if whole < 10 else 1
    return f"{number(viewer.language, round(whole, digits).normalize() + 0)}%"


def _sums(viewer: Viewer, of: price_example.Example) -> Mapping[str, str]:
    """Sums of the example as one types them into a calculator."""

    def say(value: int | Decimal) -> str:
        return number(viewer.language, value)

    parts, wild = of.made_of, of.guesses[-1]
    return {
        "pieces": " + ".join(f"{say(hours)} × {say(weight)}" for hours, weight in of.pieces),
        "away": f"{say(of.away)} ÷ ({say(of.usual)} × {say(wild.factor)}) = {say(wild.away)}",
        "mean": f"({' + '.join(f'{one.sixths} × {say(one.percent)}' for one in of.guesses)}) ÷ 6",
        "chance": f"{say(of.chance)}%",
        "premium": " + ".join(
            usdc(viewer.language, part) for part in (parts.risk, parts.load, parts.fee, parts.least) if part
        ),
    }


def _charts(viewer: Viewer, past: Reliability, products: Products) -> Sequence[Mapping[str, Any]]:
    """Of the products that are sold here, and were tried."""
    sold = {sku.id: sku for sku in products.sku}
    return [
        {"of": one, "sku": sold[one.sku], "picture": _picture(viewer, one)}
        for one in past.products
        if one.sku in sold
    ]


def _picture(viewer: Viewer, one: OfPast) -> str:
    say = viewer.language.translations.gettext
    points = "; ".join(
        say(POINT) % {"predicted": percent(viewer, it.predicted_ppm), "seen": percent(viewer, it.seen_ppm)}
        for it in one.points
    )
    return reliability_chart(one.points, say(LABEL) % {"points": points}, say(COMPUTED), say(HAPPENED))


def _own(of: Figures, products: Products) -> Sequence[Mapping[str, Any]]:
    """Each product that is sold, or was: its buckets, what was to be expected, and its money."""
    sold = [sku.id for sku in products.sku]
    told = {one.sku: one for one in of.products}
    nothing = OfProduct("", None, [])
    return [
        {
            "sku": sku,
            "upto": told.get(sku, nothing).upto,
            "rows": _rows(told.get(sku, nothing).cells),
            "premiums": sum(int(cell.premiums) for cell in told.get(sku, nothing).cells),
            "payouts": sum(int(cell.payouts) for cell in told.get(sku, nothing).cells),
        }
        for sku in [*sold, *(sku for sku in told if sku not in sold)]
    ]


def _rows(cells: Sequence[Cell]) -> Sequence[Mapping[str, Any]]:
    """With a picture each, all on the same scale."""
    of = [(cell, *expected(cell)) for cell in cells]
    end = max((max(high, cell.liquidated + cell.undecided) for cell, _, _, high in of), default=1)
    return [
        {
            "cell": cell,
            "mean": mean,
            "low": low,
            "high": high,
            "picture": luck_bar(mean, (low, high), cell.liquidated, cell.undecided, end),
        }
        for cell, mean, low, high in of
    ]


def expected(cell: Cell) -> tuple[Decimal, int, int]:
    """How many liquidations the price expected, and from how many to how many luck alone leads in 19 of 20
    cases, were covers independent of each other."""
    mean = Decimal(cell.expected_ppm) / PPM
    spread = OFTEN * sqrt(cell.variance_ppm / PPM)
    low, high = floor(float(mean) - spread), ceil(float(mean) + spread)
    return round(mean, 1), max(0, low), min(cell.ended, high)
