"""Liquidations that were expected, what luck alone makes of it, and those that were paid: a line. Pure."""

from decimal import Decimal

from markupsafe import Markup

WIDTH, HEIGHT, ENDS = 160, 20, 8


def luck_bar(mean: Decimal, luck: tuple[int, int], paid: int, undecided: int, end: int) -> Markup:
    """`end`: the number at the right end of the line. A band for luck, a stroke for what was expected, a dot
    for what was paid, and a hollow one where it would be if all that are undecided were paid. The numbers
    stand beside it as text."""
    middle, low, high = HEIGHT // 2, _x(luck[0], end), _x(luck[1], end)
    drawn = [
        f'<path class="axis" d="M{ENDS} {middle}H{WIDTH - ENDS}"/>',
        f'<rect class="luck" x="{low}" y="5" width="{max(2.0, round(high - low, 1))}" height="10" rx="3"/>',
        f'<path class="expected" d="M{_x(mean, end)} 2V18"/>',
    ]
    if undecided:
        drawn.append(f'<circle class="undecided" cx="{_x(paid + undecided, end)}" cy="{middle}" r="5"/>')
    drawn.append(f'<circle class="paid" cx="{_x(paid, end)}" cy="{middle}" r="5"/>')
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true"'
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" class="luck-bar" {size}>{"".join(drawn)}</svg>')  # noqa: S704, numbers


def _x(value: Decimal | int, end: int) -> float:
    return round(ENDS + (WIDTH - 2 * ENDS) * float(value) / max(1, end), 1)
