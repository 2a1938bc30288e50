"""The gateway to OKX's REST API v5: signs, paces, retries and reads. It sends GET and nothing else.

Limits count per OKX user; of what is public, per address.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from msgspec import structs
from yarl import URL

from liqpass.clock import Clock
from liqpass.exchange import records
from liqpass.exchange.candles import PAGE, Bar, CandlePage, read_candles
from liqpass.exchange.echoes import named_by, repeats
from liqpass.exchange.errors import ExchangeError, Kind, error_for, judge
from liqpass.exchange.fields import Row, UnreadableRow, as_row, time_ms
from liqpass.exchange.pace import (
    BILLS,
    CONFIG,
    MARK_CANDLES,
    OF_LISTS,
    ORDERS_HISTORY,
    POSITIONS,
    POSITIONS_HISTORY,
    PUBLIC,
    REMEMBERED_USERS,
    TIME,
    Evenly,
    Pace,
)
from liqpass.exchange.records import AccountConfig, BillRow, HistoryRow, OrderRow, Page, Reading
from liqpass.exchange.rows import Answer, Unread, read_each
from liqpass.exchange.signing import sign, timestamp_of

T = TypeVar("T")

log = structlog.get_logger()

# OKX asks for a pause of 2 s after 50011.
_PAUSE_AFTER_LIMIT_SEC = 2.0
_PAUSE_SEC = 0.25
_CLOCK_ASKED_EVERY_SEC = 300.0
TOLD = 5  # of the rows of an answer that cannot be read


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key as its owner gave it. Its repr shows none of it."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    region: str
    demo: bool


def headers_for(creds: Credentials, now: datetime, target: str) -> dict[str, str]:
    """The headers of one signed GET. Raises ExchangeError for credentials that cannot stand in a header."""
    if not all(part.isprintable() for part in (creds.api_key, creds.secret, creds.passphrase)):
        raise error_for("unsendable")
    timestamp = timestamp_of(now)
    return {
        "OK-ACCESS-KEY": creds.api_key,
        "OK-ACCESS-SIGN": sign(creds.secret, timestamp, "GET", target),
        "OK-ACCESS-TIMESTAMP": timestamp,
        "OK-ACCESS-PASSPHRASE": creds.passphrase,
        **demo_header(creds),
    }


def demo_header(creds: Credentials) -> dict[str, str]:
    """What tells OKX that demo trading is meant."""
    return {"x-simulated-trading": "1"} if creds.demo else {}


class OkxGateway:
    """Owns the one HTTP session to OKX. Any number of readings may run at once.

    `hosts` maps a region to its base URL. Every method raises ExchangeError; a whole call, with its waits and
    retries, takes at most `timeout_sec`. `on_error` is told the code of every failed try, for metrics, and
    "unread_row" of an answer with a row that cannot be read: those that can be are in what is returned.
    `per_sec`: how many requests a second go out at most, over all users; None: as many as come.
    """

    def __init__(
        self,
        hosts: Mapping[str, str],
        clock: Clock,
        *,
        on_error: Callable[[str], None] = lambda _code: None,
        timeout_sec: float = 8.0,
        tries: int = 3,
        max_bytes: int = 4_000_000,
        per_sec: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._hosts = {region: host.rstrip("/") for region, host in hosts.items()}
        self._clock = clock
        self._on_error = on_error
        self._timeout_sec = timeout_sec
        self._tries = tries
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._sleep = sleep
        self._jitter = jitter
        self._pace = Pace()
        self._evenly = Evenly(per_sec)
        self._uids: OrderedDict[str, str] = OrderedDict()
        self._offsets: dict[str, timedelta] = {}
        self._clock_asked: dict[str, float] = {}
        self._clock_asking: dict[str, asyncio.Lock] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections. The next call would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def account_config(self, creds: Credentials) -> AccountConfig:
        """Whose key it is and what it may do."""
        answer = await self._read(creds, CONFIG, {})
        config = self._only(records.account_config, answer.rows)
        if named_by(config.label, creds.api_key, creds.secret, creds.passphrase):
            config = structs.replace(config, label="")
        if self.belongs_to(creds, config.uid):
            # With this request, which was counted for the key alone.
            self._pace.wait_sec(config.uid, CONFIG, self._monotonic(), self._timeout_sec)
        return config

    def belongs_to(self, creds: Credentials, uid: str) -> bool:
        """Limits count per OKX user: from now on its keys share one pace. Whether that is news."""
        if self._uids.get(creds.api_key) == uid:
            return False
        self._uids[creds.api_key] = uid
        if len(self._uids) > REMEMBERED_USERS:
            self._uids.popitem(last=False)
        return True

    async def find_region(self, creds: Credentials) -> tuple[str, AccountConfig]:
        """The region that knows the key, `creds.region` first; no answer of OKX names it.

        KEY_UNKNOWN only when every region has said so: one that does not answer may be the one.
        """
        return await self._in_time(self._search(creds))

    async def positions(self, creds: Credentials, inst_id: str | None = None) -> Reading:
        """The open swap positions; with `inst_id` also its closed slots (pos 0)."""
        answer = await self._read(creds, POSITIONS, {"instType": "SWAP", "instId": inst_id})
        reading = Reading.of_rows(answer.raw, answer.rows)
        self._note(POSITIONS, reading.unread)
        return reading

    async def positions_history(
        self,
        creds: Credentials,
        *,
        pos_id: str | None = None,
        inst_id: str | None = None,
        older_than_ms: int | None = None,
        limit: int = 100,
    ) -> Page[HistoryRow]:
        """Closed and partly closed positions of the last three months, newest change first."""
        params = {
            "instType": "SWAP",
            "instId": inst_id,
            "posId": pos_id,
            "after": older_than_ms,
            "limit": limit,
        }
        answer = await self._read(creds, POSITIONS_HISTORY, params)
        return self._page(POSITIONS_HISTORY, answer, records.history_row)

    async def orders_history(
        self,
        creds: Credentials,
        *,
        inst_id: str | None = None,
        category: str | None = None,
        begin_ms: int | None = None,
        end_ms: int | None = None,
        archive: bool = False,
    ) -> Page[OrderRow]:
        """Finished orders of the last 7 days (`archive`: three months), newest 100."""
        params = {
            "instType": "SWAP",
            "instId": inst_id,
            "category": category,
            "begin": begin_ms,
            "end": end_ms,
        }
        answer = await self._read(creds, ORDERS_HISTORY + ("-archive" if archive else ""), params)
        return self._page(ORDERS_HISTORY, answer, records.order_row)

    async def bills(
        self,
        creds: Credentials,
        *,
        bill_type: str | None = None,
        begin_ms: int | None = None,
        end_ms: int | None = None,
        archive: bool = False,
    ) -> Page[BillRow]:
        """The account's own ledger, its last 7 days (`archive`: three months), newest 100."""
        params = {"instType": "SWAP", "type": bill_type, "begin": begin_ms, "end": end_ms}
        answer = await self._read(creds, BILLS + ("-archive" if archive else ""), params)
        return self._page(BILLS, answer, records.bill_row)

    async def mark_candles(self, inst_id: str, bar: Bar) -> CandlePage:
        """The newest hundred bars of an instrument's mark price, that of now among them. Asked without a key,
        of the first region: marks are the same in all."""
        region = next(iter(self._hosts))
        nobody = Credentials("", "", "", region, demo=False)
        answer = await self._read(nobody, MARK_CANDLES, {"instId": inst_id, "bar": bar, "limit": PAGE})
        rows, rest = read_candles(answer.rows)
        self._note(answer.target, rest)
        return CandlePage(answer.raw, f"okx {region} {MARK_CANDLES}", answer.asked_at, rows, rest)

    async def ask(self, creds: Credentials, path: str, params: Mapping[str, str | int | None]) -> Answer:
        """One answer as it came, to be kept as evidence; its rows are for the caller to read. `path`: one of
        pace.py. What is public is asked without the key."""
        await self.clock_offset(creds.region)
        return await self._read(creds, path, params)

    async def clock_offset(self, region: str) -> timedelta:
        """How far OKX's clock is ahead of ours; asked for again when it is some minutes old, once for all who
        want it at that moment."""
        await self._in_time(self._know_clock(region))
        return self._offsets[region]

    async def _know_clock(self, region: str) -> None:
        async with self._clock_asking.setdefault(region, asyncio.Lock()):
            asked = self._clock_asked.get(region)
            if asked is None or self._monotonic() - asked > _CLOCK_ASKED_EVERY_SEC:
                await self._set_clock(region)

    async def server_time(self, region: str) -> datetime:
        """OKX's clock (no key needed)."""
        return await self._in_time(self._server_time(region))

    async def _search(self, creds: Credentials) -> tuple[str, AccountConfig]:
        try:
            return creds.region, await self.account_config(creds)
        except ExchangeError as error:
            if error.kind is not Kind.KEY_UNKNOWN:
                raise
            answer = error
        for region in (other for other in self._hosts if other != creds.region):
            try:
                return region, await self.account_config(replace(creds, region=region))
            except ExchangeError as error:
                if error.kind in (Kind.UNAVAILABLE, Kind.RATE_LIMITED, Kind.RESTRICTED):
                    answer = error
                elif error.kind is not Kind.KEY_UNKNOWN:
                    raise  # a region that says more than "unknown" knows the key
        raise answer

    async def _read(self, creds: Credentials, path: str, params: Mapping[str, str | int | None]) -> Answer:
        given = {name: value for name, value in params.items() if value is not None}
        # What is signed is what is sent: the names of some instruments are Chinese, and are percent-encoded.
        query = urlencode(given, quote_via=quote)
        return await self._in_time(self._persist(creds, path, f"{path}?{query}" if query else path))

    async def _persist(self, creds: Credentials, path: str, target: str) -> Answer:
        """Send, and send again where that may help: a read changes nothing at OKX."""
        public = path in PUBLIC
        who = creds.region if public else self._uids.get(creds.api_key, creds.api_key)
        attempt, resynced = 0, False
        while True:
            attempt += 1
            try:
                await self._turn(who, path)
                now, offset = self._clock(), self._offsets.get(creds.region, timedelta())
                headers = demo_header(creds) if public else headers_for(creds, now + offset, target)
                row_type = list if path in OF_LISTS else dict
                status, body, rows = await self._ask(creds.region, target, headers, row_type)
                return Answer(path, target, status, body, rows, now, offset // timedelta(milliseconds=1))
            except ExchangeError as error:
                if error.kind is Kind.CLOCK and not resynced:
                    resynced = True
                    await self._set_clock(creds.region)
                elif error.retryable and attempt < self._tries:
                    await self._sleep(self._pause_sec(error, attempt))
                else:
                    raise

    async def _turn(self, who: str, path: str) -> None:
        """The user's own limit first, then that of all: whoever waits for the first holds up none."""
        at_most = self._timeout_sec / 2
        await self._wait(self._pace.wait_sec(who, path, self._monotonic(), at_most))
        await self._wait(self._evenly.wait_sec(self._monotonic(), at_most))

    async def _wait(self, seconds: float | None) -> None:
        if seconds is None:
            raise self._told(error_for("busy"))
        if seconds:
            await self._sleep(seconds)

    async def _set_clock(self, region: str) -> None:
        self._offsets[region] = await self._server_time(region) - self._clock()
        self._clock_asked[region] = self._monotonic()

    async def _server_time(self, region: str) -> datetime:
        await self._turn(region, TIME)
        _, _, rows = await self._ask(region, TIME, {})
        return self._only(_time_of, rows)

    async def _ask(
        self, region: str, target: str, headers: Mapping[str, str], row_type: type = dict
    ) -> tuple[int, bytes, list[Any]]:
        try:
            status, body = await self._get(region, target, headers)
            if repeats(headers, body, may_name=target == CONFIG):
                raise error_for("repeats_the_key")
            return status, body, judge(status, body, row_type)
        except ExchangeError as error:
            raise self._told(error) from None

    async def _get(self, region: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """One GET: status and body. No redirect is followed, for that would carry the key elsewhere."""
        if region not in self._hosts:
            raise error_for("no_host")
        url = URL(self._hosts[region] + target, encoded=True)
        if self._session is None:
            # One jar for all users would carry one user's cookies into another's requests.
            jar = aiohttp.DummyCookieJar()
            self._session = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=None))
        body = bytearray()
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > self._max_bytes:
                        break
                status = response.status
        except (aiohttp.ClientError, OSError):
            status = 0
        # Raised outside the except clause: aiohttp's errors carry the request's headers.
        if status == 0:
            raise error_for("network")
        if len(body) > self._max_bytes:
            raise error_for("too_large")
        return status, bytes(body)

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_sec):
                return await work
        except TimeoutError:
            pass
        raise self._told(error_for("timeout"))

    def _only(self, read: Callable[[Row], T], rows: list[Any]) -> T:
        """The one row of an answer that has one."""
        if len(rows) != 1:
            raise self._told(error_for("unreadable"))
        try:
            return read(as_row(rows[0]))
        except UnreadableRow as unreadable:
            raise self._told(error_for("unreadable")) from unreadable

    def _page(self, path: str, answer: Answer, read: Callable[[Row], T]) -> Page[T]:
        found, rest = read_each(read, answer.rows)
        self._note(path, rest)
        return Page(answer.raw, found, rest)

    def _note(self, path: str, rest: list[Unread]) -> None:
        """What could not be read is told to whoever runs this: OKX may have begun to write something new."""
        if rest:
            first = [f"{one.inst_id}: {one.field or 'contradicted'}" for one in rest[:TOLD]]
            log.warning("exchange_rows_unread", path=path, rows=len(rest), first=first)
            self._on_error("unread_row")

    def _told(self, error: ExchangeError) -> ExchangeError:
        self._on_error(error.code)
        return error

    def _pause_sec(self, error: ExchangeError, attempt: int) -> float:
        if error.kind is Kind.RATE_LIMITED:
            return _PAUSE_AFTER_LIMIT_SEC * (1 + 0.25 * self._jitter())
        return _PAUSE_SEC * 2.0 ** (attempt - 1) * (0.5 + self._jitter())


def _time_of(row: Row) -> datetime:
    return datetime.fromtimestamp(time_ms(row, "ts") / 1000, UTC)
