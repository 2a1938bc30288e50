"""The order loop's speed: bind → create → submit over HTTP, beside pgbench with the same statements."""

import asyncio
import signal
from datetime import UTC, datetime
from statistics import median
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bench.kept import RESULTS, commit, console, machine, tell
from bench.place import Place, running_place, sync_ms
from bench.processes import Memory, memory
from bench.report import show, show_memory
from bench.rounds import Round, http_round, pgbench_round

WARM_UP_SEC = 3


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a run. `ratio`: the median of the rounds' loops per second, ours to pgbench's."""

    at: str
    commit: str
    machine: dict[str, Any]
    users: int
    seconds: float
    ratio: float
    rounds: list[tuple[Round, Round]]
    memory_at_start: dict[str, Memory]
    memory_after_load: dict[str, Memory]


def main(
    users: Annotated[int, typer.Option(help="Traders at the same time; also pgbench's clients.", min=1)] = 16,
    seconds: Annotated[float, typer.Option(help="How long each side is measured in each round.", min=1)] = 5,
    rounds: Annotated[int, typer.Option(help="How often both sides are measured, in turn.", min=1)] = 5,
) -> None:
    """Measure the order loop over HTTP beside pgbench with the same statements, on one throwaway server.

    Everything runs on this machine and is stopped at the end. The result is also kept in bench/results/.
    """
    try:
        result = asyncio.run(bench(users, seconds, rounds))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None
    except OSError as error:
        console.print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{result.at.replace(':', '')}.json"
    kept.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    out = Console(highlight=False, soft_wrap=True)
    show(out, result.rounds, result.ratio)
    show_memory(out, result.memory_at_start, result.memory_after_load)
    out.print(f"kept in bench/results/{kept.name}")


async def bench(users: int, seconds: float, rounds: int) -> Result:
    """Everything from start to stop; SIGTERM stops it as tidily as Ctrl-C."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with running_place(users, tell) as place:
        at_start = _memory(place)
        tell(f"warming up, {WARM_UP_SEC} seconds each …")
        await http_round(place, users, WARM_UP_SEC)
        await pgbench_round(place, users, WARM_UP_SEC)
        found: list[tuple[Round, Round]] = []
        for number in range(1, rounds + 1):
            pair = (await http_round(place, users, seconds), await pgbench_round(place, users, seconds))
            found.append(pair)
            tell(
                f"round {number} of {rounds}: " + ", ".join(f"{r.of} {r.loops_per_sec:.0f} /s" for r in pair)
            )
        return Result(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(),
            machine={**machine(), "sync_ms": round(sync_ms(place.folder), 2)},
            users=users,
            seconds=seconds,
            ratio=round(median(ours.loops_per_sec / theirs.loops_per_sec for ours, theirs in found), 3),
            rounds=found,
            memory_at_start=at_start,
            memory_after_load=_memory(place),
        )


def _memory(place: Place) -> dict[str, Memory]:
    return {name: memory(pids) for name, pids in place.pids().items()}


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    cli.command(epilog="Example: make bench ARGS='--seconds 10 --rounds 3'")(main)
    cli()
