"""docs/backups.md tells how PostgreSQL brings a moment back: its blocks are run as they stand there, but for
folders and time."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from liqpass.postgres_programs import client_programs, give, run_as, system_account

TOP = Path(__file__).parents[2]
ACCOUNT = system_account() if os.geteuid() == 0 else None
WRITTEN = "2026-11-30 04:00:00+00"


@pytest.fixture
def place() -> Iterator[Path]:
    """Not pytest's tmp_path: root's is closed to root's PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="liqpass-tests-") as made:
        give(ACCOUNT, Path(made))
        yield Path(made)


def blocks(kind: str) -> list[str]:
    section = (TOP / "docs/backups.md").read_text(encoding="utf-8").partition("## To the minute")[2]
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


def shell(place: Path, script: str) -> str:
    """As the server's user, in the way of `sh` blocks."""
    bin_dir = client_programs()[-1][1]
    named = script.replace("/var/backups", str(place)).replace("/var/lib/postgresql", str(place))
    exports = f"export PATH={bin_dir}:$PATH PGHOST={place} PGUSER=postgres PGPORT=5432"
    done = run_as(ACCOUNT, place, ["bash", "-euc", f"{exports}\n{named}"])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def sql(place: Path, statement: str) -> str:
    return shell(place, f'psql -XAtqc "{statement}" postgres')


def test_a_moment_between_two_changes_comes_back(place: Path) -> None:
    (settings,) = blocks("conf")
    copying, going_back = blocks("sh")
    how = f"listen_addresses = ''\nunix_socket_directories = '{place}'\nfsync = off\n"
    shell(place, "mkdir wal; initdb -D live -U postgres --auth=trust --no-sync")
    shell(place, f"cat >> live/postgresql.conf << 'END'\n{how}{settings}END")
    shell(place, "pg_ctl -D live -l live.log -w start")
    try:
        sql(place, "create table kept as select 'copied'::text as word")
        shell(place, copying)
        sql(place, "insert into kept values ('archived')")
        moment = sql(place, "select clock_timestamp()")
        sql(place, "insert into kept values ('undone')")
        written = sql(place, "select pg_walfile_name(pg_switch_wal())")
        archived = f"select coalesce(last_archived_wal >= '{written}', false) from pg_stat_archiver"
        while sql(place, archived) != "t":
            pass
    finally:
        shell(place, "pg_ctl -D live -m immediate -w stop")
    assert WRITTEN in going_back
    shell(place, going_back.replace(WRITTEN, moment))
    try:
        while sql(place, "select pg_is_in_recovery()") != "f":
            pass
        assert sql(place, "select word from kept order by 1").split() == ["archived", "copied"]
    finally:
        shell(place, "pg_ctl -D again -m immediate -w stop")
