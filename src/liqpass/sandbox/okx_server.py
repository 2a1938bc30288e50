"""The sandbox exchange: OKX's REST API v5 over HTTP, with its checks, limits, statuses and bodies.

The product talks to it unchanged, only the hosts differ. One port for each region, for a key works only on
the host of its own; one more for the control API.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import random
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import web

from liqpass.clock import Clock
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_control import Faults, control_app, key_json
from liqpass.sandbox.okx_margin import Account, Key
from liqpass.sandbox.okx_parameters import Refusal
from liqpass.sandbox.okx_public import PUBLIC
from liqpass.sandbox.okx_queries import PRIVATE, Asked

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MAX_SKEW_SEC = 30
_NOT_FOUND = (
    b'{"code":404,"data":{},"detailMsg":"","error_code":"404","error_message":"Not Found","msg":"Not Found"}'
)
_HEADERS = (
    ("OK-ACCESS-KEY", "50103"),
    ("OK-ACCESS-PASSPHRASE", "50104"),
    ("OK-ACCESS-SIGN", "50106"),
    ("OK-ACCESS-TIMESTAMP", "50107"),
)


@dataclass(frozen=True)
class Request:
    """What of a request decides whether it is let in. `target` is path and query as they were sent."""

    headers: Mapping[str, str]
    target: str
    region: str
    remote: str


def let_in(books: Books, request: Request, now: datetime) -> tuple[Account, Key]:
    """Whose request it is; the checks stand in OKX's order. Raises Refusal."""
    for name, code in _HEADERS:
        if not request.headers.get(name):
            raise Refusal(401, code, f'Request header "{name}" cannot be empty.')
    key = books.keys.get(request.headers["OK-ACCESS-KEY"])
    account = books.accounts[key.uid] if key is not None else None
    if key is None or account is None or account.region != request.region:
        raise Refusal(401, "50119", "API key doesn't exist")
    timestamp = request.headers["OK-ACCESS-TIMESTAMP"]
    prehash = f"{timestamp}GET{request.target}".encode()
    signature = base64.b64encode(hmac.digest(key.secret.encode(), prehash, hashlib.sha256))
    if not hmac.compare_digest(signature, request.headers["OK-ACCESS-SIGN"].encode()):
        raise Refusal(401, "50113", "Invalid Sign")
    if abs((_time_of(timestamp) - now).total_seconds()) > _MAX_SKEW_SEC:
        raise Refusal(401, "50102", "Timestamp request expired")
    if request.headers["OK-ACCESS-PASSPHRASE"] != key.passphrase:
        raise Refusal(401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
    if (request.headers.get("x-simulated-trading") == "1") != account.demo:
        raise Refusal(401, "50101", "APIKey does not match current environment.")
    if key.ip and not _within(request.remote, key.ip):
        text = f"Your IP {request.remote} is not included in your API key's {key.label} IP whitelist."
        raise Refusal(401, "50110", text)
    if "read_only" not in key.perm.split(","):
        raise Refusal(200, "50120", "This API key doesn't have permission to use this function")
    return account, key


class SandboxExchange:
    """The exchange as one object: `async with SandboxExchange(clock) as okx`, then `okx.hosts`.

    `books` holds accounts and positions, `faults` what goes wrong; both are the control API's methods.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 1,
        regions: tuple[str, ...] = ("global", "eea", "us"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._regions = regions
        self._monotonic = monotonic
        self._sent: dict[tuple[str, str], deque[float]] = {}
        self._runners: list[web.AppRunner] = []
        self.books = Books(clock, seed)
        self.faults = Faults(clock)
        self.hosts: dict[str, str] = {}
        self.control_url = ""
        self.reset()

    async def __aenter__(self) -> "SandboxExchange":
        await self.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on free loopback ports."""
        for region in self._regions:
            self.hosts[region] = await self._listen(self._app(region))
        self.control_url = await self._listen(control_app(self.books, self.faults, self.reset))

    async def stop(self) -> None:
        """Stop listening; requests under way are cut off."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        self.hosts.clear()

    def reset(self) -> None:
        """The seeded world again: no faults, no traces of requests."""
        self.faults.heal()
        self._sent.clear()
        self.books.reset()
        plant(self.books, self._seed)

    def test_keys(self) -> list[dict[str, str | bool]]:
        """Every key: apiKey, secret, passphrase, uid, perm, label, region, demo."""
        return [key_json(self.books, key) for key in self.books.keys.values()]

    def now(self) -> datetime:
        """What the exchange says the time is."""
        return datetime.fromtimestamp(self._clock().timestamp() + self.faults.skew_sec, UTC)

    async def _listen(self, app: web.Application) -> str:
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _app(self, region: str) -> web.Application:
        async def answer(request: web.Request) -> web.Response:
            fault = self.faults.next(request.path, region)
            if fault is not None and not fault.lag_sec:
                return web.Response(body=fault.body, status=fault.status, content_type=fault.content_type)
            if fault is not None:
                await asyncio.sleep(fault.lag_sec)
            if request.method != "GET" or request.path not in PRIVATE.keys() | PUBLIC.keys():
                return web.Response(body=_NOT_FOUND, status=404, content_type="application/json")
            try:
                rows = self._rows(request, region)
            except Refusal as refusal:
                return _json(refusal.body(), refusal.status)
            return _json({"code": "0", "data": rows, "msg": ""})

        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", answer)
        return app

    def _rows(self, request: web.Request, region: str) -> list[Any]:
        now, remote = self.now(), request.remote or ""
        public = PUBLIC.get(request.path)
        if public is not None:
            counted = request.path + request.query.get(public.per, "")
            self._count(f"{remote} {region}", counted, public.at_most, public.window_sec)
            return public.read(self.books, request.query, int(now.timestamp() * 1000))
        asked = Request(request.headers, request.raw_path, region, remote)
        account, key = let_in(self.books, asked, now)
        private = PRIVATE[request.path]
        self._count(account.uid, request.path, private.at_most, private.window_sec)
        hidden = self.faults.hidden_at(request.path, self.books.now_ms())
        return private.read(Asked(self.books, account, key, request.query, hidden))

    def _count(self, who: str, path: str, at_most: int, window_sec: float) -> None:
        """The documented limits, per user or per address at each host; a refused request is not counted."""
        sent = self._sent.setdefault((who, path), deque(maxlen=at_most))
        now = self._monotonic()
        if len(sent) == at_most and now - sent[0] < window_sec:
            raise Refusal(429, "50011", "Too Many Requests")
        sent.append(now)


def plant(books: Books, seed: int) -> None:
    """The world at the start: six accounts, each with one key and open positions.

    Four keys can read accounts of the global host, one an account of the EEA host, and the last can trade.
    Every account has isolated positions, some also a cross one that no price liquidates.
    """
    drawn = random.Random(seed)  # noqa: S311
    planted = (
        ("reads one", "read_only", "global", "long_short_mode", "BTC long 20, ETH short 10, SOL cross 5"),
        ("reads two", "read_only", "global", "net_mode", "ETH long 20, BTC short 10, SOL long 5"),
        ("reads three", "read_only", "global", "long_short_mode", "BTC long 10, ETH long 20, SOL short 10"),
        ("reads four", "read_only", "global", "long_short_mode", "BTC short 20, ETH long 10, SOL cross 5"),
        ("reads EEA", "read_only", "eea", "long_short_mode", "BTC long 10, ETH short 20"),
        ("trades", "read_only,trade", "global", "long_short_mode", "BTC long 10"),
    )
    sizes = {"BTC": 5, "ETH": 8, "SOL": 20}
    for label, perm, region, pos_mode, positions in planted:
        account = books.add_account(region=region, pos_mode=pos_mode)
        books.add_key(account.uid, perm=perm, label=label)
        for coin, side, lever in (words.split() for words in positions.split(", ")):
            inst_id = f"{coin}-USDT-SWAP"
            near = Decimal(10_000 + drawn.randrange(-30, 31)) / 10_000
            books.open_position(
                account.uid,
                inst_id,
                side="long" if side == "cross" else side,
                contracts=sizes[coin] + drawn.randrange(3),
                lever=lever,
                avg_px=books.instruments[inst_id].mark * near,
                mgn_mode="cross" if side == "cross" else "isolated",
            )


def _time_of(timestamp: str) -> datetime:
    try:
        if _TIMESTAMP.fullmatch(timestamp):
            return datetime.fromisoformat(timestamp)
    except ValueError:
        pass
    raise Refusal(401, "50112", "Invalid OK-ACCESS-TIMESTAMP")


def _within(remote: str, listed: str) -> bool:
    address = ipaddress.ip_address(remote)
    return any(address in ipaddress.ip_network(network, strict=False) for network in listed.split(","))


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
