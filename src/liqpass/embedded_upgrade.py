"""The embedded database of an older PostgreSQL, brought to the one that is started now: by pg_upgrade, into a
new folder, copying. The old folder is left as it was, so that whatever fails leaves a database that is whole.

Only under the locks of the data folder, when no server of it lives.
"""

import pwd
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from liqpass.postgres_programs import EmbeddedPostgresError, give, run_as, server_programs

OF_A_MAJOR = re.compile(r"pg(\d+)")
START_SEC = "300"
PORT = "50432"  # names a socket in a folder that nobody else enters
CONFIGURATION = ("postgresql.conf", "pg_hba.conf")


def older_cluster(data_dir: Path, major: int) -> Path | None:
    """The newest folder of a PostgreSQL before this one."""
    found = [(int(name[1]), path) for path in data_dir.iterdir() if (name := OF_A_MAJOR.fullmatch(path.name))]
    return max((one for one in found if one[0] < major), default=(0, None))[1]


def initdb_options(data_dir: Path, old: Path, account: pwd.struct_passwd | None) -> list[str]:
    """What the new cluster must have in common with the old one. Raises EmbeddedPostgresError."""
    shown = _shown(_programs_of(data_dir, old, account), old, account)
    sums = int(shown.get("Data page checksum version", "0"))
    return ["--data-checksums" if sums else "--no-data-checksums"]


def bring_over(
    data_dir: Path,
    old: Path,
    new: Path,
    bin_dir: Path,
    account: pwd.struct_passwd | None,
    progress: Callable[[str], None],
) -> None:
    """What is in the old cluster, into the new one, which initdb has just made. Raises
    EmbeddedPostgresError."""
    old_bin = _programs_of(data_dir, old, account)
    with tempfile.TemporaryDirectory(prefix="liqpass-upgrade-") as name:
        sockets = Path(name)
        give(account, sockets)
        if _shown(old_bin, old, account).get("Database cluster state") != "shut down":
            progress(f"Recovering the database of PostgreSQL {_major(old)}, which was not stopped tidily")
            _recover(old_bin, old, sockets, account)
        progress(f"Upgrading the database of PostgreSQL {_major(old)}, by copying it")
        kept = {name: (old / name).read_bytes() for name in CONFIGURATION}
        try:
            _write(account, old, {**kept, "postgresql.conf": b""})  # may name folders that are no more
            _run(
                account, sockets, bin_dir / "pg_upgrade", "--copy", "--username", "postgres",
                "--old-bindir", old_bin, "--new-bindir", bin_dir, "--old-datadir", old, "--new-datadir", new,
                "--socketdir", sockets, "--old-port", PORT, "--new-port", PORT,
            )  # fmt: skip
        finally:
            _write(account, old, kept)
    progress(f"{old} is left as it was: delete it once all is well")


def _recover(bin_dir: Path, old: Path, sockets: Path, account: pwd.struct_passwd | None) -> None:
    """Start it and stop it: then all that was committed is in its files."""
    (old / "postmaster.pid").unlink(missing_ok=True)  # of a server that is dead
    options = f"-c listen_addresses= -c port={PORT} -c unix_socket_directories={sockets}"
    log = sockets / "recovery.log"
    pg_ctl = bin_dir / "pg_ctl"
    _run(account, sockets, pg_ctl, "-D", old, "-l", log, "-o", options, "-w", "-t", START_SEC, "start")
    _run(account, sockets, pg_ctl, "-D", old, "-m", "fast", "-w", "-t", START_SEC, "stop")


def _programs_of(data_dir: Path, old: Path, account: pwd.struct_passwd | None) -> Path:
    found = server_programs(data_dir, _major(old), account)
    if found is None:
        raise EmbeddedPostgresError(
            f"the database in {old} is one of PostgreSQL {_major(old)}, whose programs are not here: install "
            f"them (Debian: apt-get install postgresql-{_major(old)}), or restore a backup into another "
            "folder (LIQPASS_DATA_DIR)"
        )
    return found


def _shown(bin_dir: Path, old: Path, account: pwd.struct_passwd | None) -> dict[str, str]:
    said = _run(account, Path("/"), bin_dir / "pg_controldata", "-D", old)
    return {name: value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}


def _write(account: pwd.struct_passwd | None, folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        written = folder / f"{name}.new"
        written.write_bytes(content)
        give(account, written)
        written.replace(folder / name)


def _major(cluster: Path) -> int:
    return int(cluster.name.removeprefix("pg"))


def _run(account: pwd.struct_passwd | None, cwd: Path, program: Path, *arguments: str | Path) -> str:
    done = run_as(account, cwd, [str(program), *map(str, arguments)])
    if done.returncode:
        last = "; ".join([*done.stdout.strip().splitlines(), *done.stderr.strip().splitlines()][-6:])
        raise EmbeddedPostgresError(
            f"the database of the older PostgreSQL could not be upgraded; it is left as it was. "
            f"{program.name} said: {last}"
        )
    return done.stdout
