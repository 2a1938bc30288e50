"""The version before runs on the new schema: while new servers are started one by one, old ones go on.

What that version was is in the history: the commit before the one that brought the newest migration. Its own
tests are run, with its own code, on databases that have the new schema.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
MIGRATIONS = Path("src/liqpass/migrations")
# Every statement of the version before is prepared; orders are made, paid and claimed for.
TOLD_BY = (
    "tests/schema/test_queries.py",
    "tests/flows/test_the_order_loop.py",
    "tests/claims/test_paying.py::test_it_is_batched_paid_and_booked_and_the_claim_follows",
)


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", TOP, *arguments], check=True, capture_output=True).stdout


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The tree of the version before, with the migrations of this one."""
    if not (TOP / ".git").exists():
        pytest.skip("there is no history here (a tarball), and so no version before")
    newest = max((TOP / MIGRATIONS).glob("*.sql"))
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    commit = f"{added[-1]}^" if added else "HEAD"  # it is not committed yet
    unpack = ["tar", "-x", "-C", str(tmp_path)]
    subprocess.run(unpack, input=git("archive", commit), check=True)
    old = set((tmp_path / MIGRATIONS).iterdir())
    assert len(old) < len(list((TOP / MIGRATIONS).glob("*.sql")))
    for migration in (TOP / MIGRATIONS).glob("*.sql"):
        (tmp_path / MIGRATIONS / migration.name).write_bytes(migration.read_bytes())
    (tmp_path / "contracts/node_modules").symlink_to(TOP / "contracts/node_modules")
    return tmp_path


def test_its_statements_and_its_orders_go_through_on_the_new_schema(before: Path, server_url: str) -> None:
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    (its_own,) = (TOP / ".venv/before").glob("lib/python*/site-packages")  # packages that this one has not
    env = {**os.environ, "PYTHONPATH": f"{before / 'src'}:{its_own}", "DATABASE_URL": server_url}
    env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
    where = "import liqpass, pathlib; print(pathlib.Path(liqpass.__file__).parents[2])"
    shown = subprocess.run(
        [sys.executable, "-c", where], cwd=before, env=env, check=True, capture_output=True
    )
    assert shown.stdout.decode().strip() == str(before), "it is the version before that is run"
    command = [sys.executable, "-m", "pytest", *options, *TOLD_BY]
    done = subprocess.run(command, cwd=before, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " skipped" not in done.stdout
