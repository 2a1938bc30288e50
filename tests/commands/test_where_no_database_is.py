"""A data folder without a database is not taken for books in which nothing stands."""

from pathlib import Path

import pytest

from tests.commands.forked import liqpass

COMMANDS = [
    ("check",),
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


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_nothing_is_made_there_and_the_error_says_what_to_do(
    env: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = tmp_path / "typo"
    done = await liqpass(*words, env={**env, "DATABASE_URL": "", "LIQPASS_DATA_DIR": str(folder)})
    assert (done.status, done.out) == (1, "")
    assert f"LIQPASS_DATA_DIR: no database is in {folder}: name the folder" in done.err
    assert "set DATABASE_URL; liqpass migrate makes one there" in done.err
    assert not folder.exists()
