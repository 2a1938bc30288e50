"""What every request goes through: an id, the origin check, the mapper of errors, times, log lines."""

import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.utils import normalize_path
from prometheus_client import Histogram

from liqpass.apidocs import STYLE_HASH
from liqpass.bodies import Body
from liqpass.chain.failures import NodeError
from liqpass.db import DATABASE_AWAY, TRY_AGAIN
from liqpass.exchange.errors import ExchangeError
from liqpass.problems import Problem
from liqpass.request_lines import log_request
from liqpass.vault.cipher import CipherError
from liqpass.vault.exchange_trouble import problem_of as exchange_problem

log = structlog.get_logger()

MAX_BODY_BYTES = 64 * 1024
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MEDIA_TYPE = "application/problem+json"
# For most callers nothing is there: no method that is not allowed, either.
HIDDEN = ("/api/admin/", "/operator")

_MISSING = re.compile(
    r"Object missing required field `(?P<name>[^`]+)`|required query parameter '(?P<query>[^']+)'"
)
_BY_STATUS = {
    404: ("NOT_FOUND", "There is nothing at this path."),
    405: ("METHOD_NOT_ALLOWED", "This path does not take this method."),
    413: ("BODY_TOO_LARGE", f"The body is larger than {MAX_BODY_BYTES // 1024} KB."),
}
_MALFORMED = Problem("MALFORMED_JSON", "The body is not JSON, or the request is not HTTP as it should be.")
_FOREIGN = Problem("FOREIGN_ORIGIN", "Another site's page made this call: it is refused.")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
# What is no page may load nothing; the API's page for people brings its one style along.
_UNLESS_SAID = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
)

request_seconds = Histogram(
    "liqpass_http_request_seconds",
    "Time from a request's arrival to the end of its answer, by route and status.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


def problem_of(error: Exception) -> Problem:
    """The one mapper: whatever was raised inside, as what the caller is told. Unknown: 500 without detail."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ExchangeError):
        return exchange_problem(error)
    if isinstance(error, NodeError):
        return Problem(
            "NODE_UNAVAILABLE", "The chain's node does not answer. Nothing was changed; try again."
        )
    if isinstance(error, CipherError):
        return Problem(
            "API_ACCOUNT_UNREADABLE",
            "The stored key of this account does not open on our side: hand it over again.",
        )
    if isinstance(error, ValidationException):
        return _of_validation(error)
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        return Problem(*_BY_STATUS[error.status_code])
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _MALFORMED
    if isinstance(
        error, RecursionError | UnicodeDecodeError
    ):  # nothing here raises them but the JSON decoder
        return Problem("MALFORMED_JSON", "The body is nested too deeply, or is not UTF-8.")
    if isinstance(error, asyncpg.DataError | UnicodeEncodeError):
        return Problem("INVALID_FIELD", "A text holds characters that cannot be stored.")
    if isinstance(error, TRY_AGAIN):  # tried as often as we do: the caller may have more patience
        return Problem(
            "DATABASE_UNAVAILABLE", "Too much happens at once here. Nothing was changed; try again."
        )
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return Problem(
            "DATABASE_UNAVAILABLE",
            "The database takes no changes at present. Nothing was changed; try again.",
        )
    if isinstance(error, DATABASE_AWAY):
        return Problem(
            "DATABASE_UNAVAILABLE", "The database does not answer. Nothing was changed; try again."
        )
    return Problem("INTERNAL_ERROR", "Something went wrong on our side. It was noted under this requestId.")


def _of_validation(error: ValidationException) -> Problem:
    extra: Any = error.extra
    first = extra[0] if isinstance(extra, list) and extra else {"message": error.detail, "key": "data"}
    message, key = str(first.get("message", "")), _camel(str(first.get("key", "")))
    missing = _MISSING.search(message)
    if missing:
        name = missing["name"] or missing["query"]
        return Problem("MISSING_FIELDS", f"{name} is missing.", field=name)
    if key == "data":
        return Problem("MALFORMED_JSON", "The body is a JSON object.")
    return Problem("INVALID_FIELD", f"{key}: {message}.", field=key)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def is_hidden(request: Request[Any, Any, Any], error: Exception) -> bool:
    """Whether the refusal of a method would tell that there is something at a path, however it is spelt."""
    path = normalize_path(request.url.path)
    return isinstance(error, MethodNotAllowedException) and path.startswith(HIDDEN)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    if is_hidden(request, error):
        error = NotFoundException()
    problem, wait = _told(error)
    headers = {"retry-after": wait} if wait else {}
    return Response(_body(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


async def refuse(send: Send, error: Exception) -> None:
    """The same without the framework."""
    problem, wait = _told(error)
    await _refuse(send, problem, [(b"retry-after", wait.encode())] if wait else [])


def _told(error: Exception) -> tuple[Problem, str]:
    """What the caller is told, and after how many seconds to ask again ("": that is not known); what is our
    own fault is logged."""
    problem = problem_of(error)
    if problem.status >= 500:
        unexpected = problem.code == "INTERNAL_ERROR"
        log.error("request_failed", code=problem.code, exc_info=error if unexpected else None)
    wait = problem.extra.get("retryAfterSec")
    return problem, "" if wait is None else str(wait)


def _body(problem: Problem) -> bytes:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return msgspec.json.encode(problem.document(request_id))


def refusal(status: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of what the server tells a client of whom it understood no request."""
    if status != _MALFORMED.status:
        return [(b"content-length", b"0")], b""
    request_id = _new_id()
    body = msgspec.json.encode(_MALFORMED.document(request_id))
    said = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    return [*said, (b"x-request-id", request_id.encode()), *_HEADERS, *_UNLESS_SAID], body


def edge(app: ASGIApp, *, origin: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Wrap the application: request id, refusal of foreign origins, security headers, times and a log line.

    Browsers name the page that a state-changing call comes from; clients that are no browsers send neither
    header and carry no cookie by accident.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id = _new_id()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status, begun = time.perf_counter(), 500, False
        body = Body(scope, receive)

        async def send_noted(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                said = {name for name, _ in message["headers"]}
                usual = (header for header in _UNLESS_SAID if header[0] not in said)
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], own, *_HEADERS, *usual]
                if not await body.leaves_room():
                    message["headers"] = _closing(message["headers"])
            await send(message)

        try:
            if _is_foreign(scope, origin):
                await _refuse(send_noted, _FOREIGN)
            else:
                await app(scope, body.receive, send_noted)
        except Exception as error:  # out of what answers errors: the server's own answer would be bare
            log.exception("request_failed")
            if begun:
                raise
            await _refuse(send_noted, problem_of(error))
        finally:
            route = str(scope.get("path_template") or "unknown")
            spent = time.perf_counter() - started
            request_seconds.labels(_known(scope["method"]), route, str(status)).observe(spent)
            log_request(request_id, scope["method"], route, status, round(spent * 1000, 1))

    return wrapped


def _new_id() -> str:
    """Tells a request from others in the logs. It is no secret: the kernel need not be asked for it."""
    return f"{random.getrandbits(128):032x}"


def _closing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [*(header for header in headers if header[0].lower() != b"connection"), (b"connection", b"close")]


def _known(method: str) -> str:
    """Anybody may send any word as a method: each would be a time series of its own."""
    return method if method in METHODS else "OTHER"


def _is_foreign(scope: HTTPScope, origin: str) -> bool:
    if scope["method"] in SAFE_METHODS:
        return False
    headers = dict(scope["headers"])
    named = headers.get(b"origin")
    if named is not None:
        return named.decode("latin-1").lower() != origin.lower()
    return headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none")


async def _refuse(
    send: Callable[[Any], Awaitable[None]], problem: Problem, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = _body(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
