"""CSV and Parquet: every transfer, exact to the last of six decimals, and nothing that a program could
misread."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from liqpass.hexes import to_hex
from liqpass.ledger.posting import balances
from tests.exports.checkers import debits_positive
from tests.exports.facts import PAYER, RECIPIENT, START, Books, order_id, tx
from tests.exports.test_journals import exported

Rows = list[dict[str, Any]]


async def table(path: Path, env: dict[str, str], *options: str) -> Rows:
    """The CSV, read back by the standard library."""
    await exported("csv", path, env, *options)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def totals(rows: Rows) -> dict[str, int]:
    """By account, debits positive, in micro-USDC."""
    found: Counter[str] = Counter()
    for row in rows:
        micro = int(Decimal(row["amount_usdc"]).scaleb(6))
        found[row["debit"]] += micro
        found[row["credit"]] -= micro
    return {account: total for account, total in found.items() if total}


async def test_the_csv_adds_up_to_the_ledgers_balances_whatever_its_first_day(
    books: Books, env: dict[str, str], tmp_path: Path
) -> None:
    wanted = debits_positive(await books.db.run(balances))
    wanted = {account: total for account, total in wanted.items() if total}
    assert totals(await table(tmp_path / "all.csv", env)) == wanted
    assert totals(await table(tmp_path / "some.csv", env, "--from", "2026-07-10")) == wanted


async def test_the_csv_is_rfc_4180(env: dict[str, str], tmp_path: Path) -> None:
    await exported("csv", tmp_path / "books.csv", env)
    written = (tmp_path / "books.csv").read_bytes()
    lines = written.split(b"\r\n")
    assert lines[-1] == b"" and b"\n" not in b"".join(lines) and not written.startswith(b"\xef\xbb\xbf")
    assert b'"sent ""by hand"", see #7; twice"' in written
    assert "提取资本, 取消" in written.decode("utf-8")


async def test_amounts_are_decimals_and_hashes_are_text(env: dict[str, str], tmp_path: Path) -> None:
    rows = await table(tmp_path / "books.csv", env)
    for row in rows:
        whole, _, decimals = row["amount_usdc"].partition(".")
        assert whole.isdecimal() and decimals.isdecimal() and len(decimals) == 6
        for name, digits in (("order_id", 64), ("tx_hash", 64), ("counterparty", 40)):
            assert row[name] == "" or (row[name].startswith("0x") and len(row[name]) == 2 + digits)
    premium = next(row for row in rows if row["kind"] == "PREMIUM")
    assert premium["amount_usdc"] == "12.345678"
    assert (premium["order_id"], premium["tx_hash"]) == (to_hex(order_id(1)), to_hex(tx(1)))
    assert premium["counterparty"].lower() == to_hex(PAYER)
    assert premium["at_utc"] == f"{START + timedelta(minutes=4):%Y-%m-%d %H:%M:%S}"


async def test_what_left_the_treasury_says_to_whom_and_why(env: dict[str, str], tmp_path: Path) -> None:
    rows = {row["kind"]: row for row in await table(tmp_path / "books.csv", env)}
    for kind in ("REFUND", "REFUND_PAID"):
        assert rows[kind]["reason"] == 'sent "by hand", see #7; twice'
        assert rows[kind]["disbursement_id"] == "00000000-0000-0000-0000-000000000001"
    assert rows["REFUND_PAID"]["counterparty"].lower() == to_hex(RECIPIENT)
    assert rows["PAID_OUT"]["disbursement_id"] == ""


async def test_a_reversal_is_marked_and_swaps_the_accounts(env: dict[str, str], tmp_path: Path) -> None:
    rows = await table(tmp_path / "books.csv", env)
    sides = {True: set(), False: set()}  # type: dict[bool, set[tuple[str, str]]]
    for row in rows:
        if row["kind"] == "HELD":
            sides[row["reversal"] == "yes"].add((row["debit"], row["credit"]))
    assert sides == {False: {("POOL_FREE", "POOL_LOCKED")}, True: {("POOL_LOCKED", "POOL_FREE")}}


async def test_parquet_says_the_same_in_types_of_its_own(env: dict[str, str], tmp_path: Path) -> None:
    rows = await table(tmp_path / "books.csv", env)
    await exported("parquet", tmp_path / "books.parquet", env)
    found = pq.read_table(tmp_path / "books.parquet")
    assert found.schema.field("amount_usdc").type == pa.decimal128(38, 6)
    assert found.schema.field("posted_at").type == pa.timestamp("us", tz="UTC")
    assert found.schema.metadata[b"liqpass.chain_id"] == b"8453"
    typed = found.to_pylist()
    assert [str(row["amount_usdc"]) for row in typed] == [row["amount_usdc"] for row in rows]
    names = ["seq", "kind", "leg", "debit", "credit", "order_id", "tx_hash", "log_index", "block_number"]
    names += ["counterparty", "disbursement_id"]
    for name in names:
        assert ["" if row[name] is None else str(row[name]) for row in typed] == [row[name] for row in rows]
    assert [f"{row['posted_at']:%Y-%m-%d %H:%M:%S}" for row in typed] == [row["at_utc"] for row in rows]
    assert typed[0]["posted_at"] == datetime(2026, 7, 1, 9, 31, tzinfo=UTC)


async def test_parquet_that_begins_later_brings_balances_forward(
    books: Books, env: dict[str, str], tmp_path: Path
) -> None:
    await exported("parquet", tmp_path / "books.parquet", env, "--from", "2026-07-10")
    rows = pq.read_table(tmp_path / "books.parquet").to_pylist()
    assert {row["seq"] for row in rows if row["kind"] == "BROUGHT_FORWARD"} == {None}
    wanted = debits_positive(await books.db.run(balances))
    assert totals(rows) == {account: total for account, total in wanted.items() if total}
