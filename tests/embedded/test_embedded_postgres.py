"""One PostgreSQL per data folder: shared, stopped with the last command, back after every kind of accident.

The commands are processes of their own, so that they can be killed.
"""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from liqpass.data_folder import default_data_dir
from liqpass.embedded import embedded_postgres
from liqpass.postgres_programs import EmbeddedPostgresError
from liqpass.settings import SettingError
from tests.embedded.conftest import THROWAWAY, Command, lives, sql, with_cluster


def test_two_commands_share_one_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    first = Command(data_dir)
    pid, url = first.hear()
    second = Command(data_dir)
    assert second.hear() == [pid, url]
    first.end()
    assert lives(int(pid))
    assert sql(url, "SELECT current_database()") == "liqpass"
    second.end()
    assert not lives(int(pid))


def test_commands_that_start_at_once_start_one_server(data_dir: Path) -> None:
    commands = [Command(data_dir) for _ in range(4)]
    assert len({tuple(command.hear()) for command in commands}) == 1
    for command in commands:
        command.end()
    assert not (data_dir / "pg18" / "postmaster.pid").exists()


def test_one_command_may_use_the_server_twice(data_dir: Path) -> None:
    with embedded_postgres(data_dir, options=THROWAWAY) as outer:
        with embedded_postgres(data_dir) as inner:
            assert inner.pid() == outer.pid()
        assert sql(outer.url, "SELECT 1") == 1
    assert outer.pid() is None


def test_a_killed_command_does_not_keep_the_server_from_being_stopped(data_dir: Path) -> None:
    killed, last = Command(data_dir), Command(data_dir)
    pid = int(killed.hear()[0])
    last.hear()
    killed.kill()
    last.end()
    assert not lives(pid)


def test_a_server_whose_only_command_was_killed_is_taken_over_and_stopped(data_dir: Path) -> None:
    killed = Command(data_dir)
    pid, url = killed.hear()
    killed.kill()
    assert lives(int(pid))
    following = Command(data_dir)
    assert following.hear() == [pid, url]
    following.end()
    assert not lives(int(pid))


def test_a_killed_server_comes_back_with_its_data(data_dir: Path) -> None:
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        sql(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = server.pid()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        server.ensure_running()
        assert server.pid() not in {None, killed}
        assert sql(server.url, "SELECT answer FROM kept") == 42


def test_a_backend_that_outlives_its_killed_server_does_not_block_the_next(data_dir: Path) -> None:
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        pid, backend = server.pid(), sql(server.url, "SELECT min(pid) FROM pg_stat_activity")
        assert pid is not None
        os.kill(backend, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        server.ensure_running()
        assert sql(server.url, "SELECT 1") == 1
        assert not lives(backend)


def test_several_commands_that_miss_their_server_start_one(data_dir: Path) -> None:
    commands = [Command(data_dir) for _ in range(3)]
    pids = {int(command.hear()[0]) for command in commands}
    os.kill(pids.pop(), signal.SIGKILL)
    for command in commands:
        command.ask()
    assert len({command.hear()[0] for command in commands}) == 1
    for command in commands:
        command.end()


def test_lock_files_with_the_process_id_of_somebody_else_are_no_obstacle(data_dir: Path) -> None:
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        cluster = server.cluster
    stale = f"{os.getppid()}\n{cluster}\n1700000000\n5432\n{cluster}\n\n  5432001         0\nready   \n"
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (cluster / name).write_text(stale)
    assert server.pid() is None
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        assert sql(server.url, "SELECT 1") == 1


def test_an_interrupted_initdb_is_repaired(folder: Path) -> None:
    data_dir = folder / "data"
    unfinished = data_dir / "pg18.unfinished"
    (unfinished / "base").mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        assert sql(server.url, "SELECT 1") == 1
    assert not unfinished.exists()


@pytest.mark.parametrize("name", ["it's $HOME & 100% 数据", 'a,"b"', "long" * 40])
def test_the_data_folder_may_have_any_name(folder: Path, initialized: Path, name: str) -> None:
    with embedded_postgres(with_cluster(folder / name, initialized), options=THROWAWAY) as server:
        assert sql(server.url, "SELECT current_database()") == "liqpass"
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        psql = [str(server.bin_dir / "psql"), "-XAtc", "SELECT 1", server.url]
        assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "1\n"
    assert server.socket_dir == server.cluster or not server.socket_dir.exists()


def test_somebody_elses_folder_is_not_used_for_the_socket(folder: Path, initialized: Path) -> None:
    data_dir = with_cluster(folder / ("long" * 40), initialized)
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        socket_dir = server.socket_dir
    socket_dir.mkdir(mode=0o755)
    try:
        with pytest.raises(EmbeddedPostgresError, match=str(socket_dir)), embedded_postgres(data_dir):
            pass
    finally:
        socket_dir.rmdir()


def test_it_speaks_utf8_and_utc_whatever_the_users_environment_says(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.GB18030")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGOPTIONS", "-c no_such_setting=1")
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        assert sql(server.url, "SHOW server_encoding") == "UTF8"
        assert sql(server.url, "SHOW timezone") == "UTC"
        assert sql(server.url, "SHOW listen_addresses") == ""


def test_the_server_keeps_what_it_committed_unless_told_otherwise(data_dir: Path) -> None:
    with embedded_postgres(data_dir) as server:
        assert sql(server.url, "SHOW fsync") == "on"
        assert sql(server.url, "SHOW synchronous_commit") == "on"


def test_a_server_that_does_not_start_names_its_log(data_dir: Path) -> None:
    with (
        pytest.raises(EmbeddedPostgresError, match=r"server\.log(.|\n)*shared_buffers"),
        embedded_postgres(data_dir, options={"shared_buffers": "nonsense"}),
    ):
        pass


def test_a_data_folder_that_cannot_be_used_is_named_by_its_setting(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o500)  # to write in for an ordinary user, to pass through for root's PostgreSQL
    with pytest.raises(SettingError, match="LIQPASS_DATA_DIR: "), embedded_postgres(closed / "data"):
        pass
    (folder / "file").write_text("")
    said = "file cannot be used: it is a file, not a folder"
    with pytest.raises(SettingError, match=said), embedded_postgres(folder / "file"):
        pass


def test_nothing_above_the_data_folder_is_changed(data_dir: Path) -> None:
    above = [(it, it.stat().st_mode, it.stat().st_uid) for it in data_dir.parents]
    with embedded_postgres(data_dir, options=THROWAWAY):
        pass
    assert above == [(it, it.stat().st_mode, it.stat().st_uid) for it in data_dir.parents]


def test_the_data_folder_is_where_the_environment_says() -> None:
    assert default_data_dir({"LIQPASS_DATA_DIR": "/srv/liq pass"}) == Path("/srv/liq pass")
    unset = default_data_dir({"XDG_DATA_HOME": "/home/ada/data"})
    assert unset == Path("/var/lib/liqpass" if os.geteuid() == 0 else "/home/ada/data/liqpass")
    relative = default_data_dir({"XDG_DATA_HOME": "not/absolute"})
    assert relative.name == "liqpass"
    assert relative.is_absolute()
