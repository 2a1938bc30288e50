"""The way to what only reads: a replica of the database where LIQPASS_READ_URL names one, else the primary.

How old a replica's rows are is not asked of its clock, nor of when it last heard something, which is long ago
wherever nobody writes. The primary is asked how far its log is on disk, the replica how far it has replayed
it: a replica that has replayed as much as the primary had at a moment has every change that anybody was told
of by then. So what is said is a bound, of this process's clock alone. The rest of the module is what else a
replica may be: away, behind, another database, promoted, ahead of a primary that lost what it has.

Whoever decides has a `Database`. This one has no transaction that can write, and whoever reads through it
gives a function, which is called again on the primary when the replica does not hold through it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import asyncpg

from liqpass.connecting import POOL_BY_SESSION, Way, connect, way_to
from liqpass.database_url import address_of
from liqpass.db import DATABASE_AWAY, Connection, Database
from liqpass.migrate import MigrationError, migrations_of, pending_migrations
from liqpass.settings import SettingError

T = TypeVar("T")

READ_URL, MAX_AGE = "LIQPASS_READ_URL", "LIQPASS_READ_MAX_AGE_SEC"
USUAL_MAX_AGE_SEC = 30
LOOK_EVERY_SEC = 1.0
ANSWER_SEC = 2.0  # a replica that takes longer to say how far it is, is away; so is a primary, for this
# For so long a page waits until the replica has what the primary has now: then it is as new as the primary.
PATIENCE_SEC = 0.2
COMMANDS_PATIENCE_SEC = 5.0
ASK_AGAIN_SEC = 0.01
MOST = 10
COMMAND_SEC = 30
# All by who acts as the application. A log position is a number of bytes. Which cluster, and which database
# of it: a replica has the same two numbers.
WHICH = """
select (select system_identifier from pg_control_system()),
    (select oid::bigint from pg_database where datname = current_database())
"""
PRIMARY_IS_AT = f"{WHICH}, (pg_current_wal_flush_lsn() - '0/0')::bigint"
REPLICA_IS_AT = f"{WHICH}, pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint"
Tell = Callable[[str], None]


class Unusable(Exception):  # noqa: N818, what is wrong with it
    """The replica may not be read from now, and why."""


class AllTaken(Exception):  # noqa: N818, no fault of the replica
    """Others read there, as many as may at once."""


KEPT_OUT: tuple[type[Exception], ...] = (
    Unusable,
    *DATABASE_AWAY,
    asyncpg.PostgresError,
    SettingError,
    MigrationError,
)


@dataclass(frozen=True)
class ReadSettings:
    """Where a replica is, and how old what is read there may be."""

    url: str
    max_age_sec: int


class Source(NamedTuple):
    """Who answered. `age_sec`: nothing is missing that was there before so many seconds; None: the primary's
    own rows."""

    age_sec: float | None = None


def reads_from_env(env: Mapping[str, str]) -> ReadSettings | None:
    """None where no replica is named. Raises SettingError."""
    age = env.get(MAX_AGE, str(USUAL_MAX_AGE_SEC)).strip()
    if not (age.isascii() and age.isdecimal() and len(age) < 6 and 1 <= int(age) <= 86_400):
        raise SettingError(MAX_AGE, "must be a whole number from 1 to 86400")
    url = env.get(READ_URL, "").strip()
    if not url:
        return None
    try:
        address_of(url, reading=True)
    except SettingError as error:
        raise SettingError(READ_URL, str(error).removeprefix("DATABASE_URL: ")) from None
    return ReadSettings(url, int(age))


class Reads:
    """What may be seconds old is read through this one. Without a replica it is the primary."""

    def __init__(
        self,
        db: Database,
        replica: "Replica | None" = None,
        on_read: Callable[[str], None] = lambda _server: None,
    ) -> None:
        self._db, self.replica, self._on_read = db, replica, on_read

    async def look(
        self, work: Callable[[Connection], Awaitable[T]], *, patience_sec: float = PATIENCE_SEC
    ) -> tuple[T, Source]:
        """What `work` finds in one moment in which nothing can be written, and whose moment it was.

        `work` is called a second time, on the primary, when the replica breaks off, cancels it, or has not
        got what it looks for.
        """
        if self.replica is not None:
            try:
                async with self.replica.moment(patience_sec) as (conn, age_sec):
                    found = await work(conn)
                self._on_read("replica")
                return found, Source(age_sec)
            except Exception as error:  # whatever it is: if it is no fault of the replica, it comes again
                self.replica.failed(error)
        async with self._db.one_moment(whole=True) as conn:
            found = await work(conn)
        self._on_read("primary")
        return found, Source()


class Replica:
    """A pool of connections to a replica, and what is known of it. Nothing is known before a look at it."""

    def __init__(self, of: ReadSettings, db: Database, *, name: str, tell: Tell) -> None:
        self._of, self._db, self._name, self._tell = of, db, f"{name}, reading", tell
        self._pool = asyncpg.create_pool(
            min_size=0,  # it is connected to when it is needed: it may be away
            max_size=MOST,
            reset=_keep_as_is,
            connect=cast(Any, self._connected),
            command_timeout=COMMAND_SEC,
        )
        self._began = time.monotonic()
        self._way: Way | None = None
        self._which: tuple[int, int] | None = None  # the primary, when it was asked last
        # When the primary was how far: both grow.
        self._marks: deque[tuple[float, int]] = deque()
        # When it was looked at last, and the moment up to which it had everything then.
        self._had: tuple[float, float] | None = None
        self._refused: tuple[str, bool] | None = None  # why, and whether everybody may know

    @property
    def why_not(self) -> str | None:
        """Why it is not read from at present; None when it is, or was not looked at yet."""
        return self._refused[0] if self._refused else None

    @property
    def age_sec(self) -> float | None:
        """How old what is read there may be, by the last look; None while it is not read from."""
        return None if self._had is None else self._had[0] - self._had[1]

    def standing(self, *, to_all: bool = False) -> str:
        """In words, behind "The replica is …". `to_all`: without those of a server or of the way to it, which
        name hosts and logins."""
        if self._refused is not None:
            why, harmless = self._refused
            return (
                f"not read from, the primary is: {why if harmless or not to_all else 'it does not let us in'}"
            )
        age = self.age_sec
        return "not looked at yet" if age is None else f"read from, and at most {age:.1f} s old"

    @asynccontextmanager
    async def moment(self, patience_sec: float) -> AsyncIterator[tuple[Connection, float]]:
        """A connection on which all queries see the same moment, and how old that is at most. Raises
        Unusable, and what asyncpg raises."""
        if self._had is None:
            raise Unusable(self.why_not or "it was not looked at yet")
        async with self._connection() as conn:
            had = await self._is_at(conn, patience_sec)
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                yield conn, time.monotonic() - had

    async def look_at_it(self, patience_sec: float = 0) -> None:
        """See whether it may be read from; raises nothing that a database may be the cause of."""
        was_read = self._had is not None
        try:
            async with self._connection() as conn:
                await self._is_at(conn, patience_sec)
        except AllTaken:
            return
        except KEPT_OUT as error:
            self._refuse(error)
            await self._pool.expire_connections()  # of several hosts, another one may do
            return
        self._refused = None
        if not was_read:
            self._tell(f"The replica is {self.standing()}.")

    async def keep_looking(self) -> None:
        """Never returns."""
        while True:
            await self.look_at_it()
            await asyncio.sleep(LOOK_EVERY_SEC)

    def failed(self, error: Exception) -> None:
        """What came of a read. A replica that is away, too old or another one is left alone until a look
        finds it well; one that only cancelled a query, or has not got something, is not."""
        if self._had is None:  # left alone already, or not looked at yet
            return
        if isinstance(error, (Unusable, *DATABASE_AWAY)):
            self._refuse(error)
        elif isinstance(error, asyncpg.PostgresError):
            self._tell(f"The replica broke off, the primary is read: {_words(error)}.")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Nobody waits for what somebody else reads. Raises AllTaken, and what asyncpg raises."""
        if self._pool.get_idle_size() == 0 and self._pool.get_size() == MOST:
            raise AllTaken("all connections to it are in use")
        async with self._pool.acquire(timeout=ANSWER_SEC) as conn:
            yield conn

    async def open(self) -> None:
        """Connects to nothing yet."""
        await self._pool

    async def close(self) -> None:
        """Close its connections; those in use are given two seconds."""
        try:
            await asyncio.wait_for(self._pool.close(), 2)
        except TimeoutError:
            self._pool.terminate()

    def _refuse(self, why: Exception) -> None:
        is_news = self._refused is None
        self._refused, self._had = (_words(why), isinstance(why, (Unusable, MigrationError))), None
        if is_news:
            self._tell(f"The replica is {self.standing()}.")

    async def _connected(self, _no_address: None, **more: Any) -> asyncpg.Connection:
        """Nothing can be written on it, whatever the server is by then."""
        if self._way is None:
            self._way = await way_to(self._of.url, name=self._name, reading=True)
        if self._way.shared:
            raise Unusable(f"its pooler gives each transaction another connection: {POOL_BY_SESSION}")
        conn = await connect(self._way, name=self._name, **more)
        try:
            await conn.execute("set default_transaction_read_only = on")
            await self._refuse_another(conn)
        except BaseException:
            conn.terminate()
            raise
        return conn

    async def _refuse_another(self, conn: asyncpg.Connection) -> None:
        if self._which is None:
            await self._mark_primary()
        ((system, database),) = await conn.fetch(WHICH)
        self._refuse_of((system, database))
        missing = await pending_migrations(conn, migrations_of())
        if missing:
            raise Unusable(f"migrations are missing there ({len(missing)}): it gets them from the primary")

    def _refuse_of(self, which: tuple[int, int]) -> None:
        """Whatever has its name: another database may take it at any time, as a restored one does."""
        if self._which is not None and which != self._which:
            raise Unusable(f"it is no replica of this database: point {READ_URL} at one")

    async def _is_at(self, conn: Connection, patience_sec: float) -> float:
        """The moment up to which it has everything; of the newest look at the primary if it gets that far in
        time. Raises Unusable."""
        began = time.monotonic()
        newest = await self._mark_primary()
        while True:
            at = await self._replayed(conn)
            moment = next((when for when, where in reversed(self._marks) if where <= at), None)
            now = time.monotonic()
            if (newest is not None and at >= newest) or now - began >= patience_sec:
                break
            await asyncio.sleep(ASK_AGAIN_SEC)
        if newest is not None and at > newest:
            ahead_of = await self._mark_primary()
            if ahead_of is not None and at > ahead_of:
                raise Unusable("it has what the primary has not, and does not follow it any more")
        if moment is None or now - moment > self._of.max_age_sec:
            raise Unusable(self._too_old(now))
        self._had = now, moment
        return moment

    def _too_old(self, now: float) -> str:
        if now - self._began < self._of.max_age_sec:
            return "it has not got yet what the primary had when it was looked at first"
        return f"what it has is older than the {self._of.max_age_sec} s of {MAX_AGE}"

    async def _replayed(self, conn: Connection) -> int:
        ((system, database, standby, at),) = await conn.fetch(REPLICA_IS_AT, timeout=ANSWER_SEC)
        self._refuse_of((system, database))
        if not standby or at is None:
            raise Unusable("it is no standby (was it promoted?)")
        return int(at)

    async def _mark_primary(self) -> int | None:
        """How far the primary is, kept with the moment before it was asked; None while it does not say."""
        began = time.monotonic()
        is_a_standby = asyncpg.ObjectNotInPrerequisiteStateError
        with suppress(*DATABASE_AWAY, is_a_standby):
            async with self._db.pool.acquire(timeout=ANSWER_SEC) as primary:
                ((system, database, at),) = await primary.fetch(PRIMARY_IS_AT, timeout=ANSWER_SEC)
            if (system, database) != self._which:
                self._marks.clear()
                self._which = system, database
            self._keep(began, at)
            return int(at)
        return None

    def _keep(self, when: float, at: int) -> None:
        """Where the primary stood still the newest moment counts. One that went back is another one, which
        lost what it has not: the marks of the one before say nothing of it."""
        if self._marks and self._marks[-1][0] > when:
            return
        while self._marks and self._marks[-1][1] >= at:
            self._marks.pop()
        self._marks.append((when, at))
        while self._marks[0][0] < when - self._of.max_age_sec - 1:
            self._marks.popleft()


@asynccontextmanager
async def open_replica(
    of: ReadSettings | None, db: Database, *, name: str, tell: Tell
) -> AsyncIterator[Replica | None]:
    """Not connected to yet: look at it. `tell`: who is read from now on, and why."""
    if of is None:
        yield None
        return
    replica = Replica(of, db, name=name, tell=tell)
    await replica.open()
    try:
        yield replica
    finally:
        await replica.close()


async def _keep_as_is(_conn: asyncpg.Connection) -> None:
    """What a connection needs between two uses: nothing."""


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be reached: {error.strerror}"
    said = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
    return said.replace("DATABASE_URL", READ_URL)
