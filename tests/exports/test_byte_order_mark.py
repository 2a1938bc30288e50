"""A CSV for Excel begins with a byte order mark: where asked for, and by itself where one reads Chinese."""

import csv
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.commands.forked import liqpass
from tests.exports.checkers import ENV
from tests.exports.test_tables import totals

MARK = b"\xef\xbb\xbf"
RULES = """
skip 1
date-format %Y-%m-%d %H:%M:%S
fields seq, date, description, leg, reversal, account1, account2, amount
currency USDC
"""
Env = dict[str, str]


async def written(path: Path, env: Env, *options: str) -> bytes:
    done = await liqpass("export", "--format", "csv", "--out", str(path), *options, env=env)
    assert (done.status, done.out, done.err) == (0, "", ""), done
    return content(path)


def content(path: Path) -> bytes:
    return path.read_bytes()


def balances(path: Path, rules: Path) -> dict[str, int]:
    """What hledger's reader of CSV makes of every account, in micro-USDC, debits positive."""
    command = ["hledger", "-f", str(path), "--rules-file", str(rules), "bal", "-O", "csv", "-N"]
    done = subprocess.run(command, env=ENV, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader(done.stdout.splitlines())
    return {row["account"]: int(Decimal(row["balance"].replace("USDC", "")).scaleb(6)) for row in rows}


@pytest.mark.parametrize(
    ("locale", "options", "marked"),
    [
        ({}, (), False),
        ({}, ("--bom",), True),
        ({"LANG": "zh_CN.UTF-8"}, (), True),
        ({"LANG": "zh_CN.UTF-8"}, ("--no-bom",), False),
        ({"LANG": "zh_TW"}, (), True),
        ({"LC_ALL": "zh_HK.UTF-8", "LANG": "en_US.UTF-8"}, (), True),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, (), False),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, (), True),
        ({"LANG": "de_DE.UTF-8"}, (), False),
    ],
)
async def test_the_mark_is_there_where_it_is_asked_for_or_chinese_is_read(
    env: Env, tmp_path: Path, locale: Env, options: tuple[str, ...], marked: bool
) -> None:
    plain = await written(tmp_path / "plain.csv", env, "--no-bom")
    assert (
        await written(tmp_path / "books.csv", {**env, **locale}, *options)
        == (MARK if marked else b"") + plain
    )


async def test_stdout_has_the_mark_too(env: Env, tmp_path: Path) -> None:
    whole = await written(tmp_path / "books.csv", env, "--bom")
    assert (await liqpass("export", "--format", "csv", "--bom", env=env)).out.encode() == whole


async def test_no_other_format_has_a_mark(env: Env, tmp_path: Path) -> None:
    done = await liqpass("export", "--format", "hledger", "--bom", env=env)
    said = "liqpass: --bom is for --format csv: other formats are UTF-8 by themselves\n"
    assert (done.status, done.out, done.err) == (1, "", said)
    done = await liqpass("export", "--format", "hledger", env={**env, "LANG": "zh_CN.UTF-8"})
    assert done.status == 0
    assert done.out[0] == ";"


async def test_python_reads_the_same_with_the_mark_as_without(env: Env, tmp_path: Path) -> None:
    await written(tmp_path / "with.csv", env, "--bom")
    await written(tmp_path / "without.csv", env, "--no-bom")
    rows = []
    for name in ("with.csv", "without.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8-sig") as file:
            rows.append(list(csv.DictReader(file, strict=True)))
    assert rows[0] == rows[1]
    assert next(iter(rows[0][0])) == "seq"
    assert "提取资本, 取消" in {row["reason"] for row in rows[0]}


@pytest.mark.usefixtures("hledger")
async def test_hledger_reads_it_as_its_own_csv(env: Env, tmp_path: Path) -> None:
    """Its reader of CSV with rules, not the journal: account by account, the mark or not."""
    (tmp_path / "rules").write_text(RULES)
    for name, option in (("with.csv", "--bom"), ("without.csv", "--no-bom")):
        await written(tmp_path / name, env, option)
        with (tmp_path / name).open(newline="", encoding="utf-8-sig") as file:
            wanted = totals(list(csv.DictReader(file)))
        assert balances(tmp_path / name, tmp_path / "rules") == wanted
