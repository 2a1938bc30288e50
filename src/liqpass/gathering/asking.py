"""What the exchange is asked about a claim, and asking it: page by page, from the archive where the recent
window is too short, with another key where one is refused. Nothing here writes."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from liqpass.claims.sql import CaseOrder
from liqpass.exchange.errors import ExchangeError
from liqpass.exchange.fields import UnreadableRow, as_row, text, time_ms
from liqpass.exchange.okx import OkxGateway
from liqpass.exchange.pace import (
    BILLS,
    FILLS,
    FILLS_HISTORY,
    INSTRUMENTS,
    ORDERS_HISTORY,
    POSITIONS,
    POSITIONS_HISTORY,
)
from liqpass.exchange.rows import Answer
from liqpass.gathering.troubles import Trouble, trouble_of
from liqpass.vault.api_accounts import OF_THE_REGION, OpenedAccount
from liqpass.vault.exchange_trouble import ABOUT_THE_KEY

PAGE = 100
MOST_PAGES = 100
PATIENCE_SEC = 300.0  # a hundred pages of everything, within OKX's limits
ARCHIVES_REACH = timedelta(days=90)
_MARGIN = timedelta(hours=1)  # before a window is over, the archive is asked as well
_WEEK, _THREE_DAYS = timedelta(days=7), timedelta(days=3)
# Trades (2), liquidations (5), auto-deleveraging (9): what changes how many contracts there are.
_BILL_TYPES = ("2", "5", "9")


class Stream(NamedTuple):
    """One listing, newest first: `cursor` is the row's field that the next page is asked by, None where there
    is one page; `time` the field that says how old a row is."""

    path: str
    params: Mapping[str, str | int | None]
    cursor: str | None = None
    time: str = ""


class Wanted(NamedTuple):
    """What is asked about: a position that was priced, and what happened to it since its last change then
    (`since_ms`): nothing did before `priced_ms`, when it was read."""

    inst_id: str
    mgn_mode: str
    pos_id: str
    created_ms: int
    since_ms: int
    priced_ms: int


class Taken(NamedTuple):
    """An answer, and the key with which it was read."""

    account: UUID
    answer: Answer


@dataclass
class Gathered:
    """What was answered until something went wrong, if it did: `trouble` says what."""

    answers: list[Taken] = field(default_factory=list)
    trouble: str | None = None


def wanted_of(order: CaseOrder) -> Wanted:
    """The position of an order; since the last change of the row from which it was priced."""
    priced = msgspec.json.decode(order.priced_from)
    since_ms = time_ms(msgspec.json.decode(priced["position"]), "uTime")
    priced_ms = int(datetime.fromisoformat(priced["read_at"]).timestamp() * 1000)
    slot = order.inst_id, order.mgn_mode, order.pos_id, order.pos_created_ms
    return Wanted(*slot, since_ms, max(since_ms, priced_ms))


def streams(wanted: Wanted, now: datetime) -> Iterator[Stream]:
    """Everything to be asked now. What is open is asked first and once."""
    since, swap = wanted.since_ms, {"instType": "SWAP"}
    of_it: dict[str, str | int | None] = {**swap, "instId": wanted.inst_id}
    yield Stream(POSITIONS, of_it)
    yield Stream(POSITIONS_HISTORY, {**swap, "posId": wanted.pos_id}, "uTime", "uTime")
    for path in _with_archive(ORDERS_HISTORY, f"{ORDERS_HISTORY}-archive", _WEEK, since, now):
        yield Stream(path, {**of_it, "begin": since}, "ordId", "cTime")
    for path in _with_archive(BILLS, f"{BILLS}-archive", _WEEK, since, now):
        for kind in _BILL_TYPES:
            shown = {**of_it, "mgnMode": wanted.mgn_mode, "type": kind, "begin": since}
            yield Stream(path, shown, "billId", "ts")
    for path in _with_archive(FILLS, FILLS_HISTORY, _THREE_DAYS, since, now):
        yield Stream(path, {**of_it, "begin": since}, "billId", "ts")
    yield Stream(INSTRUMENTS, of_it)


def _with_archive(recent: str, archive: str, reach: timedelta, since_ms: int, now: datetime) -> list[str]:
    return [recent] if _reaches(reach - _MARGIN, since_ms, now) else [recent, archive]


def _reaches(reach: timedelta, since_ms: int, now: datetime) -> bool:
    return since_ms >= (now - reach).timestamp() * 1000


async def ask(
    gateway: OkxGateway, keys: list[OpenedAccount], wanted: Wanted, now: datetime, known: set[str]
) -> Gathered:
    """All that the exchange says of a position. `known`: endpoints whose answer is there, and stays true."""
    gathered = Gathered(trouble=None if keys else Trouble.NO_KEY)
    if not keys:
        return gathered
    try:
        async with asyncio.timeout(PATIENCE_SEC):
            await _ask_all(gateway, list(keys), wanted, now, known, gathered)
    except TimeoutError:
        gathered.trouble = Trouble.SLOW
    if gathered.trouble is None and not _reaches(ARCHIVES_REACH, wanted.priced_ms, now):
        gathered.trouble = Trouble.OUT_OF_REACH
    return gathered


async def _ask_all(
    gateway: OkxGateway,
    keys: list[OpenedAccount],
    wanted: Wanted,
    now: datetime,
    known: set[str],
    into: Gathered,
) -> None:
    """One endpoint that fails keeps none of the others; two in a row that are not answered, all."""
    unanswered, skipped = 0, set(known)
    for stream in streams(wanted, now):
        if stream.path in skipped:
            continue
        try:
            if not await _read_through(gateway, keys, stream, wanted.since_ms, into):
                into.trouble = Trouble.TOO_MANY_PAGES
            unanswered = 0
        except ExchangeError as error:
            into.trouble = trouble_of(error)
            skipped.add(stream.path)
            unanswered = unanswered + 1 if error.kind in OF_THE_REGION else 0
            if unanswered == 2 or not keys:
                return


async def _read_through(
    gateway: OkxGateway, keys: list[OpenedAccount], stream: Stream, since_ms: int, into: Gathered
) -> bool:
    """Page by page until nothing more can matter. False: there are more pages than we read."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        params = {**stream.params, "limit": PAGE, "after": after} if stream.cursor else stream.params
        taken = await _with_any(gateway, keys, stream.path, params)
        into.answers.append(taken)
        before, after = after, _next(stream, taken.answer, since_ms)
        if after is None or after == before:
            return True
    return False


def _next(stream: Stream, answer: Answer, since_ms: int) -> str | None:
    """Where the next page begins; None when there is none that matters. A row that cannot be read ends
    nothing, as long as another one says where to go on."""
    if stream.cursor is None or len(answer.rows) < PAGE:
        return None
    cursor = None
    for row in answer.rows:
        try:
            said = as_row(row)
            cursor = text(said, stream.cursor) or cursor
            if time_ms(said, stream.time) < since_ms:
                return None
        except UnreadableRow:
            continue
    return cursor


async def _with_any(
    gateway: OkxGateway, keys: list[OpenedAccount], path: str, params: Mapping[str, str | int | None]
) -> Taken:
    """With the first key that is let in; one that is refused is not tried again this time. Raises
    ExchangeError."""
    while True:
        key = keys[0]
        gateway.belongs_to(key.credentials, key.uid)
        try:
            return Taken(key.id, await gateway.ask(key.credentials, path, params))
        except ExchangeError as error:
            if error.kind not in ABOUT_THE_KEY:
                raise
            keys.pop(0)
            if not keys:
                raise
