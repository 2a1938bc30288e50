"""Money is an integer of micro-USDC (USDC has 6 decimals). Nothing here knows floating point."""

MICRO = 1_000_000


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
