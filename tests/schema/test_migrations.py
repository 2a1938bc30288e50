"""The runner of migrations: all or nothing, once, never an edited file."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from liqpass.connecting import APP_ROLE
from liqpass.db import open_database
from liqpass.migrate import COMMITTED, Migration, MigrationError, migrate, migrations_of, pending_migrations
from tests.conftest import in_database, on_server

FIRST = Migration(1, "first", "create table first (id integer primary key)")
SECOND = Migration(2, "second", "create table second (id integer primary key); insert into first values (1)")
BROKEN = Migration(3, "broken", "create table third (id integer primary key); insert into nowhere values (1)")


async def tables(url: str) -> set[str]:
    conn = await asyncpg.connect(url)
    try:
        return {r[0] for r in await conn.fetch("select tablename from pg_tables where schemaname = 'public'")}
    finally:
        await conn.close()


async def test_only_what_is_missing_is_applied_and_repeating_is_harmless(empty_database: str) -> None:
    said: list[str] = []
    assert await migrate(empty_database, [FIRST], said.append) == [FIRST]
    assert await migrate(empty_database, [FIRST, SECOND], said.append) == [SECOND]
    assert await migrate(empty_database, [FIRST, SECOND], said.append) == []
    assert said == ["migration 0001 first", "migration 0002 second"]
    assert await tables(empty_database) == {"schema_migrations", "first", "second"}


async def test_a_failing_file_rolls_back_everything_before_it(empty_database: str) -> None:
    with pytest.raises(MigrationError, match=r"0003_broken\.sql: .*nowhere"):
        await migrate(empty_database, [FIRST, SECOND, BROKEN])
    assert await tables(empty_database) == set()


async def test_words_that_a_file_needs_are_committed_before_it(empty_database: str) -> None:
    color = Migration(1, "color", "create type color as enum ('RED')")
    word = Migration(2, "word", f"{COMMITTED}\nalter type color add value 'BLUE'")
    uses = Migration(3, "uses", "create table painted as select 'BLUE'::color as color")
    await migrate(empty_database, [color])
    with pytest.raises(MigrationError, match=r"0003_broken\.sql"):
        await migrate(empty_database, [color, word, BROKEN])
    assert await migrate(empty_database, [color, word, uses]) == [uses]
    assert await tables(empty_database) == {"schema_migrations", "painted"}


async def test_the_statements_of_a_file_are_sent_one_by_one(empty_database: str) -> None:
    tells = "insert into told (sent) values (current_query())"
    file = f"""
        create table told (place serial, sent text, quoted text default '; it''s; ', "odd;name" text);
        -- a remark; with marks, even one '
        create function tell() returns void language plpgsql as $$ begin {tells}; end $$;
        do $body$ begin perform '$$;'; {tells}; end $body$;
        /* one more; */ {tells};
        select tell()
    """
    await migrate(empty_database, [Migration(1, "tells", file)])
    conn = await asyncpg.connect(empty_database)
    sent = [row["sent"].strip() for row in await conn.fetch("select sent from told order by place")]
    assert sent == [
        f"do $body$ begin perform '$$;'; {tells}; end $body$;",
        f"/* one more; */ {tells};",
        "select tell()",
    ]
    assert await conn.fetchval("select distinct quoted from told") == "; it's; "
    await conn.close()


async def test_a_file_waits_ten_seconds_for_a_lock_and_no_longer(empty_database: str) -> None:
    asks = Migration(1, "asks", "create table limits as select current_setting('lock_timeout') as allowed")
    await migrate(empty_database, [asks])
    conn = await asyncpg.connect(empty_database)
    assert await conn.fetchval("select allowed from limits") == "10s"
    await conn.close()


async def test_an_edited_file_is_refused(empty_database: str) -> None:
    await migrate(empty_database, [FIRST])
    edited = Migration(1, "first", FIRST.sql + " -- nicer")
    with pytest.raises(MigrationError, match=r"0001_first\.sql was edited .* write the change as a new"):
        await migrate(empty_database, [edited, SECOND])
    assert "second" not in await tables(empty_database)


async def test_a_migration_of_a_newer_version_is_refused(empty_database: str) -> None:
    await migrate(empty_database, [FIRST, SECOND])
    with pytest.raises(MigrationError, match="has migration 0002, this version does not: update LiqPass"):
        await migrate(empty_database, [FIRST])


async def test_the_application_sees_what_is_pending(database_url: str, empty_database: str) -> None:
    shipped = migrations_of()
    newer = Migration(len(shipped) + 1, "newer", "select 1")
    for url, pending in ((database_url, [newer]), (empty_database, [*shipped, newer])):
        db = await open_database(url, name="test")
        async with db.transaction() as conn:
            assert await pending_migrations(conn, [*shipped, newer]) == pending
        await db.close()


async def test_ten_that_start_at_once_apply_each_migration_once(empty_database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database, [FIRST, SECOND]) for _ in range(10)))
    assert sorted(map(len, applied)) == [0] * 9 + [2]


@pytest.mark.parametrize("numbers", [("0001", "0003"), ("0001", "0001"), ("0002",), ("0000", "0001")])
def test_gaps_and_repeats_in_the_numbers_are_refused(tmp_path: Path, numbers: tuple[str, ...]) -> None:
    for place, number in enumerate(numbers):
        (tmp_path / f"{number}_file_{place}.sql").write_text("select 1")
    with pytest.raises(MigrationError, match="without gaps or repeats"):
        migrations_of(tmp_path)


@pytest.mark.parametrize("name", ["1_short.sql", "0001-dash.sql", "0001_Capital.sql", "notes.sql"])
def test_a_file_without_a_number_and_a_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=name):
        migrations_of(tmp_path)


def test_line_ends_do_not_make_another_file(tmp_path: Path) -> None:
    (tmp_path / "0001_ends.sql").write_bytes(b"select 1;\nselect 2;\n")
    unix = migrations_of(tmp_path)
    (tmp_path / "0001_ends.sql").write_bytes(b"select 1;\r\nselect 2;\r\n")
    assert migrations_of(tmp_path)[0].sha256 == unix[0].sha256


# Roles: DATABASE_URL need not name a superuser -----------------------------------------------------------


async def owned_by(server: str, role: str, options: str, *names: str) -> list[str]:
    """Databases of a new role; their URLs as that role."""
    await on_server(server, f"create role {role} login password 'test' {options}")
    urls = []
    for name in names:
        await on_server(server, f"create database {name} owner {role}")
        parts = urlsplit(in_database(server, name))
        host = parts.netloc.rpartition("@")[2]
        urls.append(urlunsplit(parts._replace(netloc=f"{role}:test@{host}")))
    return urls


async def acts_as_the_application(url: str) -> bool:
    db = await open_database(url, name="test")
    try:
        async with db.transaction() as conn:
            return bool(await conn.fetchval("select current_user = $1", APP_ROLE))
    finally:
        await db.close()


async def test_an_owner_who_may_make_roles_needs_no_superuser(roleless: str) -> None:
    (url,) = await owned_by(roleless, "test_owner", "createrole createdb", "test_one")
    assert await migrate(url, migrations_of()) == migrations_of()
    assert await migrate(url, migrations_of()) == []
    assert await acts_as_the_application(url)


async def test_databases_of_one_server_that_are_made_at_once_share_the_role(roleless: str) -> None:
    urls = await owned_by(
        roleless, "test_owner", "createrole createdb", *(f"test_db_{number}" for number in range(4))
    )
    made = await asyncio.gather(*(migrate(url, migrations_of()) for url in urls))
    assert made == [migrations_of()] * 4
    assert await acts_as_the_application(urls[0])


async def test_databases_made_at_once_by_who_may_only_grant_the_role_share_it(roleless: str) -> None:
    urls = await owned_by(roleless, "test_owner", "", *(f"test_db_{number}" for number in range(4)))
    await on_server(roleless, f"create role {APP_ROLE} nologin")
    await on_server(roleless, f"grant {APP_ROLE} to test_owner with admin true, set false")
    made = await asyncio.gather(*(migrate(url, migrations_of()) for url in urls))
    assert made == [migrations_of()] * 4
    assert await acts_as_the_application(urls[0])


async def test_two_owners_on_one_server_share_the_role_once_it_is_granted_to_both(roleless: str) -> None:
    (mine,) = await owned_by(roleless, "test_first", "createrole", "test_mine")
    (theirs,) = await owned_by(roleless, "test_second", "createrole", "test_theirs")
    await migrate(mine, migrations_of())
    with pytest.raises(MigrationError, match=f"grant {APP_ROLE} to test_second;"):
        await migrate(theirs, migrations_of())
    await on_server(roleless, f"grant {APP_ROLE} to test_second")
    await migrate(theirs, migrations_of())
    assert await acts_as_the_application(theirs)


async def test_a_plain_owner_is_enough_when_the_role_is_made_and_granted(roleless: str) -> None:
    (url,) = await owned_by(roleless, "test_owner", "", "test_one")
    with pytest.raises(MigrationError) as refused:
        await migrate(url, migrations_of())
    advice = str(refused.value).partition("As a superuser: ")[2]
    assert advice == f"create role {APP_ROLE} nologin; grant {APP_ROLE} to test_owner;"
    assert await tables(url) == set()
    for statement in advice.rstrip(";").split("; "):
        await on_server(roleless, statement)
    assert await migrate(url, migrations_of()) == migrations_of()
    assert await acts_as_the_application(url)


async def test_who_may_not_create_tables_is_told_what_to_type(roleless: str) -> None:
    await owned_by(roleless, "test_owner", "", "test_one")
    await on_server(roleless, f"create role {APP_ROLE} nologin")
    (elsewhere,) = await owned_by(roleless, "test_guest", f"in role {APP_ROLE}", "test_two")
    url = urlunsplit(urlsplit(elsewhere)._replace(path="/test_one"))
    with pytest.raises(MigrationError) as refused:
        await migrate(url, migrations_of())
    assert "alter database test_one owner to test_guest;" in str(refused.value)


async def test_a_version_runs_on_a_newer_schema_that_names_it_and_on_no_other(empty_database: str) -> None:
    """So that servers of the version before go on while new ones are started, and come back if those fail."""
    runs = Migration(3, "named", "-- liqpass: a version that knows 0002 runs on it\ncreate table third ()")
    await migrate(empty_database, [FIRST, SECOND, runs])
    conn = await asyncpg.connect(empty_database)
    try:
        assert await pending_migrations(conn, [FIRST, SECOND]) == []
        with pytest.raises(MigrationError, match="has migration 0002, this version does not: update LiqPass"):
            await pending_migrations(conn, [FIRST])
        await migrate(empty_database, [FIRST, SECOND, runs, Migration(4, "not", "create table fourth ()")])
        with pytest.raises(MigrationError, match="has migration 0004, this version does not: update LiqPass"):
            await pending_migrations(conn, [FIRST, SECOND])
    finally:
        await conn.close()


async def test_what_was_migrated_before_versions_were_named_is_migrated_on(empty_database: str) -> None:
    await migrate(empty_database, [FIRST])
    await on_server(empty_database, "alter table schema_migrations drop column needs")
    conn = await asyncpg.connect(empty_database)
    assert await pending_migrations(conn, [FIRST, SECOND]) == [SECOND]
    await conn.close()
    assert await migrate(empty_database, [FIRST, SECOND]) == [SECOND]
