"""Says which Python to install with: `make` asks it, by python3, unless PYTHON is set.

How the interpreter was built makes more of LiqPass's speed than most of its code. So where python3 was built
without profile-guided optimisation, and another Python from 3.11 to 3.14 was built with it and can make
virtual environments, it is that one. What .venv was made with stays while it will do.
"""

import importlib.util
import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VENV = TOP / ".venv"
VERSIONS = [(3, minor) for minor in range(14, 10, -1)]
PROBE_SEC = 10


def main() -> None:
    if Path(sys.prefix) == VENV:  # it is activated
        print(sys.executable)
        return
    if sys.argv[1:] == ["--told"]:
        print(json.dumps([can_make_venv(), sys.version_info[:2], how_built()]))
        return
    chosen, why = choice()
    if str(chosen) != sys.executable and made_with() != chosen:
        instead = f"instead of python3 ({sys.executable}); make PYTHON=… takes another"
        print(f"Taking {chosen}, {why}, {instead}", file=sys.stderr, flush=True)
    print(chosen)


def how_built() -> str:
    """What is known to make it quick; "" where nothing is."""
    asked = sysconfig.get_config_var("CONFIG_ARGS") or ""
    if "--enable-optimizations" in asked:
        return "PGO and LTO" if "--with-lto" in asked else "PGO"
    # Debian asks for both without configure's knowing, and keeps it out of sysconfig (its changelog: 934771)
    debians = sys.base_prefix == "/usr" and "/usr/share/python-wheels" in asked
    return "PGO and LTO by Debian" if debians and platform.machine() in ("x86_64", "aarch64") else ""


def choice() -> tuple[Path, str]:
    """Which one, and why not this one."""
    this = Path(sys.executable)
    suits = sys.version_info[:2] in VERSIONS
    if suits and how_built() and made_with() in (None, this):
        return this, ""  # nobody else need be asked
    able = []
    for path in candidates():
        makes_venv, version, built = told(path)
        if makes_venv and version in VERSIONS:
            if built:
                return path, f"built with {built}"
            able.append(path)
    return (this, "") if suits or not able else (able[0], "new enough")


def made_with() -> "Path | None":
    """What .venv was made with: install.py writes it down."""
    stamp = VENV / ".made"
    words = stamp.read_text().split() if stamp.exists() else []
    return Path(words[1]) if len(words) > 1 and Path(words[1]).exists() else None


def candidates() -> Iterator[Path]:
    """Every Python that may be there, each once: that of .venv, this one, then the newest first."""
    known = set()
    names = [*(f"python3.{minor}" for _, minor in VERSIONS), "python3"]
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    own = [path for path in (made_with(), Path(sys.executable)) if path is not None]
    for path in (*own, *(Path(folder) / name for name in names for folder in folders)):
        if os.access(path, os.X_OK) and path.resolve() not in known:
            known.add(path.resolve())
            yield path


def told(path: Path) -> "tuple[bool, tuple[int, ...], str]":
    """What an interpreter says of itself; nothing good where it does not answer."""
    command = [str(path), __file__, "--told"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=PROBE_SEC, check=True).stdout
        makes_venv, version, built = json.loads(said)
    except (OSError, ValueError, subprocess.SubprocessError):
        return False, (), ""
    return makes_venv, tuple(version), built


def can_make_venv() -> bool:
    """With pip in it; and it has a lock over what is run, without which there are no wheels."""
    ensurepip = importlib.util.find_spec("ensurepip")
    may = importlib.util.find_spec("venv") and ensurepip and ensurepip.origin
    return bool(may) and not sysconfig.get_config_var("Py_GIL_DISABLED")


if __name__ == "__main__":
    main()
