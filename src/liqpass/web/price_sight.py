"""How the price of a position came about, and what it would be nearer to and further from liquidation."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import msgspec
from markupsafe import Markup

from liqpass.exchange.records import Position
from liqpass.market.volatility import Volatility
from liqpass.orders.priced import PricedFrom, PricedPosition
from liqpass.pricing.model import PPM
from liqpass.pricing.premium import CENT, Facts, MadeOf, NotInsurable, Price, facts_of, made_of, price
from liqpass.pricing.skus import Products, Sku
from liqpass.problems import Problem
from liqpass.web import curves
from liqpass.web.charts import axis_end
from liqpass.web.curves import Curve

STEPS = 60
FARTHEST = 10 * PPM
BESIDE = (Decimal("0.5"), Decimal("0.75"), Decimal(1), Decimal("1.5"), Decimal(2))
"""The distances of the table, in distances of the position: the picture reaches from first to last."""


@dataclass(frozen=True)
class Offered:
    """A product by distance, in millionths of the mark price. `premium`: at the position's own, None where it
    is not sold; `nearest`: nearer than that it is not sold; `beside`: premiums at the distances of BESIDE."""

    sku: Sku
    premium: int | None
    nearest: int
    beside: Sequence[int | None]
    curve: Curve


@dataclass(frozen=True)
class PriceSight:
    """`distances`: of the table and the picture, in millionths, the nearest first; `most`: premium at the
    picture's upper end; `made_of`: of an order's premium."""

    facts: Facts
    offered: Sequence[Offered]
    distances: Sequence[int]
    most: int
    made_of: MadeOf | None = None

    @property
    def distance(self) -> int:
        """Of the position."""
        return self.facts.distance_ppm

    def place(self, distance: int) -> str:
        """Where a distance is, from the left."""
        return f"{100 * (distance - self.distances[0]) / (self.distances[-1] - self.distances[0]):.1f}%"

    def picture(self, label: str) -> Markup:
        """Premium by distance, a line for each product; `label` says it."""
        frame = curves.Frame(self.distances[0], self.distances[-1], self.most)
        return curves.curves([one.curve for one in self.offered], frame, self.distance, label)

    def key(self, number: int) -> Markup:
        """Of the line of the product at this place."""
        return curves.key(number)


def price_sight(
    skus: Sequence[Sku], facts: Facts, volatility: Volatility | None, at: datetime
) -> PriceSight | None:
    """Of the products that take such a position at some distance; None where none of them does nearby."""
    last = PPM - 1 if facts.side == "long" else FARTHEST
    distances = sorted({min(last, int(facts.distance_ppm * times)) for times in BESIDE})
    if volatility is None or distances[0] <= 0 or distances[0] == distances[-1]:
        return None
    offered = [found for sku in skus if (found := _offered(sku, facts, volatility, at, distances))]
    premiums = [premium for one in offered for _, premium in one.curve.points]
    if not premiums:
        return None
    return PriceSight(facts, offered, distances, axis_end(-(-max(premiums) // CENT)) * CENT)


def of_position(
    products: Products, position: Position, volatility: Volatility | None, at: datetime
) -> PriceSight | None:
    """Of all products; None where a position cannot be covered."""
    try:
        facts = facts_of(position)
    except NotInsurable:
        return None
    return price_sight(products.sku, facts, volatility, at)


def of_order(products: Products, of: PricedPosition, sold: Price) -> PriceSight | None:
    """Of the order's own product at the moment when it was priced; None for an order that was priced by
    another version of the products: what they were is not known here."""
    if not isinstance(of, PricedFrom) or of.version != products.version:
        return None
    try:
        sku = products.get(of.sku)
    except Problem:
        return None
    parts = made_of(sku, sold)
    sight = price_sight([sku], of.facts, of.volatility, of.at)
    return replace(sight, made_of=parts) if sight and parts.premium == sold.premium else None


def _offered(
    sku: Sku, facts: Facts, volatility: Volatility, at: datetime, distances: Sequence[int]
) -> Offered | None:
    def premium(distance: int) -> int | None:
        try:
            return price(sku, msgspec.structs.replace(facts, distance_ppm=distance), volatility, at).premium
        except NotInsurable:
            return None

    last = PPM - 1 if facts.side == "long" else FARTHEST
    nearest = bisect_left(range(last), True, key=lambda distance: premium(distance) is not None)
    if premium(nearest) is None:
        return None
    first, end = distances[0], distances[-1]
    steps = (first + (end - first) * n // STEPS for n in range(STEPS + 1))
    places = sorted({p for p in (*distances, *steps, nearest) if max(first, nearest) <= p <= end})
    points = [(place, cost) for place in places if (cost := premium(place)) is not None]
    own = premium(facts.distance_ppm)
    return Offered(
        sku=sku,
        premium=own,
        nearest=nearest,
        beside=[premium(distance) for distance in distances],
        curve=Curve(points, None if own is None else (facts.distance_ppm, own)),
    )
