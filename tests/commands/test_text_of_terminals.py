"""What an operator types in a terminal that does not speak UTF-8."""

import pytest

from tests.commands.cli import liqpass

LATIN = b"caf\xe9".decode(errors="surrogateescape")


@pytest.mark.parametrize(
    "command",
    [
        ("reconcile", "close", "1", "--by", "Ada", "--reason", LATIN),
        ("reconcile", "close", "1", "--by", LATIN, "--reason", "x"),
        ("suspense", "refund", "opening", "--by", "Ada", "--reason", LATIN),
        ("pool", "deposit", "1", "--by", LATIN),
    ],
)
async def test_a_text_that_cannot_be_kept_is_refused_by_the_name_of_its_option(
    command: tuple[str, ...], env: dict[str, str]
) -> None:
    done = await liqpass(*command, env=env)
    assert (done.status, done.out) == (2, "")
    assert command[command.index(LATIN) - 1] in done.err and "is not UTF-8" in done.err
    assert "Traceback" not in done.err
