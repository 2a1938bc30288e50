"""What commands load of other people's packages, and of LiqPass, read from the real processes: what none of
them asks for costs its start, and a server memory for as long as it runs."""

import re
from collections.abc import Mapping

import pytest

from liqpass.serving import free_port
from tests.commands.cli import ended, hear, start

LISTED_NEVER = {
    "aiohttp", "asyncio", "asyncpg", "cryptography", "httptools", "jinja2", "litestar", "msgspec", "numpy",
    "prometheus_client", "pyarrow", "pydantic", "ssl", "structlog", "uvloop", "wallycore",
}  # fmt: skip
# pygments and rich.console are structlog's colours; pycparser is for Keccak, pydantic for what is typed, and
# for models that nobody has
SERVED_NEVER = {
    "eth_account", "eth_utils", "hypothesis", "numpy", "pyarrow", "pycparser", "pydantic", "pydantic_core",
    "pygments", "rich.console", "polyfactory",
}  # fmt: skip
NOT_OF_THE_API = {"jinja2", "liqpass.backtest", "liqpass.chain.watcher", "liqpass.check", "liqpass.worker"}
NOT_OF_THE_WORKER = {"liqpass.backtest", "liqpass.check", "liqpass.sandbox"}


async def loaded(*arguments: str, env: Mapping[str, str], until: str = "") -> set[str]:
    """All modules that a command has imported when it ends, or when it has said `until`; then it is ended."""
    traced = {**env, "PYTHONPROFILEIMPORTTIME": "1"}
    process = await start(*arguments, env=traced)
    said = await hear(process.stderr, until) if until else ""
    if until:
        process.terminate()
    done = await ended(process)
    assert done.status == 0
    found = set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", said + done.err, re.MULTILINE))
    assert "typer" in found  # it was heard
    return found


def of(names: set[str], modules: set[str]) -> set[str]:
    """Those of `names` that are among the modules, or have one in them."""
    return {name for name in names for module in modules if f"{module}.".startswith(f"{name}.")}


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help"), ("claims", "--help")], ids=" ".join)
async def test_help_loads_nothing_that_runs_a_command(arguments: tuple[str, ...]) -> None:
    modules = await loaded(*arguments, env={})
    assert of(LISTED_NEVER, modules) == set()
    ours = {name for name in modules if name.startswith("liqpass.")}
    assert {name for name in ours if not of({"liqpass.commands", "liqpass.terminal"}, {name})} <= {
        "liqpass.__main__"
    }


async def test_the_list_of_commands_loads_none_of_them() -> None:
    modules = await loaded("--help", env={})
    commands = {name for name in modules if name.startswith("liqpass.commands.")}
    assert commands == {"liqpass.commands.later", "liqpass.commands.typed"}


async def test_serve_loads_nothing_that_it_does_not_use(env: dict[str, str]) -> None:
    modules = await loaded("serve", "--port", str(free_port()), env=env, until="Ctrl-C")
    assert "litestar" in modules
    assert of(SERVED_NEVER | NOT_OF_THE_API, modules) == set()


async def test_work_loads_nothing_that_it_does_not_use(env: dict[str, str]) -> None:
    modules = await loaded("work", env=env, until="Ctrl-C")
    assert "liqpass.worker" in modules
    assert of(SERVED_NEVER | NOT_OF_THE_WORKER, modules) == set()
