"""The price by its definition, with sixty digits and in fractions; nothing of it is the product's."""

from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor

DIGITS = 60
BEYOND = 9  # so many standard deviations away, less than one in 10^18 arrives
LEAST = Decimal("0.005")
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def chance(
    weight: Fraction,
    scale: Fraction,
    spread: Fraction,
    side: str,
    distance: Fraction,
    variances: tuple[Fraction, Fraction],
    hours: Fraction,
) -> Decimal:
    """⅔·f(kσ) + ⅙·f(kσ·e^(√3·ν)) + ⅙·f(kσ·e^(−√3·ν)), at least 0.005, before it is rounded.

    `weight` is that of the first variance; variances are an hour's, distance is a share of the mark price.
    """
    with localcontext(prec=DIGITS):
        if distance <= 0:
            return Decimal(1)
        if side == "long" and distance >= 1:
            return LEAST
        away = -_decimal(1 - distance).ln() if side == "long" else _decimal(1 + distance).ln()
        variance = weight * variances[0] + (1 - weight) * variances[1]
        sigma = _decimal(scale) * _decimal(variance * hours).sqrt()
        step = (Decimal(3).sqrt() * _decimal(spread)).exp()
        points = ((4, sigma), (1, sigma * step), (1, sigma / step))
        return max(LEAST, sum((n * touched(away / s) for n, s in points), Decimal()) / 6)


def touched(deviations: Decimal) -> Decimal:
    """How probable it is that a Brownian motion goes so far: twice the tail of the normal distribution."""
    with localcontext(prec=DIGITS):
        if deviations > BEYOND:
            return Decimal()
        term = total = deviations
        for n in range(1, 1_000):
            term *= deviations**2 / (2 * n + 1)
            total += term
            if term < total * Decimal(10) ** -DIGITS:
                break
        return 1 - 2 * total * (-(deviations**2) / 2).exp() / (2 * PI).sqrt()


def hours_of_week(start: datetime, length: timedelta) -> Fraction:
    """Each hour as it weighs, in UTC."""
    at, end, passed = start, start + length, Fraction()
    while at < end:
        until = min(end, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
        passed += Fraction((until - at) // timedelta(microseconds=1), 3_600_000_000) * _weighs(at)
        at = until
    return passed


def _weighs(at: datetime) -> Fraction:
    """Of an hour: of a working day 1.2 until 2, 0.95 until 12, 1.5 until 18, 1.05 then; of a Saturday
    0.6; of a Sunday 0.6 until 12, 0.8 until 22, 1.2 then."""
    if at.weekday() == 5 or (at.weekday() == 6 and at.hour < 12):
        return Fraction(6, 10)
    if at.weekday() == 6:
        return Fraction(8, 10) if at.hour < 22 else Fraction(12, 10)
    if at.hour < 12:
        return Fraction(12, 10) if at.hour < 2 else Fraction(95, 100)
    return Fraction(15, 10) if at.hour < 18 else Fraction(105, 100)


def payout(margin: int, ratio: Fraction, cap: int) -> int:
    """Of a margin in micro-USDC; down to whole cents."""
    return floor(min(margin * ratio, Fraction(cap)) / 10_000) * 10_000


def premium(payout: int, chance: Fraction, load: Fraction, fee: int, least: int) -> int:
    """Of a payout, in micro-USDC; up to whole cents."""
    return ceil(max(Fraction(least), payout * chance * (1 + load) + fee) / 10_000) * 10_000


def _decimal(of: Fraction) -> Decimal:
    return Decimal(of.numerator) / Decimal(of.denominator)
