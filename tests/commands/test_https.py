"""Nodes and the exchange over HTTPS: whoever the machine's authorities vouch for is asked, nobody else."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from tests.commands.cli import liqpass
from tests.commands.test_check import lines
from tests.commands.tls import write_certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with two authorities and the certificate of `localhost`, of the first."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    write_certificates(folder)
    return folder


@asynccontextmanager
async def over_tls(url: str, certificates: Path) -> AsyncIterator[str]:
    """The same server's address over HTTPS."""
    there = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(_copied(reader, before), _copied(behind, writer))

    server = await asyncio.start_server(pass_on, "localhost", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(2**16):
        writer.write(received)
    writer.close()


@pytest.mark.parametrize("authority", ["ca.pem", "other.pem", ""])
async def test_who_is_asked_over_https(
    authority: str,
    env: dict[str, str],
    certificates: Path,
    chain: SandboxChain,
    exchange: SandboxExchange,
) -> None:
    """`authority`: whom the machine trusts; "": those that it comes with."""
    trusted = {"SSL_CERT_FILE": str(certificates / authority)} if authority else {}
    async with (
        over_tls(chain.url, certificates) as node,
        over_tls(exchange.hosts["global"], certificates) as okx,
    ):
        over = {"LIQPASS_RPC_URLS": node, "LIQPASS_OKX_HOSTS": f"global={okx}"}
        found = lines(await liqpass("check", env={**env, **over, **trusted}))
    asked = {name: ok for name in ("node", "contract", "exchange") for ok, _ in found[name]}
    assert asked == dict.fromkeys(asked, authority == "ca.pem")
    assert len(asked) == 3
