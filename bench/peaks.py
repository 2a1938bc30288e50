"""How long something takes, how much CPU time, and how much memory its processes hold at the most."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.processes import KB_PER_MB, TICKS_PER_SEC, memory

EVERY_SEC = 0.05
T = TypeVar("T")


class Took(msgspec.Struct, frozen=True):
    """Seconds; CPU seconds of the process that asked (unless it was this one) and of the server processes for
    it; at the most, in MB: of the process that asked, of those server processes together, shared pages in
    parts (PSS) and without shared ones (own)."""

    seconds: float
    cpu: float
    client: float
    backends_pss: float
    backends_own: float


async def watched(
    work: Callable[[], Awaitable[T]], postmaster: int, client: Callable[[], int | None] = lambda: None
) -> tuple[T, Took]:
    """Do the work, and watch the server processes that were not there before. `client` says again and again
    which process asks."""
    before = _children(postmaster)
    peaks, cpu = [0.0, 0.0, 0.0], dict[int, float]()
    began = time.perf_counter()
    task = asyncio.ensure_future(work())
    try:
        while not (await asyncio.wait([task], timeout=EVERY_SEC))[0]:
            pid, backends = client() or 0, _children(postmaster) - before
            own = sum(_size(backend, "RssAnon") for backend in backends)
            now = (_size(pid, "VmHWM"), memory(sorted(backends)).pss, own)
            peaks = [max(pair) for pair in zip(peaks, now, strict=True)]
            cpu |= {one: spent for one in {pid, *backends} if (spent := _cpu(one))}
    finally:
        task.cancel()
    seconds = time.perf_counter() - began
    spent = round(sum(cpu.values()), 2)
    return task.result(), Took(round(seconds, 3), spent, *(round(peak, 1) for peak in peaks))


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _size(pid: int, name: str) -> float:
    """A size out of /proc/<pid>/status in MB; 0 when the process is gone."""
    lines = _read(pid, "status").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0) / KB_PER_MB


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far; 0 when it is gone."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS_PER_SEC


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
