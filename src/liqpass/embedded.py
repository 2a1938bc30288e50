"""PostgreSQL 18 inside LiqPass: one server per data folder, shared by every command, stopped with the last.

Lock files in the data folder hold everything together: see `folder_locks.py`.
PostgreSQL listens on a Unix socket in a folder of mode 0700 and trusts whoever can reach it.
"""

import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from liqpass.data_folder import make_data_dir
from liqpass.embedded_upgrade import bring_over, initdb_options, older_cluster
from liqpass.folder_locks import exclusive, in_use, no_server
from liqpass.postgres_programs import (
    MAJOR,
    EmbeddedPostgresError,
    give,
    may_write,
    readable_programs,
    refuse_nameless_user,
    run_as,
    system_account,
)
from liqpass.settings import SettingError

PORT = 5432  # names the socket file; nothing listens on a port
SOCKET_PATH_LIMIT = 107  # bytes, of sockaddr_un.sun_path without its final zero
NAMESPACED_PID = re.compile(r"^NSpid:\t(.*)$", re.MULTILINE)
NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|Check free disk space")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
LOG_BYTES = 64 * 1024
WAIT_SEC = 300  # long enough for the crash recovery of a large database

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "track_activity_query_size": "16kB",  # who asks what a session does sees all of its statement
}


@contextmanager
def embedded_postgres(
    data_dir: Path,
    progress: Callable[[str], None] = lambda _: None,
    options: Mapping[str, str] | None = None,
    *,
    may_be_new: bool = True,
) -> Iterator["EmbeddedPostgres"]:
    """The data folder's server, running, with a database `liqpass`; stopped at the end unless others use it.

    `options` are server settings over SETTINGS (`{"fsync": "off"}` for a server to be thrown away); those of
    the command that starts the server count. Blocks while another command starts or stops it. `may_be_new`:
    where there is none it is made.
    Raises EmbeddedPostgresError, and SettingError for a data folder that cannot be used.
    """
    if not may_be_new:
        refuse_where_none(data_dir)
    account = system_account() if os.geteuid() == 0 else None
    refuse_nameless_user()
    folder = make_data_dir(data_dir, account)
    with exclusive(folder):
        bin_dir = readable_programs(folder, account, progress)
    log = folder / "pg18" / "server.log"
    begins = log.stat().st_size if log.exists() else 0
    server = EmbeddedPostgres(folder, bin_dir, account, {**SETTINGS, **(options or {})}, progress, begins)
    with in_use(folder, last=lambda: _stop(server)), _named_full_disk(server):
        server.ensure_running(may_be_new=may_be_new)
        with exclusive(folder):
            _create_database(server)
        yield server


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A handle on the data folder's server; made by `embedded_postgres`."""

    data_dir: Path
    bin_dir: Path
    """Where psql, pgbench, pg_basebackup and the rest are."""
    account: pwd.struct_passwd | None
    options: Mapping[str, str]
    progress: Callable[[str], None]
    log_begins: int
    """Where in the log it begins what the server has said since we have been here, in bytes."""

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.data_dir / "pg18"

    @property
    def log(self) -> Path:
        return self.cluster / "server.log"

    @cached_property
    def mark(self) -> str:
        """The cluster_name: what tells this server's processes from all others.

        From the folder's device and inode: a container's processes, visible outside, may name the same path.
        """
        folder = self.data_dir.stat()
        return "liqpass_" + hashlib.sha256(f"{folder.st_dev}:{folder.st_ino}".encode()).hexdigest()[:12]

    @cached_property
    def socket_dir(self) -> Path:
        """The cluster's folder, unless its name is too long for a socket or would split a list."""
        name = os.fsencode(self.cluster / f".s.PGSQL.{PORT}")
        if len(name) <= SOCKET_PATH_LIMIT and not set(name) & set(b',"\\'):
            return self.cluster
        # not TMPDIR nor XDG_RUNTIME_DIR: every command has to find the same folder
        return Path("/tmp") / self.mark  # noqa: S108  (its owner and mode are checked at every start)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/liqpass?host={quote(os.fsencode(self.socket_dir))}&port={PORT}"

    def pid(self) -> int | None:
        """The process id of the running server, None when it does not run."""
        state = _state(self)
        return state[0] if state else None

    def ensure_running(self, *, may_be_new: bool = False) -> None:
        """Starts the server again when it is gone (killed, say); waits until it takes connections. Blocks.

        Any command that still uses the data folder may call it, at any time, several at once.
        """
        try:
            with exclusive(self.data_dir):
                _start(self, may_be_new=may_be_new)
        except OSError as error:  # of the files that we write ourselves
            raise _failure(self, f"{error.filename or self.data_dir}: {error.strerror}") from None

    def full_disk(self) -> EmbeddedPostgresError | None:
        """Why the server cannot write or start, when that is a full disk, as far as it said so lately."""
        return self.no_space() if NO_SPACE.search(_said(self)) else None

    def no_space(self) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"no space is left on the disk of {self.data_dir}: make room there, "
            "choose another folder with LIQPASS_DATA_DIR, or set DATABASE_URL to a PostgreSQL elsewhere"
        )


@contextmanager
def _named_full_disk(server: EmbeddedPostgres) -> Iterator[None]:
    """Whatever failed while the server had no space for it, failed by that."""
    try:
        yield
    except Exception as error:
        if full := server.full_disk():
            raise full from error
        raise


def _said(server: EmbeddedPostgres) -> str:
    """The end of what the server has logged since we have been here."""
    try:
        with server.log.open("rb") as log:
            log.seek(max(server.log_begins, server.log.stat().st_size - LOG_BYTES))
            return log.read(LOG_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _state(server: EmbeddedPostgres) -> tuple[int, str] | None:
    """Process id and status (`starting`, `ready`, `stopping`) of the living server.

    postmaster.pid outlives a killed server, and its process id may by now be somebody else's.
    """
    try:
        lines = (server.cluster / "postmaster.pid").read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].isdecimal() or not _is_ours(server, int(lines[0])):
        return None
    return int(lines[0]), lines[7].strip() if len(lines) > 7 else "starting"


def _is_ours(server: EmbeddedPostgres, pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"postgres" not in command or server.mark.encode() not in command:
            return False
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
    # several numbers: that of a container, which is seen from outside and none of our business
    return not (numbers := NAMESPACED_PID.search(status)) or len(numbers[1].split()) == 1


def _start(server: EmbeddedPostgres, *, may_be_new: bool) -> None:
    deadline = time.monotonic() + WAIT_SEC
    while state := _state(server):
        if state[1] == "ready" and _answers(server):
            return
        if time.monotonic() > deadline:
            raise _failure(server, f"PostgreSQL (process {state[0]}) is stuck {state[1]}")
        time.sleep(0.05)
    _end_remains(server)
    with no_server(server.data_dir) as lock:
        _unlink_remains(server)
        _create_cluster(server, may_be_new=may_be_new)
        _make_socket_dir(server)
        _write_configuration(server)
        server.progress("Starting PostgreSQL 18")
        # names relative to the cluster: pg_ctl hands its command line to a shell
        _run(server, "pg_ctl", "-D", ".", "-l", server.log.name, "-o", f"-c cluster_name={server.mark}",
             "-w", "-t", str(WAIT_SEC), "start", cwd=server.cluster, inherited=[lock])  # fmt: skip
    if _state(server) is None:
        # nobody could tell later whether it lives
        with suppress(EmbeddedPostgresError):
            _pg_ctl_stop(server, "fast")
        raise EmbeddedPostgresError(
            "/proc does not show the PostgreSQL that has just started. If /proc is mounted with hidepid, run "
            f"LiqPass as an ordinary user or set DATABASE_URL; otherwise {server.log} says why it ended"
        )


def _end_remains(server: EmbeddedPostgres) -> None:
    """Ends the backends that a killed server left."""
    remains = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    remains = [pid for pid in remains if _is_ours(server, pid)]
    for sign, wait_sec in ((signal.SIGQUIT, 2), (signal.SIGKILL, 5)):
        for pid in remains:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + wait_sec
        while remains and time.monotonic() < deadline:
            time.sleep(0.02)
            remains = [pid for pid in remains if _is_ours(server, pid)]


def _unlink_remains(server: EmbeddedPostgres) -> None:
    """Lock files of PostgreSQL whose process id may be used again by now: by others, or in a container by
    whoever starts as the same number. Only under the server's lock: nobody is left who wrote them."""
    for lock in (server.cluster / "postmaster.pid", server.socket_dir / f".s.PGSQL.{PORT}.lock"):
        lock.unlink(missing_ok=True)


def refuse_where_none(data_dir: Path) -> None:
    """Raises SettingError where no database is. Why a folder cannot be looked into is said by who uses it."""
    try:
        is_there = (data_dir / "pg18").exists() or older_cluster(data_dir, MAJOR) is not None
    except FileNotFoundError:
        is_there = False
    except OSError:
        is_there = True
    if not is_there:
        raise _none_in(data_dir)


def _none_in(data_dir: Path) -> SettingError:
    return SettingError(
        "LIQPASS_DATA_DIR",
        f"no database is in {data_dir}: name the folder that has yours, or set DATABASE_URL; "
        "liqpass migrate makes one there",
    )


def _create_cluster(server: EmbeddedPostgres, *, may_be_new: bool) -> None:
    """initdb, in a folder of another name: what was interrupted halfway never bears the cluster's name."""
    if server.cluster.exists():
        if server.cluster.stat().st_uid != _owner(server):
            name = pwd.getpwuid(server.cluster.stat().st_uid).pw_name
            raise SettingError(
                "LIQPASS_DATA_DIR",
                f"the database in {server.data_dir} belongs to the user {name}: "
                "run LiqPass as that user, or choose another folder",
            )
        return
    old = older_cluster(server.data_dir, MAJOR)
    if not (old or may_be_new):  # it was there a moment ago
        raise _none_in(server.data_dir)
    as_before = initdb_options(server.data_dir, old, server.account) if old else []
    server.progress(f"Creating a PostgreSQL 18 database in {server.data_dir}")
    unfinished = server.data_dir / "pg18.unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    give(server.account, unfinished)
    more = ["--no-sync"] if server.options.get("fsync") == "off" else []
    more += as_before
    _run(server, "initdb", "-D", ".", "-U", "postgres", "--encoding=UTF8", "--locale=C", "--auth=trust",
         "--no-instructions", *more, cwd=unfinished)  # fmt: skip
    if old:
        bring_over(server.data_dir, old, unfinished, server.bin_dir, server.account, server.progress)
    unfinished.rename(server.cluster)


def _write_configuration(server: EmbeddedPostgres) -> None:
    # as initdb chooses; not kept from then: a folder may move to a machine that has none
    shared = "posix" if may_write(server.account, SHARED_MEMORY) else "sysv"
    settings = {
        "dynamic_shared_memory_type": shared,
        **server.options,
        "unix_socket_directories": str(server.socket_dir),
    }
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    lines = ["# written by LiqPass at every start", *(f"{name} = '{quoted[name]}'" for name in quoted)]
    for name, content in (("postgresql.conf", "\n".join(lines)), ("pg_hba.conf", "local all all trust")):
        written = server.cluster / f"{name}.new"
        written.write_bytes(os.fsencode(content + "\n"))
        give(server.account, written)
        written.replace(server.cluster / name)


def _make_socket_dir(server: EmbeddedPostgres) -> None:
    folder = server.socket_dir
    if folder == server.cluster:
        return
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        give(server.account, folder)
    found = folder.lstat()
    owner = _owner(server)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:
        raise EmbeddedPostgresError(f"{folder} does not belong to user id {owner} alone: remove it")


def _owner(server: EmbeddedPostgres) -> int:
    return server.account.pw_uid if server.account else os.geteuid()


def _create_database(server: EmbeddedPostgres) -> None:
    if not _sql(server, "SELECT 1 FROM pg_database WHERE datname = 'liqpass'"):
        _sql(server, "CREATE DATABASE liqpass")


def _sql(server: EmbeddedPostgres, statement: str) -> str:
    how = ["-XAtq", "-v", "ON_ERROR_STOP=1", *_where(server)]
    return _run(server, "psql", *how, "-c", statement, cwd=server.cluster)


def _answers(server: EmbeddedPostgres) -> bool:
    """Whether it takes connections; one that is dying or recovering is `ready` in its file and does not."""
    command = [str(server.bin_dir / "pg_isready"), "-q", *_where(server)]
    return run_as(server.account, server.cluster, command).returncode == 0


def _where(server: EmbeddedPostgres) -> list[str]:
    return ["-h", str(server.socket_dir), "-p", str(PORT), "-U", "postgres", "-d", "postgres"]


def _stop(server: EmbeddedPostgres) -> None:
    if _state(server) is None:
        return
    server.progress("Stopping PostgreSQL")
    for mode in ("fast", "immediate"):
        with suppress(EmbeddedPostgresError):
            _pg_ctl_stop(server, mode)
            break
    if server.socket_dir != server.cluster:
        with suppress(OSError):
            server.socket_dir.rmdir()


def _pg_ctl_stop(server: EmbeddedPostgres, mode: str) -> None:
    _run(server, "pg_ctl", "-D", ".", "-m", mode, "-w", "-t", "60", "stop", cwd=server.cluster)


def _run(
    server: EmbeddedPostgres, program: str, *arguments: str, cwd: Path, inherited: Sequence[int] = ()
) -> str:
    command = [str(server.bin_dir / program), *arguments]
    done = run_as(server.account, cwd, command, inherited)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise _failure(server, f"{program} failed: {said}")
    return done.stdout


def _failure(server: EmbeddedPostgres, what: str) -> EmbeddedPostgresError:
    if NO_SPACE.search(what + _said(server)):
        return server.no_space()
    if not server.log.exists():
        where = f"Look at the free space and the owner of {server.data_dir}"
    else:
        last = "\n".join(server.log.read_text(errors="replace").splitlines()[-5:])
        where = f"The log {server.log} ends with:\n{last}\nPut right what it names"
    return EmbeddedPostgresError(f"{what}\n{where}, or set DATABASE_URL to a PostgreSQL of your own.")
