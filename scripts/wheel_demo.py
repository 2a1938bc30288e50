"""Installs the wheel in `dist` as its users do (pip, pipx, uvx) and plays the demo with it, outside the
repository and with a home folder of its own: `python -m scripts.wheel_demo dist [pip|pipx|uvx …]`.

What pip is given has no Node of the machine's: there npm is that of `liqpass[demo]`.
"""

import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.install import RUNTIME_LOCK, TOP, VENV, install_apart, stop

ENDS_WELL = "The order loop works, end to end"
IMPORT_ALL = """
import importlib, pkgutil, liqpass
names = [it.name for it in pkgutil.walk_packages(liqpass.__path__, "liqpass.")]
for name in names: importlib.import_module(name)
print(len(names), "modules of", liqpass.__path__[0])
"""


def main() -> None:
    wheel = newest_wheel(TOP / sys.argv[1])
    for way in sys.argv[2:] or WAYS:
        began = time.monotonic()
        with TemporaryDirectory(prefix="liqpass-wheel-") as folder:
            home = Path(folder)
            home.chmod(0o755)  # root's PostgreSQL runs as another user, who has to pass
            command = WAYS[way](wheel, home)
            play(command, home, bare_environment(home, with_node=way != "pip"))
        print(
            f"{way}: the demo ended well, {time.monotonic() - began:.0f} s with its installation", flush=True
        )


def newest_wheel(folder: Path) -> Path:
    return max(folder.glob("liqpass-*.whl"), key=lambda path: path.stat().st_mtime)


def bare_environment(home: Path, *, with_node: bool) -> dict[str, str]:
    """What somebody has who never saw the repository, and how this machine reaches registries."""
    kept = {name: value for name, value in os.environ.items() if is_of_the_network(name)}
    few = program_folder(home, "bin", "sh", "env")
    own = {"HOME": str(home), "LIQPASS_DATA_DIR": str(home / "data"), "LANG": "C.UTF-8"}
    return {**kept, **own, "PATH": os.environ["PATH"] if with_node else str(few)}


def is_of_the_network(name: str) -> bool:
    return name.lower().endswith("_proxy") or name.startswith(
        ("PIP_", "UV_", "SSL_", "NODE_", "npm_", "REQUESTS_")
    )


def program_folder(home: Path, name: str, *programs: str) -> Path:
    """A folder with these programs of the machine and no others."""
    folder = home / name
    folder.mkdir(exist_ok=True)
    for program in programs:
        found = run(["/bin/sh", "-c", f"command -v {program}"], home, os.environ).strip()
        if not (folder / program).exists():
            (folder / program).symlink_to(found)
    return folder


def by_pip(wheel: Path, home: Path) -> list[str]:
    """An empty environment. What is wanted comes from the lock file, so the metadata has to agree with it."""
    made = home / "venv"
    venv.create(made, with_pip=True)
    pip = [str(made / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pinned = ["--require-hashes", "--no-deps", "--only-binary=:all:"]
    for lock in (RUNTIME_LOCK, "requirements-node.lock"):
        run([*pip, "install", *pinned, "-r", str(TOP / lock)], home, os.environ)
    run([*pip, "install", "--no-deps", str(wheel)], home, os.environ)
    run([*pip, "check"], home, os.environ)
    told = run([str(made / "bin/python"), "-I", "-c", IMPORT_ALL], home, {"HOME": str(home)})
    print(f"pip: imported {told.strip()}", flush=True)
    return [str(made / "bin/liqpass")]


def by_pipx(wheel: Path, home: Path) -> list[str]:
    install_apart("pipx")
    pipx = str(VENV / "pipx/bin/pipx")
    return [pipx, "run", f"--pip-args=--constraint={unhashed_lock(home)}", "--spec", str(wheel), "liqpass"]


def by_uvx(wheel: Path, home: Path) -> list[str]:
    return [str(VENV / "bin/uvx"), "--constraints", str(unhashed_lock(home)), "--from", str(wheel), "liqpass"]


WAYS: Mapping[str, Callable[[Path, Path], list[str]]] = {"pip": by_pip, "pipx": by_pipx, "uvx": by_uvx}


def unhashed_lock(home: Path) -> Path:
    """The lock file's pins as constraints: with hashes, pip would want one of the wheel, too."""
    pins = [line.split(" \\")[0] for line in (TOP / RUNTIME_LOCK).read_text().splitlines() if "==" in line]
    path = home / "constraints.txt"
    path.write_text("\n".join(pins) + "\n")
    return path


def play(command: list[str], home: Path, environment: Mapping[str, str]) -> None:
    said = run([*command, "--version"], home, environment)
    if not said.startswith("liqpass "):
        stop(f"--version says {said!r}")
    told = run([*command, "demo", "--once"], home, environment)
    if ENDS_WELL not in told:
        stop(f"the demo did not end well:\n{told[-3000:]}")
    fetched = sorted(path.name for path in (home / ".cache/liqpass").iterdir())
    print(f"  fetched on first use: {fetched}", flush=True)


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        stop(f"this failed (exit {done.returncode}): {' '.join(command)}\n{said}")
    return done.stdout


if __name__ == "__main__":
    main()
