"""Pictures from numbers, as SVG drawn here. Pure.

Colours and outlines are the stylesheet's (`.of-…`), patterns tell the same without colour; sizes are
attributes, because a page allows no inline styles.
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from liqpass.orders.states import OrderStatus

WIDTH, HEIGHT = 900, 240
STEP_LADDER = (2, 4, 6, 10)
"""The axis ends at one of these times a power of ten, so that its half is a whole number too."""
STACK = (
    OrderStatus.ACTIVE,
    OrderStatus.EXPIRED,
    OrderStatus.PAID_PENDING_CONFIRM,
    OrderStatus.DRAFT,
    OrderStatus.CANCELLED,
)
"""From the ground up."""
_TILE = '<path d="{}" stroke="currentColor" stroke-width="{}" fill="none"/>'
_TILES = {
    OrderStatus.EXPIRED: _TILE.format("M2 0V8", 4),
    OrderStatus.PAID_PENDING_CONFIRM: _TILE.format("M-2 2L2 -2M-1 9L9 -1M6 10L10 6", 2.5),
    OrderStatus.CANCELLED: _TILE.format("M0 2H8", 1.5),
}
HOLLOW = OrderStatus.DRAFT


def axis_end(most: int) -> int:
    """Where an axis ends that has to hold `most`: even, and round."""
    power = 1
    while True:
        for step in STEP_LADDER:
            if most <= step * power:
                return step * power
        power *= 10


def patterns() -> Markup:
    """What the statuses are filled with, once in a page; `swatch` and `stacked` use it."""
    tiles = [
        f'<pattern id="tile-{status}" class="of-{status}" width="8" height="8" '
        f'patternUnits="userSpaceOnUse">{tile}</pattern>'
        for status, tile in _TILES.items()
    ]
    return _svg(f"<defs>{''.join(tiles)}</defs>", 'width="0" height="0" aria-hidden="true" class="unseen"')


def swatch(status: OrderStatus) -> Markup:
    """A status's filling, for the legend."""
    return _svg(
        _bar(status, 1, 1, 20, 14),
        'viewBox="0 0 22 16" width="22" height="16" aria-hidden="true" class="swatch"',
    )


def stacked(days: Sequence[Mapping[OrderStatus, int]], said: Sequence[str], label: str) -> Markup:
    """One bar a day, the first on the left. `said`: of each day, for the pointer; `label`: of all of it."""
    end = axis_end(max((sum(day.values()) for day in days), default=0))
    slot = WIDTH // max(1, len(days))
    bars = [
        _day(day, text, place * slot, slot, end)
        for place, (day, text) in enumerate(zip(days, said, strict=True))
    ]
    lines = [f'<path d="M0 {y}H{WIDTH}" class="grid"/>' for y in (0, HEIGHT // 2, HEIGHT)]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" class="chart"'
    return _svg("".join(lines + bars), f'{size} role="img" aria-label="{Markup.escape(label)}"')


def _day(day: Mapping[OrderStatus, int], said: str, left: int, slot: int, end: int) -> str:
    rects, below = [], 0
    for status in STACK:
        if number := day.get(status, 0):
            foot, head = (HEIGHT - HEIGHT * n // end for n in (below, below + number))
            rects.append(_bar(status, left + slot // 8, head, slot - slot // 4, max(1, foot - head)))
            below += number
    return f"<g><title>{Markup.escape(said)}</title>{''.join(rects)}</g>" if rects else ""


def _bar(status: OrderStatus, x: int, y: int, width: int, height: int) -> str:
    fill = "none" if status == HOLLOW else f"url(#tile-{status})" if status in _TILES else "currentColor"
    return f'<rect class="of-{status}" x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"/>'


def share(part: int, whole: int, label: str) -> Markup:
    """A part of a whole as a bar of which so much is filled."""
    filled = max(3, 1000 * part // whole) if part and whole else 0
    drawn = (
        '<rect x="0" y="0" width="1000" height="20" fill="none"/>'
        f'<rect x="0" y="0" width="{filled}" height="20" fill="currentColor"/>'
    )
    size = 'viewBox="0 0 1000 20" preserveAspectRatio="none" class="share"'
    return _svg(drawn, f'{size} role="img" aria-label="{Markup.escape(label)}"')


def _svg(drawn: str, attributes: str) -> Markup:
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{drawn}</svg>')  # noqa: S704, escaped above
