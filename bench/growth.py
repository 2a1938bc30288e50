"""Curves on logarithmic axes as SVG: a picture that a text editor can open."""

import math
from collections.abc import Sequence
from html import escape

import msgspec

WIDTH, HEIGHT, GAP = 380, 260, 90
COLOURS = ("#0b6bcb", "#c2410c", "#6b7280")
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #1f2937 }
    .title { font-weight: 600 }
    .grid { stroke: #d1d5db; stroke-width: 1 }
    .curve { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .grid { stroke: #374151 } }
"""


class Curve(msgspec.Struct, frozen=True):
    """Points of x and y, both above zero."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(msgspec.Struct, frozen=True):
    """Curves that share their axes; y is in `unit`."""

    title: str
    unit: str
    curves: Sequence[Curve]


def picture(panels: Sequence[Panel], x_name: str = "orders") -> str:
    """The panels side by side."""
    legend = 18 * max(len(panel.curves) for panel in panels)
    width, height = GAP + len(panels) * (WIDTH + GAP), HEIGHT + 110 + legend
    inner = "".join(
        f'<g transform="translate({GAP + nth * (WIDTH + GAP)} 40)">{_panel(panel, x_name)}</g>'
        for nth, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<style>{STYLE}</style>{inner}</svg>\n"
    )


def _panel(panel: Panel, x_name: str) -> str:
    points = [point for curve in panel.curves for point in curve.points]
    x_decades, y_decades = _decades([x for x, _ in points]), _decades([y for _, y in points])

    def at(x: float, y: float) -> tuple[float, float]:
        return WIDTH * _part(x, x_decades), HEIGHT * (1 - _part(y, y_decades))

    drawn = [f'<text class="title" x="0" y="-16">{escape(panel.title)}</text>']
    for power in range(x_decades[0], x_decades[1] + 1):
        x, _ = at(10.0**power, 10.0 ** y_decades[0])
        drawn.append(f'<line class="grid" x1="{x:.0f}" y1="0" x2="{x:.0f}" y2="{HEIGHT}"/>')
        drawn.append(f'<text x="{x:.0f}" y="{HEIGHT + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(y_decades[0], y_decades[1] + 1):
        _, y = at(10.0 ** x_decades[0], 10.0**power)
        drawn.append(f'<line class="grid" x1="0" y1="{y:.0f}" x2="{WIDTH}" y2="{y:.0f}"/>')
        drawn.append(
            f'<text x="-8" y="{y + 4:.0f}" text-anchor="end">{10.0**power:,g} {escape(panel.unit)}</text>'
        )
    drawn.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT + 38}" text-anchor="middle">{escape(x_name)}</text>')
    for nth, curve in enumerate(panel.curves):
        drawn.append(_curve([at(x, y) for x, y in curve.points], COLOURS[nth]))
        y = HEIGHT + 62 + 18 * nth
        drawn.append(f'<rect x="0" y="{y - 9}" width="14" height="10" fill="{COLOURS[nth]}"/>')
        last = f"{curve.points[-1][1]:,.3g} {panel.unit} at {curve.points[-1][0]:,}"
        drawn.append(f'<text x="22" y="{y}">{escape(curve.name)}: {escape(last)}</text>')
    return "".join(drawn)


def _curve(places: Sequence[tuple[float, float]], colour: str) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places)
    return f'<polyline class="curve" stroke="{colour}" points="{line}"/>{dots}'


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Powers of ten around the values, which may stand a tenth of a decade outside."""
    low, high = math.floor(math.log10(min(values)) + 0.1), math.ceil(math.log10(max(values)) - 0.1)
    return low, max(high, low + 1)


def _part(value: float, decades: tuple[int, int]) -> float:
    return (math.log10(value) - decades[0]) / (decades[1] - decades[0])
