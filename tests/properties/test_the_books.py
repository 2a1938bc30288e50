"""The books beside a model, through whatever orders, payments, chain, time, treasury, restarts and hands do.

The product's own worker steps run on a real database, and read a chain of paper over JSON-RPC, or a real one.
After each of its looks every kind stands, for every ref, at what the model says, and the ledger's treasury is
what the chain's is; in the end reconciliation finds what hands did to the database, and nothing else.

The programs are the same on every run, so that nobody's first `make test` explores. EX=200 makes
as many new ones; a failure is printed with what makes it again.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.properties.anvil_town import anvil_town
from tests.properties.books_town import Town
from tests.properties.claimings import CLAIM_STEPS, ClaimBooks
from tests.properties.hands import HANDS, Hand
from tests.properties.happenings import ANY_HANDS, CAPITALS, STEPS, Books, Step
from tests.properties.paper_town import paper_town

BEGINS = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = 2_000
EXPLORED = os.environ.get("EX")
PATIENT = settings(
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize=EXPLORED is None,
)
Towns = Callable[[], AbstractAsyncContextManager[Town]]


def on_paper(database_url: str) -> Towns:
    """A fresh town on paper, as often as one is asked for."""
    return lambda: paper_town(database_url, held=HELD, begins=BEGINS)


def through_any_program(towns: Towns, *, examples: int, steps: int) -> None:
    """Many programs, each in a fresh town."""
    with asyncio.Runner() as runner, capture_logs():

        @settings(PATIENT, max_examples=examples)
        @given(capital=CAPITALS, program=st.lists(STEPS, min_size=steps, max_size=2 * steps), hands=ANY_HANDS)
        def the_books_are_right(
            capital: int, program: Sequence[Step], hands: Sequence[tuple[Hand, int]]
        ) -> None:
            async def played() -> None:
                async with towns() as town:
                    books = Books(town)
                    await books.begin(capital)
                    for step in program:
                        await step.happens(books)
                    await books.end(hands)

            runner.run(played())

        the_books_are_right()


def test_the_books_are_what_the_model_says_and_reconciliation_finds_what_hands_did(database_url: str) -> None:
    through_any_program(on_paper(database_url), examples=int(EXPLORED or 25), steps=12)


def test_the_same_on_a_real_chain_through_the_front_doors(database_url: str) -> None:
    through_any_program(lambda: anvil_town(database_url), examples=int(EXPLORED or 30) // 10, steps=10)


def test_claims_are_owed_paid_and_settled_as_the_model_says(database_url: str) -> None:
    with asyncio.Runner() as runner, capture_logs():

        @settings(PATIENT, max_examples=int(EXPLORED or 3))
        @given(program=st.lists(CLAIM_STEPS, min_size=12, max_size=24))
        def the_books_are_right(program: Sequence[Step]) -> None:
            async def played() -> None:
                async with on_paper(database_url)() as town:
                    books = ClaimBooks(town)
                    await books.begin(capital=HELD)
                    for step in [then("somebody_buys", what=1, who=1), *program]:
                        await step.happens(books)
                    await books.end([])

            runner.run(played())

        the_books_are_right()


async def test_a_claim_that_is_paid_above_the_final_block_makes_no_difference(database_url: str) -> None:
    async with on_paper(database_url)() as town:
        books = ClaimBooks(town)
        await books.begin(capital=HELD)
        await books.somebody_buys(what=1, who=1)
        await books.a_claim_is_approved(which=0, part=2, who=1)
        await books.the_treasury_pays_what_is_due(0)
        for _ in range(4):
            await books.blocks_are_mined(1)
            await books.nothing_is_broken()


def then(name: str, **takes: object) -> Step:
    """A step."""
    return Step(name, takes)


async def grown(books: Books) -> None:
    """Something of everything: covers that are over, that run, long ones; quotes that are open and cancelled;
    money in suspense, given to the pool, sent back, gone without a word; and a reorganisation."""
    await books.begin(capital=HELD)
    for what in (0, 0, 3):
        await books.somebody_buys(what, who=1)
    await books.time_passes(10 * 3600, with_block=True)
    await books.blocks_are_mined(6)
    for what in (0, 3, 4, 0):
        await books.somebody_buys(what, who=2)
    for days in (1, 3):
        await books.time_passes(days * 86_400, with_block=True)
    for amount in (7, 30, 30, 500):
        await books.a_transfer_is_made_by_hand(3, amount)
    await books.blocks_are_replaced(depth=4, back=0b111, shift=1)
    await books.a_transaction_comes_back(0)
    await books.blocks_are_mined(6)
    await books.suspense_is_refunded(which=0, part=1, who=3)
    await books.the_treasury_pays_what_is_due(0)
    await books.the_treasury_pays_somebody(who=1, amount=7)
    await books.suspense_is_deposited(which=1, part=2)
    await books.blocks_are_mined(6)
    await books.somebody_buys(0, who=3)
    await books.blocks_are_mined(3)
    for step in (books.somebody_orders, books.a_user_cancels):
        for _ in range(2):
            await step(0)
    for _ in range(3):
        await books.somebody_orders(0)


@pytest.mark.parametrize("nth", range(0, len(HANDS), 3))
async def test_each_hand_is_named_and_nothing_else(database_url: str, nth: int) -> None:
    async with on_paper(database_url)() as town:
        books = Books(town)
        await grown(books)
        traces = await books.end([(hand, 0) for hand in HANDS[nth : nth + 3]])
    assert [trace.name for trace in traces] == [hand.name for hand in HANDS[nth : nth + 3]]


STORIES = {
    "a gift has the number that the payment before it had, when the order is paid once more": [
        then("somebody_orders", what=0),
        then("an_order_is_paid", which=0, who=1, twist=3),
        then("blocks_are_replaced", depth=1, back=0b1, shift=1),
        then("blocks_are_replaced", depth=1, back=0b10, shift=0),
        then("blocks_are_mined", blocks=6),
        then("an_order_is_paid", which=0, who=2, twist=0),
        then("blocks_are_mined", blocks=2),
    ],
    "a premium's transfer has the number that its payment had": [
        then("somebody_buys", what=0, who=1),
        then("blocks_are_replaced", depth=3, back=0b1, shift=1),
        then("blocks_are_mined", blocks=2),
    ],
    "a cover is over when its payment leaves the chain, and comes back too late": [
        then("somebody_buys", what=0, who=1),
        then("time_passes", seconds=8 * 3600 + 900, with_block=True),
        then("blocks_are_replaced", depth=4, back=0, shift=0),
        then("blocks_are_mined", blocks=1),
        then("a_transaction_comes_back", which=0),
        then("blocks_are_mined", blocks=2),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_rare_stories_end_in_right_books_too(database_url: str, story: list[Step]) -> None:
    async with on_paper(database_url)() as town:
        books = Books(town)
        await books.begin(capital=HELD)
        for step in story:
            await step.happens(books)
        await books.end([])
