"""What a person typed as a reason can neither break a journal nor become a formula."""

import csv
from pathlib import Path

import pytest

from liqpass.exports.spreadsheet import FORMULA
from liqpass.ledger.book import Entry, Kind
from liqpass.ledger.posting import balances
from tests.exports.checkers import agrees_with_beancount, checked, debits_positive, totals_in_hledger
from tests.exports.facts import FINALIZED, OPENING, Books, block_hash
from tests.exports.node import BalanceNode
from tests.exports.test_journals import exported

NASTY = [
    "=HYPERLINK(\"evil\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r\n=1",
    "|cmd",
    "＝1",
    'quoted "twice" and \\ back \\"',
    "ends with a backslash \\",
    "line\nbreak\n2026-07-01 * \"x\"\n  assets:treasury  1 USDC",
    "; a comment, date:2026-13-45, date2:1 [2026/99/99] {1} @ 5",
    "# * ! a:b:c  two  spaces, type:X",
    "}{ %s $1 \x7f \x1b[31m \u2028 \u202e \ufeff",
    "退款: 重复付款, 客户要求",
    " ",
]  # fmt: skip


@pytest.fixture
async def wanted(empty_books: Books, node: BalanceNode) -> dict[str, int]:
    """Books with a withdrawal for each of these reasons; the totals."""
    await empty_books.open()
    node.balances[block_hash(FINALIZED)] = OPENING
    for number, reason in enumerate(NASTY, 1):
        key = await empty_books.asked(number, "WITHDRAWAL", b"pool", number, reason)
        await empty_books.post(Entry(Kind.WITHDRAWAL, key.bytes, number))
    return debits_positive(await empty_books.db.run(balances))


@pytest.mark.usefixtures("hledger")
async def test_no_reason_breaks_a_journal(
    wanted: dict[str, int], own_env: dict[str, str], tmp_path: Path
) -> None:
    for form in ("hledger", "beancount"):
        await exported(form, tmp_path / form, own_env)
        assert checked(form, tmp_path / form) == (True, "")
    assert totals_in_hledger(tmp_path / "hledger") == wanted
    assert agrees_with_beancount(tmp_path / "beancount", wanted) == (True, "")
    assert (tmp_path / "hledger").read_text().count("reason:") == len(NASTY) - 1  # one is blank


@pytest.mark.usefixtures("wanted")
async def test_no_reason_is_a_formula(own_env: dict[str, str], tmp_path: Path) -> None:
    await exported("csv", tmp_path / "csv", own_env)
    with (tmp_path / "csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, strict=True) if row["kind"] == "WITHDRAWAL"]
    assert len(rows) == len(NASTY)
    assert not [row["reason"] for row in rows if row["reason"].startswith(FORMULA)]
    assert rows[0]["reason"] == "'" + NASTY[0]
    assert rows[8]["reason"] == NASTY[8]
