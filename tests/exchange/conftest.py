"""The sandbox exchange and a gateway to it, both on a time that moves only when somebody sleeps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from aiohttp import web

from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.sandbox.okx_server import SandboxExchange

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], AbstractAsyncContextManager[str]]


class StandingTime:
    """Wall clock, monotonic clock and sleep as one: sleeping moves the clocks and takes no time."""

    def __init__(self) -> None:
        self.passed_sec = 0.0
        self.sleeps: list[float] = []

    def wall(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=self.passed_sec)

    def monotonic(self) -> float:
        return self.passed_sec

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.passed_sec += seconds


class MakeGateway(Protocol):
    def __call__(self, hosts: dict[str, str] | None = None, **options: Any) -> OkxGateway: ...


@pytest.fixture
def time() -> StandingTime:
    return StandingTime()


@pytest.fixture
async def okx(time: StandingTime) -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(time.wall, monotonic=time.monotonic) as exchange:
        yield exchange


@pytest.fixture
def errors() -> list[str]:
    """The codes that the gateway counted."""
    return []


@pytest.fixture
async def make_gateway(
    okx: SandboxExchange, time: StandingTime, errors: list[str]
) -> AsyncIterator[MakeGateway]:
    made: list[OkxGateway] = []

    def make(hosts: dict[str, str] | None = None, **options: Any) -> OkxGateway:
        gateway = OkxGateway(
            okx.hosts if hosts is None else hosts,
            time.wall,
            on_error=errors.append,
            monotonic=time.monotonic,
            sleep=time.sleep,
            jitter=lambda: 0.5,
            **options,
        )
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        await gateway.close()


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> OkxGateway:
    return make_gateway()


@pytest.fixture
def creds(okx: SandboxExchange) -> Credentials:
    """A key that can only read, of an account on the global host."""
    return credentials(okx, "reads one")


@pytest.fixture
def credentials_of(okx: SandboxExchange) -> Callable[[str], Credentials]:
    return lambda label: credentials(okx, label)


def credentials(okx: SandboxExchange, label: str) -> Credentials:
    key = next(key for key in okx.test_keys() if key["label"] == label)
    return Credentials(
        str(key["apiKey"]), str(key["secret"]), str(key["passphrase"]), str(key["region"]), bool(key["demo"])
    )


@pytest.fixture
def serve() -> Serve:
    """A server with one handler, for answers that the sandbox exchange never gives."""

    @asynccontextmanager
    async def serving(handler: Handler) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return serving
