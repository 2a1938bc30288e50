"""Who may use a data folder. All by flock(2), which goes with its processes and so is never stale:

- `start.lock`: held, exclusively, by whoever looks whether the server runs, starts it or stops it;
- `in-use.lock`: held, shared, by every command as long as it lives; who gets it exclusively is the only one.
  In it stands where they are: the boot of the machine and the namespace of processes;
- `server.lock`: held by every process of the server, which inherits it, and so until the last one is gone.

A container sees the locks of another one, but not its processes. Where a lock is held by somebody who cannot
be seen, nothing is touched.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.settings import SettingError

RELEASE_SEC = 2  # a process that is ending is invisible a moment before its locks go


@contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Nobody else looks at the server, starts or stops it meanwhile. Blocks.

    Raises SettingError where the file system has no locks, or no space.
    """
    with (data_dir / "start.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise _unusable(data_dir, error) from None
        yield


@contextmanager
def in_use(data_dir: Path, last: Callable[[], None]) -> Iterator[None]:
    """Counted among those who use the folder; the last of them calls `last`.

    Raises EmbeddedPostgresError when those who use it cannot be seen from here.
    """
    path = data_dir / "in-use.lock"
    here = _here()
    with exclusive(data_dir):
        try:
            mine = path.open("a+")  # NFS wants it readable for a shared lock, writable for an exclusive one
            _come_in(mine, here, data_dir)
        except OSError as error:
            raise _unusable(data_dir, error) from None
    try:
        yield
    finally:
        # a data folder that was deleted meanwhile is let go: the server notices by itself and ends
        with suppress(FileNotFoundError), exclusive(data_dir):
            # closed, not converted: a forked child of ours may share this lock and still use the server
            mine.close()
            with path.open("a") as everybody, suppress(BlockingIOError):
                fcntl.flock(everybody, fcntl.LOCK_EX | fcntl.LOCK_NB)
                last()


def _come_in(lock: IO[str], here: str, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        if lock.read() != here:
            lock.close()
            raise unseen(data_dir) from None
    else:
        lock.truncate(0)
        lock.write(here)
        lock.flush()
    fcntl.flock(lock, fcntl.LOCK_SH)


@contextmanager
def no_server(data_dir: Path) -> Iterator[int]:
    """Certain that no process of a server is left; the descriptor of the lock, to be inherited by the next.

    Within `exclusive`. Raises EmbeddedPostgresError when one lives where it cannot be seen.
    """
    deadline = time.monotonic() + RELEASE_SEC
    with (data_dir / "server.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise unseen(data_dir) from None
            time.sleep(0.02)
        # left by closing: unlocking would take it from those who inherited it
        yield lock.fileno()


def unseen(data_dir: Path) -> EmbeddedPostgresError:
    """What is said where somebody lives who cannot be seen."""
    return EmbeddedPostgresError(
        f"{data_dir} is in use by processes that cannot be seen from here, of another container or machine: "
        "run one PostgreSQL server for all of them, and set DATABASE_URL to it"
    )


def _unusable(data_dir: Path, error: OSError) -> SettingError:
    return SettingError(
        "LIQPASS_DATA_DIR",
        f"no lock can be had in {data_dir} ({error.strerror}): choose a folder on a local disk with space "
        "left, or set DATABASE_URL",
    )


def _here() -> str:
    """Who shares it, sees the same processes by the same numbers. Raises EmbeddedPostgresError."""
    try:
        mine = int(Path("/proc/self").readlink().name)
        space = Path("/proc/self/ns/pid").readlink().name
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        mine = 0
    if mine != os.getpid():
        raise EmbeddedPostgresError(
            "/proc does not show the processes of this namespace, which the embedded PostgreSQL needs: "
            "mount it (mount -t proc proc /proc), or set DATABASE_URL"
        )
    return f"{boot} {space}\n"
