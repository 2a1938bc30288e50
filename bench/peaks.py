"""How long something takes, and how much memory its processes hold at the most meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.processes import KB_PER_MB, memory

EVERY_SEC = 0.05
T = TypeVar("T")


class Took(msgspec.Struct, frozen=True):
    """Seconds; and at the most, in MB: of the process that asked (0: it was this one), and of the server
    processes that worked for it together, shared pages in parts (PSS) and without shared ones (own)."""

    seconds: float
    client: float
    backends_pss: float
    backends_own: float


async def watched(
    work: Callable[[], Awaitable[T]], postmaster: int, client: Callable[[], int | None] = lambda: None
) -> tuple[T, Took]:
    """Do the work, and watch the server processes that were not there before. `client` says again and again
    which process asks."""
    before = _children(postmaster)
    peaks = [0.0, 0.0, 0.0]
    began = time.perf_counter()
    task = asyncio.ensure_future(work())
    try:
        while not (await asyncio.wait([task], timeout=EVERY_SEC))[0]:
            pid, backends = client(), _children(postmaster) - before
            now = (
                _status(pid, "VmHWM") if pid else 0,
                memory(sorted(backends)).pss,
                sum(_status(backend, "RssAnon") for backend in backends),
            )
            peaks = [max(pair) for pair in zip(peaks, now, strict=True)]
    finally:
        task.cancel()
    seconds = time.perf_counter() - began
    return task.result(), Took(round(seconds, 3), *(round(peak, 1) for peak in peaks))


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _status(pid: int, name: str) -> float:
    """A size out of /proc/<pid>/status in MB; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0) / KB_PER_MB
