"""Trees of earlier commits, run by this Python with what was installed for this tree; what they needed and
this one no longer does is added from their own lock file."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parents[1]
ADDED = "packages-of-its-own"
PINNED = re.compile(r"^(\S+?)==.*(?:\n .*)*\n?", re.MULTILINE)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The tree of an earlier commit. Raises OSError where there is no such commit, or where what it needs
    cannot be had."""
    with TemporaryDirectory(prefix="liqpass-bench-") as name:
        tree = Path(name)
        archive = _done(["git", "archive", revision], cwd=HERE)
        subprocess.run(["tar", "-x", "-C", name], input=archive, check=True)
        (tree / "contracts" / "node_modules").symlink_to(HERE / "contracts" / "node_modules")
        _add_packages(tree)
        yield tree


def environment(tree: Path, **more: str) -> dict[str, str]:
    """In which this Python runs that tree's code, its bench's, too."""
    own = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    paths = (tree / "src", tree, tree / ADDED)
    return {**own, "PYTHONPATH": os.pathsep.join(map(str, paths)), **more}


def _add_packages(tree: Path) -> None:
    pins = PINNED.finditer((tree / "requirements.lock").read_text())
    wanted = "".join(pin[0] for pin in pins if not _is_installed(pin[1]))
    if wanted:
        lock = tree / "added.lock"
        lock.write_text(wanted)
        options = [
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--python",
            sys.executable,
        ]
        _done(["uv", "pip", "install", *options, "--target", str(tree / ADDED), "-r", str(lock)], cwd=tree)


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _done(command: list[str], cwd: Path) -> bytes:
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command[:3])} failed: {done.stderr.decode().strip()}")
    return done.stdout
