"""`liqpass check --books`, and `liqpass migrate` on a database that has books."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from liqpass.embedded import embedded_postgres
from liqpass.migrate import migrate, migrations_of, pending_migrations
from liqpass.reconcile.rules import INVARIANTS
from tests.commands.forked import liqpass
from tests.schema import rows

UNEARNED = "update ledger_accounts set balance = balance + 7 where id = 'EARNED_PREMIUM'"


async def by_hand(url: str, *statements: str) -> None:
    """As a superuser who does not care."""
    conn = await asyncpg.connect(url)
    await conn.execute("set session_replication_role = replica")
    for statement in statements:
        await conn.execute(statement)
    await conn.close()


async def some_orders(url: str, many: int) -> None:
    """Orders that nobody can find: none has its row in order_refs."""
    conn = await asyncpg.connect(url)
    await rows.account(conn)
    await rows.binding(conn)
    await rows.order(conn)
    await rows.event(conn)
    columns = "binding_id, sku, premium_amount, payout_amount, priced_from, event_seq, coverage_delay_sec"
    more = f"""
        insert into purchase_orders (user_id, id, purchase_order_id, status, duration_sec, pay_before,
            chain_id, checkout, created_at, {columns})
        select user_id, gen_random_uuid(), sha256(int4send(n)), 'CANCELLED', duration_sec, pay_before,
            chain_id, checkout, created_at, {columns}
        from purchase_orders, generate_series(2, {many}) n
    """
    await conn.execute(more)
    await conn.close()


@pytest.fixture
async def old_database(empty_database: str) -> AsyncIterator[str]:
    """A database of the version before the ledger."""
    await migrate(empty_database, migrations_of()[:1])
    yield empty_database


async def missing(url: str) -> int:
    """How many migrations a database lacks."""
    conn = await asyncpg.connect(url)
    found = len(await pending_migrations(conn, migrations_of()))
    await conn.close()
    return found


async def test_books_that_are_whole_are_a_line_for_each_rule(env: dict[str, str]) -> None:
    done = await liqpass("check", "--books", env=env)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [f"ok    {invariant.name}" for invariant in INVARIANTS]


async def test_books_that_are_broken_are_exit_status_1_and_say_what_is(env: dict[str, str]) -> None:
    await by_hand(env["DATABASE_URL"], UNEARNED)
    done = await liqpass("check", "--books", env=env)
    assert (done.status, done.err) == (1, "")
    lines = done.out.splitlines()
    assert "FAIL  debits_equal_credits: The balances of all accounts together are not zero. (1)" in lines
    assert "        all accounts: debits exceed credits by -0.000007" in lines
    assert "        EARNED_PREMIUM: the balance is 0.000007, its transfers make 0.00" in lines
    assert len([line for line in lines if line.startswith("ok ")]) == len(INVARIANTS) - 2


async def test_of_many_rows_the_first_are_shown_and_all_are_counted(env: dict[str, str]) -> None:
    await some_orders(env["DATABASE_URL"], 250)
    done = await liqpass("check", "--books", env=env)
    assert done.status == 1
    lines = done.out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("FAIL  orders_have_refs"))
    assert lines[first].endswith("(250)")
    assert all(line.endswith(": has no row in order_refs") for line in lines[first + 1 : first + 6])
    assert lines[first + 6] == "        and 245 more"


async def test_the_books_of_a_database_that_was_never_migrated_cannot_be_asked(
    env: dict[str, str], empty_database: str
) -> None:
    done = await liqpass("check", "--books", env={"DATABASE_URL": empty_database})
    assert (done.status, done.out) == (1, "")
    assert done.err == "liqpass: the database was never migrated: run liqpass migrate first\n"


async def test_an_older_database_is_asked_what_it_has_tables_for(
    env: dict[str, str], old_database: str
) -> None:
    done = await liqpass("check", "--books", env={"DATABASE_URL": old_database})
    assert done.status == 0
    asked = [f"ok    {invariant.name}" for invariant in INVARIANTS if invariant.since == 1]
    assert done.out.splitlines() == asked
    assert await missing(old_database) == len(migrations_of()) - 1


async def test_broken_books_are_not_migrated_unless_one_insists(
    env: dict[str, str], old_database: str
) -> None:
    await some_orders(old_database, 1)
    refused = await liqpass("migrate", env={"DATABASE_URL": old_database})
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines()[-1] == (
        "liqpass: nothing was migrated, the books are broken: "
        "orders_have_refs (1), one_cover_per_position (1), bindings_follow_orders (1). "
        "liqpass check --books shows it; liqpass migrate --anyway goes on all the same"
    )
    assert await missing(old_database) == len(migrations_of()) - 1
    done = await liqpass("migrate", "--anyway", env={"DATABASE_URL": old_database})
    assert done.status == 1
    assert done.out.startswith(f"{len(migrations_of()) - 1} migrations applied: the schema is up to date.\n")
    assert "FAIL  orders_have_refs: " in done.out
    assert done.err.endswith(
        "liqpass: the books are broken after it: liqpass check --books shows all of it\n"
    )
    assert await missing(old_database) == 0


async def test_where_nothing_is_missing_the_books_are_not_asked(env: dict[str, str]) -> None:
    await by_hand(env["DATABASE_URL"], UNEARNED)
    done = await liqpass("migrate", env={"DATABASE_URL": env["DATABASE_URL"]})
    assert (done.status, done.out) == (0, "Nothing to do: the schema is up to date.\n")


async def test_books_that_are_whole_are_migrated(old_database: str) -> None:
    done = await liqpass("migrate", env={"DATABASE_URL": old_database})
    assert done.status == 0
    assert "checking the books before they are migrated" in done.err


async def test_the_embedded_database_is_not_migrated_by_itself_either_when_its_books_are_broken() -> None:
    with TemporaryDirectory(prefix="liqpass-tests-") as data:
        with embedded_postgres(Path(data), options={"fsync": "off"}) as server:
            await migrate(server.url, migrations_of()[:1])
            await some_orders(server.url, 1)
        done = await liqpass("check", env={"LIQPASS_DATA_DIR": data})
        assert done.status == 1
        said = "FAIL  database: nothing was migrated, the books are broken: orders_have_refs (1)"
        assert said in done.out
