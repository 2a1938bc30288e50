"""One chain for all tests of the contract; every test starts from the same snapshot of it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from liqpass.sandbox.chain import SandboxChain


@pytest_asyncio.fixture(scope="session")
async def shared_chain() -> AsyncIterator[SandboxChain]:
    async with SandboxChain() as chain:
        yield chain


@pytest_asyncio.fixture
async def chain(shared_chain: SandboxChain) -> AsyncIterator[SandboxChain]:
    """The chain as it was handed out: what a test does is undone."""
    snapshot = await shared_chain.snapshot()
    yield shared_chain
    await shared_chain.set_automine(True)
    await shared_chain.revert(snapshot)
