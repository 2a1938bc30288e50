"""No key, secret, passphrase or text of OKX in anything that could be printed."""

import asyncio
import logging
import traceback
from dataclasses import replace

import pytest

from liqpass.exchange.errors import ExchangeError
from liqpass.exchange.okx import Credentials
from liqpass.sandbox.okx_server import SandboxExchange
from tests.exchange.conftest import MakeGateway
from tests.seen.echo import Echo, Way
from tests.seen.needles import found

WAYS: tuple[Way, ...] = ("page", "error", "rows", "names", "garbage")


def everything_about(error: BaseException | None) -> str:
    """The error with its traceback and its whole chain, the hidden parts too."""
    told = ""
    while error is not None:
        told += repr(error) + str(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return told


async def answer_garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No HTTP: the client's own error for this carries the headers of the request."""
    writer.write(b"garbage\r\n\r\n")
    writer.close()


async def test_no_failure_tells_a_secret(
    okx: SandboxExchange, make_gateway: MakeGateway, creds: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bound = okx.books.add_key(okx.books.keys[creds.api_key].uid, label="keyfragment", ip="203.0.113.7")
    gateway, down = make_gateway(), make_gateway(hosts={"global": "http://127.0.0.1:9"})
    server = await asyncio.start_server(answer_garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    garbled = make_gateway(hosts={"global": f"http://127.0.0.1:{port}"})
    told = ""
    for user, asked in (
        (replace(creds, secret=f"{creds.secret}x"), gateway),
        (replace(creds, passphrase=f"{creds.passphrase}x"), gateway),
        (replace(creds, api_key=f"{creds.api_key}x"), gateway),
        (replace(creds, passphrase=f"{creds.passphrase}\r\nHost: evil"), gateway),
        (replace(creds, secret=f"{creds.secret}\ud800"), gateway),
        (replace(creds, demo=True), gateway),
        (Credentials(bound.api_key, bound.secret, bound.passphrase, "global", demo=False), gateway),
        (creds, down),
        (creds, garbled),
    ):
        with pytest.raises(ExchangeError) as raised:
            await asked.account_config(user)
        told += everything_about(raised.value)
    server.close()
    for way in WAYS:
        async with Echo(okx.hosts["global"]) as echo:
            echo.tell(way)
            with pytest.raises(ExchangeError) as raised:
                await make_gateway(hosts={"global": echo.url}).account_config(creds)
            told += everything_about(raised.value)
    okx.faults.lag(3_600)
    with pytest.raises(ExchangeError, match="timeout") as raised:
        await make_gateway(timeout_sec=0.05).account_config(creds)
    told += caplog.text
    named = ("key", creds.api_key), ("secret", creds.secret), ("passphrase", creds.passphrase)
    others = ("bound key", bound.api_key), ("its label", "keyfragment"), ("address", "127.0.0.1 is")
    assert found(dict((*named, *others)), told.encode("utf-8", "backslashreplace")) == []


def test_credentials_show_nothing_of_themselves(creds: Credentials) -> None:
    shown = f"{creds!r} {creds} {[creds]}"
    assert shown.count("Credentials(region='global', demo=False)") == 3
    for secret in (creds.api_key, creds.secret, creds.passphrase):
        assert secret not in shown
