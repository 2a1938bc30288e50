"""Behind a proxy each caller is somebody of their own: nobody can use up what another one may ask for."""

from pathlib import Path

import aiohttp
import pytest

from liqpass.db import Database
from liqpass.hexes import checksum
from tests.clock import SettableClock
from tests.world import TestWorld, running_world

AT_ONCE = 60  # messages that a wallet may ask for from one address
CALLER, OTHER = "203.0.113.5", "2001:db8::7"


async def asked(world: TestWorld, *forwarded_for: str, times: int = 1) -> set[int]:
    """The statuses of asking for a message to sign, as a proxy passes it on."""
    headers = [("x-forwarded-for", value) for value in forwarded_for]
    body = {"address": checksum(world.chain.wallets[0].address)}
    statuses = set()
    async with aiohttp.ClientSession(headers=headers) as http:
        for _ in range(times):
            async with http.post(f"{world.api}/api/auth/nonce", json=body) as answer:
                statuses.add(answer.status)
    return statuses


async def test_who_asks_in_anothers_name_from_elsewhere_keeps_nobody_out(world: TestWorld) -> None:
    assert await asked(world, CALLER, times=AT_ONCE) == {200}
    assert await asked(world, CALLER) == {429}
    assert await asked(world, OTHER) == {200}


async def test_what_a_caller_says_of_their_own_address_is_not_believed(world: TestWorld) -> None:
    """A proxy appends what it sees to what it was told."""
    for number in range(AT_ONCE):
        assert await asked(world, f"198.51.100.{number}, {CALLER}") == {200}
    assert await asked(world, f"198.51.100.77, {CALLER}") == {429}
    assert await asked(world, "198.51.100.77", CALLER) == {429}  # in a line of its own
    assert await asked(world, f"198.51.100.77, {CALLER}, 127.0.0.1") == {429}  # and another proxy behind it
    assert await asked(world, f"{CALLER}, {OTHER}") == {200}


@pytest.mark.parametrize("proxies", ["", "10.1.2.0/24"], ids=["none", "another"])
async def test_who_is_no_proxy_of_ours_says_nothing_of_callers(
    proxies: str, db: Database, clock: SettableClock, tmp_path: Path
) -> None:
    async with running_world(db, clock, tmp_path, LIQPASS_PROXIES=proxies) as world:
        assert await asked(world, CALLER, times=AT_ONCE) == {200}
        assert await asked(world, OTHER) == {429}
