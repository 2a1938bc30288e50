"""One chain for all tests of the contract; every test starts from the same snapshot of it."""

from collections.abc import AsyncIterator

import pytest

from liqpass.sandbox.chain import SandboxChain
from tests.chain.conftest import chain

__all__ = ["chain"]


@pytest.fixture(scope="session")
async def shared_chain() -> AsyncIterator[SandboxChain]:
    async with SandboxChain() as running:
        yield running
