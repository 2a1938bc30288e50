"""How good the delivered prices were on past data that their fit had not seen: what `liqpass price backtest`
found, as it is in the package."""

from functools import cache
from importlib import resources

import msgspec


class Point(msgspec.Struct, frozen=True, rename="camel"):
    """Samples whose chance was from `from_ppm` to below `to_ppm`: the mean chance, and how often the
    liquidation price was touched, in millionths."""

    from_ppm: int
    to_ppm: int
    samples: int
    predicted_ppm: int
    seen_ppm: int


class OfPast(msgspec.Struct, frozen=True, rename="camel"):
    """A product. Brier scores, in millionths: of the model, of the table of leverages that was used before
    (None: not tried), and of one chance for all. In basis points: payouts ÷ premiums, and the share of all
    open longs that was hit within the worst day."""

    sku: str
    samples: int
    brier_ppm: int
    brier_before_ppm: int | None
    brier_constant_ppm: int
    loss_ratio_bps: int
    worst_day_hit_bps: int | None
    points: list[Point]


class Reliability(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """`version`: of the products that were tried; `first` and `last`: days of the data, UTC."""

    format: int
    version: str
    first: str
    last: str
    instruments: list[str]
    products: list[OfPast]


@cache
def reliability() -> Reliability:
    """As it was when this version of LiqPass was made."""
    text = (resources.files("liqpass.disclosure") / "reliability.json").read_bytes()
    return msgspec.json.decode(text, type=Reliability)
