"""One measured round: of the product over HTTP, or of its statements alone through pgbench."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from statistics import quantiles

import msgspec

from bench.counters import REPORTED_SEC, Counters, counting_statements, read_counters, wal_bytes
from bench.place import SKU
from bench.processes import cpu_sec, machine_cpu_sec
from bench.servers import Server
from bench.slots import INSTRUMENTS

MOST_LOOPS_PER_SEC = 3000
COLD_SEC = 2  # pgbench's sessions are new in each round, and begin slowly
TAIL_SEC = 1  # the load goes on until the window has closed
PGBENCH_ENV = {"PGOPTIONS": "-c role=liqpass_app -c timezone=UTC", "LC_ALL": "C"}
CALLS = ("bind", "create", "submit")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round found. CPU in milliseconds for each loop, and in cores: 1.0 is one core all the time.
    Flushes and transactions are without those that there are anyway while nobody trades."""

    loops_per_sec: float
    loop_ms: dict[str, float]
    call_ms: dict[str, dict[str, float]]
    cpu_ms: dict[str, float]
    cpu_cores: dict[str, float]
    flushes_a_loop: float
    transactions_a_loop: float
    wal_bytes_a_loop: float


class Loop(msgspec.Struct, frozen=True, array_like=True):
    """When it ended, in seconds since 1970, and the milliseconds of its calls."""

    ended: float
    calls_ms: list[float]


class Window(msgspec.Struct, frozen=True):
    """What is measured of a load, in seconds since 1970, and the CPU seconds that each part used in it."""

    begins: float
    ends: float
    cpu: dict[str, float]


class Before(msgspec.Struct, frozen=True):
    """What had been counted when a load began, and when that was."""

    counters: Counters
    wal_bytes: int
    began: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A load that has ended, and when. All its loops count for what PostgreSQL did, those that ended in the
    window for everything else."""

    loops: list[Loop]
    window: Window
    before: Before
    wal_bytes: int
    ended: float


async def http_load(server: Server, traders: int, seconds: float) -> Load:
    """Real traders against the real API. What it was for PostgreSQL is known when `settled`.

    They are others than those of the load before: the API remembers the last 512 accounts as they were read,
    and seeding has dated all readings anew. Each would be bound in vain first, as no trader does to himself.
    """
    users = _used_up(traders, seconds)
    before = await _fresh_users(server, 2 * users)
    port, until = str(server.told.port), str(_load_sec(seconds))
    command = [sys.executable, "-m", "bench.traders", port, SKU, str(traders), until]
    command.append(str(users * next(server.halves)))
    said, window = await _measured(server, command, {**os.environ}, seconds)
    loops = msgspec.json.decode(said, type=list[Loop])
    return await _load(server, loops, window, before, time.monotonic())


async def pgbench_load(server: Server, traders: int, seconds: float) -> Load:
    """The same statements on the same server with the same number of clients."""
    before = await _fresh_users(server, _used_up(traders, seconds))
    log = Path(server.told.folder) / f"pgbench-{time.time_ns()}"
    variables = {**server.told.variables, "traders": str(traders)}
    command = [
        str(Path(server.told.bin_dir) / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", "--log", f"--log-prefix={log}"),
        *(
            f"--client={traders}",
            f"--jobs={min(2, traders)}",
            f"--time={ceil(_load_sec(seconds))}",
        ),
        *(f"--define={name}={value}" for name, value in variables.items()),
        *(f"--file={server.told.script}", server.told.url),
    ]
    _, window = await _measured(server, command, PGBENCH_ENV, seconds)
    lines = [line.split() for part in _parts(log) for line in part.read_text().splitlines()]
    loops = [Loop(int(sec) + int(us) / 1e6, [int(took_us) / 1000]) for _, _, took_us, _, sec, us, *_ in lines]
    # its sessions have ended, and so have reported
    return await _load(server, loops, window, before, time.monotonic() - REPORTED_SEC)


async def _load(server: Server, loops: list[Loop], window: Window, before: Before, ended: float) -> Load:
    written = await wal_bytes(server.owner) - before.wal_bytes
    await _hold(server, len(loops))
    return Load(loops=loops, window=window, before=before, wal_bytes=written, ended=ended)


async def settled(server: Server, load: Load, idle: Counters) -> Round:
    """Once the API's sessions have reported to PostgreSQL what they did. `idle`: what it does in a second
    while nobody trades. Nothing else may load the server meanwhile."""
    await asyncio.sleep(max(0, load.ended + REPORTED_SEC - time.monotonic()))
    counted = (await read_counters(server.owner)).since(load.before.counters)
    by_itself = idle.times(time.monotonic() - load.before.began)
    return of_window(load, counted.since(by_itself))


def of_window(load: Load, counted: Counters) -> Round:
    """What a load comes to. `counted`: what PostgreSQL did for all of it. Raises OSError where there were no
    loops to speak of."""
    a_loop = counted.times(1 / len(load.loops))
    window, seconds = load.window, load.window.ends - load.window.begins
    calls = [loop.calls_ms for loop in load.loops if window.begins <= loop.ended < window.ends]
    if len(calls) < 2:
        raise OSError(f"{len(calls)} loops in {seconds:.0f} s: too few to say anything of them")
    each = zip(*calls, strict=True) if len(calls[0]) == len(CALLS) else ()
    return Round(
        loops_per_sec=round(len(calls) / seconds, 2),
        loop_ms=spread([sum(took) for took in calls]),
        call_ms={name: spread(took) for name, took in zip(CALLS, each, strict=False)},
        cpu_ms={name: round(1000 * sec / len(calls), 3) for name, sec in window.cpu.items()},
        cpu_cores={name: round(sec / seconds, 2) for name, sec in window.cpu.items()},
        flushes_a_loop=round(a_loop.flushes, 3),
        transactions_a_loop=round(a_loop.transactions, 2),
        wal_bytes_a_loop=round(load.wal_bytes / len(load.loops)),
    )


async def round_of(
    servers: Sequence[Server], idle: dict[str, Counters], traders: int, seconds: float
) -> dict[str, Round]:
    """All sides in turn, one at a time, by their names."""
    loads = [(server, await http_load(server, traders, seconds)) for server in servers]
    found = {}
    for server, load in loads:
        found[f"LiqPass{server.suffix}"] = await settled(server, load, idle[server.of])
        alone = await pgbench_load(server, traders, seconds)
        found[f"pgbench{server.suffix}"] = await settled(server, alone, idle[server.of])
    return found


async def round_trips(servers: Sequence[Server], traders: int, seconds: float) -> dict[str, float]:
    """Statements a loop of each side. It warms up, too, but measures nothing: every statement is logged."""
    found = {}
    for server in servers:
        for name, load in (("LiqPass", http_load), ("pgbench", pgbench_load)):
            async with counting_statements(server.owner, Path(server.told.log)) as executed:
                loops = len((await load(server, traders, seconds)).loops)
            found[f"{name}{server.suffix}"] = round(executed.number / loops, 2)
    await asyncio.sleep(REPORTED_SEC)  # what has not been reported yet would count for the first round
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """The middle and the slowest hundredth."""
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


def _load_sec(seconds: float) -> float:
    return COLD_SEC + seconds + TAIL_SEC


def _used_up(traders: int, seconds: float) -> int:
    """As many users as a round can need."""
    return ceil(_load_sec(seconds) * MOST_LOOPS_PER_SEC / len(INSTRUMENTS)) + traders


async def _fresh_users(server: Server, users: int) -> Before:
    await server.seed(users)
    return Before(await read_counters(server.owner), await wal_bytes(server.owner), time.monotonic())


async def _hold(server: Server, loops: int) -> None:
    """What was counted has really happened."""
    submitted = "select count(*) from order_events where to_status = 'PAID_PENDING_CONFIRM'"
    stored = await server.owner.fetchval(submitted)
    if stored != loops:
        raise OSError(f"{loops} loops were counted, and {stored} orders have a submitted payment")


async def _measured(
    server: Server, command: list[str], env: dict[str, str], seconds: float
) -> tuple[bytes, Window]:
    """Run a load generator to its end: what it printed, and who used how much CPU in the window."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=pipe, stderr=pipe)
    try:
        ending = asyncio.create_task(process.communicate())
        await asyncio.wait([ending], timeout=COLD_SEC)
        begins, at_first = time.time(), _cpu(server, process)
        await asyncio.wait([ending], timeout=seconds)
        ends, at_last = time.time(), _cpu(server, process)
        out, err = await ending
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise OSError(f"{Path(command[0]).name} failed: {err.decode()[-2000:]}")
    used = {name: now - at_first[name] for name, now in at_last.items()}
    used["everything else"] -= sum(sec for name, sec in used.items() if name != "everything else")
    return out, Window(begins, ends, used)


def _cpu(server: Server, generator: asyncio.subprocess.Process) -> dict[str, float]:
    """CPU seconds so far; "everything else" is yet the whole machine."""
    own = {**server.cpu(), "load generator": cpu_sec(generator.pid)}
    return {**own, "everything else": machine_cpu_sec()}


def _parts(log: Path) -> list[Path]:
    """pgbench writes one file per thread."""
    return sorted(log.parent.glob(f"{log.name}.*"))
