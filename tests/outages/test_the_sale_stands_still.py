"""What stops payments on the chain itself is said by /readyz, in a sentence, as long as it lasts."""

import re

from liqpass.sandbox.anvil import encode_call
from tests.outages.conftest import page
from tests.world import TestWorld


async def _sale(world: TestWorld) -> tuple[int, str]:
    world.clock.advance(seconds=16)  # an answer is kept for some seconds
    said = await page(world, "/readyz")
    return said.status, said.checks["sale"]


async def test_a_paused_checkout_shows_in_readyz(world: TestWorld) -> None:
    await world.work()
    assert await _sale(world) == (200, "ok")
    await world.chain.transact(world.chain.owner, world.chain.checkout, encode_call("pause()"))
    assert await _sale(world) == (503, "The checkout is paused.")
    await world.chain.transact(world.chain.owner, world.chain.checkout, encode_call("unpause()"))
    assert await _sale(world) == (200, "ok")


async def test_a_paused_usdc_shows_in_readyz(world: TestWorld) -> None:
    await world.work()
    await world.chain.pause_usdc()
    assert await _sale(world) == (503, "USDC itself is paused by its issuer.")
    await world.chain.unpause_usdc()
    assert await _sale(world) == (200, "ok")


async def test_a_blacklisted_treasury_shows_in_readyz(world: TestWorld) -> None:
    await world.work()
    await world.chain.blacklist(world.chain.treasury)
    assert await _sale(world) == (503, "The treasury is on the blacklist of USDC.")
    await world.chain.unblacklist(world.chain.treasury)
    assert await _sale(world) == (200, "ok")


async def test_readyz_says_that_no_worker_runs(world: TestWorld) -> None:
    await world.pass_time(minutes=3)
    said = await page(world, "/readyz")
    assert said.status == 503
    told = re.fullmatch(
        r"last good view of the chain (\d+) s ago: is liqpass work running\?", said.checks["watcher"]
    )
    assert told is not None
    assert 170 < int(told[1]) <= 180  # each view is kept a microsecond after the one before it
