"""The order loop's speed: bind → create → submit over HTTP, beside pgbench with the same statements, and
beside an earlier commit of ourselves."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bench.earlier import HERE, checked_out
from bench.kept import RESULTS, commit, console, machine, tell
from bench.place import sync_ms
from bench.report import AtUsers, Result, show
from bench.rounds import round_of, round_trips
from bench.servers import idle, running_server
from bench.told import STANDBY

WARM_UP_SEC = 1
WIDTH = 120  # of five columns, also where the output goes into a file
USERS = ("1", "16", "64")


def numbers(given: Sequence[str]) -> list[int]:
    """`16 64` or `16,64`. Raises typer.BadParameter."""
    try:
        found = [int(number) for part in given for number in part.split(",")]
    except ValueError:
        raise typer.BadParameter(f"not a number of users: {', '.join(given)}") from None
    if min(found) < 1:
        raise typer.BadParameter("at least one user is needed")
    return found


def main(
    users: Annotated[
        list[str], typer.Option(help="Traders at the same time; also pgbench's clients. Several: 1,16,64.")
    ] = list(USERS),  # noqa: B006  (typer reads it and hands over a copy)
    seconds: Annotated[
        float,
        typer.Option(
            help="How long each side is measured in each round: accounts are read once, and that counts for "
            "half a minute.",
            min=1,
            max=20,
        ),
    ] = 5,
    rounds: Annotated[int, typer.Option(help="How often all sides are measured, in turn.", min=1)] = 5,
    beside: Annotated[str, typer.Option(help="An earlier commit, measured in the same rounds.")] = "",
    standby: Annotated[
        bool, typer.Option("--standby", help="Beside one whose commits wait for a standby's disk.")
    ] = False,
) -> None:
    """Measure the order loop over HTTP beside pgbench with the same statements, on throwaway servers.

    Everything runs on this machine and is stopped at the end. The result is also kept in bench/results/.
    """
    at_users = numbers(users)
    try:
        result = asyncio.run(bench(at_users, seconds, rounds, beside, standby=standby))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None
    except OSError as error:
        console.print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{result.at.replace(':', '')}.json"
    kept.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    out = Console(highlight=False, soft_wrap=True, width=max(WIDTH, console.width))
    show(out, result)
    out.print(f"kept in bench/results/{kept.name}")


async def bench(
    at_users: Sequence[int], seconds: float, rounds: int, beside: str, *, standby: bool = False
) -> Result:
    """Everything from start to stop; SIGTERM stops it as tidily as Ctrl-C."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    measured = commit()  # what was read when all began; files may be changed meanwhile
    async with AsyncExitStack() as stack:
        trees: list[tuple[Path, str, tuple[str, ...]]] = [(HERE, "", ())]
        if standby:
            trees.append((HERE, "with a standby", (STANDBY,)))
        if beside:  # before anything is started: there may be no such commit
            trees.append((stack.enter_context(checked_out(beside)), beside, ()))
        servers = [
            await stack.enter_async_context(running_server(tree, of, *words)) for tree, of, words in trees
        ]
        at_start = {name: found for server in servers for name, found in server.memory().items()}
        by_itself = await idle(servers)
        sync = sync_ms(Path(servers[0].told.folder))
        found = []
        for users in at_users:
            tell(f"{users} at the same time: warming up and counting statements …")
            trips = await round_trips(servers, users, WARM_UP_SEC)
            found.append(AtUsers(users=users, round_trips=trips, rounds=[]))
            for number in range(1, rounds + 1):
                sides = await round_of(servers, by_itself, users, seconds)
                found[-1].rounds.append(sides)
                said = ", ".join(f"{name} {side.loops_per_sec:.0f} /s" for name, side in sides.items())
                tell(f"{users} at the same time, round {number} of {rounds}: {said}")
        return Result(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=measured,
            beside=beside,
            machine={**machine(), "sync_ms": round(sync, 2)},
            seconds=seconds,
            at_users=found,
            memory_at_start=at_start,
            memory_after_load={name: held for server in servers for name, held in server.memory().items()},
        )


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    cli.command(epilog="Example: make bench ARGS='--users 16,64 --rounds 3 --beside 184f91c'")(main)
    cli()
