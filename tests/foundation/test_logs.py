"""Logs are one JSON object a line, with no value under a name that could be a secret's."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest
import structlog
from structlog.contextvars import bound_contextvars

from liqpass import request_lines
from liqpass.logs import configure_logs
from liqpass.request_lines import log_request, write_requests_to

SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The other tests find structlog as it was."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    write_requests_to(None)


def started() -> structlog.typing.FilteringBoundLogger:
    """A logger as the product has it, on the captured stderr."""
    configure_logs()
    structlog.configure(cache_logger_on_first_use=False)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    "name",
    [
        "secret", "secret_enc", "passphrase", "OK-ACCESS-PASSPHRASE", "password", "private_key", "privateKey",
        "signature", "OK-ACCESS-SIGN", "OK-ACCESS-KEY", "cookie", "Set-Cookie", "authorization", "token",
        "session_token", "api_key", "apiKey", "API_KEYS_ENC_KEY", "LIQPASS_QUOTE_SIGNER_KEY", "signer_key",
    ],
)  # fmt: skip
def test_a_value_under_the_name_of_a_secret_is_hidden(capsys: pytest.CaptureFixture[str], name: str) -> None:
    log = started()
    log.info("asked", **{name: SECRET})
    log.warning("asked", headers={name: SECRET}, tried=[{"deep": {name: [SECRET]}}])
    with bound_contextvars(**{name: SECRET}):
        log.info("bound")
    said = capsys.readouterr().err
    assert said.count("[hidden]") == 4
    assert SECRET not in said


def test_everything_else_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = started()
    with bound_contextvars(request_id="r1"):
        log.info("order_moved", order="o1", to="ACTIVE", amounts=[1, 2], detail={"reason": "PAYMENT_SAFE"})
    log.debug("unheard")
    (line,) = lines(capsys)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "order_moved",
        "level": "info",
        "request_id": "r1",
        "order": "o1",
        "to": "ACTIVE",
        "amounts": [1, 2],
        "detail": {"reason": "PAYMENT_SAFE"},
    }


def test_what_is_logged_is_left_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    headers = {"cookie": SECRET}
    started().info("asked", headers=headers)
    assert headers == {"cookie": SECRET}
    assert len(lines(capsys)) == 1


def test_an_exception_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("two\nlines")
    except ValueError:
        started().exception("failed")
    (line,) = lines(capsys)
    assert "ValueError: invalid literal" in str(line["exception"])


ROW = "Failing row contains (7, f0e1d2c3-key,\n v1.k1.sealed)."


def refused_row(kind: type[asyncpg.PostgresError]) -> asyncpg.PostgresError:
    """As PostgreSQL refuses a row, or what it is about."""
    error = kind('new row for relation "api_accounts" violates check constraint "never"')
    error.detail = ROW
    return error


@pytest.mark.parametrize(
    "kind", [asyncpg.CheckViolationError, asyncpg.UniqueViolationError, asyncpg.DataError]
)
def test_the_row_that_the_database_refused_is_not_in_the_trace(
    capsys: pytest.CaptureFixture[str], kind: type[asyncpg.PostgresError]
) -> None:
    log = started()
    try:
        try:
            raise refused_row(kind)
        except asyncpg.PostgresError as error:
            raise ExceptionGroup("of several", [RuntimeError("one"), error]) from error
    except ExceptionGroup as group:
        log.exception("failed")
        log.exception("failed", exc_info=(type(group), group, group.__traceback__))
    said = capsys.readouterr().err
    assert said.count("never") == 4
    assert "Traceback" in said
    assert "sealed" not in said
    assert "f0e1d2c3" not in said


def test_which_processes_wait_for_each_other_is_in_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    error = asyncpg.DeadlockDetectedError("deadlock detected")
    error.detail = "Process 7 waits for ShareLock on transaction 8."
    try:
        raise error
    except asyncpg.PostgresError:
        started().exception("failed")
    assert "Process 7 waits" in capsys.readouterr().err


def test_nor_is_it_in_the_trace_of_a_task_that_nobody_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    """In a process of its own: logging is set up once."""
    program = f"""
import asyncio, asyncpg, gc
from liqpass import request_lines
from liqpass.logs import configure_logs
from liqpass.request_lines import log_request, write_requests_to
configure_logs()
async def fails():
    error = asyncpg.CheckViolationError("a row is refused")
    error.detail = {ROW!r}
    raise error
async def main():
    asyncio.ensure_future(fails())
    await asyncio.sleep(0.01)
    gc.collect()
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    said = capfd.readouterr().err
    assert "a row is refused" in said
    assert "sealed" not in said


async def test_lines_of_requests_come_before_what_happened_after_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = started()
    log_request("r1", "GET", "/", 200, 1.0)
    log_request("r2", "GET", "/", 200, 1.0)
    log.info("after")
    assert [line.get("request_id", line["event"]) for line in lines(capsys)] == ["r1", "r2", "after"]


async def test_a_line_of_a_request_waits_for_others_for_a_moment_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started()
    log_request("r1", "GET", "/", 200, 1.0)
    said: list[dict[str, object]] = []
    while not said:
        await asyncio.sleep(0.01)
        said = lines(capsys)
    assert [line["request_id"] for line in said] == ["r1"]


def test_no_line_of_a_request_is_lost_at_the_end_of_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    """Of the last moment, too: nothing of Python's own end is run after it."""
    program = """
import os
from liqpass.ending import until_it_ends
from liqpass.logs import configure_logs
from liqpass.request_lines import log_request
configure_logs()
async def main():
    log_request("r1", "GET", "/", 200, 1.0)
until_it_ends(main)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert json.loads(capfd.readouterr().err)["request_id"] == "r1"


def test_lines_that_a_loop_has_left_are_written_by_the_next(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started()
    monkeypatch.setattr(request_lines, "WAIT_SEC", 0.01)

    async def ends_at_once() -> None:
        log_request("r1", "GET", "/", 200, 1.0)

    async def goes_on() -> list[object]:
        await asyncio.sleep(0.05)
        log_request("r2", "GET", "/", 200, 1.0)
        said: list[object] = []
        while len(said) < 2:
            await asyncio.sleep(0.01)
            said += [line["request_id"] for line in lines(capsys)]
        return said

    asyncio.run(ends_at_once())
    assert asyncio.run(goes_on()) == ["r1", "r2"]
