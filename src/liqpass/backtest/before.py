"""The table that priced until 2026-11-29: for every instrument 60 % volatility a year and thin tails, by
bands of leverage. Kept to be held against."""

from liqpass.money import MICRO, ceil_div
from liqpass.pricing.model import BPS
from liqpass.pricing.premium import CENT

# up to which leverage, chance in basis points, share of the margin that was paid in percent
_BANDS = {
    "LIQPASS_8H": (
        (15, 25, 50), (20, 112, 50), (25, 471, 40), (30, 1_058, 40), (40, 2_468, 40), (50, 3_776, 40),
        (75, 6_068, 30), (100, 7_408, 30),
    ),
    "LIQPASS_24H": (
        (10, 25, 50), (12, 116, 50), (15, 460, 50), (20, 1_430, 50), (25, 2_517, 40), (30, 3_503, 40),
        (40, 5_038, 40), (50, 6_105, 40),
    ),
    "LIQPASS_30D": (
        (2, 40, 50), (3, 556, 50), (4, 1_527, 50), (5, 2_546, 50), (7, 4_196, 40), (10, 5_768, 40),
        (15, 7_157, 30), (20, 7_892, 30),
    ),
}  # fmt: skip
_LOAD_BPS, _FEE_MICRO = 1_500, MICRO // 2
_FLOORS_MICRO = {"LIQPASS_8H": MICRO, "LIQPASS_24H": 3 * MICRO // 2, "LIQPASS_30D": 3 * MICRO}


def chance_before_bps(sku_id: str, leverage: int) -> int | None:
    """None: it had no such product or leverage."""
    band = _band(sku_id, leverage)
    return band[1] if band else None


def sold_before(sku_id: str, leverage: int, margin_micro: int) -> tuple[int, int] | None:
    """Premium (in whole cents, as it is compared with) and payout; None: it would not have sold it."""
    band = _band(sku_id, leverage)
    if band is None:
        return None
    payout = margin_micro * band[2] // 100
    risk = ceil_div(payout * band[1] * (BPS + _LOAD_BPS), BPS * BPS)
    premium = ceil_div(max(_FLOORS_MICRO[sku_id], risk + _FEE_MICRO), CENT) * CENT
    return (premium, payout) if premium < payout else None


def _band(sku_id: str, leverage: int) -> tuple[int, int, int] | None:
    return next((band for band in _BANDS.get(sku_id, ()) if leverage <= band[0]), None)
