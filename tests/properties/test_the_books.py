"""The books beside a model, through whatever orders, payments, chain, time, treasury, restarts and hands do.

The product's own worker steps run on a real database, and read a chain of paper over JSON-RPC, or a real one.
After each of its looks every kind stands, for every ref, at what the model says, and the ledger's treasury is
what the chain's is; in the end reconciliation finds what hands did to the database, and nothing else.
"""

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from structlog.testing import capture_logs

from tests.properties.anvil_town import anvil_town
from tests.properties.books_machine import Books
from tests.properties.hands import HANDS
from tests.properties.paper_town import paper_town

BEGINS = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = 1_000
PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], print_blob=True
)
drive: Any = run_state_machine_as_test  # it takes whatever makes a machine, and says that it takes a class


def test_the_books_are_what_the_model_says_and_reconciliation_finds_what_hands_did(database_url: str) -> None:
    with asyncio.Runner() as runner, capture_logs():
        drive(
            lambda: Books(runner.run, lambda: paper_town(database_url, held=HELD, begins=BEGINS)),
            settings=settings(PATIENT, max_examples=int(os.environ.get("EX", "30")), stateful_step_count=20),
        )


def grown(books: Books) -> None:
    """Something of everything: covers that are over, that run, long ones; quotes that are open and cancelled;
    money in suspense, given to the pool, sent back, gone without a word; and a reorganisation."""
    books.the_books_open(capital=HELD, hands=[])
    for what in (0, 0, 3):
        books.somebody_buys(what, who=1)
    books.time_passes(10 * 3600, with_block=True)
    books.blocks_are_mined(6)
    for what in (0, 3, 4, 0):
        books.somebody_buys(what, who=2)
    for amount in (7, 30, 30, 500):
        books.a_transfer_is_made_by_hand(3, amount)
    books.blocks_are_replaced(depth=4, back=0b111, shift=1)
    books.a_transaction_comes_back(0)
    books.blocks_are_mined(6)
    books.suspense_is_refunded(which=0, part=1, who=3)
    books.the_treasury_pays_what_is_due(0)
    books.the_treasury_pays_somebody(who=1, amount=7)
    books.suspense_is_deposited(which=1, part=2)
    books.blocks_are_mined(6)
    for step in (books.somebody_orders, books.a_user_cancels):
        for _ in range(2):
            step(0)
    for _ in range(3):
        books.somebody_orders(0)


@pytest.mark.parametrize("nth", range(0, len(HANDS), 3))
def test_each_hand_is_named_and_nothing_else(database_url: str, nth: int) -> None:
    with asyncio.Runner() as runner, capture_logs():
        books = Books(runner.run, lambda: paper_town(database_url, held=HELD, begins=BEGINS))
        try:
            grown(books)
            books.hands = [(hand, 0) for hand in HANDS[nth : nth + 3]]
        finally:
            books.teardown()
        assert len(books.traces) == len(books.hands)


def test_a_stray_transfer_that_has_the_number_of_a_payment_which_left_stays_in_suspense(
    database_url: str,
) -> None:
    """A gift in the transaction of a payment, which a reorganisation moves up by one log; then the order is
    paid once more, and its payments are settled anew."""
    with asyncio.Runner() as runner, capture_logs():
        books = Books(runner.run, lambda: paper_town(database_url, held=HELD, begins=BEGINS))
        try:
            books.the_books_open(capital=HELD, hands=[])
            books.somebody_orders(0)
            books.an_order_is_paid(0, who=1, twist=3)
            books.blocks_are_replaced(depth=1, back=0b1, shift=1)
            books.blocks_are_replaced(depth=1, back=0b10, shift=0)
            books.blocks_are_mined(6)
            books.an_order_is_paid(0, who=2, twist=0)
            books.blocks_are_mined(2)
        finally:
            books.teardown()


def test_the_same_on_a_real_chain_through_the_front_doors(database_url: str) -> None:
    with asyncio.Runner() as runner, capture_logs():
        drive(
            lambda: Books(runner.run, lambda: anvil_town(database_url)),
            settings=settings(PATIENT, max_examples=int(os.environ.get("EXA", "3")), stateful_step_count=15),
        )
