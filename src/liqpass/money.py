"""Money is an integer of micro-USDC (USDC has 6 decimals). Nothing here knows floating point."""

import re

from liqpass.problems import Problem

MICRO = 1_000_000
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?", re.ASCII)


def micro(text: str, field: str) -> int:
    """Micro-USDC from an amount as people write it, above zero: 12, 0.5, 3.000001.

    Raises Problem INVALID_FIELD that names `field`.
    """
    found = _AMOUNT.fullmatch(text)
    amount = int(found[1]) * MICRO + int((found[2] or "").ljust(6, "0")) if found else 0
    if amount <= 0:
        what = "is an amount of USDC above zero with at most six decimals, such as 12.50"
        raise Problem("INVALID_FIELD", f"{field} {what}.", field=field)
    return amount


def usd(micro: int) -> str:
    """Micro-USDC as dollars with at least two decimals and no trailing zeros after them.

    >>> usd(3_000_000), usd(1), usd(-2_500_000)
    ('3.00', '0.000001', '-2.50')
    """
    whole, rest = divmod(abs(micro), MICRO)
    cents = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micro < 0 else ''}{whole}.{cents}"


def ceil_div(dividend: int, divisor: int) -> int:
    """Integer division rounded up; the divisor is positive."""
    return -(-dividend // divisor)
