"""One price, step by step, so that a reader gets it again with a pocket calculator and a table of the normal
distribution; and what it would be for other distances. The prices are those of the code that prices orders; a
test holds the steps, as they are shown, against them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import erfc, exp, log, sqrt

from liqpass.market.volatility import E12, Volatility
from liqpass.market.week import WEIGHTS, milli_hours
from liqpass.money import MICRO
from liqpass.pricing.model import BPS, LEAST_PPM, PPM
from liqpass.pricing.premium import Facts, MadeOf, NotInsurable, Price, made_of, price
from liqpass.pricing.skus import Products, Sku

MARK, LIQUIDATION = 60_000, 54_300
MARGIN = 1_000 * MICRO
SHORT_E12, LONG_E12 = 36_000_000, 25_000_000
"""0.6 % and 0.5 % an hour, squared."""
AT = datetime(2026, 12, 2, 10, tzinfo=UTC)
"""A Wednesday."""
FIRST_CHOICE = "LIQPASS_24H"
OTHER_DISTANCES = (20_000, 30_000, 50_000, 70_000, 100_000, 150_000, 250_000)
MAINTENANCE = 5_000
"""About what an exchange keeps back, in millionths of a position: from a distance to a leverage."""
HOUR = 3_600


@dataclass(frozen=True)
class Guess:
    """One of the three that nobody can choose between: its share in the mean is `sixths` ÷ 6. `factor`: how
    many times as restless as measured; `away`: how many usual moves the price is away; `tail`: N(−away);
    `percent`: the chance, 2 × tail."""

    sixths: int
    factor: Decimal
    away: Decimal
    tail: Decimal
    percent: Decimal


@dataclass(frozen=True)
class Example:
    """Each number as it is shown; those of the price are the code's own. Moves in percent; `pieces`: hours,
    each with how much they weigh; `guesses`: the calm, the measured and the restless one."""

    sku: Sku
    distance: Decimal
    away: Decimal
    short_move: Decimal
    long_move: Decimal
    short_share: Decimal
    move: Decimal
    pieces: Sequence[tuple[Decimal, Decimal]]
    hours: Decimal
    scale: Decimal
    usual: Decimal
    guesses: Sequence[Guess]
    is_least: bool
    price: Price
    made_of: MadeOf

    @property
    def chance(self) -> Decimal:
        """In percent, with all its four decimals."""
        return Decimal(self.price.chance_ppm) / (PPM // 100)


@dataclass(frozen=True)
class Row:
    """What the same payout costs at another distance (percent), by product; None: not offered."""

    distance: Decimal
    premiums: Sequence[int | None]


VOLATILITY = Volatility("BTC-USDT-SWAP", AT, SHORT_E12, LONG_E12, "", "an example")
DISTANCE_PPM = (MARK - LIQUIDATION) * PPM // MARK


def example(products: Products) -> Example | None:
    """Of the product of 24 hours, or else of the first that takes such a position; None: of none."""
    for sku in sorted(products.sku, key=lambda one: one.id != FIRST_CHOICE):
        try:
            cost = price(sku, facts(DISTANCE_PPM), VOLATILITY, AT)
        except NotInsurable:
            continue
        return _steps(sku, cost)
    return None


def other_distances(products: Products) -> list[Row]:
    """The nearest first."""
    return [
        Row(Decimal(distance) / (PPM // 100), [_premium(sku, distance) for sku in products.sku])
        for distance in OTHER_DISTANCES
    ]


def facts(distance_ppm: int) -> Facts:
    """The example's position, with its liquidation price at another distance."""
    lever_centi = 100 * PPM // (distance_ppm + MAINTENANCE)
    return Facts("long", lever_centi, MARGIN, MARGIN * lever_centi // 100, distance_ppm)


def _premium(sku: Sku, distance_ppm: int) -> int | None:
    try:
        return price(sku, facts(distance_ppm), VOLATILITY, AT).premium
    except NotInsurable:
        return None


def _steps(sku: Sku, cost: Price) -> Example:
    model, seconds = sku.model, sku.delay_sec + sku.duration_sec
    away = -log(1 - DISTANCE_PPM / PPM)
    share = model.short_weight_bps / BPS
    move = sqrt((share * SHORT_E12 + (1 - share) * LONG_E12) / E12)
    hours = milli_hours(AT, seconds) / 1000
    usual = model.scale_bps / BPS * move * sqrt(hours)
    step = exp(sqrt(3) * model.spread_bps / BPS)
    guesses = [
        _guess(sixths, factor, away / (usual * factor))
        for sixths, factor in ((1, 1 / step), (4, 1.0), (1, step))
    ]
    return Example(
        sku=sku,
        distance=_shown(100 * DISTANCE_PPM / PPM, 2),
        away=_shown(100 * away, 3),
        short_move=_shown(100 * sqrt(SHORT_E12 / E12), 3),
        long_move=_shown(100 * sqrt(LONG_E12 / E12), 3),
        short_share=Decimal(model.short_weight_bps) / BPS,
        move=_shown(100 * move, 4),
        pieces=_pieces(AT, seconds),
        hours=_shown(hours, 2),
        scale=Decimal(model.scale_bps) / BPS,
        usual=_shown(100 * usual, 3),
        guesses=guesses,
        is_least=cost.chance_ppm == LEAST_PPM,
        price=cost,
        made_of=made_of(sku, cost),
    )


def _guess(sixths: int, factor: float, away: float) -> Guess:
    tail = erfc(away / sqrt(2)) / 2
    return Guess(sixths, _shown(factor, 3), _shown(away, 3), _shown(tail, 5), _shown(200 * tail, 3))


def _pieces(start: datetime, seconds: int) -> list[tuple[Decimal, Decimal]]:
    """How many hours weigh how much, the heaviest first."""
    begin = (start.weekday() * 24 + start.hour) * HOUR + start.minute * 60 + start.second
    of: dict[int, int] = {}
    at, end = begin, begin + seconds
    while at < end:
        until = min(end, (at // HOUR + 1) * HOUR)
        weight = WEIGHTS[at // HOUR % len(WEIGHTS)]
        of[weight] = of.get(weight, 0) + until - at
        at = until
    return [(_shown(of[weight] / HOUR, 2), Decimal(weight) / 1000) for weight in sorted(of, reverse=True)]


def _shown(value: float, decimals: int) -> Decimal:
    return round(Decimal(value), decimals).normalize() + 0
