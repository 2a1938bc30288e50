"""The findings as tables."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.processes import Memory
from bench.rounds import Round


def show(console: Console, rounds: Sequence[tuple[Round, Round]], ratio: float) -> None:
    """Speed: medians over the rounds, and how far the rounds lie apart."""
    table = Table(title="bind → create → submit", title_justify="left")
    table.add_column("median of the rounds")
    for side in rounds[0]:
        table.add_column(side.of, justify="right")
    sides = list(zip(*rounds, strict=True))

    def row(name: str, value: Callable[[Round], float | None], shown: str = "{:.1f}") -> None:
        values = [[v for r in side if (v := value(r)) is not None] for side in sides]
        table.add_row(name, *(shown.format(median(found)) if found else "" for found in values))

    row("loops per second", lambda r: r.loops_per_sec, "{:.0f}")
    row("one loop, p50 ms", lambda r: r.loop_ms["p50"])
    row("one loop, p99 ms", lambda r: r.loop_ms["p99"])
    for call in rounds[0][0].call_ms:
        for part in ("p50", "p99"):
            row(f"  {call}, {part} ms", lambda r, c=call, p=part: r.call_ms.get(c, {}).get(p))  # type: ignore[misc]
    for part in ("API", "PostgreSQL", "load generator"):
        row(f"CPU ms a loop: {part}", lambda r, p=part: r.cpu_ms[p], "{:.2f}")  # type: ignore[misc]
    for part in rounds[0][0].cpu_cores:
        row(f"cores: {part}", lambda r, p=part: r.cpu_cores[p], "{:.2f}")  # type: ignore[misc]
    console.print(table)
    ratios = [ours.loops_per_sec / theirs.loops_per_sec for ours, theirs in rounds]
    console.print(
        f"ratio {ratio:.3f} of pgbench (rounds: {', '.join(f'{r:.3f}' for r in ratios)}; the aim now is 0.3)"
    )


def show_memory(console: Console, before: Mapping[str, Memory], after: Mapping[str, Memory]) -> None:
    """Memory of each part, in MB."""
    table = Table(title="memory, MB", title_justify="left")
    for column in ("", "PSS at start", "RSS at start", "PSS after load", "RSS after load"):
        table.add_column(column, justify="right" if column else "left")
    for name, start in before.items():
        end = after[name]
        table.add_row(name, *(f"{size:.0f}" for size in (start.pss, start.rss, end.pss, end.rss)))
    console.print(table)
