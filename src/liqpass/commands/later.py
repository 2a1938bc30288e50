"""Commands that are imported when they are called: until then each is a name and a line of help.

All of them together took a fifth of what `liqpass --help` takes without them (11 of 55 ms).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

# Of an address that was typed where none belongs only this is repeated: a password may stand in the rest.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s']+")


@contextmanager
def addresses_untold() -> Iterator[None]:
    """What is wrong with the words of a command is said without the addresses among them."""
    try:
        yield
    except Exception as error:  # Typer's own has no public name, but an exit status
        said = getattr(error, "message", None)
        if isinstance(said, str) and hasattr(error, "exit_code"):
            error.message = _ADDRESS.sub(r"\1…", said)  # type: ignore[attr-defined]
        raise


class Later(TyperCommand):
    """What stands for the command or group `name` of the Typer object `where` (module:object)."""

    def __init__(self, name: str, help: str, where: str) -> None:
        super().__init__(name, help=help)
        self._where = where

    @cached_property
    def real(self) -> Any:
        """The command itself, imported now."""
        module, _, name = self._where.partition(":")
        holder = typer.Typer(rich_markup_mode=None)
        holder.add_typer(getattr(import_module(module), name))
        real = get_group(holder).commands[str(self.name)]
        # what holds one command of its own name is that command
        return getattr(real, "commands", {}).get(str(self.name), real)

    def make_context(self, *about: Any, **more: Any) -> Any:
        """A call begins with this, and goes on with the command that is in the context."""
        return self.real.make_context(*about, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class Commands(TyperGroup):
    """The commands that are there, and behind them those of LATER."""

    LATER = (
        ("backup", "Back up the database.", "liqpass.commands.backup:backup_cli"),
        (
            "restored",
            "Say that a database was brought back without liqpass restore.",
            "liqpass.commands.backup:restored_cli",
        ),
        ("restore", "Restore a backup into an empty database.", "liqpass.commands.backup:restore_cli"),
        ("claims", "Claims: what is owed for liquidations.", "liqpass.commands.claims:claims_cli"),
        ("export", "Write the books for other programs.", "liqpass.commands.export:export_cli"),
        ("pool", "The capital behind covers, and its limits.", "liqpass.commands.pool:pool_cli"),
        (
            "price",
            "The price, held against the past and what was sold.",
            "liqpass.commands.price:price_cli",
        ),
        ("suspense", "Money that pays no order, and refunds.", "liqpass.commands.suspense:suspense_cli"),
        (
            "reconcile",
            "Hold orders, chain and ledger against each other.",
            "liqpass.commands.reconcile:reconcile_cli",
        ),
    )

    def __init__(self, *, commands: dict[str, Any], **more: Any) -> None:
        super().__init__(commands={**commands, **{of[0]: Later(*of) for of in self.LATER}}, **more)

    def make_context(self, *about: Any, **more: Any) -> Any:
        """Where the words before a command are read."""
        with addresses_untold():
            return super().make_context(*about, **more)

    def invoke(self, ctx: Any) -> Any:
        """Where a command is found, its words are read, and it is run."""
        with addresses_untold():
            return super().invoke(ctx)
