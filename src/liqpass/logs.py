"""Structured logs, one JSON object a line on stderr, with the request's id and without secrets.

Secrets are kept out at the source (a test greps the logs of a whole order loop); the processor here is
the second lock: a value under a name that could be a secret is never printed.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from traceback import format_exception
from types import TracebackType
from typing import Any

import msgspec

from liqpass.request_lines import write_requests, write_requests_to
from liqpass.spared import without

# With rich, structlog prepares colours that nobody here asks it for: 25 ms of a start and 4 MB of a server.
with without("rich"):
    import structlog

_SECRET = re.compile(
    r"secret|passphrase|password|private|signature|sign$|cookie|authorization|token|api_?key|[_-]key$", re.I
)

_JSON = msgspec.json.Encoder(enc_hook=repr)


def _hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value if name == "event" else _hidden(name, value) for name, value in event.items()}


@lru_cache(maxsize=1024)  # the names are few; a request's line asks eight times
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _hidden(name: str, value: object) -> object:
    if _is_secret(name):
        return "[hidden]"
    if isinstance(value, Mapping):
        return {inner: _hidden(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(name, held) for held in value]
    return value


def _in_order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Lines of requests that were over before come before this one."""
    write_requests()
    return event


def _as_json(event: Mapping[str, Any], **_its_own: Any) -> str:
    return _JSON.encode(event).decode()


def _trace(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """As Python prints it, but for the rows that a database's errors quote: an API key may be in one."""
    quoting = [(error, error.detail) for error in _all_of(exc_info[1]) if _quotes_a_row(error)]  # type: ignore[attr-defined]
    try:
        for error, _ in quoting:
            error.detail = "[hidden]"  # type: ignore[attr-defined]
        return "".join(format_exception(exc_info[1])).rstrip()
    finally:
        for error, detail in quoting:
            error.detail = detail  # type: ignore[attr-defined]


def _quotes_a_row(error: BaseException) -> bool:
    """By SQLSTATE: data that cannot be (22), or that a constraint does not allow (23)."""
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and state.startswith(("22", "23")) and hasattr(error, "detail")


def _all_of(error: BaseException) -> list[BaseException]:
    """It, and all that a trace shows with it."""
    found, left = list[BaseException](), [error]
    while left:
        one = left.pop()
        if not any(one is other for other in found):
            found.append(one)
            left += [other for other in (one.__cause__, one.__context__) if other is not None]
            left += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return found


def configure_logs(*, level: str = "INFO") -> None:
    """Send structlog's events, and those of libraries from WARNING up, to stderr as JSON."""
    write_requests_to(sys.stderr if getattr(logging, level) <= logging.INFO else None)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    for handler in logging.getLogger().handlers:
        if handler.formatter is not None:  # asyncio's traces of tasks that nobody waited for, say
            handler.formatter.formatException = _trace  # type: ignore[method-assign, assignment]
    # It prints the trace of every connection that a database took down with it; who asked tells of that.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            _in_order,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            structlog.processors.ExceptionRenderer(_trace),
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
