"""CPU time and memory of processes, from /proc."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
KB_PER_MB = 1024


class Memory(msgspec.Struct, frozen=True):
    """In MB, summed over the processes. Shared pages count once in PSS (each sharer its part)."""

    pss: float
    rss: float


def memory(pids: Sequence[int]) -> Memory:
    """What the processes hold now; those that ended meanwhile hold nothing."""
    pss = rss = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        pss, rss = pss + sizes["Pss:"], rss + sizes["Rss:"]
    return Memory(round(pss / KB_PER_MB, 1), round(rss / KB_PER_MB, 1))


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(child for child in _all() if _stat(child)[1:2] == [str(pid)])]


def cpu_sec(pid: int) -> float:
    """CPU time of a process, of its living children and of those that it has outlived."""
    ticks = sum(sum(map(int, _stat(member)[11:13])) for member in family(pid))
    return (ticks + sum(map(int, _stat(pid)[13:15]))) / TICKS_PER_SEC


def machine_cpu_sec() -> float:
    """CPU time that the whole machine has spent on anything."""
    fields = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SEC


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name: [0] is the state, [1] the parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
