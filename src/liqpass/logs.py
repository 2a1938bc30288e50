"""Structured logs, one JSON object a line on stderr, with the request's id and without secrets.

Secrets are kept out at the source (a test greps the logs of a whole order loop); the processor here is
the second lock: a value under a name that could be a secret is never printed.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = re.compile(
    r"secret|passphrase|password|private|signature|cookie|authorization|enc_key|api_?key|token", re.I
)


def _hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        if name != "event" and _SECRET.search(name):
            event[name] = "[hidden]"
    return event


def configure_logs(*, level: str = "INFO") -> None:
    """Send structlog's events, and those of libraries from WARNING up, to stderr as JSON."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
