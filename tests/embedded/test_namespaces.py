"""Two containers share a data folder: each sees the other's locks, and none of its processes.

The server of whoever came first goes on unharmed, and the other one is told what to do instead.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from liqpass.embedded import embedded_postgres
from liqpass.postgres_programs import EmbeddedPostgresError
from tests.embedded.conftest import THROWAWAY, Command, sql

REFUSED = r"is in use by processes that cannot be seen from here.* set DATABASE_URL"
OWN_PROC = ["--mount-proc"]
# the command is a child there, so that the namespace outlives it
OUTLIVED = ["sh", "-c", '"$@"; echo gone; exec sleep 600', "sh"]


@pytest.fixture
def elsewhere() -> list[str]:
    """What starts a command where it sees none of our processes, as in a container."""
    return namespace(OWN_PROC)


def namespace(options: Sequence[str]) -> list[str]:
    """Skips the test where no namespaces may be made."""
    mine = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    command = ["unshare", *mine, "--pid", "--ipc", "--mount", "--fork", "--kill-child", *options]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no namespaces may be made here (unshare --pid --mount)")
    return command


def refused(data_dir: Path, around: Sequence[str] = ()) -> None:
    said = Command(data_dir, around).last_words()
    assert re.search(REFUSED, said), said


def test_a_newcomer_from_elsewhere_is_refused_and_what_is_written_stays(
    data_dir: Path, elsewhere: list[str]
) -> None:
    first = Command(data_dir)
    _, url = first.hear()
    sql(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    refused(data_dir, elsewhere)
    refused(data_dir, elsewhere)
    assert sql(url, "SELECT answer FROM kept") == 42
    first.end()
    later = Command(data_dir, elsewhere)
    assert sql(later.hear()[1], "SELECT answer FROM kept") == 42
    later.end()


def test_a_server_in_a_container_is_not_taken_over_from_outside(data_dir: Path, elsewhere: list[str]) -> None:
    """From outside its processes are seen, under other numbers than the container knows."""
    inside = Command(data_dir, elsewhere)
    pid, url = inside.hear()
    sql(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    refused(data_dir)
    assert sql(url, "SELECT answer FROM kept") == 42
    inside.ask()
    assert inside.hear() == [pid]
    inside.end()


def test_a_server_that_outlived_its_command_elsewhere_is_left_alone(
    data_dir: Path, elsewhere: list[str]
) -> None:
    orphaned = Command(data_dir, [*elsewhere, *OUTLIVED])
    _, url = orphaned.hear()
    orphaned.tell("die")
    assert orphaned.hear() == ["gone"]
    refused(data_dir)
    assert sql(url, "SELECT 1") == 1
    orphaned.kill()
    again = Command(data_dir)
    assert sql(again.hear()[1], "SELECT 1") == 1
    again.end()


def test_a_command_elsewhere_whose_server_died_keeps_the_folder(data_dir: Path, elsewhere: list[str]) -> None:
    inside = Command(data_dir, elsewhere)
    inside.hear()
    inside.tell("kill server")
    assert inside.hear() == ["None"]
    refused(data_dir)
    inside.ask()
    assert inside.hear() != ["None"]
    inside.end()


def test_after_a_container_was_killed_the_next_one_recovers_by_itself(
    data_dir: Path, elsewhere: list[str]
) -> None:
    killed = Command(data_dir, elsewhere)
    sql(killed.hear()[1], "CREATE TABLE kept AS SELECT 42 AS answer")
    killed.kill()
    for around in (elsewhere, []):
        following = Command(data_dir, around)
        assert sql(following.hear()[1], "SELECT answer FROM kept") == 42
        following.kill()
    last = Command(data_dir)
    assert sql(last.hear()[1], "SELECT answer FROM kept") == 42
    last.end()


def test_whoever_holds_the_folder_from_another_machine_keeps_it(data_dir: Path) -> None:
    """Over a network file system: a lock that is seen, and in it another machine's mark."""
    holder = Command(data_dir)
    holder.hear()
    mark = data_dir / "in-use.lock"
    boot, space = mark.read_text().split()
    mark.write_text(f"{boot[::-1]} {space}\n")
    with pytest.raises(EmbeddedPostgresError, match=REFUSED), embedded_postgres(data_dir):
        pass
    holder.end()
    with embedded_postgres(data_dir, options=THROWAWAY) as server:
        assert mark.read_text() == f"{boot} {space}\n"
        assert sql(server.url, "SELECT 1") == 1


def test_where_proc_shows_other_processes_than_ours_nothing_is_started(data_dir: Path) -> None:
    said = Command(data_dir, namespace(["--propagation", "private"])).last_words()
    assert "/proc does not show the processes of this namespace" in said
    assert not (data_dir / "pg18" / "postmaster.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as a user that can be hidden")
def test_a_server_that_proc_hides_is_not_left_behind(data_dir: Path, elsewhere: list[str]) -> None:
    """Group 0 sees all of them, and so does who may trace."""
    blind = "setpriv --regid=65534 --clear-groups --bounding-set=-sys_ptrace"
    hiding = f'mount -o remount,hidepid=2 /proc; exec {blind} "$@"'
    said = Command(data_dir, [*elsewhere, "sh", "-c", hiding, "sh"]).last_words()
    assert "hidepid" in said
    assert not (data_dir / "pg18" / "postmaster.pid").exists()
