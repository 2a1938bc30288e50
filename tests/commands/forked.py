"""The same commands, where it is not their start that matters: each is still a process of its own, but forked
from one that has imported everything already, so that a test may run many of them."""

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from traceback import print_exc
from typing import NoReturn

from tests.commands.cli import SPARE_SEC, Done, bare

IMPORTED = (
    "liqpass.__main__",
    "liqpass.running",
    "liqpass.contracting",
    "liqpass.place",
    "liqpass.exports.files",
    "liqpass.treasury.disbursements",
)
_one_at_a_time = Lock()


async def liqpass(*arguments: str, env: Mapping[str, str]) -> Done:
    """A command from beginning to end; it reads nothing."""
    return await asyncio.to_thread(_done, arguments, bare(env))


def _done(arguments: tuple[str, ...], env: Mapping[str, str]) -> Done:
    with _one_at_a_time, TemporaryDirectory(prefix="liqpass-forked-") as folder:
        parent = _parent()
        assert parent.stdin is not None and parent.stdout is not None
        parent.stdin.write(json.dumps([arguments, env, folder]) + "\n")
        parent.stdin.flush()
        status = int(parent.stdout.readline())
        out, err = (Path(folder, name).read_bytes().decode() for name in ("out", "err"))
        return Done(status, out, err)


@cache
def _parent() -> subprocess.Popen[str]:
    """The process that is forked; it ends with the tests."""
    command = [sys.executable, "-m", "tests.commands.forked"]
    pipe = subprocess.PIPE
    parent = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=pipe, stdout=pipe, text=True)
    atexit.register(parent.communicate)
    return parent


def _fork_for_every_line() -> None:
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _become(arguments: list[str], env: dict[str, str], folder: str) -> NoReturn:
    """The command itself, with its streams."""
    try:
        signal.alarm(SPARE_SEC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["liqpass", *arguments]
        import_module("liqpass.__main__").main()
    except BaseException:
        print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    _fork_for_every_line()
