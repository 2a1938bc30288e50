"""Logs are one JSON object a line, with no value under a name that could be a secret's."""

import json
from collections.abc import Iterator

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from liqpass.logs import configure_logs

SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The other tests find structlog as it was."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


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
