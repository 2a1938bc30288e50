"""Signatures of ordinary accounts in the shapes in which wallets hand them over."""

from collections.abc import AsyncIterator

import httpx
import pytest

from liqpass.db import Database
from liqpass.sandbox.anvil import wallet
from tests.clock import SettableClock
from tests.signin.visitors import FakeNode, browser, compact, door, message_for, refusal, signature_of, verify

ALICE, BOB = wallet("alice"), wallet("bob")


@pytest.fixture
def node() -> FakeNode:
    """A chain on which nobody has a contract wallet."""
    return FakeNode()


@pytest.fixture
async def http(db: Database, clock: SettableClock, node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(door(db, clock, node)) as client:
        yield client


async def test_an_ordinary_account_signs_nothing_with_nothing(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    assert refusal(await verify(http, message, "0x")) == (401, "SIGNIN_REJECTED")
    assert len(node.asked) == 1  # whether it has code only a node knows


async def test_a_compact_signature_signs_in_and_asks_no_node(http: httpx.AsyncClient, node: FakeNode) -> None:
    for _ in range(4):  # v is 27 in half of them
        message = await message_for(http, ALICE.address)
        assert (await verify(http, message, compact(signature_of(message, ALICE)))).status_code == 200
    message = await message_for(http, ALICE.address)
    assert node.asked == []
    by_another = await verify(http, message, compact(signature_of(message, BOB)))
    assert refusal(by_another) == (401, "SIGNIN_REJECTED")
