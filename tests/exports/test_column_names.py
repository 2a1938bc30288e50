"""No column of ours is a word that an SQL engine reserves: it could not be selected without quotes."""

import sqlite3
from collections.abc import Sequence

import pytest

from liqpass.commands import suspense
from liqpass.db import Database
from liqpass.exports import claims, parquet, spreadsheet
from liqpass.reconcile import report
from tests.exports.reserved_words import RESERVED

TABLES = {
    "liqpass export --format parquet": parquet.SCHEMA.names,
    "liqpass export --format csv": spreadsheet.COLUMNS,
    "liqpass export --format parquet --table claims": claims.SCHEMA.names,
    "liqpass export --format csv --table claims": claims.COLUMNS,
    "liqpass reconcile --format csv": report.CSV_COLUMNS,
    "liqpass suspense list --format csv": suspense.CSV_COLUMNS,
}
BARE = [pytest.param(columns, id=command) for command, columns in TABLES.items()]


@pytest.mark.parametrize("engine", RESERVED)
@pytest.mark.parametrize("columns", BARE)
def test_no_column_is_a_reserved_word(columns: Sequence[str], engine: str) -> None:
    assert {name.upper() for name in columns} & RESERVED[engine] == set()


def test_the_lists_hold_what_made_them_necessary() -> None:
    assert {engine for engine, words in RESERVED.items() if "AT" in words} == {"DuckDB", "BigQuery"}
    assert all({"SELECT", "FROM", "ORDER", "GROUP"} <= words for words in RESERVED.values())


@pytest.mark.parametrize("columns", BARE)
def test_sqlite_takes_every_column_bare(columns: Sequence[str]) -> None:
    with sqlite3.connect(":memory:") as db:
        db.execute(f"create table t ({', '.join(columns)})")
        db.execute(f"select {', '.join(columns)} from t where {columns[0]} = 1 order by {columns[-1]}")


@pytest.mark.parametrize("columns", BARE)
async def test_postgresql_takes_every_column_bare(db: Database, columns: Sequence[str]) -> None:
    async with db.transaction() as conn:
        await conn.execute(f"create temp table t ({', '.join(f'{name} text' for name in columns)})")
        await conn.fetch(f"select {', '.join(columns)} from t order by {columns[-1]}")
