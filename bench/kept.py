"""What every bench says and keeps: progress, the commit, the machine, where the results lie."""

import platform
import subprocess
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.interpreter import how_built

RESULTS = Path(__file__).parent / "results"
console = Console(stderr=True, highlight=False)


def tell(line: str) -> None:
    """Progress, on stderr."""
    console.print(line, style="dim", markup=False, soft_wrap=True)


def commit() -> str:
    """Which commit was measured, "+" when files were changed since."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=RESULTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def machine() -> dict[str, Any]:
    """What was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    total_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(models),
        "memory_gb": round(total_kb / 1024**2),
        "kernel": platform.release(),
        "python": f"{platform.python_version()}, {how_built() or 'without PGO'}",
    }
