"""schema.sql is what the migrations make."""

import asyncpg

from scripts.schema import FILE, dump


async def test_a_database_of_schema_sql_and_one_of_the_migrations_do_not_differ(
    database_url: str, empty_database: str
) -> None:
    conn = await asyncpg.connect(empty_database)
    await conn.execute(FILE.read_text(encoding="utf-8"))
    await conn.close()
    assert dump(empty_database) == dump(database_url), "type: make schema"


async def test_a_constraint_more_is_a_difference(database_url: str) -> None:
    before = dump(database_url)
    conn = await asyncpg.connect(database_url)
    await conn.execute("alter table sessions add check (expires_at > created_at)")
    await conn.close()
    assert dump(database_url) != before


def test_schema_sql_names_no_owner_no_server_and_no_day() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert not any(
        word in text for word in ("OWNER", "Dumped", "\\restrict", "transaction_timeout", "postgres")
    )
