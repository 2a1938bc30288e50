"""One measured round: of the product over HTTP, or of its statements alone through pgbench."""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec

from bench.counters import REPORTED_SEC, Counters, counting_statements, read_counters, wal_bytes
from bench.place import SKU
from bench.processes import machine_cpu_sec
from bench.servers import Server
from bench.slots import INSTRUMENTS

MOST_LOOPS_PER_SEC = 3000
PGBENCH_ENV = {"PGOPTIONS": "-c role=liqpass_app -c timezone=UTC", "LC_ALL": "C"}


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


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A load that has ended, and when; of each loop the milliseconds that it took, and its calls."""

    loops_per_sec: float
    loop_ms: list[float]
    call_ms: dict[str, list[float]]
    cpu: "Cpu"
    wal_bytes: int
    before: "Before"
    ended: float


class Before(msgspec.Struct, frozen=True):
    """What had been counted when a load began, and when that was."""

    counters: Counters
    wal_bytes: int
    began: float


class Cpu(msgspec.Struct, frozen=True):
    """CPU seconds that each part used while a load generator ran, and how long that was."""

    used: dict[str, float]
    seconds: float


async def http_load(server: Server, traders: int, seconds: float) -> Load:
    """Real traders against the real API. What it was for PostgreSQL is known when `settled`."""
    before = await _fresh_users(server, traders, seconds)
    command = [sys.executable, "-m", "bench.traders", str(server.told.port), SKU, str(traders), str(seconds)]
    said, cpu = await _measured(server, command, {**os.environ})
    found: dict[str, Any] = json.loads(said)
    await _hold(server, len(found["loop_ms"]))
    return Load(
        loops_per_sec=found["loops_per_sec"],
        loop_ms=found["loop_ms"],
        call_ms={name: found[f"{name}_ms"] for name in ("bind", "create", "submit")},
        cpu=cpu,
        wal_bytes=await wal_bytes(server.owner) - before.wal_bytes,
        before=before,
        ended=time.monotonic(),
    )


async def pgbench_load(server: Server, traders: int, seconds: float) -> Load:
    """The same statements on the same server with the same number of clients."""
    before = await _fresh_users(server, traders, seconds)
    log = Path(server.told.folder) / f"pgbench-{time.time_ns()}"
    variables = {**server.told.variables, "traders": str(traders)}
    command = [
        str(Path(server.told.bin_dir) / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", "--log", f"--log-prefix={log}"),
        *(f"--client={traders}", f"--jobs={min(2, traders)}", f"--time={ceil(seconds)}"),
        *(f"--define={name}={value}" for name, value in variables.items()),
        *(f"--file={server.told.script}", server.told.url),
    ]
    said, cpu = await _measured(server, command, PGBENCH_ENV)
    took = [int(line.split()[2]) / 1000 for part in _parts(log) for line in part.read_text().splitlines()]
    await _hold(server, len(took))
    return Load(
        loops_per_sec=float(said.partition("tps = ")[2].split()[0]),
        loop_ms=took,
        call_ms={},
        cpu=cpu,
        wal_bytes=await wal_bytes(server.owner) - before.wal_bytes,
        before=before,
        ended=time.monotonic() - REPORTED_SEC,  # its sessions have ended, and so have reported
    )


async def settled(server: Server, load: Load, idle: Counters) -> Round:
    """Once the API's sessions have reported to PostgreSQL what they did. `idle`: what it does in a second
    while nobody trades. Nothing else may load the server meanwhile."""
    await asyncio.sleep(max(0, load.ended + REPORTED_SEC - time.monotonic()))
    counted, loops = await read_counters(server.owner), len(load.loop_ms)
    by_itself = idle.times(time.monotonic() - load.before.began)
    a_loop = counted.since(load.before.counters).since(by_itself).times(1 / loops)
    return Round(
        loops_per_sec=load.loops_per_sec,
        loop_ms=spread(load.loop_ms),
        call_ms={name: spread(values) for name, values in load.call_ms.items()},
        cpu_ms={name: round(1000 * sec / loops, 3) for name, sec in load.cpu.used.items()},
        cpu_cores={name: round(sec / load.cpu.seconds, 2) for name, sec in load.cpu.used.items()},
        flushes_a_loop=round(a_loop.flushes, 3),
        transactions_a_loop=round(a_loop.transactions, 2),
        wal_bytes_a_loop=round(load.wal_bytes / loops),
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
                loops = len((await load(server, traders, seconds)).loop_ms)
            found[f"{name}{server.suffix}"] = round(executed.number / loops, 2)
    await asyncio.sleep(REPORTED_SEC)  # what has not been reported yet would count for the first round
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """The middle and the slowest hundredth."""
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


async def _fresh_users(server: Server, traders: int, seconds: float) -> Before:
    """As many as the round can use up."""
    await server.seed(ceil(seconds * MOST_LOOPS_PER_SEC / len(INSTRUMENTS)) + traders, seconds)
    return Before(await read_counters(server.owner), await wal_bytes(server.owner), time.monotonic())


async def _hold(server: Server, loops: int) -> None:
    """What was counted has really happened."""
    submitted = "select count(*) from order_events where to_status = 'PAID_PENDING_CONFIRM'"
    stored = await server.owner.fetchval(submitted)
    if stored != loops:
        raise OSError(f"{loops} loops were counted, and {stored} orders have a submitted payment")


async def _measured(server: Server, command: list[str], env: dict[str, str]) -> tuple[str, Cpu]:
    """Run a load generator to its end: what it printed, and who used how much CPU meanwhile."""
    began, machine, parts, load = time.perf_counter(), machine_cpu_sec(), server.cpu(), _children_cpu_sec()
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise OSError(f"{Path(command[0]).name} failed: {err.decode()[-2000:]}")
    used = {name: now - parts[name] for name, now in server.cpu().items()}
    used["load generator"] = _children_cpu_sec() - load
    used["everything else"] = machine_cpu_sec() - machine - sum(used.values())
    return out.decode(), Cpu(used, time.perf_counter() - began)


def _children_cpu_sec() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parts(log: Path) -> list[Path]:
    """pgbench writes one file per thread."""
    return sorted(log.parent.glob(f"{log.name}.*"))
