"""What all commands share: how they run, how they end, how they speak."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
import uvloop
from rich.console import Console

from liqpass.connecting import WrongSession
from liqpass.db import NOT_SERVING, TRY_AGAIN
from liqpass.migrate import MigrationError
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.problems import Problem
from liqpass.settings import SettingError

console = Console(stderr=True, highlight=False)
EXPECTED = (SettingError, MigrationError, EmbeddedPostgresError, OSError)
DATABASE_REFUSES: tuple[type[Exception], ...] = (WrongSession, *NOT_SERVING, *TRY_AGAIN)


def run(main: Callable[[], Coroutine[Any, Any, None]], *, lasting: bool = False) -> None:
    """Run a command; an error that its user can mend is one line, and a signal ends it tidily.

    `lasting`: it runs until a signal comes, whose coming is no failure.
    """
    with _ending_tidily(lasting=lasting):
        uvloop.run(_ended_by_sigterm(main))


def compute(main: Callable[[], None]) -> None:
    """Run a command that only computes, which a signal ends where it is; errors are one line as of `run`."""
    with _ending_tidily(lasting=False):
        main()


@contextmanager
def _ending_tidily(*, lasting: bool) -> Iterator[None]:
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


def fail(line: str) -> NoReturn:
    """One line, and exit status 1."""
    console.print(f"liqpass: {line}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def tell(line: str) -> None:
    """Progress: to stderr, so that a command's output stays its own."""
    console.print(line, style="dim", markup=False, soft_wrap=True)
