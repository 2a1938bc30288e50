"""Traders of a fresh world; and for tables of refusals, which change nothing, one world for a whole file."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.newcomers import Newcomer, newcomer, shared_world
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


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product, shared by the tests of a file."""
    async with shared_world(server_url, template, tmp_path_factory.mktemp("town")) as world:
        yield world


@pytest.fixture(scope="module")
async def visitor(town: TestWorld) -> AsyncIterator[Newcomer]:
    """Signed in, with an account and an order, so that there is something to spoil."""
    async with newcomer(town) as somebody:
        await somebody.order()
        yield somebody
