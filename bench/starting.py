"""How soon `liqpass --help` and `liqpass serve` answer, and what the API holds after load, each beside an
earlier build: `python -m bench.starting`. See README.md."""

import argparse
import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import Any

from bench.earlier import HERE, checked_out, environment
from bench.kept import RESULTS, commit, machine, tell
from bench.processes import cpu_sec
from bench.rounds import http_load
from bench.servers import Server, running_server
from liqpass.sandbox.children import end_with_parent
from liqpass.serving import free_port

BEFORE = "184f91c"
HELPS = 5  # of which the middle counts
TRADERS = 16
PATIENCE_SEC = 60
# what is measured → the aim, which is the and of its author's machine; None: there is none
AIMS: dict[str, float | None] = {
    "--help, s": 0.15,
    "--help, s of processor": None,
    "serve until it answers, s": None,
    "serve until it is ready, s": 1.0,
    "serve until it is ready, s of processor": None,
    "API after load, MB (PSS)": 70,
}
ROUNDED = {"s": ".3f", "MB": ".1f"}
Found = dict[str, list[float]]


def helped(tree: Path) -> tuple[float, float]:
    """Seconds until `liqpass --help` has ended, and of the processor, the middle of some."""
    took = []
    for _ in range(HELPS):
        began, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "liqpass", "--help"],
            env=environment(tree), cwd=tree, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        after = getrusage(RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        took.append((time.perf_counter() - began, used))
    return median(wall for wall, _ in took), median(used for _, used in took)


def started(tree: Path, env: Mapping[str, str]) -> tuple[float, float, float]:
    """Seconds until one more `liqpass serve` in that environment answers /healthz, until /readyz says 200,
    and what it had then used of the processor."""
    port = free_port()
    began = time.perf_counter()
    serve = subprocess.Popen(
        [sys.executable, "-m", "liqpass", "serve", "--port", str(port)],
        env={**env, "LIQPASS_PUBLIC_URL": f"http://127.0.0.1:{port}"},
        cwd=tree,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent,  # noqa: PLW1509  (no thread of ours runs)
    )
    try:
        answered = _until(serve, port, "/healthz") - began
        ready = _until(serve, port, "/readyz") - began
        return answered, ready, cpu_sec(serve.pid)
    finally:
        serve.terminate()
        serve.wait(PATIENCE_SEC)


def _until(serve: "subprocess.Popen[bytes]", port: int, path: str) -> float:
    """When it first answered 200 there. Raises OSError where it never does."""
    end = time.perf_counter() + PATIENCE_SEC
    while serve.poll() is None and time.perf_counter() < end:
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SEC)
        try:
            asked.request("GET", path)
            if asked.getresponse().status == 200:
                return time.perf_counter()
        except (OSError, http.client.HTTPException):
            time.sleep(0.001)
        finally:
            asked.close()
    raise OSError(f"liqpass serve does not answer 200 at {path}")


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with: an API's settings, its tree's packages."""
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


async def measured(trees: Mapping[str, Path], rounds: int, seconds: float) -> dict[str, Found]:
    """Of each build and each thing of AIMS the figure of every round, the builds in turn."""
    found: dict[str, Found] = {name: {what: [] for what in AIMS} for name in trees}
    async with AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, tree in trees.items():
            tell(f"starting the place of {name} …")
            servers[name] = await stack.enter_async_context(running_server(tree, name))
        envs = {name: environment_of(server.told.pids["API"]) for name, server in servers.items()}
        for number in range(-1, rounds):  # the first one warms up
            tell(f"round {number + 1} of {rounds} …")
            for name, tree in trees.items():
                figures = (*helped(tree), *started(tree, envs[name]))
                for what, figure in zip(AIMS, figures, strict=False):
                    found[name][what] += [figure] * (number >= 0)
        for name, server in servers.items():
            tell(f"{TRADERS} traders for {seconds:.0f} s at {name} …")
            await http_load(server, TRADERS, seconds)
            held = server.memory()[f"API{server.suffix}"]
            found[name]["API after load, MB (PSS)"].append(held.pss)
    return found


def show(found: Mapping[str, Found]) -> bool:
    """A line for each thing; whether every aim is met."""
    (before, was), (now, is_) = found.items()
    print(f"{'':42}{before:>12}{now:>12}   ratio of the rounds          aim")
    met = True
    for what, aim in AIMS.items():
        form = ROUNDED["MB" if "MB" in what else "s"]
        old, new = median(was[what]), median(is_[what])
        ratios = sorted(n / o for o, n in zip(was[what], is_[what], strict=True))
        ratio = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{what:42}{old:>12{form}}{new:>12{form}}   {ratio:<24}{'' if aim is None else f'{aim:>8}'}")
        met = met and (aim is None or new < aim)
    return met


def main() -> None:
    """Measure, say, and keep it; exit status 1 where an aim is missed here."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--before", default=BEFORE, help="the commit to compare with")
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--seconds", type=float, default=10.0, help="of load before memory is looked at")
    of = given.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start would compile everything again
    with checked_out(of.before) as before:
        found = asyncio.run(measured({of.before: before, commit(): HERE}, of.rounds, of.seconds))
    met = show(found)
    RESULTS.mkdir(exist_ok=True)
    result: dict[str, Any] = {"machine": machine(), "found": found}
    (RESULTS / "starting.json").write_text(json.dumps(result, indent=1))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
