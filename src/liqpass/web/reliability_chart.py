"""Chances that were computed against how often it happened, as SVG drawn here: points on the line are right.
Both axes are logarithmic, so that one in a hundred has as much room as one in two. Pure."""

from collections.abc import Sequence
from math import log

from markupsafe import Markup

from liqpass.disclosure.reliability import Point

SIZE, LEFT, TOP = 340, 58, 10
RIGHT, BOTTOM = SIZE - 18, SIZE - 44
LEAST_PPM, MOST_PPM = 4_000, 1_000_000
TICKS_PPM = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
FIFTH = 1.2
"""Where the band ends: a fifth more, or less by the same factor."""


def reliability_chart(points: Sequence[Point], label: str, computed: str, happened: str) -> Markup:
    """`label`: all of it in words; `computed`, `happened`: the names of the axes."""
    inside = [*_grid(), _band(), _line(), *(_dot(point) for point in points), *_names(computed, happened)]
    return Markup(  # noqa: S704, every word in it is escaped
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" class="reliability" role="img" '
        f'aria-label="{Markup.escape(label)}">{"".join(inside)}</svg>'
    )


def _grid() -> list[str]:
    drawn = []
    for tick in TICKS_PPM:
        x, y, said = _x(tick), _y(tick), f"{tick / 10_000:g}%"
        drawn += [
            f'<path class="grid" d="M{x} {TOP}V{BOTTOM}M{LEFT} {y}H{RIGHT}"/>',
            f'<text class="tick" x="{x}" y="{BOTTOM + 16}" text-anchor="middle">{said}</text>',
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{said}</text>',
        ]
    return drawn


def _band() -> str:
    low, high = LEAST_PPM, MOST_PPM
    corners = [
        (low, low * FIFTH),
        (high / FIFTH, high),
        (high, high),
        (high, high / FIFTH),
        (low * FIFTH, low),
        (low, low),
    ]
    return f'<path class="band" d="M{"L".join(f"{_x(x)} {_y(y)}" for x, y in corners)}Z"/>'


def _line() -> str:
    return f'<path class="right" d="M{LEFT} {BOTTOM}L{RIGHT} {TOP}"/>'


def _dot(point: Point) -> str:
    """Hollow where it lies beyond the picture: at its edge."""
    kind = "dot" if point.seen_ppm >= LEAST_PPM else "beyond"
    said = f"{_percent(point.predicted_ppm)} → {_percent(point.seen_ppm)} ({point.samples:,})"
    at = f'cx="{_x(point.predicted_ppm)}" cy="{_y(point.seen_ppm)}"'
    return f'<circle class="{kind}" {at} r="5"><title>{said}</title></circle>'


def _names(computed: str, happened: str) -> list[str]:
    across, down = (LEFT + RIGHT) // 2, (TOP + BOTTOM) // 2
    named = [
        (f'x="{across}" y="{SIZE - 8}"', computed),
        (f'x="12" y="{down}" transform="rotate(-90 12 {down})"', happened),
    ]
    return [
        f'<text class="name" {at} text-anchor="middle">{Markup.escape(name)}</text>' for at, name in named
    ]


def _x(ppm: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * _share(ppm), 1)


def _y(ppm: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * _share(ppm), 1)


def _share(ppm: float) -> float:
    inside = min(max(ppm, LEAST_PPM), MOST_PPM)
    return log(inside / LEAST_PPM) / log(MOST_PPM / LEAST_PPM)


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:.3g}%"
