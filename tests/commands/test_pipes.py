"""Commands whose reader goes away, `| head`."""

import asyncio
import signal

import pytest

from tests.commands.cli import SPARE_SEC, start


@pytest.mark.parametrize("command", ["reconcile runs", "reconcile breaks --format csv", "check --books"])
async def test_a_reader_that_has_seen_enough_is_told_nothing(command: str, env: dict[str, str]) -> None:
    process = await start(*command.split(), env=env)
    assert process.stdout is not None and process.stderr is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    said = await asyncio.wait_for(process.stderr.read(), SPARE_SEC)
    await asyncio.wait_for(process.wait(), SPARE_SEC)
    assert (process.returncode, said) == (128 + signal.SIGPIPE, b"")
