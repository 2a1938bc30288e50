"""What commands read on a replica, and what they say of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from liqpass.backups.manifest import backups_in, read
from liqpass.serving import free_port
from tests.clock import SettableClock
from tests.commands import forked
from tests.commands.cli import ended, hear, start
from tests.commands.test_poolers import ready
from tests.conftest import on_server
from tests.exports.conftest import books_at, settings
from tests.exports.facts import FINALIZED, HELD_ON_CHAIN, block_hash
from tests.exports.node import balance_node
from tests.replicas.conftest import world_reading
from tests.replicas.standby import Standby
from tests.replicas.test_a_replica_is_read import until

NOT_READ = "The replica is not read from, the primary is: "
COMMANDS = (
    ("export", "--format", "hledger"),
    ("export", "--format", "csv", "--table", "claims"),
    ("claims", "list", "--all", "--format", "json"),
    ("reconcile", "verify"),
)


async def test_commands_that_read_say_the_same_from_the_replica(standby: Standby, books_url: str) -> None:
    async with balance_node() as node, books_at(books_url) as books:
        node.balances[block_hash(FINALIZED)] = HELD_ON_CHAIN
        await books.write_all()
        env = settings(node, books_url)
        through = {**env, "LIQPASS_READ_URL": standby.url(books_url)}
        expected = [await forked.liqpass(*command, env=env) for command in COMMANDS]
        for command, wanted in zip(COMMANDS, expected, strict=True):
            done = await forked.liqpass(*command, env=through)
            assert (done.status, done.out) == (0, wanted.out), (command, done.err)
            assert done.err.startswith("The replica is read from, and at most "), done.err
        standby.kill()
        for command, wanted in zip(COMMANDS, expected, strict=True):
            done = await forked.liqpass(*command, env=through)
            assert (done.status, done.out) == (0, wanted.out), (command, done.err)
            assert done.err.startswith(NOT_READ), done.err


async def test_serve_and_check_tell_of_the_replica(
    standby: Standby, books_url: str, clock: SettableClock, tmp_path: Path
) -> None:
    async with world_reading(standby.url(books_url), books_url, clock, tmp_path) as world:
        await world.work()
        env = {**world.env, "DATABASE_URL": books_url, "LIQPASS_READ_URL": standby.url(books_url)}
        checked = await forked.liqpass("check", env=env)
        assert "ok    replica: read from, and at most " in checked.out, checked
        port = free_port()
        serve = await start("serve", "--port", str(port), env=env)
        await hear(serve.stderr, "Ctrl-C")

        async def is_read() -> bool:  # it serves before it has looked there for the first time
            return "read from, and at most " in json.dumps(await ready(port))

        await until(is_read)
        standby.kill()
        heard = await hear(serve.stderr, "not read from")
        assert json.loads(heard.splitlines()[-1])["event"] == "replica"
        serve.terminate()
        assert (await ended(serve)).status == 0
        checked = await forked.liqpass("check", env=env)
        assert "FAIL  replica: not read from, the primary is: " in checked.out


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("LIQPASS_READ_URL", "replica.example", "LIQPASS_READ_URL: is no address such as postgresql://"),
        (
            "LIQPASS_READ_URL",
            "postgresql://u@h/d?target_session_attrs=read-write",
            "LIQPASS_READ_URL: target_session_attrs must be any, standby or read-only",
        ),
        ("LIQPASS_READ_MAX_AGE_SEC", "soon", "LIQPASS_READ_MAX_AGE_SEC: must be a whole number from 1 to"),
    ],
)
async def test_a_setting_that_cannot_be_stops_every_command(
    setting: str, value: str, said: str, books_url: str
) -> None:
    done = await forked.liqpass("claims", "list", env={"DATABASE_URL": books_url, setting: value})
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"liqpass: {said}"), done.err


async def test_a_backup_of_a_standby_is_of_the_moment_that_it_has(
    standby: Standby, books_url: str, tmp_path: Path
) -> None:
    """After a restore batch files are looked for that were written since then, not since it was made."""
    await on_server(books_url, "create table seen (n integer)")
    await standby.has_all_of(books_url)
    await standby.pause()
    paused = datetime.now(UTC)
    await on_server(books_url, "create table not_seen (n integer)")
    done = await forked.liqpass("backup", str(tmp_path), env={"DATABASE_URL": standby.url(books_url)})
    assert (done.status, "This server is a standby" in done.err) == (0, True), done
    (made,) = backups_in(tmp_path)
    assert read(made).made_at <= paused
