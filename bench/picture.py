"""The order loop over commits, as ratios to an earlier one: `python -m bench.picture [RESULT …]`.

Takes results of `make bench ARGS='--beside …'` into docs/performance/results.json, what is worth keeping of
them, and draws docs/performance/loop.svg from all that is there.
"""

import argparse
import math
import subprocess
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.earlier import HERE
from bench.growth import COLOURS, GAP, HEIGHT, STYLE, WIDTH
from bench.report import COMPARED, OURS, Ratio, Result, ratio_of

FOLDER = HERE / "docs" / "performance"
DRAWN = {"loops a second": "loops a second", "CPU ms a loop, API": "CPU of the API a loop"}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A commit beside an earlier one: `ratios[users][measure][side]`."""

    commit: str
    committed_at: str
    measured_at: str
    beside: str
    machine: dict[str, Any]
    seconds: float
    rounds: int
    elsewhere_cores: dict[int, float]
    """What others took of the machine while ours was measured, by users: the less, the more it is worth."""
    ratios: dict[int, dict[str, dict[str, Ratio]]]


def measured(result: Result) -> Measured:
    """What is worth keeping. Raises ValueError where it tells of no commit, or has none beside it."""
    if result.commit.endswith("+") or not result.beside:
        raise ValueError(f"{result.commit}: only a commit that was measured beside another one is kept")
    when = subprocess.run(
        ["git", "show", "-s", "--format=%cI", result.commit],
        cwd=HERE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Measured(
        commit=result.commit,
        committed_at=when.stdout.strip(),
        measured_at=result.at,
        beside=result.beside,
        machine=result.machine,
        seconds=result.seconds,
        rounds=len(result.at_users[0].rounds),
        elsewhere_cores={
            found.users: median(sides[OURS].cpu_cores["everything else"] for sides in found.rounds)
            for found in result.at_users
        },
        ratios={
            found.users: {
                measure: {
                    side: ratio
                    for side in found.rounds[0]
                    if side != OURS and (ratio := ratio_of(found, measure, side))
                }
                for measure in COMPARED
            }
            for found in result.at_users
        },
    )


def with_new(kept: Sequence[Measured], new: Sequence[Measured]) -> list[Measured]:
    """In the order of their commits; a commit that is measured again is kept as measured last."""
    by_commit = {(one.commit, one.beside): one for one in (*kept, *new)}
    return sorted(by_commit.values(), key=lambda one: one.committed_at)


def picture(kept: Sequence[Measured], beside: str) -> str:
    """A panel for each measure, a curve for each number of users; bars span the rounds."""
    kept = [one for one in kept if one.beside == beside]
    # one user waits more than anybody works, and what a wait takes is the machine's
    users = sorted({number for one in kept for number in one.ratios if number > 1})
    width, height = GAP + len(DRAWN) * (WIDTH + GAP), HEIGHT + 90 + 18 * len(users)
    panels = "".join(
        f'<g transform="translate({GAP + nth * (WIDTH + GAP)} 40)">'
        f"{_panel(kept, users, beside, measure, title)}</g>"
        for nth, (measure, title) in enumerate(DRAWN.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<style>{STYLE}</style>{panels}</svg>\n"
    )


def _panel(kept: Sequence[Measured], users: Sequence[int], beside: str, measure: str, title: str) -> str:
    side = f"{OURS} {beside}"
    names = [beside, *(one.commit for one in kept)]
    found = {
        number: [(0, Ratio(1, 1, 1))]
        + [
            (place, ratio)
            for place, one in enumerate(kept, start=1)
            if (ratio := one.ratios.get(number, {}).get(measure, {}).get(side))
        ]
        for number in users
    }
    highest = max([1.0, *(ratio.highest for points in found.values() for _, ratio in points)])
    most = 2 * math.ceil(highest / 2) if highest > 1 else 1
    drawn = [f'<text class="title" x="0" y="-16">{escape(title)}, times those of {escape(beside)}</text>']
    for step in range(5):
        y = HEIGHT * (1 - step / 4)
        drawn.append(f'<line class="grid" x1="0" y1="{y:.0f}" x2="{WIDTH}" y2="{y:.0f}"/>')
        drawn.append(f'<text x="-8" y="{y + 4:.0f}" text-anchor="end">{most * step / 4:.2f}</text>')
    for place, name in enumerate(names):
        x = _across(place, len(names))
        drawn.append(f'<text x="{x:.0f}" y="{HEIGHT + 18}" text-anchor="middle">{escape(name)}</text>')
    for nth, (number, points) in enumerate(found.items()):
        shift = 6 * (nth - (len(users) - 1) / 2)  # so that bars stand beside each other
        at = [(_across(place, len(names)) + shift, ratio) for place, ratio in points]
        drawn.append(_curve([(x, ratio) for x, ratio in at], COLOURS[nth % len(COLOURS)], most))
        y, last = HEIGHT + 44 + 18 * nth, points[-1][1].median
        drawn.append(f'<rect x="0" y="{y - 9}" width="14" height="10" fill="{COLOURS[nth % len(COLOURS)]}"/>')
        drawn.append(f'<text x="22" y="{y}">{number} at the same time: {last:.2f} at last</text>')
    return "".join(drawn)


def _across(place: int, of: int) -> float:
    return WIDTH * (place + 0.5) / of


def _curve(points: Sequence[tuple[float, Ratio]], colour: str, most: float) -> str:
    def up(value: float) -> float:
        return HEIGHT * (1 - value / most)

    line = " ".join(f"{x:.1f},{up(ratio.median):.1f}" for x, ratio in points)
    bars = "".join(
        f'<line x1="{x:.1f}" y1="{up(ratio.lowest):.1f}" x2="{x:.1f}" y2="{up(ratio.highest):.1f}" '
        f'stroke="{colour}"/><circle cx="{x:.1f}" cy="{up(ratio.median):.1f}" r="3.5" fill="{colour}"/>'
        for x, ratio in points
    )
    return f'<polyline class="curve" stroke="{colour}" points="{line}"/>{bars}'


def main() -> None:
    """Keep, and draw."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("results", nargs="*", type=Path, help="of bench/results/")
    given.add_argument("--beside", default="184f91c", help="the commit that the picture compares with")
    of = given.parse_args()
    path = FOLDER / "results.json"
    kept = msgspec.json.decode(path.read_bytes(), type=list[Measured]) if path.exists() else []
    try:
        new = [measured(msgspec.json.decode(one.read_bytes(), type=Result)) for one in of.results]
    except (OSError, ValueError) as error:
        sys.exit(f"bench: {error}")
    kept = with_new(kept, new)
    FOLDER.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    (FOLDER / "loop.svg").write_text(picture(kept, of.beside))
    print(f"{len(kept)} commits: docs/performance/loop.svg")


if __name__ == "__main__":
    main()
