"""A standby on the same machine that has every commit before it is answered, as one does in a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from liqpass.embedded import EmbeddedPostgres
from liqpass.postgres_programs import EmbeddedPostgresError, give, run_as

NAME = "standby"
HBA = "local all all trust\nlocal replication all trust\n"


@contextmanager
def standby_of(server: EmbeddedPostgres) -> Iterator[None]:
    """Copied from the server, following it; stopped and gone at the end. Nobody waits for it yet."""
    with TemporaryDirectory(prefix="liqpass-bench-standby-") as name:
        data = Path(name, "data")
        give(server.account, Path(name))
        (server.cluster / "pg_hba.conf").write_text(HBA)
        ctl, copy = [str(server.bin_dir / "pg_ctl"), "-D"], str(server.bin_dir / "pg_basebackup")
        started_with = f"-c unix_socket_directories={name} -c cluster_name={NAME}"
        _done(server, *ctl, str(server.cluster), "reload")
        _done(server, copy, "-h", str(server.socket_dir), "-U", "postgres", "-D", str(data), "-c", "fast",
              "-R", "-d", f"application_name={NAME}")  # fmt: skip
        _done(server, *ctl, str(data), "-l", str(data / "server.log"), "-w", "-o", started_with, "start")
        try:
            yield
        finally:
            run_as(server.account, Path("/"), [*ctl, str(data), "-m", "immediate", "stop"])


async def wait_for_it(owner: asyncpg.Connection) -> None:
    """From now on no commit is answered before the standby has it on its disk."""
    await owner.execute(f"alter system set synchronous_standby_names = '{NAME}'")
    await owner.execute("select pg_reload_conf()")
    while not await owner.fetchval("select bool_or(sync_state = 'sync') from pg_stat_replication"):
        await owner.execute("select pg_sleep(0.1)")


def _done(server: EmbeddedPostgres, *command: str) -> None:
    done = run_as(server.account, Path("/"), list(command))
    if done.returncode:
        raise EmbeddedPostgresError(f"{' '.join(command)}: {done.stderr.strip()}")
