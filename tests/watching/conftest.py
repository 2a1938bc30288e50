"""One running product for the tests of a file; each insures somebody new in it."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.newcomers import shared_world
from tests.watching.covers import Insured, insured
from tests.world import TestWorld


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product."""
    async with shared_world(server_url, template, tmp_path_factory.mktemp("watched")) as world:
        yield world


@pytest.fixture
async def alice(town: TestWorld) -> AsyncIterator[Insured]:
    """Somebody new, covered; the exchange is well again afterwards."""
    async with insured(town) as somebody:
        yield somebody
    town.exchange.faults.heal()
