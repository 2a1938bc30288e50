"""The real nginx and Caddy with the files of deploy/, in front of a `liqpass serve`; browsers before them."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from liqpass.sandbox.trader import Trader
from liqpass.serving import free_port
from tests.commands.tls import write_certificates

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SITE = "https://liqpass.example"
HOST = "liqpass.example"
SPARE_SEC = 60
PROGRAMS = {
    name: shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    for name in ("nginx", "caddy")
}


@dataclass(frozen=True)
class Door:
    """Where a proxy listens on loopback, and whom it is believed by."""

    name: str
    plain_port: int
    tls_port: int
    authority: Path

    def believing(self) -> ssl.SSLContext:
        """One of the client's own, who writes into it which versions of HTTP it speaks."""
        return ssl.create_default_context(cafile=str(self.authority))

    def browser(self, address: str = "127.0.0.1", *, http2: bool = True, **more: Any) -> httpx.AsyncClient:
        """Somebody who calls from `address`."""
        transport = _Resolved(self, address, http2=http2)
        return httpx.AsyncClient(base_url=SITE, transport=transport, timeout=SPARE_SEC, **more)


class _Resolved(httpx.AsyncHTTPTransport):
    """The site's name leads to the door, as DNS would lead to it."""

    def __init__(self, door: Door, address: str, *, http2: bool) -> None:
        super().__init__(verify=door.believing(), http2=http2, local_address=address)
        self._ports = {"https": door.tls_port, "http": door.plain_port}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": HOST}
        request.url = request.url.copy_with(host="127.0.0.1", port=self._ports[request.url.scheme])
        return await super().handle_async_request(request)


class TraderAt(Trader):
    """A trader whose browser goes through the door."""

    def __init__(self, door: Door, wallet: Any) -> None:
        super().__init__(f"https://{HOST}:{door.tls_port}", wallet)
        self._door = door

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=_ToLoopback(), ssl=self._door.believing())
        self._http = aiohttp.ClientSession(connector=connector, headers={"host": HOST, "origin": SITE})
        return self


class _ToLoopback(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        """It keeps nothing."""


@asynccontextmanager
async def door(name: str, api_port: int, folder: Path) -> AsyncIterator[Door]:
    """The proxy of that name in front of what listens at `api_port`, until the end."""
    program = PROGRAMS[name]
    assert program is not None
    write_certificates(folder, HOST)
    there = Door(name, free_port(), free_port(), folder / "ca.pem")
    command = (_nginx if name == "nginx" else _caddy)(there, api_port, folder)
    home = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(program, *command, env=home, stdout=said, stderr=said)
    try:
        await _listening(process, there, folder / "said")
        yield there
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _listening(process: asyncio.subprocess.Process, there: Door, said: Path) -> None:
    for _ in range(SPARE_SEC * 20):
        assert process.returncode is None, _text(said)
        with suppress(OSError):
            for port in (there.tls_port, there.plain_port):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
            return
        await asyncio.sleep(0.05)
    raise AssertionError(_text(said))


def _text(path: Path) -> str:
    return path.read_text()


def _nginx(there: Door, api_port: int, folder: Path) -> list[str]:
    """Our file as it is, but for ports and the certificate; all that the server writes is in `folder`."""
    site = (DEPLOY / "nginx/liqpass.conf").read_text()
    for was, becomes in (
        ("listen [::]:80;", ""),
        ("listen [::]:443 ssl http2;", ""),
        ("listen 80;", f"listen 127.0.0.1:{there.plain_port};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{there.tls_port} ssl http2;"),
        ("127.0.0.1:8000;", f"127.0.0.1:{api_port};"),
        ("/etc/liqpass/tls/fullchain.pem", str(folder / "server.pem")),
        ("/etc/liqpass/tls/key.pem", str(folder / "server.key")),
    ):
        assert was in site
        site = site.replace(was, becomes)
    (folder / "liqpass.conf").write_text(site)
    kept = [
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    lines = ["user root;"] if os.geteuid() == 0 else []
    lines += ["daemon off;", f"pid {folder}/pid;", "error_log stderr;", "events {}"]
    lines += ["http {", "access_log off;", *kept, f"include {folder}/liqpass.conf;", "}"]
    (folder / "nginx.conf").write_text("\n".join(lines) + "\n")
    return ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _caddy(there: Door, api_port: int, folder: Path) -> list[str]:
    """Our file as it is, but for ports; its certificate is ours, and nobody administers it."""
    site = (DEPLOY / "caddy/Caddyfile").read_text()
    tls = f"tls {folder}/server.pem {folder}/server.key"
    for was, becomes in (
        ("\nliqpass.example {\n", f"\nliqpass.example {{\n\tbind 127.0.0.1\n\t{tls}\n"),
        ("127.0.0.1:8000 {", f"127.0.0.1:{api_port} {{"),
    ):
        assert was in site
        site = site.replace(was, becomes)
    ports = f"\thttp_port {there.plain_port}\n\thttps_port {there.tls_port}\n"
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n{ports}}}\n{site}")
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
