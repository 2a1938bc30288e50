"""Gets the programs that tests need and that no package registry of Python or Node.js has, from Debian:
`python -m scripts.programs`, which scripts/install.py calls.

Without root, and for servers with root, too, they are unpacked into .venv; tests of what cannot be had are
skipped, and say so.
"""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.install import TOP, VENV, install_apart, run, say, write

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# program, Debian's package, what tests do with it
SERVER_PROGRAMS = (
    ("pgbouncer", "pgbouncer", "which tests put in front of the database"),
    ("nginx", "nginx", "which tests put in front of liqpass serve"),
    ("caddy", "caddy", "which tests put in front of liqpass serve"),
    ("systemd-analyze", "systemd", "which tests hold the units to"),
    ("promtool", "prometheus", "which tests hold the alerts to"),
)
LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "lib/systemd", "usr/lib/systemd")
VERSION_ASKED = {"nginx": ("-v",), "caddy": ("version",)}


NEWER_PGBOUNCER = (
    *("pgbouncer", "libc6", "libcares2", "libevent-2.1-7t64", "libpam0g", "libssl3t64", "libsystemd0"),
    *("libaudit1", "libcap-ng0", "libcap2", "zlib1g", "libzstd1"),
)


def main() -> None:
    install_hledger()
    install_server_programs()
    install_newer_pgbouncer()
    install_failover()
    install_chromium()


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
        done = unpack_program("hledger", "hledger")
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
    """Debian's, which tests put in front of LiqPass, or hold its files to. Unpacked into .venv for root, too:
    installed, they would start servers for the machine."""
    for program, package, what_for in SERVER_PROGRAMS:
        if has_program(program):
            continue
        say(f"Getting Debian's {package}, {what_for}")
        if not (shutil.which("apt-get") and unpack_program(program, package)):
            say(f"Debian's {package} cannot be had here: the tests that need it will be skipped")


def install_newer_pgbouncer() -> None:
    """Debian 13's, too, where Debian's is older than 1.21, which cannot keep prepared statements."""
    if has_program("pgbouncer") and not keeps_statements("pgbouncer") and not has_program("pgbouncer-1.24"):
        say("Getting the PgBouncer of Debian 13, which keeps prepared statements")
        if not (shutil.which("apt-get") and unpack_newer_pgbouncer(VENV / "debian-13-pgbouncer")):
            say("It cannot be had here: the tests of pooling by transaction will be skipped")


def install_failover() -> None:
    """Patroni, under which tests fail the database over, in an environment of its own inside .venv; and what
    PyPI has not: Debian's etcd, in which it keeps who leads, and its client for it. Installed by Debian, they
    would start a server for the machine."""
    install_apart("failover")
    folder, program = VENV / "debian-etcd", VENV / "bin" / "etcd"
    (site,) = (VENV / "failover").glob("lib/python*/site-packages")
    if program.exists() and (site / "etcd").exists():
        return
    say("Getting Debian's etcd, in which Patroni keeps who leads the database")
    if not (shutil.which("apt-get") and fetch_debian(folder, "download", "etcd-server", "python3-etcd")):
        say("Debian's etcd cannot be had here: the tests that need it will be skipped")
        return
    for archive in folder.glob("*.deb"):
        run(["dpkg", "-x", archive, folder])
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


def unpack_program(program: str, package: str) -> bool:
    """Without root's rights: the program alone; if it does not run, with the libraries that it lacks here."""
    folder = VENV / f"debian-{package}"
    with_libraries = ["--download-only", "-y", "--no-install-recommends", "install", package]
    for wanted in (
        ["download", package],
        [f"-oDir::Cache={folder}", "-oDebug::NoLocking=1", *with_libraries],
    ):
        if fetch_debian(folder, *wanted) and link_program(program, folder):
            return True
    return False


def link_program(program: str, folder: Path) -> bool:
    """Unpack what was fetched; whether the program runs."""
    for archive in (*folder.glob("*.deb"), *folder.glob("archives/*.deb")):
        run(["dpkg", "-x", archive, folder])
        archive.unlink()
    places = [folder / place / program for place in ("usr/bin", "usr/sbin")]
    found = next((path for path in places if path.exists()), None)
    if found is None:
        return False
    libraries = [path for where in LIBRARIES for path in folder.glob(where)]
    linked = VENV / "bin" / program
    command = f'LD_LIBRARY_PATH="{":".join(map(str, libraries))}" exec "{found}" "$@"'
    write(linked, f"#!/bin/sh\n{command}\n", mode=0o755)
    asks: list[Path | str] = [linked, *VERSION_ASKED.get(program, ("--version",))]
    runs = subprocess.run(asks, capture_output=True, check=False).returncode == 0
    if not runs:
        linked.unlink()
    return runs


def keeps_statements(program: str) -> bool:
    """Whether this PgBouncer gives a transaction the statements that its client prepared: since 1.21."""
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(program, path=path) or program
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return len(said) > 1 and [int(part) for part in said[1].split(".")[:2]] >= [1, 21]


def unpack_newer_pgbouncer(folder: Path) -> bool:
    """From where the machine's own packages come, with all its libraries, the C library too: Debian 12's are
    older."""
    for needed in (folder / "lists/partial", folder / "archives/partial"):
        needed.mkdir(parents=True, exist_ok=True)
    shown = [
        "apt-get",
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
    ]
    said = subprocess.run(shown, capture_output=True, text=True, check=False).stdout
    where = next((line.split()[0] for line in said.splitlines() if line.endswith(" bookworm main")), None)
    if where is None:  # it is not Debian 12
        return False
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    write(folder / "sources.list", f"deb [signed-by={keys}] {where} trixie main\n")
    own = [f"-oDir::Etc::SourceList={folder}/sources.list", "-oDir::Etc::SourceParts=/dev/null"]
    own += [f"-oDir::State::Lists={folder}/lists", f"-oDir::Cache={folder}", "-oDebug::NoLocking=1"]
    if not (apt(*own, "update") and apt(*own, "download", *NEWER_PGBOUNCER, cwd=folder)):
        return False
    for package in folder.glob("*.deb"):
        run(["dpkg", "-x", package, folder])
        package.unlink()
    shutil.rmtree(folder / "lists")
    program = VENV / "bin" / "pgbouncer-1.24"
    for libraries in folder.glob("usr/lib/*-linux-gnu"):
        for loader in libraries.glob("ld-linux-*.so.*"):
            command = f'exec "{loader}" --library-path "{libraries}" "{folder}/usr/sbin/pgbouncer" "$@"'
            write(program, f"#!/bin/sh\n{command}\n", mode=0o755)
    if not keeps_statements(str(program)):
        program.unlink(missing_ok=True)
        return False
    return True


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


if __name__ == "__main__":
    main()
