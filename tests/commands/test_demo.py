"""`liqpass demo`: it ends well and leaves nothing, or stays up for others; killed, it leaves nothing."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

import liqpass
from tests.commands.cli import SPARE_SEC, Done, ended, hear, marked, start
from tests.commands.cli import liqpass as run
from tests.conftest import on_server

FIELDS = {
    "api",
    "window",
    "rpc",
    "chainId",
    "usdc",
    "checkout",
    "treasury",
    "okx",
    "okxControl",
    "databaseUrl",
}
CHAPTERS = 19


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(SPARE_SEC * 10):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"in vain: {what}")


async def _databases(url: str) -> set[str]:
    """The demos' own databases on a server."""
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("select datname from pg_database where datname like 'liqpass_demo_%'")
    await conn.close()
    return {row["datname"] for row in rows}


@pytest.fixture
def demo_env(server_url: str, tmp_path: Path) -> dict[str, str]:
    """A mark by which the demo's processes are known, on the tests' server."""
    return {"LIQPASS_TEST": tmp_path.name, "DATABASE_URL": server_url, "TMPDIR": str(tmp_path)}


async def test_one_demo_ends_well_while_another_stays_up_and_neither_leaves_anything(
    demo_env: dict[str, str], server_url: str, tmp_path: Path
) -> None:
    before, state = await _databases(server_url), tmp_path / "state.json"
    staying = await start("demo", "--state", str(state), env=demo_env)
    once = await run("demo", "--once", env=demo_env)
    assert once.status == 0
    assert "The order loop works, end to end" in once.out
    assert f"\n{CHAPTERS}. " in once.out
    assert once.err == ""

    await hear(staying.stdout, "Ctrl-C ends it.")
    await _is_whole(json.loads(state.read_text()))
    staying.terminate()
    assert (await ended(staying)).status == 0
    assert marked(demo_env["LIQPASS_TEST"]) == {}
    assert await _databases(server_url) == before


async def _is_whole(told: dict[str, object]) -> None:
    """Everything that outside tools use is there, and other commands work with its `env`."""
    assert FIELDS | {"wallets", "operatorWallet", "treasuryWallet", "okxKeys", "env"} == set(told)
    wallets, keys, env = told["wallets"], told["okxKeys"], told["env"]
    assert isinstance(wallets, list)
    assert isinstance(keys, list)
    assert isinstance(env, dict)
    assert len(wallets) >= 4
    some = [*wallets, told["operatorWallet"], told["treasuryWallet"]]
    assert all(set(wallet) == {"address", "privateKey"} for wallet in some)
    assert all({"apiKey", "secret", "passphrase", "uid", "perm"} <= set(key) for key in keys)
    assert len({key["uid"] for key in keys if key["perm"] == "read_only"}) >= 4  # two of them for the story
    assert any("trade" in key["perm"] for key in keys)
    check = await run("check", env=env)
    assert check.status == 0, check.out
    verify = await run("contract", "verify", env=env)
    assert verify.status == 0


async def test_a_demo_that_is_told_to_end_amid_the_story_stops_all_that_it_started() -> None:
    with TemporaryDirectory(prefix="liqpass-tests-") as data:
        env = {"LIQPASS_TEST": Path(data).name, "LIQPASS_DATA_DIR": data}
        demo = await start("demo", "--once", env=env)
        await hear(demo.stdout, " 4. ")
        demo.send_signal(signal.SIGTERM)
        assert (await ended(demo)).status == 128 + signal.SIGTERM
        assert marked(env["LIQPASS_TEST"]) == {}
        assert not (Path(data) / "pg18" / "postmaster.pid").exists()


async def test_what_a_killed_demo_has_started_ends_by_itself(
    demo_env: dict[str, str], server_url: str
) -> None:
    before = await _databases(server_url)
    demo = await start("demo", env=demo_env)
    await hear(demo.stdout, " 1. ")
    running = marked(demo_env["LIQPASS_TEST"]).values()
    assert any("anvil" in command for command in running)
    assert {"serve", "work"} <= {word for command in running for word in command.split()}
    demo.kill()
    await demo.wait()
    await _until(lambda: _none_left(demo_env), "nothing of it runs any more")
    for left in await _databases(server_url) - before:  # a later demo would drop it, after ten minutes
        await on_server(server_url, f"drop database {left}")


async def _none_left(env: dict[str, str]) -> bool:
    return marked(env["LIQPASS_TEST"]) == {}


async def test_a_story_that_fails_is_exit_status_1_with_the_commands_last_words(
    demo_env: dict[str, str], server_url: str
) -> None:
    before = await _databases(server_url)
    demo = await start("demo", "--once", env=demo_env)
    await hear(demo.stdout, " 4. ")
    (serve,) = [pid for pid, words in marked(demo_env["LIQPASS_TEST"]).items() if " serve " in words]
    os.kill(serve, signal.SIGKILL)
    done: Done = await ended(demo)
    assert done.status == 1
    assert "The story failed: " in done.out
    assert "--- serve.log" in done.out
    assert "Traceback" not in done.err
    assert marked(demo_env["LIQPASS_TEST"]) == {}
    assert await _databases(server_url) == before


async def test_in_the_repository_it_says_what_to_do_without_the_npm_packages(tmp_path: Path) -> None:
    shutil.copytree(Path(liqpass.__file__).parent, tmp_path / "src" / "liqpass")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "package-lock.json").touch()
    done = await run("demo", "--once", env={"PYTHONPATH": str(tmp_path / "src")})
    assert done.status == 1
    assert done.err.startswith("liqpass: the local chain (anvil) is not installed: `make deps`")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("{}/nowhere/state.json", "is no folder"),
        ("{}", "is a folder: name a file"),
        ("/proc/state.json", "/proc/state.json cannot be written: "),  # not even root may
    ],
)
async def test_a_state_file_that_cannot_be_written_is_refused_before_the_story(
    state: str, why: str, tmp_path: Path
) -> None:
    done = await run("demo", "--state", state.format(tmp_path), env={})
    assert done.status == 1
    assert done.err.startswith("liqpass: --state: ")
    assert why in done.err
    both = await run("demo", "--once", "--state", str(tmp_path / "state.json"), env={})
    assert both.err == "liqpass: --state: is for a demo that stays up: leave it or --once away\n"


async def test_a_role_that_may_make_no_database_is_told_so_in_one_line(
    demo_env: dict[str, str], server_url: str
) -> None:
    await on_server(server_url, "create role may_not_create login")
    parts = urlsplit(server_url)
    its_own = urlunsplit(parts._replace(netloc="may_not_create@" + parts.netloc.rpartition("@")[2]))
    done = await run("demo", "--once", env={**demo_env, "DATABASE_URL": its_own})
    await on_server(server_url, "drop role may_not_create")
    assert done.status == 1
    assert "DATABASE_URL: the demo makes a database of its own, which this role may not" in done.err
    assert "Traceback" not in done.err
