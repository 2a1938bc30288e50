"""Every command says what it does, and shows an example."""

import re
from collections.abc import Iterator

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from liqpass.__main__ import cli


def _commands() -> Iterator[tuple[str, ...]]:
    for name, command in get_command(cli).commands.items():  # type: ignore[attr-defined]
        for below in getattr(command, "commands", {}):
            yield name, below
        if not hasattr(command, "commands"):
            yield (name,)


def test_all_commands_of_the_design_are_there() -> None:
    wanted = {"serve", "work", "demo", "migrate", "check", "keys generate", "keys rewrap", "keys check"}
    assert wanted | {"contract deploy", "contract verify"} <= {" ".join(path) for path in _commands()}


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_a_command_shows_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*command, "--help"], prog_name="liqpass")
    assert shown.exit_code == 0
    assert "Example: " in shown.output
    assert f"liqpass {' '.join(command)}" in shown.output.partition("Example: ")[2]


@pytest.mark.parametrize(
    "group", ["", "keys", "contract", "claims", "pool", "suspense", "reconcile", "price"]
)
def test_a_group_of_commands_lists_them_in_whole_sentences_and_shows_one(group: str) -> None:
    shown = CliRunner().invoke(cli, [*group.split(), "--help"], prog_name="liqpass")
    assert f"Example: liqpass {group}".rstrip() in shown.output
    listed = shown.output.partition("Commands:")[2]
    assert listed
    assert "..." not in listed  # its first sentence is short enough to be read whole


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_what_an_option_takes_has_a_name_of_its_own(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*command, "--help"], prog_name="liqpass")
    assert not re.findall(r"--\S+ <(?:str|path|list.*)>", shown.output)


def test_liqpass_alone_lists_the_commands() -> None:
    shown = CliRunner().invoke(cli, [], prog_name="liqpass")
    for command in ("serve", "work", "migrate", "check", "demo", "keys", "contract"):
        assert f"  {command} " in shown.output
