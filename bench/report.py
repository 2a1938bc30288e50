"""The result of the order loop, what is computed from it, and its tables."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.processes import Memory
from bench.rounds import Round

OURS = "LiqPass"
Measure = Callable[[Round], float | None]
MEASURES: dict[str, tuple[Measure, str]] = {
    "loops a second": (lambda r: r.loops_per_sec, "{:.0f}"),
    "a loop, p50 ms": (lambda r: r.loop_ms["p50"], "{:.1f}"),
    "a loop, p99 ms": (lambda r: r.loop_ms["p99"], "{:.1f}"),
    "  bind, p50 ms": (lambda r: _call(r, "bind", "p50"), "{:.1f}"),
    "  bind, p99 ms": (lambda r: _call(r, "bind", "p99"), "{:.1f}"),
    "  create, p50 ms": (lambda r: _call(r, "create", "p50"), "{:.1f}"),
    "  create, p99 ms": (lambda r: _call(r, "create", "p99"), "{:.1f}"),
    "  submit, p50 ms": (lambda r: _call(r, "submit", "p50"), "{:.1f}"),
    "  submit, p99 ms": (lambda r: _call(r, "submit", "p99"), "{:.1f}"),
    "CPU ms a loop, API": (lambda r: r.cpu_ms["API"] if r.call_ms else None, "{:.2f}"),
    "CPU ms a loop, PostgreSQL": (lambda r: r.cpu_ms["PostgreSQL"], "{:.2f}"),
    "CPU ms a loop, load generator": (lambda r: r.cpu_ms["load generator"], "{:.2f}"),
    "flushes a loop": (lambda r: r.flushes_a_loop, "{:.2f}"),
    "transactions a loop": (lambda r: r.transactions_a_loop, "{:.1f}"),
    "WAL bytes a loop": (lambda r: r.wal_bytes_a_loop, "{:.0f}"),
    "cores, API": (lambda r: r.cpu_cores["API"], "{:.2f}"),
    "cores, PostgreSQL": (lambda r: r.cpu_cores["PostgreSQL"], "{:.2f}"),
    "cores, worker": (lambda r: r.cpu_cores["worker"], "{:.2f}"),
    "cores, load generator": (lambda r: r.cpu_cores["load generator"], "{:.2f}"),
    "cores, everything else": (lambda r: r.cpu_cores["everything else"], "{:.2f}"),
}
COMPARED = (
    "loops a second",
    "a loop, p50 ms",
    "a loop, p99 ms",
    "CPU ms a loop, API",
    "CPU ms a loop, PostgreSQL",
    "flushes a loop",
    "transactions a loop",
    "WAL bytes a loop",
)


def _call(found: Round, call: str, part: str) -> float | None:
    return found.call_ms.get(call, {}).get(part)


class AtUsers(msgspec.Struct, frozen=True, kw_only=True):
    """What was found with so many traders at the same time: of each side the statements a loop, and in each
    round what that found."""

    users: int
    round_trips: dict[str, float]
    rounds: list[dict[str, Round]]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a run. `beside`: the earlier commit, "" without one."""

    at: str
    commit: str
    beside: str
    machine: dict[str, Any]
    seconds: float
    at_users: list[AtUsers]
    memory_at_start: dict[str, Memory]
    memory_after_load: dict[str, Memory]


class Ratio(msgspec.Struct, frozen=True, array_like=True):
    """Of the rounds of one run."""

    median: float
    lowest: float
    highest: float


def ratio_of(found: AtUsers, measure: str, to: str) -> Ratio | None:
    """Ours to that side's, round by round; None where a side has no such measure."""
    value = MEASURES[measure][0]
    pairs = [(value(sides[OURS]), value(sides[to])) for sides in found.rounds]
    ratios = [round(ours / theirs, 3) for ours, theirs in pairs if ours and theirs]
    return Ratio(round(median(ratios), 3), min(ratios), max(ratios)) if ratios else None


def show(console: Console, result: Result) -> None:
    """All tables."""
    for found in result.at_users:
        _show_sides(console, found)
        _show_ratios(console, found)
    show_memory(console, result.memory_at_start, result.memory_after_load)
    console.print(f"commit {result.commit}, run by Python {result.machine['python']}")


def _show_sides(console: Console, found: AtUsers) -> None:
    sides = list(found.rounds[0])
    table = _table(f"bind → create → submit, users: {found.users}", "median of the rounds", *sides)
    for name, (value, shown) in MEASURES.items():
        values = {side: [v for r in found.rounds if (v := value(r[side])) is not None] for side in sides}
        table.add_row(name, *(shown.format(median(them)) if them else "" for them in values.values()))
    table.add_row("round trips a loop", *(f"{found.round_trips[side]:.1f}" for side in sides))
    console.print(table)


def _show_ratios(console: Console, found: AtUsers) -> None:
    others = [side for side in found.rounds[0] if side != OURS]
    table = _table(f"{OURS} to each other side, users: {found.users}", "median (lowest to highest)", *others)
    for name in COMPARED:
        ratios = [ratio_of(found, name, side) for side in others]
        table.add_row(
            name, *(f"{r.median:.2f} ({r.lowest:.2f} to {r.highest:.2f})" if r else "" for r in ratios)
        )
    console.print(table)


def show_memory(console: Console, before: Mapping[str, Memory], after: Mapping[str, Memory]) -> None:
    """Memory of each part, in MB."""
    table = _table("memory, MB", "", "PSS at start", "RSS at start", "PSS after load", "RSS after load")
    for name, start in before.items():
        end = after[name]
        table.add_row(name, *(f"{size:.0f}" for size in (start.pss, start.rss, end.pss, end.rss)))
    console.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
