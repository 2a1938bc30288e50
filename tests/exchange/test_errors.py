"""The table of what can go wrong, each code once over HTTP."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.exchange.errors import MEANINGS, ExchangeError, Kind, error_for, judge
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import StandingTime

# What OKX's documentation and the bodies seen in public say of each code: kind, and how often we ask.
EXPECTED: dict[str, tuple[Kind, int]] = {
    **dict.fromkeys(("50001", "50004", "50005", "50013", "50026", "51030"), (Kind.UNAVAILABLE, 3)),
    "50011": (Kind.RATE_LIMITED, 3),
    **dict.fromkeys(("50102", "50112"), (Kind.CLOCK, 2)),
    **dict.fromkeys(("50105", "50111", "50113", "50114"), (Kind.KEY_REJECTED, 1)),
    "50119": (Kind.KEY_UNKNOWN, 1),
    "50101": (Kind.ENVIRONMENT_MISMATCH, 1),
    "50110": (Kind.IP_NOT_ALLOWED, 1),
    **dict.fromkeys(("50035", "50030", "50120"), (Kind.NO_PERMISSION, 1)),
    **dict.fromkeys(
        ("50007", "50027", "50029", "50060", "50100", "50051", "50067", "50121"), (Kind.RESTRICTED, 1)
    ),
    **dict.fromkeys(
        ("50103", "50104", "50106", "50107", "50014", "50025", "50076", "50077", "51000", "51001", "404"),
        (Kind.OUR_BUG, 1),
    ),
    "1": (Kind.UNEXPECTED, 1),
    "59999": (Kind.UNEXPECTED, 1),
}


def test_every_code_of_the_table_is_expected_here() -> None:
    assert {code for code in MEANINGS if code.isdigit()} <= EXPECTED.keys()


@pytest.mark.parametrize("status", [200, 401, 429])
@pytest.mark.parametrize("code", EXPECTED)
async def test_each_code_is_one_kind_of_trouble_whatever_its_http_status(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], code: str, status: int
) -> None:
    okx.faults.fail(code, status=status, path="/account/")
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(creds)
    kind, tries = EXPECTED[code]
    assert (raised.value.kind, raised.value.code) == (kind, code)
    assert errors == [code] * tries
    assert raised.value.message_for_user.endswith(".")


@pytest.mark.parametrize("status", [200, 403, 502])
async def test_html_is_unavailable_also_with_status_200(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], status: int
) -> None:
    okx.faults.html(status=status)
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(creds)
    assert raised.value.kind is Kind.UNAVAILABLE
    assert errors == ["html"] * 3


async def test_an_empty_body_is_unavailable(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str]
) -> None:
    okx.faults.fail("", status=200)
    with pytest.raises(ExchangeError) as raised:
        await gateway.positions(creds)
    assert (raised.value.kind, errors) == (Kind.UNAVAILABLE, ["empty"] * 3)


async def test_trouble_that_passes_is_not_told(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str], time: StandingTime
) -> None:
    okx.faults.html(count=1)
    okx.faults.fail("50001", status=503, count=1)
    assert (await gateway.positions(creds)).positions
    assert errors == ["html", "50001"]
    assert time.sleeps == [0.25, 0.5]


async def test_after_too_many_requests_there_is_a_pause_of_two_seconds_and_more(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, time: StandingTime
) -> None:
    okx.faults.rate_limit(count=1)
    assert (await gateway.positions(creds)).positions
    assert time.sleeps == [2.25]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b'{"code":0,"data":[]}', None),
        (200, b'{"code":"0","data":{}}', "unreadable"),
        (200, b'{"code":"0"}', "unreadable"),
        (200, b'{"code":"0","data":[1]}', "unreadable"),
        (500, b'{"code":"0","data":[]}', "http_error"),
        (302, b'{"code":"0","data":[]}', "http_error"),
        (200, b'{"code":null}', "unknown_code"),
        (200, b'{"code":"drop table"}', "unknown_code"),
        (200, b'{"data":[]}', "not_json"),
        (200, b'"0"', "not_json"),
        (200, b"\xff\xfe", "not_json"),
        (200, b"[" * 100_000, "not_json"),
        (429, b"slow down", "http_429"),
        (200, b" \n", "empty"),
        (200, b"\n<!doctype html>", "html"),
    ],
)
def test_an_answer_is_believed_only_in_the_shape_that_okx_documents(
    status: int, body: bytes, code: str | None
) -> None:
    if code is None:
        assert judge(status, body) == []
    else:
        with pytest.raises(ExchangeError) as raised:
            judge(status, body)
        assert raised.value.code == code


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_answer_whatsoever_raises_anything_else(status: int, body: bytes) -> None:
    with suppress(ExchangeError):
        judge(status, body)


def test_the_error_says_its_kind_its_code_and_the_words_for_the_user() -> None:
    assert str(error_for("50105")) == (
        "KEY_REJECTED (50105): The passphrase is not this key's. Enter it again."
    )
