"""A connection that stays taken from the pool for a moment, for whoever asks next.

To give one back and take it again is a task and two turns of the loop: as much of the process's time as a
small statement. Who comes while it is in use gets another one from the pool, as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

Connection = asyncpg.pool.PoolConnectionProxy
T = TypeVar("T")

FOR_SEC = 0.1  # at least, after its last use: whom the pool keeps waiting does not wait long for it


class AtHand:
    """Of one pool, at most one connection that nobody uses at present."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._conn: Connection | None = None
        self._times_given_back = 0
        self._was_used = False
        self._timer: asyncio.TimerHandle | None = None
        self._releasing: asyncio.Task[None] | None = None

    async def use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """`work` on a connection. One on which it failed goes back, and the pool sees whether it lives."""
        conn, times = await self._taken(), self._times_given_back
        try:
            found = await work(conn)
        except BaseException:
            await self._pool.release(conn)
            raise
        if self._conn is None and times == self._times_given_back and _lives(conn):
            self._keep(conn)
        else:
            await self._pool.release(conn)
        return found

    async def give_back(self) -> None:
        """What is at hand goes to the pool, and what is in use will, too: the pool is about to close, or its
        connections lead to where nobody should ask any more."""
        self._times_given_back += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        conn, self._conn = self._conn, None
        if conn is not None:
            await self._pool.release(conn)

    async def _taken(self) -> Connection:
        conn, self._conn = self._conn, None
        if conn is not None and _lives(conn):
            return conn
        if conn is not None:
            await self._pool.release(conn)
        return await self._pool.acquire()

    def _keep(self, conn: Connection) -> None:
        self._conn, self._was_used = conn, True
        if self._timer is None:
            self._look_later()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FOR_SEC, self._look)

    def _look(self) -> None:
        """One timer for all uses of a moment: each of its own would cost what this spares."""
        self._timer = None
        if self._was_used:
            self._was_used = False
            self._look_later()
        elif self._conn is not None:
            conn, self._conn = self._conn, None
            self._releasing = asyncio.create_task(self._pool.release(conn))


def _lives(conn: Connection) -> bool:
    """Whether its server has not cut it; the pool takes back one of which it has heard that."""
    try:
        return not conn.is_closed()
    except asyncpg.InterfaceError:
        return False
