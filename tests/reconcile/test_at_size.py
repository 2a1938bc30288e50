"""Ten thousand orders and as many payments: nothing is found where all agrees, and all that hands did."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.at_size import BooksAtSize, books_at_size, breaks_of
from liqpass.reconcile.checks import BreakType
from liqpass.reconcile.invariants import broken

ORDERS = 10_000


@pytest.fixture
async def books(database_url: str, tmp_path: Path) -> AsyncIterator[BooksAtSize]:
    async with books_at_size(database_url, tmp_path, ORDERS) as found:
        yield found


async def test_what_hands_did_is_found_and_nothing_else(books: BooksAtSize) -> None:
    now = await books.owner.fetchval("select latest_time from chain_cursors")
    assert await broken(books.owner, now) == []
    assert breaks_of(await books.reconcile()) == frozenset()
    wanted = await books.strike()
    assert {kind for kind, _ in wanted} == set(BreakType)
    found = breaks_of(await books.reconcile())
    assert (wanted - found, found - wanted) == (frozenset(), frozenset())
