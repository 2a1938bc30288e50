"""A report's pictures, as SVG that needs nothing beside it. Pure: the same report, the same bytes."""

from collections.abc import Sequence
from html import escape
from typing import Any

from liqpass.pricing.model import BPS, PPM

Document = dict[str, Any]
WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 22, 40, 46
INK, GRID, OURS, OTHERS = "#1c2733", "#d5dbe1", "#0b6e99", ("#b0540a", "#7a8794", "#5c3d99")
COLOURS = (OURS, *OTHERS)


def reliability(product: Document) -> str:
    """What was seen against what was predicted: dots on the diagonal are what a good price gives; the
    whisker is a fifth of the prediction."""
    body = [_axes("predicted, %", "seen, %", [0, 20, 40, 60, 80, 100], 100, [0, 20, 40, 60, 80, 100])]
    body.append(_line([(0.0, 0.0), (100.0, 100.0)], 100, 100, GRID, dashed=False))
    for point in product["reliability"]:
        x, y = point["predictedPpm"] * 100 / PPM, point["seenPpm"] * 100 / PPM
        if not point["least"]:
            body.append(_line([(x, x * 0.8), (x, min(100.0, x * 1.2))], 100, 100, OTHERS[1], dashed=False))
        body.append(
            f'<circle cx="{_x(x, 100)}" cy="{_y(y, 100)}" r="4" fill="{"none" if point["least"] else OURS}" '
            f'stroke="{OURS}"><title>{point["samples"]:,} covers: predicted {x:.1f} %, seen {y:.1f} '
            "%</title></circle>"
        )
    return _picture(f"{product['title']}: predicted and seen", body)


def brier(products: Sequence[Document]) -> str:
    """Beside a constant and the table before; lower is better."""
    groups = [
        (one["title"], [one[name] or 0 for name in ("brierPpm", "brierBeforePpm", "brierConstantPpm")])
        for one in products
    ]
    found = [(name, [value * 1000 / PPM for value in values]) for name, values in groups]
    return bars(
        "Brier score × 1000 (lower is better)", found, ("this price", "the table before", "a constant")
    )


def losses(product: Document) -> str:
    """Payouts ÷ premiums, by year and by who buys."""
    shown = ("everybody", "after volatile days", "after a volatile hour", "with foresight")
    lines = [one for one in product["buyers"] if one["of"] in shown]
    years = [row["of"] for row in lines[0]["years"]]
    end = 120
    body = [
        _axes("", "payouts ÷ premiums, %", range(len(years)), max(1, len(years) - 1), range(0, 121, 20), end)
    ]
    body += [
        f'<text x="{_x(at, max(1, len(years) - 1))}" y="{HEIGHT - BOTTOM + 16}" '
        f'text-anchor="middle">{year}</text>'
        for at, year in enumerate(years)
    ]
    body.append(_line([(0, 100), (len(years) - 1, 100)], max(1, len(years) - 1), end, INK, dashed=True))
    for colour, one in zip(COLOURS, lines, strict=False):
        by_year = {row["of"]: row["lossRatioBps"] for row in one["years"]}
        dots = [
            (at, min(end, by_year[y] * 100 / BPS)) for at, y in enumerate(years) if by_year.get(y) is not None
        ]
        body.append(_line(dots, max(1, len(years) - 1), end, colour, dashed=False))
    return _picture(
        f"{product['title']}: payouts ÷ premiums", [*body, *_legend([one["of"] for one in lines])]
    )


def by_hour(product: Document) -> str:
    """Payouts ÷ premiums by the hour of purchase (UTC)."""
    ratios = {
        (row["of"], row["weekend"]): row["lossRatioBps"] * 100 / BPS
        for row in product["byHour"]
        if row["lossRatioBps"] is not None
    }
    end = 120
    body = [_axes("hour, UTC", "payouts ÷ premiums, %", range(0, 24, 3), 23, range(0, 121, 20), end)]
    body += [
        f'<text x="{_x(at, 23)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{at}</text>'
        for at in range(0, 24, 3)
    ]
    body.append(_line([(0, 100), (23, 100)], 23, end, INK, dashed=True))
    for weekend, colour in ((False, COLOURS[0]), (True, COLOURS[1])):
        dots = [(at, min(end, ratios[at, weekend])) for at in range(24) if (at, weekend) in ratios]
        body.append(_line(dots, 23, end, colour, dashed=False))
    names = ("Monday to Friday", "Saturday and Sunday")
    return _picture(f"{product['title']}: by the hour of purchase", [*body, *_legend(names)])


def by_division(product: Document, name: str, title: str) -> str:
    """Payouts ÷ premiums as bars."""
    groups = [
        (str(row["of"]), [row["lossRatioBps"] * 100 / BPS]) for row in product[name] if row["lossRatioBps"]
    ]
    return bars(f"{product['title']}: % paid back {title}", groups, ())


def bars(title: str, groups: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> str:
    end = max([value for _, values in groups for value in values], default=1.0) * 1.15
    body = [_axes("", "", (), 1, (), end)]
    room = (WIDTH - LEFT - RIGHT) / max(1, len(groups))
    for at, (label, values) in enumerate(groups):
        wide = room * 0.8 / len(values)
        for n, value in enumerate(values):
            x = LEFT + at * room + room * 0.1 + n * wide
            body.append(
                f'<rect x="{x:.1f}" y="{_y(value, end)}" width="{wide * 0.92:.1f}" '
                f'height="{HEIGHT - BOTTOM - float(_y(value, end)):.1f}" fill="{COLOURS[n]}"/>'
                f'<text x="{x + wide * 0.46:.1f}" y="{float(_y(value, end)) - 4:.1f}" text-anchor="middle">'
                f"{value:.0f}</text>"
            )
        middle = LEFT + (at + 0.5) * room
        body += [
            f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 16 + 12 * n}" '
            f'text-anchor="middle">{escape(line)}<title>{escape(label)}</title></text>'
            for n, line in enumerate(_fitting(label, room))
        ]
    return _picture(title, [*body, *_legend(names)])


def _fitting(label: str, room: float) -> list[str]:
    """As much of it as stands beside others: DOGE-perp-5m is in two lines, so that it is not DOGE-spot-1h."""
    most = max(1, int(room / 7.5))
    return [label] if len(label) <= most else [part[:most] for part in label.split("-")[:2]]


def _picture(title: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="11" fill="{INK}"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f'<text x="{LEFT}" y="16" font-size="13" '
        f'font-weight="bold">{escape(title)}</text>{"".join(body)}</svg>\n'
    )


def _axes(
    across: str,
    up: str,
    x_marks: Sequence[int],
    x_end: float,
    y_marks: Sequence[int],
    y_end: float = 100,
) -> str:
    bottom = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="{INK}"/>']
    for mark in y_marks:
        y = _y(mark, y_end)
        parts.append(
            f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{GRID}" fill="none"/>'
            f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{mark}</text>'
        )
    if across and up.startswith("seen"):
        parts += [
            f'<text x="{_x(mark, x_end)}" y="{bottom + 16}" text-anchor="middle">{mark}</text>'
            for mark in x_marks
        ]
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 34}" text-anchor="end">{escape(across)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 5}">{escape(up)}</text>')
    return "".join(parts)


def _line(
    points: Sequence[tuple[float, float]], x_end: float, y_end: float, colour: str, *, dashed: bool
) -> str:
    if not points:
        return ""
    path = "L".join(f"{_x(x, x_end)} {_y(y, y_end)}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], 8
    for colour, name in zip(COLOURS, names, strict=False):
        parts.append(
            f'<rect x="{x}" y="{HEIGHT - 14}" width="10" height="10" fill="{colour}"/>'
            f'<text x="{x + 14}" y="{HEIGHT - 5}" font-size="10">{escape(name)}</text>'
        )
        x += 24 + round(5.7 * len(name))
    return parts


def _x(value: float, end: float) -> str:
    return f"{LEFT + value / end * (WIDTH - LEFT - RIGHT):.1f}"


def _y(value: float, end: float) -> str:
    return f"{HEIGHT - BOTTOM - value / end * (HEIGHT - TOP - BOTTOM):.1f}"
