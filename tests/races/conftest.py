"""Two people, and one of them fifty times."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.newcomers import Newcomer, newcomer
from tests.races.crowd import crowd_of
from tests.world import TestWorld


@pytest.fixture
async def alice(world: TestWorld) -> AsyncIterator[Newcomer]:
    """A trader with an insurable position."""
    async with newcomer(world) as somebody:
        yield somebody


@pytest.fixture
async def bob(world: TestWorld) -> AsyncIterator[Newcomer]:
    """Another one, with another wallet and another exchange account."""
    async with newcomer(world) as somebody:
        yield somebody


@pytest.fixture
async def crowd(world: TestWorld, alice: Newcomer) -> AsyncIterator[list[Newcomer]]:
    """Alice in fifty browsers."""
    async with crowd_of(world, alice) as browsers:
        yield browsers
