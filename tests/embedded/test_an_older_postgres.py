"""A data folder of the PostgreSQL before: its database goes on under the new one, and is left as it was."""

import os
import pwd
from pathlib import Path

import pytest

from liqpass.embedded import embedded_postgres
from liqpass.postgres_programs import (
    EmbeddedPostgresError,
    give,
    run_as,
    server_programs,
    system_account,
)
from tests.embedded.conftest import THROWAWAY, sql

BEFORE = 16


def account() -> pwd.struct_passwd | None:
    return system_account() if os.geteuid() == 0 else None


def run_before(folder: Path, program: str, *arguments: str) -> str:
    """A program of the version before, in its cluster's folder."""
    bin_dir = server_programs(folder.parent, BEFORE, account())
    assert bin_dir is not None
    done = run_as(account(), folder, [str(bin_dir / program), *arguments])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def old_cluster(folder: Path, *options: str) -> Path:
    """One with a database `liqpass`, running, as the version before would have made it."""
    cluster = folder / "data" / f"pg{BEFORE}"
    cluster.mkdir(parents=True)
    (folder / "data").chmod(0o711)
    give(account(), cluster)
    how = ["-U", "postgres", "--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", *options]
    run_before(cluster, "initdb", "-D", ".", *how)
    start(cluster)
    said = ["-h", str(cluster), "-U", "postgres", "-qc"]
    run_before(cluster, "psql", *said, "create database liqpass", "postgres")
    run_before(cluster, "psql", *said, "create table kept as select generate_series(1, 1000) as n", "liqpass")
    return cluster


def start(cluster: Path) -> None:
    where = f"-c listen_addresses= -c fsync=off -c unix_socket_directories={cluster}"
    run_before(cluster, "pg_ctl", "-D", ".", "-l", "server.log", "-o", where, "-w", "start")


@pytest.mark.parametrize(
    ("options", "ended"),
    [(["--data-checksums"], "fast"), ([], "immediate")],
    ids=["with checksums, stopped", "without checksums, killed"],
)
def test_its_database_goes_on(folder: Path, options: list[str], ended: str) -> None:
    old = old_cluster(folder, *options)
    run_before(old, "pg_ctl", "-D", ".", "-m", ended, "-w", "stop")
    said: list[str] = []
    with embedded_postgres(old.parent, said.append, options=THROWAWAY) as server:
        assert sql(server.url, "show server_version").startswith("18.")
        assert sql(server.url, "select sum(n) from kept") == 500500
    assert f"{old} is left as it was: delete it once all is well" in said
    again: list[str] = []
    with embedded_postgres(old.parent, again.append, options=THROWAWAY) as server:
        assert sql(server.url, "select count(*) from kept") == 1000
    assert again == ["Starting PostgreSQL 18", "Stopping PostgreSQL"]
    start(old)
    try:
        asked = ["-h", str(old), "-U", "postgres", "-Atc", "select count(*) from kept", "liqpass"]
        assert run_before(old, "psql", *asked) == "1000\n", "whoever goes back finds it"
    finally:
        run_before(old, "pg_ctl", "-D", ".", "-m", "fast", "-w", "stop")


def test_one_whose_programs_are_not_here_is_not_passed_over(folder: Path) -> None:
    cluster = folder / "data" / "pg12"
    cluster.mkdir(parents=True)
    with (
        pytest.raises(
            EmbeddedPostgresError, match="one of PostgreSQL 12, whose programs are not here: install"
        ),
        embedded_postgres(folder / "data", options=THROWAWAY),
    ):
        pass
    assert not (folder / "data" / "pg18").exists(), "an empty database would look like all is lost"
