"""One step of watching: the accounts that are due are read again, those that are due longest first."""

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog

from liqpass.batches import some_at_a_time
from liqpass.clock import Clock
from liqpass.db import DATABASE_AWAY, Database
from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.pace import POSITIONS
from liqpass.exchange.records import Position, Reading
from liqpass.vault.api_accounts import OF_THE_REGION, OpenedAccount, accounts_of_uid
from liqpass.vault.cipher import CipherError, KeyRing
from liqpass.vault.exchange_trouble import ABOUT_THE_KEY
from liqpass.watching import pace, sql
from liqpass.watching.noting import Random, Read, note

AT_ONCE = 16
ACCOUNTS_PER_STEP = 1_000
# Longer than a reading with a key or two takes: then somebody else may take the account.
TAKEN = timedelta(minutes=1)
NO_KEY = "No key of this account of the exchange can be used: each was revoked, or is on hold."
NO_CIPHER = "The keys of this account do not open with API_KEYS_ENC_KEY: liqpass keys check."

log = structlog.get_logger()


@dataclass(frozen=True)
class Watcher:
    """What watching needs: the database, the exchange, the keys, the time, and what it remembers."""

    db: Database
    gateway: OkxGateway
    keyring: KeyRing
    clock: Clock
    memory: pace.Memory
    random: Random = os.urandom


@dataclass(frozen=True)
class _Unread:
    """Why an account was not read, and in how long it is tried again. `failed`: by its own fault."""

    why: str
    again: timedelta
    failed: bool = True


async def watch_due(
    db: Database,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: Clock,
    *,
    memory: pace.Memory | None = None,
    at_once: int = AT_ONCE,
    at_most: int = ACCOUNTS_PER_STEP,
) -> int:
    """Read every account that is due, `at_once` at a time; how many were read or tried.

    A slow one holds up no other. Raises what the database says while it is away; then each account that was
    begun is due again within a minute.
    """
    watcher, left = Watcher(db, gateway, keyring, clock, memory or pace.Memory()), at_most

    async def take(free: int) -> list[sql.Due]:
        nonlocal left
        due = await _take(watcher, min(free, left))
        left -= len(due)
        return due

    return await some_at_a_time(take, partial(_watch, watcher), at_once)


async def _take(watcher: Watcher, at_most: int) -> list[sql.Due]:
    if at_most <= 0:
        return []
    now = watcher.clock()
    return await watcher.db.run(
        lambda conn: sql.take_due(conn, now, now + TAKEN, at_most), one_statement=True
    )


async def _watch(watcher: Watcher, due: sql.Due) -> None:
    """One account. What goes wrong is its own, told, and tried again later."""
    try:
        unread = await _read_and_note(watcher, due)
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("account_cannot_be_watched", uid=due.exchange_uid)
        unread = _Unread("It cannot be watched: the log says why.", pace.pause(due.failures + 1))
    if unread is not None:
        again = watcher.clock() + unread.again
        await watcher.db.run(
            lambda conn: sql.note_failed(
                conn, due.user_id, due.exchange_uid, due.due_at, again, unread.why, int(unread.failed)
            )
        )


async def _read_and_note(watcher: Watcher, due: sql.Due) -> _Unread | None:
    """No transaction is open while the exchange is asked."""
    async with watcher.db.pool.acquire() as conn:
        bound = await sql.bound_keys(conn, due.user_id, due.exchange_uid)
        if not bound:
            await sql.note_read(conn, due.user_id, due.exchange_uid, due.due_at, None, None, None)
            return None
        try:
            keys = await accounts_of_uid(conn, watcher.keyring, due.user_id, due.exchange_uid)
        except CipherError:
            return _Unread(NO_CIPHER, pace.LATEST)
    read = await _read(watcher, due, _in_turn(keys, bound))
    if isinstance(read, _Unread):
        return read
    for position in read.reading.positions:
        _remember(watcher.memory, position, read)
    noted = partial(
        note, now=watcher.clock(), random=watcher.random, due=due, read=read, memory=watcher.memory
    )
    await watcher.db.run(noted)
    return None


def _in_turn(keys: list[OpenedAccount], bound: list[UUID]) -> list[OpenedAccount]:
    """Those with which the positions were bound first."""
    return sorted(keys, key=lambda one: bound.index(one.id) if one.id in bound else len(bound))


def _remember(memory: pace.Memory, position: Position, read: Read) -> None:
    if not position.closed and position.mark_px:
        memory.saw(position.inst_id, float(position.mark_px), read.at)


async def _read(watcher: Watcher, due: sql.Due, keys: list[OpenedAccount]) -> Read | _Unread:
    """With the first key that OKX takes."""
    refused = NO_KEY
    for key in keys:
        region = key.credentials.region
        from_ = watcher.memory.asks_from(region, watcher.clock())
        if from_ is not None:
            return _Unread(
                f"OKX ({region}) does not answer at present.", from_ - watcher.clock(), failed=False
            )
        try:
            read = await _ask(watcher, key.credentials)
        except ExchangeError as error:
            if error.kind in ABOUT_THE_KEY:
                watcher.memory.answered(region)
                refused = error.message_for_user
                continue
            return _unread(watcher, due, region, error)
        watcher.memory.answered(region)
        return read
    return _Unread(refused, pace.LATEST)


async def _ask(watcher: Watcher, creds: Credentials) -> Read:
    """The time of a reading is that before it was asked for: never younger than what it shows. By which clock
    of the exchange's is what it took: it refuses a time that is far from its own."""
    answer = await watcher.gateway.ask(creds, POSITIONS, {"instType": "SWAP"})
    offset = timedelta(milliseconds=answer.clock_offset_ms)
    return Read(Reading.of_rows(answer.raw, answer.rows), answer.asked_at, offset)


def _unread(watcher: Watcher, due: sql.Due, region: str, error: ExchangeError) -> _Unread:
    log.warning("account_not_read", uid=due.exchange_uid, region=region, code=error.code)
    if error.kind not in OF_THE_REGION:
        watcher.memory.answered(region)
    elif error.kind is not Kind.RATE_LIMITED:
        watcher.memory.unanswered(region, watcher.clock())
    return _Unread(error.message_for_user, pace.pause(due.failures + 1))
