"""An installed LiqPass fetches what the demo runs when it is first needed: by the real npm, from a registry
on loopback."""

import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from liqpass.serving import free_port
from tests.commands.cli import Done, ended, hear, start
from tests.commands.cli import liqpass as run
from tests.deploy.registry import (
    ANVIL,
    USDC,
    Registry,
    installed_elsewhere,
    integrity,
    packed,
    registry,
    without_npm,
)


@pytest.fixture(scope="module")
def packages() -> dict[str, bytes]:
    return {name: packed(name) for name in (USDC, ANVIL)}


@pytest.fixture(scope="module")
def elsewhere(packages: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_elsewhere(tmp_path_factory.mktemp("elsewhere"), packages)


@pytest.fixture
async def there(packages: Mapping[str, bytes]) -> AsyncIterator[Registry]:
    async with registry(packages) as running:
        yield running


@pytest.fixture
def env(there: Registry, elsewhere: Path, server_url: str, tmp_path: Path) -> dict[str, str]:
    """Of a user with an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PYTHONPATH": str(elsewhere),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "npm_config_registry": there.url,
        "DATABASE_URL": server_url,
    }


def cache(env: Mapping[str, str]) -> Path:
    return Path(env["XDG_CACHE_HOME"], "liqpass")


def refused(done: Done) -> str:
    """The one line with which the demo ended."""
    assert done.status == 1
    assert done.err.startswith("liqpass: ")
    assert done.err.count("\n") == 1
    return done.err


async def test_the_first_demo_fetches_its_chain_and_the_next_one_has_it(
    env: dict[str, str], there: Registry
) -> None:
    for first, until in ((True, "Starting liqpass serve"), (False, "Starting the chain")):
        there.asked.clear()
        demo = await start("demo", "--once", env=env)
        said = await hear(demo.stdout, until)  # the first time the chain runs already, with USDC on it
        assert ("Fetching from npm what the demo runs, once, into " in said) == first
        assert (f"  2 of 2: {ANVIL} 1.7.1\n" in said) == first
        assert (there.asked != []) == first
        demo.send_signal(signal.SIGTERM)
        assert (await ended(demo)).status == 128 + signal.SIGTERM
    (kept,) = cache(env).iterdir()
    assert kept.name.startswith("npm-")
    assert [path.name for path in cache(env).parent.parent.iterdir()] == ["cache"]


async def test_what_is_not_what_it_was_made_with_is_not_used(env: dict[str, str], there: Registry) -> None:
    there.packages[ANVIL] = packed(USDC)
    line = refused(await run("demo", "--once", env=env))
    assert f"what npm brought as {ANVIL} 1.7.1 is something else" in line
    assert integrity(there.packages[ANVIL]) in line
    assert list(cache(env).iterdir()) == []


@pytest.mark.parametrize("cannot", ["nobody answers", "there is no such package"])
async def test_what_npm_cannot_bring_is_said_in_its_words(
    cannot: str, env: dict[str, str], there: Registry
) -> None:
    if cannot == "nobody answers":
        env["npm_config_registry"] = f"http://127.0.0.1:{free_port()}/"
        env["npm_config_fetch_retry_mintimeout"] = "1"
    else:
        there.packages.clear()
    line = refused(await run("demo", "--once", env=env))
    assert f"npm does not bring {USDC}@1.0.0-orbit-alpha.2: " in line
    assert ("ECONNREFUSED" in line) == (cannot == "nobody answers")
    assert ("404 Not Found" in line) == (cannot != "nobody answers")
    assert list(cache(env).iterdir()) == []


async def test_without_npm_it_says_where_to_get_one(env: dict[str, str], tmp_path: Path) -> None:
    line = refused(await run("demo", "--once", env={**env, "PATH": without_npm(tmp_path / "bin")}))
    assert "with npm, once: install Node.js from 18 on, or LiqPass with its own: pip install" in line


async def test_a_cache_that_cannot_be_written_is_named_with_what_to_set(env: dict[str, str]) -> None:
    cache(env).parent.touch()
    line = refused(await run("demo", "--once", env=env))
    assert f"{cache(env)} cannot be written" in line
    assert "XDG_CACHE_HOME" in line


async def test_one_that_is_told_to_end_while_it_fetches_leaves_no_half_of_it(
    env: dict[str, str], there: Registry
) -> None:
    demo = await start("demo", "--once", env=env)
    await hear(demo.stdout, "  1 of 2: ")
    demo.send_signal(signal.SIGTERM)
    assert (await ended(demo)).status == 128 + signal.SIGTERM
    assert list(cache(env).iterdir()) == []
