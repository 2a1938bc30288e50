"""Data folders with a cluster in them, and commands that use them: processes of their own, to be killed."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from liqpass.embedded import embedded_postgres

THROWAWAY = {"fsync": "off"}


class Command:
    """`command.py`, running; `around` is what starts it."""

    def __init__(self, data_dir: Path, around: Sequence[str] = ()) -> None:
        script = Path(__file__).with_name("command.py")
        command = [*around, sys.executable, str(script), str(data_dir)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def hear(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n").split(" ", 1)

    def ask(self) -> None:
        self.tell("")

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def last_words(self) -> str:
        """The last line that it says when it fails."""
        said = self.process.communicate(timeout=60)[1]
        assert self.process.returncode == 1
        return said.splitlines()[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def initialized() -> Iterator[Path]:
    """A cluster fresh from initdb, to be copied: initdb takes longer than all that is tested here."""
    with temporary_folder() as made:
        with embedded_postgres(made, options=THROWAWAY) as server:
            pass
        yield server.cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as made:
        yield made


@pytest.fixture
def data_dir(folder: Path, initialized: Path) -> Path:
    return with_cluster(folder / "data", initialized)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Not pytest's tmp_path: root's is closed to root's PostgreSQL, and its name is long."""
    with tempfile.TemporaryDirectory(prefix="liqpass-tests-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def with_cluster(data_dir: Path, initialized: Path) -> Path:
    data_dir.mkdir()
    subprocess.run(["cp", "-a", initialized, data_dir / initialized.name], check=True)
    return data_dir


def lives(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a dead process not yet reaped has none
    return False


def sql(url: str, statement: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())
