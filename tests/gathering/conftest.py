"""The desk, on time that a test moves: neither the exchange's limits nor our pauses take any."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from liqpass.db import Database
from liqpass.exchange.okx import OkxGateway
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.cipher import KeyRing
from tests.clock import SettableClock
from tests.gathering.desk import Desk


@pytest.fixture
async def desk(db: Database, clock: SettableClock) -> AsyncIterator[Desk]:
    """Between any two requests a minute passes for the limits."""
    minutes = map(float, count(step=60)).__next__

    async def no_pause(_seconds: float) -> None:
        pass

    async with SandboxExchange(clock, monotonic=minutes) as exchange:
        # After the positions that it begins with, as pricing always is.
        clock.advance(minutes=5)
        gateway = OkxGateway(exchange.hosts, clock, monotonic=minutes, sleep=no_pause, tries=1)
        yield Desk(db, exchange, gateway, KeyRing({"k1": bytes(range(32))}), clock)
        await gateway.close()
