"""What all commands share: how they run, how they end, how they speak.

Every command imports this before it knows what it is to do, `--help` too. So what it takes to run anything is
imported when something is run: it was 60 of the 130 ms of `liqpass --help`.
"""

import gc
import sys
from collections.abc import Callable, Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console


def run(main: Callable[[], Coroutine[Any, Any, None]], *, lasting: bool = False) -> None:
    """Run a command; an error that its user can mend is one line, and a signal ends it tidily.

    `lasting`: it runs until a signal comes, whose coming is no failure, and says itself when garbage is to be
    collected: when it has started (`until_stopped`).
    """
    from liqpass.ending import ending_tidily, until_it_ends

    if not lasting:
        gc.enable()
    with ending_tidily(lasting=lasting):
        until_it_ends(main)


def compute(main: Callable[[], None]) -> None:
    """Run a command that only computes, which a signal ends where it is; errors are one line as of `run`."""
    from liqpass.ending import ending_tidily

    gc.enable()
    with ending_tidily(lasting=False):
        main()


def fail(line: str, status: int = 1) -> NoReturn:
    """One line, and that exit status."""
    _say(f"liqpass: {line}", style="red")
    raise typer.Exit(status)


def tell(line: str) -> None:
    """Progress: to stderr, so that a command's output stays its own."""
    _say(line, style="dim")


def _say(line: str, style: str) -> None:
    if not sys.stderr.isatty():  # a server's log wants no colours: 4 MB of rich for one line
        print(line, file=sys.stderr)  # noqa: T201
        return
    _console().print(line, style=style, markup=False, soft_wrap=True)


@cache
def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)
