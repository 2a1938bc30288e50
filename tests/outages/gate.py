"""A gate in the database: whoever comes to a place of a table stands still there, amid a transaction.

The test makes it as the owner of the tables, with a trigger that waits for an advisory lock which the test
holds. Nothing in the product knows of it.
"""

import asyncio
from dataclasses import dataclass

import asyncpg

from liqpass.db import WAKE_CHANNEL

SPARE_SEC = 60
LOCK = "7, 7"
STAND = f"""
    create function stand_still() returns trigger language plpgsql as $$
    begin
        if tg_nargs > 0 then perform set_config('client_connection_check_interval', tg_argv[0], true); end if;
        perform pg_advisory_xact_lock({LOCK});
        if tg_op = 'DELETE' then return old; end if;
        return new;
    end $$
"""
WAKE = f"select pg_notify('{WAKE_CHANNEL}', '')"  # nothing but haste: they look by themselves
STANDING = """
    select pid from pg_locks
    where locktype = 'advisory' and (classid, objid) = (7, 7) and not granted
      and database = (select oid from pg_database where datname = current_database())
"""


@dataclass(frozen=True)
class Place:
    """Before an `event` on rows of a table for which `when` holds; or, with `committing`, after it and all
    that follows it, when nothing is left but to commit. A server looks every two seconds whether the client
    is there still, and gives up what it does for a dead one; `to_its_end`: here it does not look."""

    event: str
    table: str
    when: str = "true"
    committing: bool = False
    to_its_end: bool = False

    def trigger(self) -> str:
        """The statement that makes the gate."""
        looks = "'0'" if self.to_its_end else ""
        rows = f"for each row when ({self.when}) execute function stand_still({looks})"
        if self.committing:
            when = f"after {self.event} on {self.table} deferrable initially deferred"
            return f"create constraint trigger gate {when} {rows}"
        return f"create trigger gate before {self.event} on {self.table} {rows}"


class Gate:
    """One gate at one place. `await gate.shut()` before the fact, `await gate.open()` after the kill."""

    def __init__(self, owner: asyncpg.Connection, place: Place) -> None:
        self._owner, self._place = owner, place
        self._stood: list[int] = []

    async def shut(self) -> None:
        """From now on nobody gets through."""
        await self._owner.execute(f"select pg_advisory_lock({LOCK})")
        await self._owner.execute(self._place.trigger())

    async def somebody_stands(self) -> None:
        """Wait until somebody has come."""
        for _ in range(SPARE_SEC * 50):
            if found := await self._owner.fetch(STANDING):
                self._stood = [row["pid"] for row in found]
                return
            await self._owner.execute(WAKE)
            await asyncio.sleep(0.02)
        raise AssertionError(f"nobody came to {self._place}")

    async def open(self) -> None:
        """Let them go on, those whose client is dead to their end; then there is no gate any more."""
        await self._owner.execute(f"select pg_advisory_unlock({LOCK})")
        gone = "select not exists (select from pg_stat_activity where pid = any($1))"
        for _ in range(SPARE_SEC * 100):
            if await self._owner.fetchval(gone, self._stood):
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError(f"who stood at {self._place} lives: another one was killed")
        await self._owner.execute(f"drop trigger gate on {self._place.table}")

    async def strike(self) -> None:
        """End whoever stands there, as a server does that finds its client gone; then open."""
        for pid in self._stood:
            await self._owner.execute("select pg_terminate_backend($1, 10000)", pid)
        await self.open()
