"""Starts a cluster's processes, and ends all of them when whoever started it is gone, however that went.

A process of its own: every descendant whose parent dies (PostgreSQL leaves Patroni, Patroni may be killed)
becomes the keeper's child (PR_SET_CHILD_SUBREAPER), so nothing is lost sight of. It reads a JSON object a
line from its standard input, which are the arguments of `start`, and answers each with the process id. At the
end of its input it kills whatever is left below it, stopped or not.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """From the first line to the last process."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) != 0:
        sys.exit("prctl: no subreaper")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, whose end is the end of our input
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    for line in sys.stdin:
        sys.stdout.write(f"{start(**json.loads(line))}\n")
        sys.stdout.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while left := below(os.getpid()):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
            reap()


def start(command: list[str], env: dict[str, str], log: str, user: int | None, group: int | None) -> int:
    """The process id."""
    with Path(log).open("ab") as said:
        return subprocess.Popen(
            command, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, umask=0o077,
            user=user, group=group, extra_groups=None if user is None else [], start_new_session=True,
        ).pid  # fmt: skip


def reap() -> None:
    """Whoever ended is forgotten; nobody asks how."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def below(pid: int) -> list[int]:
    """Every living descendant, parents first."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *below(child)]
    return found


if __name__ == "__main__":
    main()
