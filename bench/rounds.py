"""One measured round: of the product over HTTP, or of its statements alone through pgbench."""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec

from bench.place import SKU, Place
from bench.processes import machine_cpu_sec
from bench.slots import INSTRUMENTS, seed

MOST_LOOPS_PER_SEC = 3000
PGBENCH_ENV = {"PGOPTIONS": "-c role=liqpass_app -c timezone=UTC", "LC_ALL": "C"}


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round found. CPU in milliseconds for each loop, and in cores: 1.0 is one core all the time."""

    of: str
    loops_per_sec: float
    loop_ms: dict[str, float]
    call_ms: dict[str, dict[str, float]]
    cpu_ms: dict[str, float]
    cpu_cores: dict[str, float]


async def http_round(place: Place, traders: int, seconds: float) -> Round:
    """Real traders against the real API."""
    await _fresh_users(place, traders, seconds)
    command = [sys.executable, "-m", "bench.traders", str(place.port), SKU, str(traders), str(seconds)]
    said, cpu = await _measured(place, command, {**os.environ})
    found: dict[str, Any] = json.loads(said)
    await _hold(place, len(found["loop_ms"]))
    return Round(
        of="LiqPass",
        loops_per_sec=found["loops_per_sec"],
        loop_ms=spread(found["loop_ms"]),
        call_ms={name: spread(found[f"{name}_ms"]) for name in ("bind", "create", "submit")},
        cpu_ms=_per_loop(cpu, len(found["loop_ms"])),
        cpu_cores=cpu.cores,
    )


async def pgbench_round(place: Place, traders: int, seconds: float) -> Round:
    """The same statements on the same server with the same number of clients."""
    await _fresh_users(place, traders, seconds)
    log = place.folder / f"pgbench-{time.time_ns()}"
    command = [
        str(place.server.bin_dir / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", "--log", f"--log-prefix={log}", f"--file={place.script}"),
        *(f"--client={traders}", f"--jobs={min(2, traders)}", f"--time={ceil(seconds)}"),
        *(f"--define={name}={value}" for name, value in place.variables.items()),
        place.server.url,
    ]
    said, cpu = await _measured(place, command, PGBENCH_ENV)
    took = [int(line.split()[2]) / 1000 for part in _parts(log) for line in part.read_text().splitlines()]
    await _hold(place, len(took))
    return Round(
        of="pgbench",
        loops_per_sec=float(said.partition("tps = ")[2].split()[0]),
        loop_ms=spread(took),
        call_ms={},
        cpu_ms=_per_loop(cpu, len(took)),
        cpu_cores=cpu.cores,
    )


class Cpu(msgspec.Struct, frozen=True):
    """CPU seconds that each part used while a load generator ran, and how long that was."""

    used: dict[str, float]
    seconds: float

    @property
    def cores(self) -> dict[str, float]:
        return {name: round(sec / self.seconds, 2) for name, sec in self.used.items()}


def _per_loop(cpu: Cpu, loops: int) -> dict[str, float]:
    return {name: round(1000 * sec / loops, 3) for name, sec in cpu.used.items()}


def spread(values: Sequence[float]) -> dict[str, float]:
    """The middle and the slowest hundredth."""
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


async def _fresh_users(place: Place, traders: int, seconds: float) -> None:
    """As many as the round can use up. Their readings are dated to its end, so that none gets too old."""
    users = ceil(seconds * MOST_LOOPS_PER_SEC / len(INSTRUMENTS)) + traders
    await seed(place.owner, users, place.positions, datetime.now(UTC) + timedelta(seconds=seconds))


async def _hold(place: Place, loops: int) -> None:
    """What was counted has really happened."""
    submitted = "select count(*) from order_events where to_status = 'PAID_PENDING_CONFIRM'"
    stored = await place.owner.fetchval(submitted)
    if stored != loops:
        raise OSError(f"{loops} loops were counted, and {stored} orders have a submitted payment")


async def _measured(place: Place, command: list[str], env: dict[str, str]) -> tuple[str, Cpu]:
    """Run a load generator to its end: what it printed, and who used how much CPU meanwhile."""
    began, machine, parts, load = time.perf_counter(), machine_cpu_sec(), place.cpu(), _children_cpu_sec()
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
    used = {name: now - parts[name] for name, now in place.cpu().items()}
    used["load generator"] = _children_cpu_sec() - load
    used["everything else"] = machine_cpu_sec() - machine - sum(used.values())
    return out.decode(), Cpu(used, time.perf_counter() - began)


def _children_cpu_sec() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parts(log: Path) -> list[Path]:
    """pgbench writes one file per thread."""
    return sorted(log.parent.glob(f"{log.name}.*"))
