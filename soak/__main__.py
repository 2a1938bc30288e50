"""`make soak`: everything goes wrong for half an hour, and nothing is lost and nothing done twice."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import msgspec
import structlog

from soak.judging import judge
from soak.operators import Operators
from soak.playing import Playing
from soak.record import Record, read_log
from soak.schedule import SMALL, Action, Scale, Schedule
from soak.town import running_town

MINUTES = 30.0
EXAMPLE = "Example: python -m soak --minutes 30 --seed 7"


def asked() -> argparse.Namespace:
    """What is typed."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--minutes", type=float, help="how long faults are drawn (30)")
    parser.add_argument("--rounds", type=int, help="so many rounds instead, however long they take")
    parser.add_argument("--seed", type=int, default=1, help="decides everything that is drawn (1)")
    parser.add_argument("--small", action="store_true", help="six accounts, short covers")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="do what a schedule.jsonl says, instead")
    parser.add_argument(
        "--folder", type=Path, help="where logs go (a new one under the system's temporary folder)"
    )
    typed = parser.parse_args()
    if typed.rounds is not None and typed.rounds < 1:
        parser.error("--rounds: one at least")
    if typed.minutes is not None and not typed.minutes > 0:
        parser.error("--minutes: more than none")
    if typed.minutes is not None and typed.rounds is not None:
        parser.error("--rounds: instead of --minutes, not beside it")
    try:
        typed.log = read_log(typed.replay) if typed.replay else None
        typed.folder = typed.folder or Path(mkdtemp(prefix="liqpass-soak-"))
        typed.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{error.filename} cannot be used: {error.strerror}")
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        parser.error(f"--replay: {typed.replay} is no schedule.jsonl of a soak")
    return typed


def rounds_of(typed: argparse.Namespace, scale: Scale) -> Iterator[list[Action]]:
    """From the seed, until the time or the number of rounds is over; then the weeks after it."""
    schedule, ends = Schedule(typed.seed, scale), time.monotonic() + 60 * (typed.minutes or MINUTES)
    number = 0
    while number < typed.rounds if typed.rounds else time.monotonic() < ends:
        yield schedule.next_round()
        number += 1
    yield from schedule.tail()


async def soak(typed: argparse.Namespace) -> int:
    """Play it; exit status 1 when something must not be."""
    if (task := asyncio.current_task()) is not None:  # told to end, it ends what it has started
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder: Path = typed.folder
    seed, scale, rounds = typed.log or (typed.seed, SMALL if typed.small else Scale(), None)
    record = Record(folder)
    record.begin(seed, scale)
    print(f"seed {seed}; the log: {folder / 'schedule.jsonl'}", flush=True)
    async with running_town(folder, seed, scale.accounts, record) as town:
        operators = Operators(town.of, town.blocks, record, town.people, town.desk)
        playing = Playing(town, record, operators, judge)
        begun = time.monotonic()
        for number, actions in enumerate(rounds if rounds is not None else rounds_of(typed, scale)):
            await playing.round(actions)
            if number % 25 == 0 or any(action.do in ("quiet", "end") for action in actions):
                tell(number, time.monotonic() - begun, playing)
            if len(record.complaints) > 200:
                break
    told(playing)
    if record.complaints:
        print(f"FAILED. seed {seed}; again with: make soak ARGS=\"--replay '{folder / 'schedule.jsonl'}'\"")
        return 1
    print(f"Nothing was wrong, at any of {record.counts['looks']} looks.")
    return 0


def tell(number: int, spent: float, playing: Playing) -> None:
    """A line of progress."""
    record, counts = playing.record, playing.record.counts
    shown = {
        "orders": counts["orders"],
        "covers": covers(playing),
        "liquidations": liquidations(playing),
        "faults": sum(record.struck.values()),
        "reorgs": playing.town.blocks.reorgs,
        "looks": counts["looks"],
        "complaints": len(record.complaints),
    }
    now = f"{spent:6.0f} s  round {number:5}  {playing.town.clock():%d %b %H:%M}"
    print(now, *(f"{name} {value:5}" for name, value in shown.items()), sep="  ", flush=True)


def covers(playing: Playing) -> int:
    """Orders whose payment was in a block once."""
    return sum(life.cover is not None for life in playing.record.orders())


def liquidations(playing: Playing) -> int:
    """Of insured positions, parts each once."""
    return sum(len(life.cover.parts) for life in playing.record.orders() if life.cover is not None)


def told(playing: Playing) -> None:
    """All that was counted."""
    record = playing.record
    for title, counted in (
        ("did", record.counts),
        ("struck", record.struck),
        ("chain", playing.town.blocks.taken),
    ):
        print(f"-- {title}")
        for name, number in sorted(counted.items()):
            print(f"{number:8}  {name}")
    print(f"reorgs {playing.town.blocks.reorgs}, below the safe head {playing.town.blocks.deep}")
    print(f"starts of processes: {[process.starts for process in playing.town.processes]}")
    for complaint in record.complaints[:60]:
        print(f"WRONG: {complaint}")


if __name__ == "__main__":
    logging.getLogger("asyncpg").setLevel(
        logging.CRITICAL
    )  # that a pool could not connect is what is wanted here
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        sys.exit(asyncio.run(soak(asked())))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit("Told to end before it was over: nothing is said of what was not looked at.")
