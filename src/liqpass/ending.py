"""How commands run and end: by themselves, by an error that their user can mend, by a signal."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import typer
import uvloop

from liqpass.backups import BackupError
from liqpass.connecting import WrongSession
from liqpass.db import NOT_SERVING, TRY_AGAIN
from liqpass.migrate import MigrationError
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.problems import Problem
from liqpass.request_lines import write_requests
from liqpass.settings import SettingError
from liqpass.terminal import fail

EXPECTED = (SettingError, MigrationError, EmbeddedPostgresError, BackupError, OSError)
DATABASE_REFUSES: tuple[type[Exception], ...] = (WrongSession, *NOT_SERVING, *TRY_AGAIN)


def until_it_ends(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it in an event loop of its own."""
    try:
        uvloop.run(_ended_by_sigterm(main))
    finally:
        write_requests()


@contextmanager
def ending_tidily(*, lasting: bool) -> Iterator[None]:
    """What ends the block becomes an exit status; an error that the user can mend, one line as well.

    `lasting`: a signal's coming is no failure.
    """
    try:
        yield
    except asyncio.CancelledError:
        raise typer.Exit(0 if lasting else 128 + signal.SIGTERM) from None
    except KeyboardInterrupt:
        raise typer.Exit(0 if lasting else 128 + signal.SIGINT) from None
    except Problem as problem:
        fail(problem.detail)
    except DATABASE_REFUSES as error:
        fail(f"DATABASE_URL: the database does not do it at present: {' '.join(str(error).split())}")
    except EXPECTED as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise typer.Exit(128 + signal.SIGPIPE) from None
        fail(str(error))
    except ExceptionGroup as group:
        expected = group.subgroup(EXPECTED)
        if expected is None:
            raise
        fail(str(expected.exceptions[0]))


async def _ended_by_sigterm(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """SIGTERM does what asyncio.run does on Ctrl-C: whatever the command has started is stopped first."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101, asyncio.run made it
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await main()


def _nobody_reads() -> bool:
    """Whether the reader of stdout is gone: `| head` has seen enough, which is no error. What is still to be
    written goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
