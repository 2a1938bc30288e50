"""Two people, and one of them fifty times."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.conftest import alice, bob
from tests.flows.newcomers import Newcomer
from tests.races.crowd import crowd_of
from tests.world import TestWorld

__all__ = ["alice", "bob"]


@pytest.fixture
async def crowd(world: TestWorld, alice: Newcomer) -> AsyncIterator[list[Newcomer]]:
    """Alice in fifty browsers."""
    async with crowd_of(world, alice) as browsers:
        yield browsers
