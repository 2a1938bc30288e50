"""Commands as their users run them: processes of their own, told by their environment alone."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SPARE_SEC = 300
OURS = ("DATABASE_URL", "API_KEYS_ENC_KEY")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


def bare(env: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with no setting of LiqPass but those in `env`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LIQPASS_") and k not in OURS}
    return {**kept, **env}


async def start(
    *arguments: str, env: Mapping[str, str], around: Sequence[str] = ()
) -> asyncio.subprocess.Process:
    """A command that runs; `around` is what starts it."""
    pipe = asyncio.subprocess.PIPE
    command = [*around, sys.executable, "-m", "liqpass", *arguments]
    return await asyncio.create_subprocess_exec(
        *command, env=bare(env), stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=_interruptible
    )


def _interruptible() -> None:
    """Whoever runs tests in the background of a shell has interrupts ignored, and so what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def ended(process: asyncio.subprocess.Process, typed: str = "") -> Done:
    """Wait for the end."""
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), SPARE_SEC)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def liqpass(
    *arguments: str, env: Mapping[str, str], typed: str = "", around: Sequence[str] = ()
) -> Done:
    """A command from beginning to end; `typed` is what its user types."""
    return await ended(await start(*arguments, env=env, around=around), typed)


async def hear(stream: asyncio.StreamReader | None, words: str) -> str:
    """Read until a line with these words; all that was read."""
    assert stream is not None
    heard = ""
    while words not in heard:
        line = await asyncio.wait_for(stream.readline(), SPARE_SEC)
        assert line, f"ended without saying {words!r}: {heard}"
        heard += line.decode()
    return heard


def marked(mark: str) -> dict[int, str]:
    """The living processes whose environment holds LIQPASS_TEST=mark: process id → command line."""
    wanted, found = f"LIQPASS_TEST={mark}".encode(), {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found
