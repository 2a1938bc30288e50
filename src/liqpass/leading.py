"""Which server leads, of those that DATABASE_URL leads to, as far as this process has seen.

Each promotion of a standby begins a timeline, whose number is higher. A former leader does not know that it
is one: a machine that stood still and goes on, or was cut off, answers as before until somebody tells it, and
what it answers may be long untrue. So a connection to an earlier timeline than the newest that was seen is
ended, and none is made."""

from weakref import WeakKeyDictionary

import asyncpg

LOOKS_SEC = 2.0
LOOKS_AROUND = 5  # looks: then all the others are asked, too
ANSWER_SEC = 3.0
# Both may be asked by everybody; a service that does not tell is taken as it is, and so is a standby.
TIMELINE = "select system_identifier, pg_walfile_name(pg_current_wal_lsn()) from pg_control_system()"
Host = tuple[str | None, int | None]


class FormerLeader(ConnectionError):  # noqa: N818, what it is
    """Another server has been promoted since: as good as one that is not there."""


class NoLeader(ConnectionError):  # noqa: N818
    """Servers are there, and none may be written to."""


class Leading:
    """What was seen of an address's servers, by all connections that are made to it."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}
        self._open: WeakKeyDictionary[asyncpg.Connection, tuple[int, int]] = WeakKeyDictionary()
        self._silent: set[Host] = set()

    def in_order(self, hosts: tuple[tuple[str, int], ...]) -> list[Host]:
        """As they are written, but those that last did not answer: each of them takes its time."""
        return sorted(hosts or ((None, None),), key=lambda host: host in self._silent)

    def answers(self, host: Host) -> None:
        self._silent.discard(host)

    def is_silent(self, host: Host) -> None:
        self._silent.add(host)

    async def take(self, conn: asyncpg.Connection) -> None:
        """Note which timeline it is of, and end those of earlier ones. Raises FormerLeader."""
        try:
            ((system, segment),) = await conn.fetch(TIMELINE)
        except asyncpg.PostgresConnectionError:
            raise
        except asyncpg.PostgresError:
            return
        timeline, newest = int(segment[:8], 16), self._newest.get(system, 0)
        if timeline < newest:
            raise FormerLeader(f"a former leader, of timeline {timeline}: {newest} is there")
        self._newest[system] = timeline
        for other, (of, then) in list(self._open.items()):
            if of == system and then < timeline:
                other.terminate()
        self._open[conn] = system, timeline
