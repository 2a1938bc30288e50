"""A connection to PostgreSQL as everything here needs it: who acts on it and with which settings, checked
on itself.

What stands in a start parameter is in force before the first statement, and outdoes what is set for a role,
for a database, or in the address. But poolers drop start parameters or refuse them; then the same is set on
the session, unless the pooler gives the session to others, too: then it has to be right by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import asyncpg

from liqpass.database_url import Address, address_of
from liqpass.hanging_up import HangsUp
from liqpass.leading import ANSWER_SEC, LOOKS_AROUND, LOOKS_SEC, Host, Leading, NoLeader
from liqpass.settings import SettingError

APP_ROLE = "liqpass_app"
WAIT_SEC = 10.0  # for one host: with asyncpg's own minute, an outage of the server would outlast itself here
# A machine that vanished is noticed within seconds, and what it had locked is free again. (Unix sockets
# need no keepalives and pass over them; behind a pooler they are the pooler's.)
KEEPALIVES = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "2s",
}
# As the server shows them. Our schema is public; text is read as UTC and ISO; how long is too long is said
# by us, for each statement.
SESSION = {
    "search_path": "public",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "15s",
}
# The same, but not sent at the start: older servers do not know all of them, and of synchronous_commit only
# "off" is wrong, under which the server says that it has kept what a power cut then takes away.
SYNCHRONOUS_COMMIT = "synchronous_commit"
WANTED = {**SESSION, "idle_session_timeout": "0", "transaction_timeout": "0", SYNCHRONOUS_COMMIT: "on"}
LOOK = """
select current_user::text, session_user::text,
    array(select current_setting(name, true) from unnest($1::text[]) with ordinality of (name, n) order by n),
    current_setting('transaction_read_only') = 'on', pg_is_in_recovery()
"""
OWN_PID = "select pg_backend_pid()"
PARAMETERS_REFUSED = (asyncpg.ProtocolViolationError, asyncpg.FeatureNotSupportedError)
TRIES = 5
POOLERS = 8  # so many may share a port
SOON_SEC = 1.0
SHARING = "the pooler that DATABASE_URL leads to gives each transaction another connection"
NONE_FREE = (
    f"no connection became free within {WAIT_SEC:.0f} s: if DATABASE_URL leads to a pooler, its pool is "
    "full, let it be larger (PgBouncer: default_pool_size); else the server is too busy to answer"
)
POOL_BY_SESSION = "let it pool by session (PgBouncer: pool_mode = session)"


class WrongSession(Exception):  # noqa: N818, what is wrong with it
    """A connection on which nothing may be done: what is wrong with it, and the setting that cures it."""


# All that comes of a database that is lost, refuses, or is not as it has to be (TimeoutError is an OSError).
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, WrongSession)


@dataclass(frozen=True)
class Way:
    """How to get to a database, and what was found on it."""

    address: Address
    bare: bool = False
    """The pooler refuses start parameters."""
    shared: bool = False
    """The pooler gives each transaction another connection: nothing outlasts a transaction."""
    leading: Leading = field(default_factory=Leading, compare=False, repr=False)


class Session(NamedTuple):
    """What a connection says of itself."""

    user: str
    login: str
    wrong: dict[str, str]
    """Settings that are not as WANTED, as they are."""
    read_only: bool
    standby: bool

    def acts_as(self, role: str | None) -> bool:
        return self.user == (role or self.login)


async def way_to(url: str, *, name: str, reading: bool = False) -> Way:
    """Look how connections to this database behave. `reading`: it may be a standby. Raises SettingError,
    WrongSession, and what asyncpg raises.

    A pooler shows by the process that a connection is said to be with, which is another one than the
    server's. That it pools by transaction shows when the server's process changes, or serves two of us."""
    way = Way(address_of(url, reading=reading))
    opened = partial(_opened, name=name, role=None, statement_cache_size=0, command_timeout=WAIT_SEC)
    try:
        one = await opened(way)
    except PARAMETERS_REFUSED:
        way = Way(way.address, bare=True)
        one = await opened(way)
    try:
        if one.get_server_pid() == await _pid(one):
            return way
        more: list[asyncpg.Connection] = []
        try:
            sharing = await _sharing(one, more, partial(opened, way))
            if sharing and not await _keeps_statements(*sharing):
                raise WrongSession(
                    f"{SHARING} and does not keep prepared statements: {POOL_BY_SESSION}, or switch them on "
                    "(PgBouncer 1.21 and newer: max_prepared_statements = 500)"
                )
            return Way(way.address, way.bare, sharing is not None)
        finally:
            for other in more:
                await _left(other)
    except asyncpg.PostgresConnectionError as error:
        if "statement pooling" not in str(error):
            raise
        raise WrongSession(
            f"the pooler that DATABASE_URL leads to allows no transactions: {POOL_BY_SESSION}"
        ) from None
    except TimeoutError:
        raise WrongSession(NONE_FREE) from None
    finally:
        await _left(one)


async def _left(conn: asyncpg.Connection) -> None:
    """Tidily: a server notes who just hangs up."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await conn.close(timeout=2)


async def _pid(conn: asyncpg.Connection) -> int:
    async with conn.transaction():
        return int(await conn.fetchval(OWN_PID))


async def _sharing(
    one: asyncpg.Connection,
    more: list[asyncpg.Connection],
    opened: Callable[[], Awaitable[asyncpg.Connection]],
) -> tuple[asyncpg.Connection, asyncpg.Connection] | None:
    """Two of our connections that one process of the server may serve in turn; None where each has its own.
    Those that it takes to see that are in `more`.

    A pooler that deals its processes out in turn, or is busy, shows by asking twice. One that prefers the
    last used has it serve the next of our connections, too; and where several poolers share a port, each of
    which has processes of its own, so many of our connections meet one of them twice."""
    serves: dict[int, asyncpg.Connection] = {}
    asked = one
    while True:
        try:
            mine = await asyncio.wait_for(_pid(asked), WAIT_SEC if len(more) < 2 else SOON_SEC)
        except TimeoutError:
            if len(more) < 2:
                raise
            asked.terminate()  # a small pool, of which we have all: each of ours keeps what it was given
            return None
        if mine in serves:
            return serves[mine], asked
        changes = await _pid(asked) != mine
        serves[mine] = asked
        if not changes and len(more) == POOLERS:
            return None
        more.append(await opened())
        if changes:
            return asked, more[-1]
        asked = more[-1]


async def _keeps_statements(one: asyncpg.Connection, two: asyncpg.Connection) -> bool:
    """Whether a statement that was prepared with one process of the server runs with another."""
    try:
        async with one.transaction():
            mine = await one.fetchval(OWN_PID)
            prepared = await one.prepare(OWN_PID, name=f"liqpass_{one.get_server_pid():x}")
        for _ in range(TRIES):
            async with two.transaction():
                await two.fetchval(OWN_PID)  # takes the process that is free, and keeps it from the other
                if await prepared.fetchval() != mine:
                    return True
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        pass
    return False


async def connect(way: Way, *, name: str, role: str | None = APP_ROLE, **more: Any) -> asyncpg.Connection:
    """A connection that acts as `role` (None: as whoever logged in), with the settings of SESSION, and to no
    former leader. `name` shows in pg_stat_activity; `more` are arguments of asyncpg.connect. Raises
    WrongSession, and what asyncpg raises."""

    async def made_right(conn: asyncpg.Connection) -> None:
        await way.leading.take(conn)
        await _set_right(conn, way, role)

    return await _opened(way, name, role, made_right, **more)


async def _set_right(conn: asyncpg.Connection, way: Way, role: str | None) -> None:
    seen = await look(conn)
    if not way.shared and trouble(seen, role):
        settings = [*(f"set {name} = '{WANTED[name]}'" for name in seen.wrong), f"set role {role or 'none'}"]
        await conn.execute("; ".join(settings))
        seen = await look(conn)
    if said := trouble(seen, role):
        raise WrongSession(f"{said}: {_cure(seen, role)}")


async def connect_as_owner(url: str, *, name: str) -> asyncpg.Connection:
    """A connection that acts as the role of DATABASE_URL. Raises SettingError, WrongSession, and what asyncpg
    raises."""
    way = await way_to(url, name=name)
    refuse_shared(way, name)
    return await connect(way, name=name, role=None)


def refuse_shared(way: Way, name: str) -> None:
    """`name`: of a command that a pooler by transaction cannot serve. A lock that is taken on a connection
    which serves others, too, stays there when its worker is gone; what the owner sets for a migration, with
    whoever comes next. Raises SettingError."""
    if way.shared:
        raise SettingError(
            "DATABASE_URL",
            f"{SHARING}, and {name} needs some of its own: {POOL_BY_SESSION}, or lead {name} past the pooler",
        )


async def look(conn: Any) -> Session:
    """What the connection says of itself now."""
    user, login, found, read_only, standby = await conn.fetchrow(LOOK, list(WANTED))
    wrong = {
        name: is_
        for name, is_ in zip(WANTED, found, strict=True)
        if is_ is not None and (is_ == "off" if name == SYNCHRONOUS_COMMIT else is_ != WANTED[name])
    }
    return Session(user, login, wrong, read_only, standby)


def trouble(seen: Session, role: str | None = APP_ROLE) -> str | None:
    """Why nothing may be done on such a connection; None when all is as it must be."""
    said = [] if seen.acts_as(role) else [f"acts as {seen.user} instead of {role or seen.login}"]
    said += [f"{name} is {is_!r} instead of {WANTED[name]!r}" for name, is_ in seen.wrong.items()]
    return f"a connection to the database {', '.join(said)}" if said else None


def read_only(seen: Session) -> str | None:
    """Why nothing can be written at present; None when it can."""
    if not seen.read_only:
        return None
    if seen.standby:
        return "read-only: this server is a standby, point DATABASE_URL at the primary"
    return "read-only: default_transaction_read_only is on, look why (a disk that is full?)"


def _cure(seen: Session, role: str | None) -> str:
    names = [*(() if seen.acts_as(role) else (f"role = {role or 'none'}",))]
    names += [f"{name} = '{WANTED[name]}'" for name in seen.wrong]
    by_hand = "; ".join(f'alter role "{seen.login}" set {setting}' for setting in names)
    return f"{POOL_BY_SESSION}, or as a superuser, for a login that nobody else uses: {by_hand}"


async def keep_looking(way: Way, *, name: str) -> None:
    """Look, again and again, whether the leader answers, and now and then whether another server has become
    it: the former one may stand still and never say so, or answer as if nothing had happened. `connect` ends
    what leads to it. Ends by being cancelled."""
    conn: asyncpg.Connection | None = None
    try:
        for looked in count(1):
            await asyncio.sleep(LOOKS_SEC)
            if looked % LOOKS_AROUND == 0:
                await look_around(way, name=name)
            try:
                if conn is None:
                    conn = await connect(way, name=name, command_timeout=ANSWER_SEC)
                await conn.execute("select 1")
            except LOST:
                if conn is not None:
                    conn.terminate()
                conn = None
    finally:
        if conn is not None:
            conn.terminate()


async def look_around(way: Way, *, name: str) -> None:
    """Ask each of several hosts which timeline it is of: from then on none but the newest is used."""

    async def ask(host: Host) -> None:
        with suppress(*LOST):
            conn = await _opener(way, name, None, command_timeout=ANSWER_SEC)(host)
            with suppress(*LOST):
                await way.leading.take(conn)
            conn.terminate()

    if len(way.address.hosts) > 1:
        await asyncio.gather(*map(ask, way.address.hosts))


async def _nothing(_conn: asyncpg.Connection) -> None:
    """It is right as it is."""


def _opener(
    way: Way, name: str, role: str | None, **more: Any
) -> Callable[[Host], Awaitable[asyncpg.Connection]]:
    """What makes a connection to a host. Each is given its time: one that does not even refuse must not use
    up that of the next."""
    address = way.address
    settings = {"application_name": name}
    if address.options:
        settings["options"] = address.options
    if not way.bare:
        settings |= {**KEEPALIVES, **SESSION, "role": role or "none"}
    known = {**address.arguments, **more, "server_settings": settings, "connection_class": HangsUp}
    known["timeout"] = address.wait_sec or WAIT_SEC

    async def opened(host: Host) -> asyncpg.Connection:
        try:
            conn: asyncpg.Connection = await asyncpg.connect(host=host[0], port=host[1], **known)
        except OSError:
            way.leading.is_silent(host)
            raise
        except asyncpg.TargetServerAttributeNotMatched:  # for asyncpg a fault of its caller
            raise NoLeader("none of the servers that DATABASE_URL names takes changes at present") from None
        except asyncpg.ObjectNotInPrerequisiteStateError as error:  # its owner keeps everybody out of it
            raise ConnectionRefusedError(str(error)) from None
        way.leading.answers(host)
        return conn

    return opened


async def _opened(
    way: Way,
    name: str,
    role: str | None,
    made_right: Callable[[asyncpg.Connection], Awaitable[None]] = _nothing,
    **more: Any,
) -> asyncpg.Connection:
    """The first of the hosts that lets us in, and is made right. One that refuses may be a standby that has
    not heard of the database yet; where none lets us in, its reason is told rather than that another one did
    not answer."""
    failed: Exception | None = None
    refused: asyncpg.PostgresError | None = None
    opened = _opener(way, name, role, **more)
    for host in way.leading.in_order(way.address.hosts):
        try:
            conn = await opened(host)
            try:
                await made_right(conn)
            except BaseException:
                conn.terminate()
                raise
            return conn
        except PARAMETERS_REFUSED:
            raise
        except (OSError, asyncpg.CannotConnectNowError) as error:
            failed = error
        except asyncpg.PostgresError as error:
            refused = refused or error
    if said := refused or failed:
        raise said
    raise AssertionError("there is at least one host")
