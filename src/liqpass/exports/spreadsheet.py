"""The books as CSV (RFC 4180, UTF-8) that a spreadsheet opens as it is meant: amounts are decimals, days are
days, hashes are text, and nothing that a person typed is taken for a formula.

Excel takes UTF-8 for the machine's own encoding unless a byte order mark stands before it.
"""

import csv
import io
from collections.abc import Sequence

from liqpass.exports.rows import Row, tags, usdc

COLUMNS = (
    "seq",
    "at_utc",
    "kind",
    "leg",
    "reversal",
    "debit",
    "credit",
    "amount_usdc",
    "order_id",
    "tx_hash",
    "log_index",
    "block_number",
    "counterparty",
    "disbursement_id",
    "reason",
)
MARK = "\ufeff"
# What makes a cell a formula in Excel, LibreOffice or Google Sheets, when a cell begins with it.
FORMULA = tuple("=+-@\t\r|%＝＋－＠")
TIME = "%Y-%m-%d %H:%M:%S"


def header(columns: Sequence[str] = COLUMNS, *, mark: bool) -> str:
    """The line with the columns' names; with the byte order mark before it, or without."""
    return (MARK if mark else "") + cells(columns)


def line(row: Row) -> str:
    """One row. The time is in whole seconds: spreadsheets know no parts of them."""
    known = tags(row)
    return cells(
        (
            known.get("seq", ""),
            f"{row.at:{TIME}}",
            row.kind.value,
            known.get("leg", ""),
            "yes" if row.reversal else "no",
            row.debit.value,
            row.credit.value,
            usdc(row.amount),
            *(
                known.get(name, "")
                for name in ("order", "tx", "log", "block", "counterparty", "disbursement")
            ),
            as_text(str(known.get("reason", ""))),
        )
    )


def as_text(typed: str) -> str:
    """What came from elsewhere, so that no spreadsheet takes it for a formula."""
    return "'" + typed if typed.startswith(FORMULA) else typed


def cells(row: Sequence[object]) -> str:
    """One line of the file."""
    made = io.StringIO()
    csv.writer(made).writerow(row)
    return made.getvalue()
