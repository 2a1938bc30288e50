"""A database without books is not taken for books in which nothing stands: where LIQPASS_DATA_DIR was
mistyped, where DATABASE_URL was forgotten and the demo was played, where a restore failed."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from structlog.testing import capture_logs

from liqpass.backups.manifest import DUMP
from liqpass.embedded import embedded_postgres
from liqpass.place import database_place, keep_running
from tests.commands.cli import Done
from tests.commands.forked import liqpass

THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
COMMANDS = [
    ("backup", "{backups}"),
    ("check", "--books"),
    ("claims", "list"),
    ("export", "--format", "csv"),
    ("keys", "check"),
    ("keys", "rewrap"),
    ("lift-halt",),
    ("pool", "deposit", "1", "--by", "Ada"),
    ("pool", "limits"),
    ("price", "again", "--all"),
    ("reconcile",),
    ("restored", "--as-of", "2026-11-30T04:00:00Z"),
    ("serve", "--port", "1"),
    ("suspense", "list"),
    ("work",),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    # not pytest's own: root's PostgreSQL runs as another user, who may not enter that
    with TemporaryDirectory(prefix="liqpass-tests-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


@pytest.fixture(scope="module")
def unmigrated() -> Iterator[Path]:
    """What the demo leaves: a server that has nothing in the database of the books."""
    with (
        TemporaryDirectory(prefix="liqpass-tests-") as name,
        embedded_postgres(Path(name), options=THROWAWAY),
    ):
        yield Path(name)


def there_is(path: Path, pattern: str = "") -> bool:
    """Whether it is there; with a pattern, whether such a file is in it."""
    return any(path.glob(pattern)) if pattern else path.exists()


async def tables_in(folder: Path) -> int:
    """How many the database of the books has."""
    with embedded_postgres(folder) as server:
        conn = await asyncpg.connect(server.url)
        try:
            counted: int = await conn.fetchval("select count(*) from pg_tables where schemaname = 'public'")
            return counted
        finally:
            await conn.close()


async def typed(env: dict[str, str], folder: Path, *words: str) -> Done:
    return await liqpass(*words, env={**env, "DATABASE_URL": "", "LIQPASS_DATA_DIR": str(folder)})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_nothing_is_made_where_no_database_is_and_the_error_says_what_to_do(
    env: dict[str, str], folder: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    backups = tmp_path / "backups"
    done = await typed(env, folder, *(word.format(backups=backups) for word in words))
    assert (done.status, done.out) == (1, "")
    assert f"LIQPASS_DATA_DIR: no database is in {folder}: name the folder" in done.err
    assert "set DATABASE_URL; liqpass migrate makes one there" in done.err
    assert not there_is(folder)
    assert not there_is(backups)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_nothing_is_migrated_that_never_was_and_the_error_says_what_to_do(
    env: dict[str, str], unmigrated: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = await typed(env, unmigrated, *(word.format(backups=tmp_path / "backups") for word in words))
    assert (done.status, done.out) == (1, "")
    assert "never migrated" in done.err
    assert not there_is(tmp_path, "**/liqpass-*")
    assert await tables_in(unmigrated) == 0


async def test_a_check_says_it_beside_all_else(env: dict[str, str], folder: Path, unmigrated: Path) -> None:
    for where, said in (
        (folder, f"FAIL  database: LIQPASS_DATA_DIR: no database is in {folder}"),
        (unmigrated, f"FAIL  database: the database in {unmigrated} was never migrated"),
    ):
        done = await typed(env, where, "check")
        assert done.status == 1
        assert said in done.out
        assert "ok    settings" in done.out
        assert "ok    contract" in done.out
    assert not there_is(folder)


def cut(backup: Path) -> Callable[[], int]:
    """A dump that was not copied whole; what copies it again."""
    dump = backup / DUMP
    whole = dump.read_bytes()
    dump.write_bytes(whole[:1000])
    return partial(dump.write_bytes, whole)


async def test_a_look_after_a_restore_that_failed_does_not_stand_in_the_way_of_the_next(
    env: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    taken = await liqpass("backup", str(tmp_path), env=env)
    backup = Path(taken.out.partition(":")[0])
    mend = cut(backup)
    assert (await typed(env, folder, "restore", str(backup))).status == 1
    assert (await typed(env, folder, "claims", "list")).status == 1
    mend()
    assert (await typed(env, folder, "restore", str(backup))).status == 0
    assert (await typed(env, folder, "claims", "list")).status == 0


async def test_a_cluster_that_went_away_under_a_command_is_not_replaced_by_an_empty_one(
    folder: Path,
) -> None:
    with embedded_postgres(folder, options=THROWAWAY):
        pass
    with database_place({"LIQPASS_DATA_DIR": str(folder)}, lambda _: None) as place:
        shutil.move(folder / "pg18", folder / "away")
        with capture_logs() as logs:
            watch = asyncio.create_task(keep_running(place.embedded))
            for _ in range(600):
                if len(logs) == 2:
                    break
                await asyncio.sleep(0.05)
            watch.cancel()
        assert not there_is(folder / "pg18")
        shutil.move(folder / "away", folder / "pg18")
    assert [log["event"] for log in logs] == ["embedded_postgres_gone", "embedded_postgres_does_not_start"]
    assert "no database is in" in logs[1]["why"]
