"""Exact numbers: what OKX writes in decimals is reckoned with as fractions, so that nothing is ever rounded
but a payout, once, down."""

from decimal import Decimal
from fractions import Fraction
from typing import overload

from liqpass.exchange.fields import Row, number

_PLACES = 18


@overload
def exact(value: Decimal) -> Fraction: ...
@overload
def exact(value: None) -> None: ...
@overload
def exact(value: Decimal | None) -> Fraction | None: ...
def exact(value: Decimal | None) -> Fraction | None:
    """The same number."""
    return None if value is None else Fraction(value)


def number_of(row: Row, name: str) -> Fraction | None:
    """A field of an OKX row; None for "". Raises UnreadableRow."""
    return exact(number(row, name))


def digits(value: Fraction) -> str:
    """Plain decimal digits as OKX writes them, at most 18 after the point, cut."""
    scaled = abs(value) * 10**_PLACES
    whole, rest = divmod(scaled.numerator // scaled.denominator, 10**_PLACES)
    text = f"{whole}.{rest:0{_PLACES}d}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and text != "0" else text
