"""The table that priced until 2026-11-29: for every instrument 60 % volatility a year and thin tails, by
bands of leverage. Kept to be held against."""

_BANDS = {
    "LIQPASS_8H": (
        (15, 25), (20, 112), (25, 471), (30, 1_058), (40, 2_468), (50, 3_776), (75, 6_068), (100, 7_408),
    ),
    "LIQPASS_24H": (
        (10, 25), (12, 116), (15, 460), (20, 1_430), (25, 2_517), (30, 3_503), (40, 5_038), (50, 6_105),
    ),
    "LIQPASS_30D": (
        (2, 40), (3, 556), (4, 1_527), (5, 2_546), (7, 4_196), (10, 5_768), (15, 7_157), (20, 7_892),
    ),
}  # fmt: skip


def chance_before_bps(sku_id: str, leverage: int) -> int | None:
    """None: it had no such product or leverage."""
    bands = _BANDS.get(sku_id, ())
    return next((bps for up_to, bps in bands if leverage <= up_to), None)
