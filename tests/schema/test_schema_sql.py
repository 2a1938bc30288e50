"""schema.sql is what the migrations make, on whichever server the tests are given."""

import asyncpg
import pytest

from scripts.schema import FILE, ServerTooNewError, dump, told

# What pg_dump 18.4 writes of a table on a server of 17.12.
OF_17_12 = """\
CREATE TABLE public.t (
    id bigint NOT NULL
);


ALTER TABLE ONLY public.t ALTER COLUMN id SET (pg_attver={number});


ALTER TABLE ONLY public.t ALTER COLUMN id SET (n_distinct=9);
"""


async def test_a_database_of_schema_sql_and_one_of_the_migrations_do_not_differ(
    database_url: str, empty_database: str
) -> None:
    await on(empty_database, FILE.read_text(encoding="utf-8"))
    assert dumped(empty_database) == dumped(database_url), "type: make schema"


@pytest.mark.parametrize(
    "change",
    [
        "alter table sessions add check (expires_at > created_at)",
        "alter table sessions alter column created_at set (n_distinct = 9)",
    ],
)
async def test_whatever_a_table_has_more_is_a_difference(database_url: str, change: str) -> None:
    before = dumped(database_url)
    await on(database_url, change)
    assert dumped(database_url) != before


def test_the_numbers_that_a_server_gives_to_columns_are_none() -> None:
    assert told(OF_17_12.format(number=74987176)) == told(OF_17_12.format(number=75000584))
    assert "n_distinct=9" in told(OF_17_12.format(number=74987176))


def test_schema_sql_names_no_owner_no_server_and_no_day() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert not any(
        word in text for word in ("OWNER", "Dumped", "\\restrict", "transaction_timeout", "postgres")
    )


async def on(url: str, statements: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statements)
    finally:
        await conn.close()


def dumped(url: str) -> str:
    try:
        return dump(url)
    except ServerTooNewError:
        pytest.skip("DATABASE_URL's server is newer than every pg_dump here: put its own on PATH")
