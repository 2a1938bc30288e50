"""Machines that lack something: space on the disk, shared memory, a server that can start."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from liqpass.embedded import embedded_postgres
from liqpass.place import keep_running
from liqpass.postgres_programs import SYSTEM_USER
from tests.embedded.conftest import THROWAWAY, Command, sql, with_cluster


def mounting(script: str, *arguments: Path) -> list[str]:
    """What starts a command after the script, whose mounts are seen by nobody else. `$1`, `$2` are the
    arguments. Skips the test where that may not be."""
    mine = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    shell = ["sh", "-ec", f'{script}; shift {len(arguments)}; exec "$@"', "sh"]
    command = ["unshare", *mine, "--mount", *shell, *map(str, arguments)]
    try:
        subprocess.run(["unshare", *mine, "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing may be mounted here (unshare --mount)")
    return command


def test_a_disk_too_small_for_a_database_is_named(folder: Path) -> None:
    small = mounting('mount -t tmpfs -o size=20m,mode=755 none "$1"', folder)
    said = Command(folder / "data", small).last_words()
    assert f"no space is left on the disk of {folder}/data" in said


def test_a_disk_that_is_full_is_named(folder: Path, initialized: Path) -> None:
    filling = (
        'mount -t tmpfs -o size=80m,mode=755 none "$1"; mkdir "$1/data"; cp -a "$2" "$1/data/pg18"; '
        'cat /dev/zero > "$1/filler" 2> /dev/null || true'
    )
    said = Command(folder / "data", mounting(filling, folder, initialized)).last_words()
    assert f"LIQPASS_DATA_DIR: no lock can be had in {folder}/data (No space left on device)" in said


def test_a_server_that_runs_out_of_space_is_the_reason_for_whatever_failed(
    folder: Path, initialized: Path
) -> None:
    room = 'mount -t tmpfs -o size=80m,mode=755 none "$1"; mkdir "$1/data"; cp -a "$2" "$1/data/pg18"'
    command = Command(folder / "data", mounting(room, folder, initialized))
    command.hear()
    command.tell("fill")
    said = command.last_words()
    assert f"no space is left on the disk of {folder}/data" in said


def test_without_shared_memory_the_server_runs_all_the_same(data_dir: Path) -> None:
    command = Command(data_dir, mounting("mount -t tmpfs -o ro none /dev/shm"))
    _, url = command.hear()
    assert sql(url, "SHOW dynamic_shared_memory_type") == "sysv"
    command.end()


async def test_a_server_that_does_not_start_again_is_told_of_once(data_dir: Path) -> None:
    with embedded_postgres(data_dir, options=THROWAWAY) as server, capture_logs() as logs:
        (server.cluster / "PG_VERSION").write_text("17\n")
        os.kill(server.pid() or 0, signal.SIGKILL)
        watch = asyncio.create_task(keep_running(server))
        for _ in range(1_000):
            if server.log.read_text().count("is not compatible with this version") > 2:
                break
            await asyncio.sleep(0.05)
        watch.cancel()
        (server.cluster / "PG_VERSION").write_text("18\n")
        server.ensure_running()
    assert [event(log) for log in logs] == ["embedded_postgres_gone", "embedded_postgres_does_not_start"]
    assert "is not compatible with this version" in logs[1]["why"]


def event(log: MutableMapping[str, Any]) -> Any:
    return log["event"]


def nameless(script: str) -> list[str]:
    """What runs a command, after the script, as a user id that nobody has given a name."""
    hidden = mounting("mount --bind /dev/null /etc/passwd")
    may_read = "--inh-caps=+dac_override --ambient-caps=+dac_override"
    return [*hidden, "sh", "-c", f'{script}; exec setpriv --reuid=54321 {may_read} "$@"', "sh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "unset HOME LIQPASS_DATA_DIR XDG_DATA_HOME",
            "LIQPASS_DATA_DIR: it is not set, and the user",
        ),
        ("export LIQPASS_DATA_DIR=~nobody-at-all/data", "LIQPASS_DATA_DIR: ~nobody-at-all/data has no home"),
        ("export LIQPASS_DATA_DIR=/srv/data", "the user id 54321, which has no entry in /etc/passwd"),
    ],
)
def test_a_user_without_a_name_or_a_home_is_told_in_one_line(script: str, said: str) -> None:
    look = [*nameless(script), sys.executable, "-m", "liqpass", "migrate"]
    bare = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(look, capture_output=True, text=True, check=False, env=bare)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_named_in_chinese_works_where_python_knows_ascii_alone(
    folder: Path, initialized: Path
) -> None:
    plain = [
        "env",
        "LC_ALL=C",
        "PYTHONUTF8=0",
        "PYTHONCOERCECLOCALE=0",
    ]
    command = Command(with_cluster(folder / "数据", initialized), plain)
    assert sql(command.hear()[1], "SELECT 1") == 1
    command.end()


def test_a_clone_where_no_program_may_run_is_said_in_one_line(folder: Path) -> None:
    top = Path(__file__).parents[2]
    copying = 'mount -t tmpfs -o noexec,mode=755 none "$1"; mkdir "$1/scripts"; cp "$2" "$1/scripts"'
    install = [sys.executable, str(folder / "scripts/install.py"), "runtime"]
    command = [*mounting(copying, folder, top / "scripts/install.py"), *install]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = f"LiqPass: no program may run in {folder}, which is mounted noexec: clone it elsewhere\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as a user made for it")
def test_commands_that_begin_at_once_on_a_new_machine_all_find_the_user_that_postgresql_runs_as(
    tmp_path: Path,
) -> None:
    new = 'mount -t tmpfs -o mode=755 none "$1"; cp -a /etc "$1/etc"; mount --bind "$1/etc" /etc'
    without = f"{new}; userdel {SYSTEM_USER} 2> /dev/null || true"
    asking = "from liqpass.postgres_programs import system_account; print(end=system_account().pw_name + ' ')"
    at_once = f'for _ in 1 2 3 4 5 6 7 8; do {sys.executable} -c "{asking}" & done; wait'
    said = subprocess.run(
        [*mounting(without, tmp_path), "sh", "-c", at_once], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [SYSTEM_USER] * 8, said.stderr
