"""Tries the lock files against every Python and machine that LiqPass supports: each pin needs a wheel there.

pip takes nothing but wheels (scripts/install.py), so a pin without one ends `make demo` on that Python.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

TOP = Path(__file__).resolve().parent.parent
LOCKS = sorted(path.name for path in TOP.glob("requirements*.lock"))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")  # Debian 12's glibc


def main() -> None:
    tried = list(product(LOCKS, PYTHONS, MACHINES))
    with ThreadPoolExecutor(4) as several:
        said = [line for line in several.map(refusal, *zip(*tried, strict=True)) if line]
    if said:
        sys.exit("\n".join(said))
    print(f"Every pin has a wheel for Python {PYTHONS[0]} to {PYTHONS[-1]}, x86-64 and arm64")


def refusal(lock: str, python: str, machine: str) -> str:
    """What uv says against it, "" where all of it could be installed; nothing is."""
    command = ["uv", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--only-binary", ":all:"]
    there = ["--require-hashes", "--python-version", python, "--python-platform", machine]
    with TemporaryDirectory() as nowhere:
        where = ["--target", nowhere, "-r", str(TOP / lock)]
        quietly = {**os.environ, "UV_CACHE_DIR": str(TOP / ".venv/uv-cache")}  # HOME may be read-only
        done = subprocess.run(
            [*command, *there, *where], env=quietly, capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return ""
    return f"{lock} cannot be installed on Python {python}, {machine}:\n{done.stderr.strip()}"


if __name__ == "__main__":
    main()
