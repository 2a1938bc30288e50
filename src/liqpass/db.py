"""PostgreSQL: a pool, one transaction per unit of work, and `@query`, which turns SQL into a typed function.

A slice's `sql.py` holds one function per query, its SQL in sight:

    @query("select user_id, expires_at from sessions where token_hash = $1 and expires_at > $2")
    async def living_session(conn: Connection, token_hash: bytes, now: datetime) -> Session | None: ...

The parameters after `conn` are $1, $2, … in order; the return annotation says what comes out. A test
PREPAREs every query and compares PostgreSQL's columns and types with these annotations.
"""

import asyncio
import functools
import inspect
import itertools
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import asyncpg
import msgspec

from liqpass.at_hand import AtHand
from liqpass.combining import Turns
from liqpass.connecting import LOST, Way, WrongSession, connect, keep_looking, look_around, way_to

Connection = asyncpg.pool.PoolConnectionProxy
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

WAKE_CHANNEL = "liqpass_work"
RETRIES = 5
STREAM_ROWS = 500
MANY = 1_000_000  # more than are ever asked for in one statement

# The one table of what a database says when it does not serve at present: nothing was decided, and who asks
# again later may be lucky. By SQLSTATE, a class where it has two signs.
NOT_SERVING: tuple[type[asyncpg.PostgresError], ...] = (
    asyncpg.PostgresConnectionError,  # 08: the connection broke, or was refused
    asyncpg.ReadOnlySQLTransactionError,  # 25006: a standby, or a disk guard
    asyncpg.IdleInTransactionSessionTimeoutError,  # 25P03
    asyncpg.TransactionTimeoutError,  # 25P04
    asyncpg.InvalidSQLStatementNameError,  # 26000: prepared on another connection of the pooler
    asyncpg.InvalidAuthorizationSpecificationError,  # 28: a password was changed
    asyncpg.InvalidCatalogNameError,  # 3D000: the database was renamed
    asyncpg.DuplicatePreparedStatementError,  # 42P05: as 26000
    asyncpg.InsufficientResourcesError,  # 53: disk full, out of memory, too many connections
    asyncpg.LockNotAvailableError,  # 55P03: lock_timeout
    asyncpg.OperatorInterventionError,  # 57: cancelled, shut down, starting, dropped
    asyncpg.PostgresSystemError,  # 58: its disk does not read or write
)
# Gone, starting, stopping, full: whatever it is, the database gave no answer, and nothing was decided.
DATABASE_AWAY: tuple[type[Exception], ...] = (
    *NOT_SERVING,
    WrongSession,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it was told its end, the connection is there still, and it is asked
    OSError,
    TimeoutError,
)


class Overtaken(Exception):  # noqa: N818, nobody's error
    """One statement saw a row before and after somebody else's change: the work is to be done again."""


TRY_AGAIN: tuple[type[Exception], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    Overtaken,
)
ONE_LEG_ONCE = "one_leg_once"  # the ledger's unique key: somebody posted the same at the same moment


def end_if_told() -> None:
    """For loops that go on after an error of the database. That they were cancelled is forgotten when what it
    interrupts fails as it is undone: a transaction whose connection is gone. Raises CancelledError."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Database:
    """A pool of connections that act as the application's role, which cannot alter what is append-only."""

    def __init__(self, pool: asyncpg.Pool, way: Way, name: str = "liqpass") -> None:
        self.pool, self.way = pool, way
        self.at_hand, self.turns = AtHand(pool), Turns()
        self._waking: asyncio.Task[None] | None = None
        self._wake_again = False
        self._looking = asyncio.create_task(keep_looking(way, name=f"{name}, looking for the leader"))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction: committed at the end of the block, rolled back by any exception."""
        async with self.pool.acquire() as conn, conn.transaction():
            yield conn

    @asynccontextmanager
    async def one_moment(self, *, whole: bool = False) -> AsyncIterator[Connection]:
        """A connection on which all queries see the same moment, and nothing can be written. `whole`: in
        `serve`, too, they may read whole tables (`by_key` of `open_database`)."""
        async with (
            self.pool.acquire() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            if whole:
                await conn.execute("set local enable_seqscan = on")
            yield conn

    async def run(self, work: Callable[[Connection], Awaitable[T]], *, one_statement: bool = False) -> T:
        """`work` in one transaction; the whole of it again when somebody came in between.

        `one_statement`: work sends a single one, which is a transaction by itself; two round trips fewer.
        """
        for attempt in range(RETRIES):
            try:
                if one_statement:
                    return await self.at_hand.use(work)
                async with self.transaction() as conn:
                    return await work(conn)
            except TRY_AGAIN:
                if attempt == RETRIES - 1:
                    raise
            except asyncpg.ReadOnlySQLTransactionError:
                await self.connect_anew()
                if attempt:
                    raise
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name != ONE_LEG_ONCE:
                    raise
                if attempt == RETRIES - 1:
                    raise Overtaken from error
            await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def wake(self) -> None:
        """Tell the workers that there is something to do; many calls in a quarter of a second make one
        message: what it wakes asks nodes, too.

        Only a hint: workers look by themselves every second. So it is sent beside the request, not in it.
        """
        self._wake_again = True
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake())

    async def _wake(self) -> None:
        while self._wake_again:
            self._wake_again = False
            await asyncio.sleep(0.02)
            with suppress(*LOST):
                await self.pool.execute("select pg_notify($1, '')", WAKE_CHANNEL)
            await asyncio.sleep(0.25)

    async def connect_anew(self) -> None:
        """Whoever next asks does so on a new connection: one that could only read stays so, though the
        server that the name leads to has become another one, or may write again."""
        await self.pool.expire_connections()
        await self.at_hand.give_back()

    async def close(self) -> None:
        """Close all connections; those in use are given five seconds."""
        self._looking.cancel()
        await asyncio.wait([self._looking])
        try:
            async with asyncio.timeout(5):
                await self.at_hand.give_back()
                await self.pool.close()
        except (TimeoutError, OSError):
            self.pool.terminate()


async def open_database(url: str, *, name: str, size: int = 10, by_key: bool = False) -> Database:
    """Connect as the application's role. `name` shows in pg_stat_activity. `by_key`: for requests, of which
    each needs a few rows: no table is read from end to end where an index leads to them. A pooler by
    transaction does not keep that. Raises SettingError, WrongSession, and what asyncpg raises.

    The pool's own reset between uses is switched off: nothing here leaves a setting, a cursor or a lock on
    a pooled connection, and it would cost a round trip per request."""
    way = await way_to(url, name=name)
    await look_around(way, name=name)

    async def connected(_no_address: None, **more: Any) -> asyncpg.Connection:
        return await connect(way, name=name, **more)

    pool = await asyncpg.create_pool(
        min_size=1,
        max_size=size,
        init=_looking_up_by_key if by_key and not way.shared else None,
        reset=_keep_as_is,
        connect=typing.cast(Any, connected),  # its stubs know no functions of other arguments
        command_timeout=30,
    )
    return Database(pool, way, name)


async def _looking_up_by_key(conn: asyncpg.Connection) -> None:
    """A statement that is asked again and again keeps its plan, for five minutes; those of a trigger are kept
    with the connection. A plan that was made while a table had a page, when to read all of it was cheapest,
    read all of it for every order until the table was analyzed again. What has no index is read as before,
    only that servers before PostgreSQL 18 take it for so dear that they would compile it (525 ms for 1)."""
    await conn.execute("set enable_seqscan = off; set jit = off")


async def _keep_as_is(_conn: asyncpg.Connection) -> None:
    """What a connection needs between two uses: nothing."""


def one_row(columns: Mapping[str, str]) -> str:
    """A select of one row of these columns (name: PostgreSQL type), which are the parameters $1, $2, …"""
    return "select " + ", ".join(
        f"${n}::{kind} as {name}" for n, (name, kind) in enumerate(columns.items(), 1)
    )


def many_rows(columns: Mapping[str, str]) -> str:
    """A select of many rows of these columns; the parameters are arrays of one length. `place` counts them.

    The inner selects hide from the planner how many there are: else it plans anew at every call. The range,
    which holds for all of them, has it expect one: what belongs to them is then looked up by its key. For
    ten, of a table that was small when the plan was made, it would read the whole table ever after.
    """
    arrays = ", ".join(f"(select ${n}::{kind}[])" for n, kind in enumerate(columns.values(), 1))
    names = ", ".join(columns)
    return f"""
        select * from unnest({arrays}) with ordinality as rows ({names}, place)
        where place between 1 and {MANY}
    """


@dataclass(frozen=True)
class Query:
    """One query as declared: its SQL, parameter types in order, row type, and how many rows come out."""

    name: str
    sql: str
    params: tuple[Any, ...]
    row: Any
    shape: typing.Literal["none", "one", "maybe", "many", "stream"]
    patience_sec: float | None = None


QUERIES: list[Query] = []


def query(sql: str, *, patience_sec: float | None = None) -> Callable[[F], F]:
    """Write the body of the decorated function from its SQL and its annotations. A struct's fields are
    parameters in their order; of a list of structs each field is an array. `patience_sec`: how long an answer
    may take that is made from whole tables; None: as long as any other."""

    def decorate(function: F) -> F:
        declared = replace(_declared(function, sql), patience_sec=patience_sec)
        QUERIES.append(declared)
        return typing.cast(F, functools.wraps(function)(_runner(declared, _spread(_asked(function)))))

    return decorate


def _asked(function: Callable[..., Any]) -> list[Any]:
    """The types of what comes after `conn`."""
    hints = typing.get_type_hints(function)
    return [hints[name] for name in list(inspect.signature(function).parameters)[1:]]


def _declared(function: Callable[..., Any], sql: str) -> Query:
    out = typing.get_type_hints(function)["return"]
    name = f"{function.__module__}.{function.__name__}"
    params = tuple(itertools.chain.from_iterable(map(_columns, _asked(function))))
    if out is types.NoneType:
        return Query(name, sql, params, None, "none")
    if typing.get_origin(out) is list:
        return Query(name, sql, params, typing.get_args(out)[0], "many")
    if typing.get_origin(out) is AsyncIterator:  # of lists, inside a transaction: at most STREAM_ROWS at once
        return Query(name, sql, params, typing.get_args(typing.get_args(out)[0])[0], "stream")
    if isinstance(out, types.UnionType) and types.NoneType in out.__args__:
        (row,) = (a for a in out.__args__ if a is not types.NoneType)
        return Query(name, sql, params, row, "maybe")
    return Query(name, sql, params, out, "one")


def _is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _columns(annotation: Any) -> list[Any]:
    """The parameters that an argument becomes: a struct's fields, of a list of structs an array of each."""
    if _is_struct(annotation):
        return [field.type for field in msgspec.structs.fields(annotation)]
    if typing.get_origin(annotation) is list and _is_struct(of := typing.get_args(annotation)[0]):
        return [list[field.type] for field in msgspec.structs.fields(of)]  # type: ignore[name-defined]
    return [annotation]


def _spread(annotations: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    """Arguments → parameters."""
    if all(_columns(each) == [each] for each in annotations):
        return lambda *args: args
    ways = [_way(each) for each in annotations]
    return lambda *args: [one for way, arg in zip(ways, args, strict=True) for one in way(arg)]


def _way(annotation: Any) -> Callable[[Any], Sequence[Any]]:
    if _is_struct(annotation):
        return msgspec.structs.astuple
    if _columns(annotation) == [annotation]:
        return lambda arg: (arg,)
    return lambda several: [
        list(column) for column in zip(*map(msgspec.structs.astuple, several), strict=True)
    ]


def _runner(declared: Query, spread: Callable[..., Sequence[Any]]) -> Callable[..., Any]:
    sql, patience = declared.sql, declared.patience_sec
    if declared.shape == "none":

        async def execute(conn: Connection, *args: object) -> None:
            await conn.execute(sql, *spread(*args), timeout=patience)

        return execute

    build = _builder(declared.row)
    if declared.shape == "many":

        async def many(conn: Connection, *args: object) -> list[Any]:
            return [build(r) for r in await conn.fetch(sql, *spread(*args), timeout=patience)]

        return many

    if declared.shape == "stream":

        async def stream(conn: Connection, *args: object) -> AsyncIterator[list[Any]]:
            cursor = await conn.cursor(sql, *spread(*args), timeout=patience)
            while records := await cursor.fetch(STREAM_ROWS, timeout=patience):
                yield [build(r) for r in records]

        return stream

    async def one(conn: Connection, *args: object) -> Any:
        record = await conn.fetchrow(sql, *spread(*args), timeout=patience)
        if record is None and declared.shape == "one":
            raise LookupError(f"{declared.name} returned no row")
        return None if record is None else build(record)

    return one


def _builder(row: Any) -> Callable[[asyncpg.Record], Any]:
    """Record → struct by position (a test holds the order), or its only column; an enum becomes a member of
    its StrEnum."""
    if not (isinstance(row, type) and issubclass(row, msgspec.Struct)):
        only = _enum_of(row)
        return lambda record: record[0] if only is None or record[0] is None else only(record[0])
    enums = [(i, e) for i, f in enumerate(msgspec.structs.fields(row)) if (e := _enum_of(f.type)) is not None]
    if not enums:
        return lambda record: row(*record)

    def build(record: asyncpg.Record) -> Any:
        values = list(record)
        for i, enum in enums:
            if values[i] is not None:
                values[i] = enum(values[i])
        return row(*values)

    return build


def _enum_of(annotation: Any) -> type[StrEnum] | None:
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, StrEnum):
            return candidate
    return None
