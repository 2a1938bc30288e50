"""What you saw is what is bound: the last positions answer of an account is kept, with its time and hash,
and used again while it is young enough."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import msgspec

from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.exchange.fields import UnreadableRow
from liqpass.exchange.okx import OkxGateway
from liqpass.exchange.records import Reading
from liqpass.market import wanting
from liqpass.positions import sql
from liqpass.positions.refusals import Refusal, WhyNot
from liqpass.positions.sql import ASKED_COLUMNS, ITS_ACCOUNT, STANDS, Asked, StoredReading
from liqpass.vault.api_accounts import credentials, not_found, on_hold
from liqpass.vault.cipher import KeyRing

__all__ = [
    "ASKED_COLUMNS",
    "ITS_ACCOUNT",
    "STANDS",
    "AccountReading",
    "Asked",
    "PositionReader",
    "StoredReading",
]

SMALL_BYTES = 32 * 1024  # some thirty positions; what is larger is not kept in memory


class AccountReading(msgspec.Struct, frozen=True):
    """What an account's positions were at a time."""

    exchange: str
    uid: str
    read_at: datetime
    reading: Reading
    refusal: Refusal | None
    """Why nothing in this account is covered, if so."""

    @property
    def inst_ids(self) -> set[str]:
        """The instruments of its open positions."""
        return {position.inst_id for position in self.reading.positions if not position.closed}


def is_young(read_at: datetime, now: datetime, max_age: timedelta) -> bool:
    """Whether what was read then may be used; not what is of a time to come: how old it is nobody knows."""
    return timedelta() <= now - read_at <= max_age


def _reading_of(body: bytes) -> Reading:
    return _read_already(body) if len(body) <= SMALL_BYTES else Reading.of(body)


@lru_cache(maxsize=128)
def _read_already(body: bytes) -> Reading:
    """A trader looks, binds and orders within the half minute in which one answer is used: reading it is a
    quarter of the work of a quote."""
    return Reading.of(body)


@dataclass(frozen=True)
class PositionReader:
    """What is needed to read positions: the database, the exchange, the keys, the time."""

    db: Database
    gateway: OkxGateway
    keyring: KeyRing
    clock: Clock
    cover_demo: bool

    async def recent(self, user: bytes, api_account_id: UUID, max_age: timedelta) -> AccountReading:
        """The kept reading if it is young enough, else a new one.

        Raises Problem API_ACCOUNT_NOT_FOUND, API_ACCOUNT_ON_HOLD and the exchange's ExchangeError.
        """
        async with self.db.pool.acquire() as conn:
            stored = await sql.find_reading(conn, user, api_account_id)
        return self.kept(stored, max_age) or await self.anew(user, api_account_id)

    def kept(self, stored: StoredReading | None, max_age: timedelta) -> AccountReading | None:
        """The kept reading if it is young enough.

        Raises Problem API_ACCOUNT_NOT_FOUND, API_ACCOUNT_ON_HOLD.
        """
        if stored is None:
            raise not_found()
        if stored.held_reason is not None:
            raise on_hold(stored.held_reason)
        body, read_at = stored.body, stored.read_at
        if body is not None and read_at is not None and is_young(read_at, self.clock(), max_age):
            refusal = self._refusal(demo=stored.demo)
            with suppress(UnreadableRow):  # whatever wrote it: what is kept is asked for again
                return AccountReading(stored.exchange, stored.uid, read_at, _reading_of(body), refusal)
        return None

    async def anew(self, user: bytes, api_account_id: UUID) -> AccountReading:
        """Ask the exchange and keep its answer. No transaction is open while it is asked.

        The time of a reading is the time before it was asked for: never younger than what it shows.
        """
        async with self.db.pool.acquire() as conn:
            account = await credentials(conn, self.keyring, user, api_account_id)
        asked_at = self.clock()
        reading = await self.gateway.positions(account.credentials)
        refusal = self._refusal(demo=account.credentials.demo)
        found = AccountReading("okx", account.uid, asked_at, reading, refusal)
        async with self.db.pool.acquire() as conn:
            of, inst_ids = (user, api_account_id, asked_at), sorted(found.inst_ids)
            await sql.keep_reading(conn, *of, reading.raw, reading.sha256, inst_ids, self.clock())
            held = {p.inst_id for p in reading.positions if p.inst_type == "SWAP" and not p.closed}
            await wanting.want(conn, held, asked_at)
        return found

    def _refusal(self, *, demo: bool) -> Refusal | None:
        """Demo trading can be lost for nothing; it is covered only where a sandbox says so."""
        if demo and not self.cover_demo:
            return Refusal(WhyNot.DEMO_TRADING, "Positions of demo trading are not covered.")
        return None
