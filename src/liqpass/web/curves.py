"""Lines from numbers, as SVG drawn here. Pure.

As in charts.py colours are the stylesheet's; lines differ in their dashes, too, and their marks in shape, so
that they are told from each other without colour. Dashes and marks keep their size however wide the picture
becomes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 1000, 240
DASHES = ("", "8 5", "2 4")
MARKS = ("M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z", "M-4.5 -4.5H4.5V4.5H-4.5Z", "M0 -6L6 5H-6Z")


@dataclass(frozen=True)
class Curve:
    """A line through `points`, from left to right; `mark`: the one of them that is marked, if one is."""

    points: Sequence[tuple[int, int]]
    mark: tuple[int, int] | None


@dataclass(frozen=True)
class Frame:
    """What the picture shows: from `first` to `last`, and upwards from nought to `most`."""

    first: int
    last: int
    most: int

    def share(self, x: int, y: int) -> tuple[float, float]:
        """Where a point is, as shares of the width from the left and of the height from above."""
        return (x - self.first) / (self.last - self.first), 1 - y / self.most


def curves(lines: Sequence[Curve], frame: Frame, at: int, label: str) -> Markup:
    """All lines in one picture, with an upright at `at`."""
    grid = "".join(f'<path d="M0 {y}H{WIDTH}" class="grid"/>' for y in (0, HEIGHT // 2, HEIGHT))
    upright = f'<path d="M{WIDTH * frame.share(at, 0)[0]:.1f} 0V{HEIGHT}" class="upright"/>'
    drawn = "".join(_line(number, line.points, frame) for number, line in enumerate(lines))
    marks = "".join(_mark(number, line.mark, frame) for number, line in enumerate(lines) if line.mark)
    picture = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" height="100%" preserveAspectRatio="none" '
        f'overflow="visible">{grid}{upright}{drawn}</svg>{marks}'
    )
    return _svg(picture, f'class="curves" role="img" aria-label="{Markup.escape(label)}"')


def key(number: int) -> Markup:
    """What the line of this number looks like, for the legend."""
    drawn = f'<path {_look(number)} d="M0 8H32"/><g transform="translate(16 8)">{_shape(number)}</g>'
    return _svg(drawn, 'class="curve-key" viewBox="0 0 32 16" width="32" height="16" aria-hidden="true"')


def _line(number: int, points: Sequence[tuple[int, int]], frame: Frame) -> str:
    shares = (frame.share(x, y) for x, y in points)
    places = (f"{WIDTH * right:.1f} {HEIGHT * down:.1f}" for right, down in shares)
    return f'<path {_look(number)} d="M{"L".join(places)}"/>' if points else ""


def _mark(number: int, point: tuple[int, int], frame: Frame) -> str:
    right, down = frame.share(*point)
    return f'<svg x="{100 * right:.2f}%" y="{100 * down:.2f}%" overflow="visible">{_shape(number)}</svg>'


def _look(number: int) -> str:
    dashes = DASHES[number % len(DASHES)]
    return f'class="line curve-{number % 3}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _shape(number: int) -> str:
    return f'<path class="point curve-{number % 3}" d="{MARKS[number % len(MARKS)]}"/>'


def _svg(drawn: str, attributes: str) -> Markup:
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{drawn}</svg>')  # noqa: S704, escaped above
