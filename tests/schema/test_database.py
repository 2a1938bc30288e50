"""What `@query` makes of an answer, and what `Database.run` does when PostgreSQL asks to try again."""

import asyncio
from uuid import UUID

import asyncpg
import msgspec
import pytest

from liqpass.db import RETRIES, Connection, Database, Query, open_database, query
from liqpass.orders.states import OrderStatus
from tests.schema import rows


class Stated(msgspec.Struct, frozen=True):
    """Two columns, one of them an enum."""

    status: OrderStatus | None
    id: UUID


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    """Where the test's own queries go; those of the product stay as they are."""
    queries: list[Query] = []
    monkeypatch.setattr("liqpass.db.QUERIES", queries)
    return queries


async def test_a_declared_function_returns_what_its_annotation_says(
    db: Database, registry: list[Query]
) -> None:
    @query("select $1::order_status where $2")
    async def state(conn: Connection, status: OrderStatus, there: bool) -> OrderStatus | None: ...

    @query("select $1::order_status as status, id from unnest($2::uuid[]) id")
    async def stated(conn: Connection, status: str | None, ids: list[UUID]) -> list[Stated]: ...  # type: ignore[empty-body]

    assert [(q.name.rpartition(".")[2], q.shape, q.row) for q in registry] == [
        ("state", "maybe", OrderStatus),
        ("stated", "many", Stated),
    ]
    async with db.transaction() as conn:
        assert await state(conn, OrderStatus.ACTIVE, False) is None
        assert await state(conn, OrderStatus.ACTIVE, True) is OrderStatus.ACTIVE
        (one,) = await stated(conn, "DRAFT", [UUID(int=1)])
        assert one.status is OrderStatus.DRAFT
        assert await stated(conn, None, [UUID(int=1)]) == [Stated(None, UUID(int=1))]
        assert await stated(conn, None, []) == []


@pytest.mark.usefixtures("registry")
async def test_a_function_that_promises_a_row_and_gets_none_says_so(db: Database) -> None:
    @query("select 1 where false")
    async def promised(conn: Connection) -> int: ...  # type: ignore[empty-body]

    async with db.transaction() as conn:
        with pytest.raises(LookupError, match="promised returned no row"):
            await promised(conn)


async def test_a_transaction_is_committed_at_its_end_and_rolled_back_by_any_exception(db: Database) -> None:
    async with db.transaction() as conn:
        await rows.account(conn)
    with pytest.raises(RuntimeError):
        async with db.transaction() as conn:
            await rows.binding(conn)
            raise RuntimeError
    async with db.transaction() as conn:
        assert await conn.fetchval("select count(*) from api_accounts") == 1
        assert await conn.fetchval("select count(*) from insured_bindings") == 0


RELABEL = "update api_accounts set label = label || $2 where user_id = $1"


async def test_two_transactions_that_lock_in_opposite_order_both_happen(db: Database) -> None:
    async with db.transaction() as conn:
        await rows.account(conn)
        await rows.account(conn, user_id=rows.OTHER_USER)
    both_hold_one = asyncio.Barrier(2)
    attempts = []

    async def relabel(letter: str, first: bytes, second: bytes) -> None:
        async def work(conn: Connection) -> None:
            attempts.append(letter)
            await conn.execute(RELABEL, first, letter)
            if len(attempts) <= 2:
                await both_hold_one.wait()
            await conn.execute(RELABEL, second, letter)

        await db.run(work)

    await asyncio.gather(relabel("a", rows.USER, rows.OTHER_USER), relabel("b", rows.OTHER_USER, rows.USER))
    assert len(attempts) == 3
    async with db.transaction() as conn:
        labels = [r["label"] for r in await conn.fetch("select label from api_accounts")]
    assert [sorted(label) for label in labels] == [["a", "b"]] * 2


async def test_transactions_that_cannot_be_serialized_all_happen_once(database_url: str) -> None:
    db = await open_database(database_url, name="test", size=5)
    async with db.transaction() as conn:
        await rows.account(conn)

    async def work(conn: Connection) -> None:
        await conn.execute("set transaction isolation level serializable")
        label = await conn.fetchval("select label from api_accounts")
        await conn.execute("update api_accounts set label = $1", label + "x")

    await asyncio.gather(*(db.run(work) for _ in range(3)))
    async with db.transaction() as conn:
        assert await conn.fetchval("select label from api_accounts") == "xxx"
    await db.close()


@pytest.mark.parametrize(("code", "attempts"), [("40001", RETRIES), ("40P01", RETRIES), ("23505", 1)])
async def test_only_what_may_succeed_the_next_time_is_tried_again_and_not_for_ever(
    db: Database, code: str, attempts: int
) -> None:
    made = []

    async def work(conn: Connection) -> None:
        made.append(code)
        await conn.execute(f"do $$ begin raise exception 'no' using errcode = '{code}'; end $$")

    with pytest.raises(asyncpg.PostgresError):
        await db.run(work)
    assert len(made) == attempts


async def test_what_is_for_requests_reads_no_whole_table_until_the_whole_is_asked_for(
    database_url: str,
) -> None:
    """Nor does it compile what has no index: servers before PostgreSQL 18 took that for very dear."""
    db = await open_database(database_url, name="test", size=2, by_key=True)

    async def settings(conn: Connection) -> list[str]:
        return [await conn.fetchval(f"show {name}") for name in ("enable_seqscan", "jit")]

    async def each() -> list[list[str]]:
        async with db.pool.acquire() as conn, db.one_moment() as other:
            return [await settings(conn), await settings(other)]

    assert await each() == [["off", "off"]] * 2
    async with db.one_moment(whole=True) as conn:
        assert await settings(conn) == ["on", "off"]
    assert await each() == [["off", "off"]] * 2
    await db.connect_anew()
    assert await each() == [["off", "off"]] * 2
    await db.close()
