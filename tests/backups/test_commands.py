"""`liqpass backup`, `liqpass restore` and `liqpass restored` as an operator types them."""

import json
import shutil
import stat
from pathlib import Path

import asyncpg
import pytest

from liqpass.backups import manifest, programs
from liqpass.backups.dumping import take
from liqpass.backups.restoring import restore
from liqpass.db import Database
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.trader import Trader
from liqpass.settings import SettingError
from liqpass.treasury.known.sql import unsettled_restoration
from tests.backups.drill import restored_world
from tests.clock import SettableClock
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.conftest import on_server
from tests.flows.newcomers import newcomer, refusal_of
from tests.world import TestWorld

KEY = "k7:" + "QUFB" * 10 + "QUE="


async def typed(*arguments: str, url: str = "", **env: str) -> Done:
    return await liqpass(*arguments, env={"DATABASE_URL": url, **env})


async def backed_up(url: str, folder: Path) -> Path:
    done = await typed("backup", str(folder), url=url)
    assert done.status == 0, done.err
    (made,) = manifest.backups_in(folder)
    assert str(made) in done.out
    return made


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def asked(url: str, statement: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def test_a_backup_is_its_owners_alone_whole_and_verified_and_comes_back_once(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await on_server(database_url, "insert into book_checks values ('a rule', 0, '[]', now())")
    made = await backed_up(database_url, tmp_path / "backups")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (made, *made.iterdir())}
    assert modes == {made.name: 0o700, manifest.DUMP: 0o600, manifest.MANIFEST: 0o600}
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [made.name]
    tried = await typed("restore", str(made), "--verify")
    assert (tried.status, "It holds: " in tried.out) == (0, True), tried
    done = await typed("restore", str(made), url=empty_url)
    assert (done.status, "Next, in this order:" in done.out) == (0, True), done
    assert await asked(empty_url, "select name from book_checks") == "a rule"
    again = await typed("restore", str(made), url=empty_url)
    assert (again.status, again.err.count("\n")) == (1, 2)
    assert "is not empty" in again.err
    assert (await typed("migrate", url=empty_url)).out.startswith("Nothing to do")


async def test_what_is_damaged_is_named_and_nothing_is_restored(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    made = await backed_up(database_url, tmp_path / "backups")
    text = (made / manifest.MANIFEST).read_text()
    newer = json.loads(text)
    newer["contents"]["migrations"].append({**newer["contents"]["migrations"][-1], "number": 99})

    def changed(dump: bytes) -> bytes:
        return dump[:-9] + bytes([dump[-9] ^ 1]) + dump[-8:]

    spoilt = {
        "was changed or damaged": (changed((made / manifest.DUMP).read_bytes()), text),
        "was not copied whole": ((made / manifest.DUMP).read_bytes()[:-1], text),
        "is damaged": (b"", text[: len(text) // 2]),
        "newer version of LiqPass": (b"", json.dumps({**json.loads(text), "format": 2})),
        "has migration 0099": (b"", json.dumps(newer)),
        "LIQPASS_CHAIN_ID is 8453": (
            b"",
            json.dumps(
                {
                    **json.loads(text),
                    "contents": {
                        **json.loads(text)["contents"],
                        "chains": [
                            {"chainId": 1, "finalizedBlock": 1, "finalizedHash": "0x", "latestBlock": 1}
                            | {"readAt": "2026-11-30T00:00:00Z"}
                        ],
                    },
                }
            ),
        ),
    }
    for said, (dump, described) in spoilt.items():
        other = tmp_path / "spoilt"
        shutil.copytree(made, other)
        (other / manifest.DUMP).write_bytes(dump)
        (other / manifest.MANIFEST).write_text(described)
        done = await typed("restore", str(other), url=empty_url, LIQPASS_CHAIN_ID="8453")
        assert (done.status, said in done.err) == (1, True), done
        shutil.rmtree(other)
    done = await typed("restore", str(made.parent), url=empty_url)
    assert "is no backup (No such file or directory: manifest.json)" in done.err
    assert f"The newest in it is {made}" in done.err
    assert (
        await asked(empty_url, "select count(*) from pg_class where relnamespace = 'public'::regnamespace")
        == 0
    )


async def test_the_oldest_go_when_a_new_one_is_there_and_what_was_left_halfway_goes(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    names = []
    (tmp_path / "not a backup").mkdir()
    for _ in range(3):
        clock.advance(seconds=1)
        (tmp_path / f".{manifest.PREFIX}x.unfinished").mkdir()
        taken = await take(database_url, tmp_path, clock(), print, keep=2)
        names.append(taken.path.name)
    assert names_in(tmp_path) == [*names[1:], "not a backup"]
    assert [path.name for path in taken.gone] == names[:1]


async def test_a_clock_that_was_ahead_does_not_cost_the_backup_that_was_just_made(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    """The newest is the one that was made last, whatever the clock said when."""
    clock.advance(days=400)
    ahead = []
    for _ in range(2):
        clock.advance(seconds=1)
        ahead.append((await take(database_url, tmp_path, clock(), print, keep=2)).path)
    clock.advance(days=-400)
    for gone in ahead:
        taken = await take(database_url, tmp_path, clock(), print, keep=2)
        assert (taken.gone, taken.path.is_dir()) == ([gone], True)
        clock.advance(seconds=1)


async def test_what_was_never_migrated_makes_no_backup(empty_url: str, tmp_path: Path) -> None:
    done = await typed("backup", str(tmp_path), url=empty_url)
    assert (done.status, "never migrated" in done.err, names_in(tmp_path)) == (1, True, [])


async def test_a_folder_that_is_none_is_said_to_be_that_and_not_blamed_on_the_database(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for where, why in (("file", "it is a file, not a folder"), ("file/below", "Not a directory")):
        done = await typed("backup", str(tmp_path / where), url=database_url)
        said = f"{tmp_path / where} cannot be used: {why}"
        assert (done.status, said in done.err, "DATABASE_URL" in done.err) == (
            1,
            True,
            False,
        )


async def test_a_folder_that_is_none_is_told_before_any_server_is_started(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "data" / "pg18").mkdir(parents=True)
    done = await liqpass("backup", str(tmp_path / "file"), env={"LIQPASS_DATA_DIR": str(tmp_path / "data")})
    assert (done.status, "it is a file, not a folder" in done.err) == (1, True)
    assert names_in(tmp_path / "data") == ["pg18"]


@pytest.mark.parametrize("verify", [[], ["--verify"]])
async def test_no_database_is_made_for_what_is_no_backup(verify: list[str], tmp_path: Path) -> None:
    done = await typed("restore", str(tmp_path / "typo"), *verify, LIQPASS_DATA_DIR=str(tmp_path / "data"))
    assert (done.status, "is no backup" in done.err, done.err.count("\n")) == (1, True, 1)
    assert names_in(tmp_path) == []


async def test_roles_that_have_rights_are_asked_for_by_name(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    role = f"grafana_{tmp_path.parent.name.replace('-', '_')}"
    await on_server(database_url, f"create role {role}")
    await on_server(database_url, f"grant select on reconciliation_runs to {role}")
    made = await backed_up(database_url, tmp_path)
    await on_server(database_url, f"drop owned by {role}")
    await on_server(database_url, f"drop role {role}")
    done = await typed("restore", str(made), url=empty_url)
    assert (done.status, f"create role {role};" in done.err) == (1, True), done
    await on_server(empty_url, f"create role {role}")
    done = await typed("restore", str(made), url=empty_url)
    assert done.status == 0, done
    assert await asked(empty_url, f"select has_table_privilege('{role}', 'reconciliation_runs', 'select')")
    await on_server(empty_url, f"drop owned by {role}")
    await on_server(empty_url, f"drop role {role}")


def test_no_secret_is_in_a_programs_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS_ENC_KEY", KEY)
    for url in (
        "postgresql://owner:s%40cret@db:5432/liqpass?sslmode=require&connect_timeout=3",
        "postgresql://owner@db:5432/liqpass?password=s%40cret&sslmode=require&connect_timeout=3",
    ):
        where, environment = programs.address(url)
        assert where == "postgresql://owner@db:5432/liqpass?sslmode=require&connect_timeout=3"
        assert environment["PGPASSWORD"] == "s@cret"
        assert "API_KEYS_ENC_KEY" not in environment
    with pytest.raises(SettingError, match="a key without a password"):
        programs.address("postgresql://owner@db/liqpass?sslpassword=x")


async def test_a_backup_of_the_version_before_knows_that_it_was_restored_too(
    empty_url: str, database_url: str, tmp_path: Path, clock: SettableClock, server_url: str
) -> None:
    """What is made before an upgrade is what one goes back to."""
    await migrate(empty_url, migrations_of()[:13])
    made = await take(empty_url, tmp_path, clock(), print)
    await on_server(empty_url, "drop schema public cascade")
    await on_server(empty_url, "create schema public")
    await restore(empty_url, made.path, clock(), print)
    assert await asked(empty_url, "select max(number) from schema_migrations") == 13
    assert [one.number for one in await migrate(empty_url, migrations_of())] == [
        one.number for one in migrations_of()[13:]
    ]
    conn = await asyncpg.connect(empty_url)
    try:
        assert await unsettled_restoration(conn) is not None  # type: ignore[arg-type]
    finally:
        await conn.close()


async def test_what_was_brought_back_otherwise_is_told_by_a_command(
    world: TestWorld, database_url: str, db: Database
) -> None:
    async with newcomer(world) as alice:
        done = await typed("restored", "--as-of", "2026-11-30T04:00:00Z", url=database_url)
        assert done.status == 0, done
        assert await refusal_of(alice.trader, "GET", "/api/auth/me") == (401, "NOT_SIGNED_IN")
        await alice.trader.sign_in()
        account = {"apiAccountId": alice.account}
        assert await alice.refusal("GET", "/api/okx/positions", **account) == (409, "API_ACCOUNT_ON_HOLD")
        assert await alice.trader.add_key(alice.key) == alice.account
        assert await alice.trader.positions(alice.account)
    looked = await typed("check", url=database_url)
    assert "FAIL  restore: the database came back from a backup of 2026-11-30T04:00:00Z" in looked.out
    done = await typed("restored", "--as-of", "2999-11-30", url=database_url)
    assert (done.status, "is in the future" in done.err) == (1, True)


async def test_where_no_key_was_deleted_okx_alone_is_asked(
    world: TestWorld, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    books = world.exchange.books
    async with newcomer(world) as alice, newcomer(world) as bob:
        made = await take(database_url, tmp_path, world.clock(), print)
        assert made.manifest.contents.key_ids == {"k1": 4}
        for key, status, said in (
            ("", 0, "keys: needs k1 in API_KEYS_ENC_KEY, which is not set here"),
            (KEY, 1, "FAIL  keys: k1 is not in API_KEYS_ENC_KEY"),
            (world.of.settings.api_keys_enc_key, 0, "ok    keys: k1"),
        ):
            tried = await typed("restore", str(made.path), "--verify", API_KEYS_ENC_KEY=key)
            assert (tried.status, said in tried.out, "It holds" in tried.out) == (status, True, not status), (
                tried
            )
        books.delete_key(str(bob.key["apiKey"]))
        done = await typed("restore", str(made.path), "--keys-stay", url=empty_url, API_KEYS_ENC_KEY=KEY)
        assert "FAIL  keys: k1 is not in API_KEYS_ENC_KEY: 4 secrets" in done.out, done
        async with restored_world(world, empty_url) as restored:
            await restored.work()
            for who, answer in ((alice, 200), (bob, 409)):
                async with Trader(restored.api, who.trader.wallet) as somebody:
                    await somebody.sign_in()
                    if answer == 200:
                        assert await somebody.positions(who.account)
                    else:
                        query = {"apiAccountId": who.account}
                        refused = await refusal_of(somebody, "GET", "/api/okx/positions", **query)
                        assert refused == (409, "API_ACCOUNT_ON_HOLD")


async def test_what_is_sealed_stays_sealed_in_it(world: TestWorld, database_url: str, tmp_path: Path) -> None:
    async with newcomer(world) as alice:
        made = await take(database_url, tmp_path, world.clock(), print)
        program = programs.folder_for(made.manifest.dumped_by)[1] / "pg_restore"
        told = await programs.run(program, ["--file=-", str(made.path / manifest.DUMP)], {}, print)
        assert alice.account in told
        secrets = [str(alice.key["secret"]), str(alice.key["passphrase"])]
        for hidden in (*secrets, world.of.settings.api_keys_enc_key):
            assert hidden not in told
        assert "COPY public.sessions" not in told, "nor who is signed in"
