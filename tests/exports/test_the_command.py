"""`liqpass export` as its users run it."""

import asyncio
from pathlib import Path

import pytest

from tests.commands.cli import SPARE_SEC, start
from tests.commands.forked import liqpass
from tests.exports.facts import Books


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_without_a_file_the_export_goes_to_stdout(env: dict[str, str], tmp_path: Path) -> None:
    for form in ("hledger", "csv"):
        shown = await liqpass("export", "--format", form, env=env)
        written = await liqpass("export", "--format", form, "--out", str(tmp_path / form), env=env)
        assert (shown.status, shown.err, written.out) == (0, "", "")
        assert shown.out.encode() == (tmp_path / form).read_bytes()


async def test_parquet_wants_a_file(env: dict[str, str]) -> None:
    done = await liqpass("export", "--format", "parquet", env=env)
    assert (done.status, done.out) == (1, "")
    assert done.err.strip() == "liqpass: Parquet is written into a file: give its name with --out"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2026-07-02", "--to", "2026-07-01"), "--from lies after --to"),
        (("--out", "."), "is no file"),
        (("--out", "nowhere/books"), "--out nowhere/books cannot be written: No such file or directory"),
        (("--out", "/proc/books"), "--out /proc/books cannot be written"),
        (("--from", "2999-01-01"), "--from lies in the future: 2999-01-01"),
    ],
)
async def test_what_cannot_be_is_one_line(
    options: tuple[str, ...], said: str, env: dict[str, str], tmp_path: Path
) -> None:
    done = await liqpass("export", "--format", "csv", *options, env=env)
    assert (done.status, done.out) == (1, "")
    assert said in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "01.07.2026"])
async def test_a_day_that_is_none_is_refused(day: str, env: dict[str, str]) -> None:
    done = await liqpass("export", "--format", "csv", "--from", day, env=env)
    assert done.status == 2
    assert "--from" in done.err


async def test_a_file_is_replaced_by_a_whole_one_or_not_at_all(
    own_books: Books, own_env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "books.csv"
    path.write_text("of last month")
    await own_books.owner.execute("alter table premium_payments rename to away")
    failed = await liqpass("export", "--format", "csv", "--out", str(path), env=own_env)
    assert failed.status != 0
    assert names(tmp_path) == ["books.csv"]
    assert path.read_text() == "of last month"
    await own_books.owner.execute("alter table away rename to premium_payments")
    assert (await liqpass("export", "--format", "csv", "--out", str(path), env=own_env)).status == 0
    assert names(tmp_path) == ["books.csv"]
    assert path.read_text().startswith("seq,")


async def test_a_link_keeps_leading_to_the_file(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "books")
    assert (await liqpass("export", "--format", "csv", "--out", str(tmp_path / "link"), env=env)).status == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "books").read_text().startswith("seq,")


async def test_a_reader_that_has_seen_enough_is_no_error(env: dict[str, str]) -> None:
    process = await start("export", "--format", "hledger", env=env)
    assert process.stdout is not None and process.stderr is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    said = await asyncio.wait_for(process.stderr.read(), SPARE_SEC)
    await asyncio.wait_for(process.wait(), SPARE_SEC)
    assert (process.returncode, said) == (0, b"")


async def test_a_missing_setting_is_named(env: dict[str, str]) -> None:
    without = {name: value for name, value in env.items() if name != "LIQPASS_TREASURY"}
    done = await liqpass("export", "--format", "csv", env=without)
    assert done.status == 1
    assert "LIQPASS_TREASURY" in done.err
