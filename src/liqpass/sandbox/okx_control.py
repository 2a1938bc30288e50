"""How the sandbox exchange is made to misbehave, and the HTTP door to all of its controls.

POST /control/<name> with a JSON object calls the method <name> of Books or Faults with these arguments;
GET /control/state shows what there is. A call that cannot be is answered with 400 and {"error": words}.
docs/sandbox-exchange.md tells of all of them.
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from liqpass.clock import Clock
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_lags import Delays
from liqpass.sandbox.okx_margin import Key, Position
from liqpass.sandbox.okx_rows import history_row, position_row, text

OFFERED = (
    "add_account add_key set_perm delete_key open_position close_position liquidate liquidate_partly "
    "deleverage claw_back move_mark fund set_leverage add_margin remove_margin list_instrument "
    "delist_instrument set_volatility tell_candle "
    "lag fail answer html rate_limit outage delay hide skew_clock heal"
)


@dataclass
class Fault:
    """One way to misbehave. `left` requests are still hit, None means until healed."""

    lag_sec: float
    status: int
    body: bytes
    content_type: str
    path: str
    region: str
    left: int | None
    until: datetime | None = None


class Faults(Delays):
    """What goes wrong, and on which requests: those whose path contains `path`, in `region`, `count` times.

    "" is any path or region, no count is until heal(). Of several that match, the one added first hits; a lag
    lets the request go on to what it would have been.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.skew_sec = 0.0
        self._faults: list[Fault] = []

    def lag(self, seconds: float, *, path: str = "", region: str = "", count: int | None = None) -> None:
        """Answer rightly, but late."""
        self._faults.append(Fault(float(seconds), 0, b"", "", path, region, count))

    def fail(
        self, code: str, *, status: int = 200, path: str = "", region: str = "", count: int | None = None
    ) -> None:
        """Answer with a code of OKX, or for code "" with an empty body."""
        body = msgspec.json.encode({"msg": "as the sandbox was told", "code": code}) if code else b""
        self._faults.append(Fault(0, int(status), body, "application/json", path, region, count))

    def answer(
        self, body: str | bytes, *, path: str = "", region: str = "", count: int | None = None
    ) -> None:
        """Answer with these very words, whatever is asked: with rows that nobody has seen before, say."""
        said = body.encode() if isinstance(body, str) else body
        self._faults.append(Fault(0, 200, said, "application/json", path, region, count))

    def html(self, *, status: int = 502, path: str = "", region: str = "", count: int | None = None) -> None:
        """Answer as a proxy or a CDN in front of OKX does."""
        body = b"<html><head><title>Bad gateway</title></head><body>cloudflare</body></html>"
        self._faults.append(Fault(0, int(status), body, "text/html", path, region, count))

    def rate_limit(self, *, path: str = "", region: str = "", count: int | None = None) -> None:
        """Say that there were too many requests."""
        body = b'{"msg":"Too Many Requests","code":"50011"}'
        self._faults.append(Fault(0, 429, body, "application/json", path, region, count))

    def outage(self, seconds: float, *, path: str = "", region: str = "") -> None:
        """Be down for so long by the exchange's clock, and come back by itself."""
        body = b'{"code":"50001","data":[],"msg":"Service temporarily unavailable. Try again later"}'
        until = self._clock() + timedelta(seconds=float(seconds))
        self._faults.append(Fault(0, 503, body, "application/json", path, region, None, until))

    def skew_clock(self, seconds: float) -> None:
        """Let the exchange's clock be ahead of the real one, or behind for less than 0."""
        self.skew_sec = float(seconds)

    def heal(self) -> None:
        """No more faults and delays, and the right time."""
        self.skew_sec = 0.0
        self._delays.clear()
        self._faults.clear()

    def next(self, path: str, region: str) -> Fault | None:
        """The fault for this request, if any; it is used up by being asked for."""
        now = self._clock()
        self._faults = [fault for fault in self._faults if fault.until is None or now < fault.until]
        for fault in self._faults:
            if fault.path in path and fault.region in ("", region):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self._faults.remove(fault)
                return fault
        return None


def control_app(books: Books, faults: Faults, reset: Callable[[], None]) -> web.Application:
    """The HTTP door. `reset` makes the world as it was at the start."""
    commands: dict[str, Callable[..., Any]] = {"reset": reset}
    for name in OFFERED.split():
        commands[name] = getattr(books, name, None) or getattr(faults, name)

    async def call(request: web.Request) -> web.Response:
        command = commands.get(request.match_info["name"])
        if command is None:
            return _json({"error": f"no such control; there are {', '.join(sorted(commands))}"}, 404)
        try:
            arguments = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            result = command(**inspect.signature(command).bind(**arguments).arguments)
        except (msgspec.MsgspecError, TypeError, ValueError, ArithmeticError) as error:
            return _json({"error": str(error) or type(error).__name__}, 400)
        return _json({"result": _shown(books, result)})

    async def state(_request: web.Request) -> web.Response:
        return _json(
            {
                "keys": [key_json(books, key) for key in books.keys.values()],
                "positions": [
                    {"uid": account.uid, **position_row(account, position)}
                    for account in books.accounts.values()
                    for position in account.slots.values()
                ],
                "marks": {name: str(instrument.mark) for name, instrument in books.instruments.items()},
            }
        )

    app = web.Application()
    app.router.add_get("/control/state", state)
    app.router.add_post("/control/{name}", call)
    return app


def key_json(books: Books, key: Key) -> dict[str, str | bool]:
    """A key with all that a client needs to use it."""
    account = books.accounts[key.uid]
    return {
        "apiKey": key.api_key,
        "secret": key.secret,
        "passphrase": key.passphrase,
        "uid": key.uid,
        "perm": key.perm,
        "label": key.label,
        "region": account.region,
        "demo": account.demo,
    }


def _shown(books: Books, result: object) -> object:
    if isinstance(result, Key):
        return key_json(books, result)
    if isinstance(result, Position):
        return {"posId": result.pos_id, "pos": text(result.contracts), "last": history_row(result)}
    if isinstance(result, list):
        return [_shown(books, each) for each in result]
    if is_dataclass(result) and not isinstance(result, type):
        simple = (str, bool, int, Decimal)
        return {name: value for name, value in asdict(result).items() if isinstance(value, simple)}
    return result


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
