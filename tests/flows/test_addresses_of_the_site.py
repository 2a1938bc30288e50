"""Sign-in works at whatever address the site is said to have: it is kept as browsers send it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from liqpass.db import Database
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from tests.clock import SettableClock
from tests.signin.visitors import signature_of
from tests.world import running_world

ALICE = wallet("alice")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://Bücher.example", "http://xn--bcher-kva.example"),
        ("http://保障。example:8080", "http://xn--ruqs83o.example:8080"),
        ("http://LIQPASS.Example./", "http://liqpass.example"),
        ("http://[2001:DB8:0:0:0:0:0:1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
async def test_a_browser_signs_in_at_the_address_that_was_set(
    db: Database, clock: SettableClock, tmp_path: Path, http: aiohttp.ClientSession, written: str, sent: str
) -> None:
    async with running_world(db, clock, tmp_path, LIQPASS_PUBLIC_URL=written) as world:
        api, by_browser = f"{world.api}/api/auth", {"Origin": sent}
        asked = {"address": checksum(ALICE.address)}
        async with http.post(f"{api}/nonce", json=asked, headers=by_browser) as given:
            message = (await given.json())["message"]
        assert message.startswith(f"{sent.partition('://')[2]} wants you to sign in")
        assert f"URI: {sent}\n" in message
        signed = {"message": message, "signature": signature_of(message, ALICE)}
        async with http.post(f"{api}/verify", json=signed, headers=by_browser) as answer:
            assert answer.status == 200, await answer.text()
        async with http.post(f"{api}/nonce", json=asked, headers={"Origin": f"{sent}.evil"}) as refused:
            assert refused.status == 403
