"""The books beside a model, through whatever orders, payments, chain, time, treasury and restarts may do.

The product's own worker steps run on a real database and read a chain of paper over JSON-RPC. After each of
its looks every kind stands, for every ref, at what the model says, and the ledger's treasury is the chain's.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from liqpass.db import Connection
from liqpass.ledger.book import DEBIT_SIDE
from liqpass.problems import Problem
from liqpass.treasury import disbursements, pool
from tests.properties.books_model import CANCELLED, OPEN, Due, Model, Order
from tests.properties.paper_chain import CHAIN_ID, Came, Left, Other, Paid, Tx
from tests.properties.paper_town import PaperTown, paper_town

T = TypeVar("T")
BEGINS = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = 1_000
OPENING = CHAIN_ID.to_bytes(8, "big")
PAID_AS = ("REFUND_PAID", "WITHDRAWAL_PAID", "PAID_OUT")
PASSES = 6
TTL = timedelta(minutes=15)
PARTNER = b"\xbb" * 20

premiums = st.sampled_from([1, 7, 30, 100])
payouts = st.sampled_from([100, 300, 700])
durations = st.sampled_from([timedelta(hours=8), timedelta(days=1), timedelta(days=3), timedelta(days=30)])
payers = st.integers(1, 3).map(lambda number: bytes([0xA0 + number]) * 20)
whiles = st.sampled_from([1, 60, 600, 899, 901, 8 * 3600, 86_400, 3 * 86_400, 28 * 86_400])
some = st.integers(0, 5)


class Books(RuleBasedStateMachine):
    """`asleep` counts the steps for which nobody works: then several things happen before one look."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], url: str) -> None:
        super().__init__()
        self.run = run
        self.stack = AsyncExitStack()
        world = paper_town(url, held=HELD, begins=BEGINS)
        self.town: PaperTown = self.run(self.stack.enter_async_context(world))
        self.chain, self.clock = self.town.chain, self.town.clock
        self.model = Model(self.chain, OPENING)
        self.gone: list[Tx] = []
        self.asleep = 0
        self.looked = False
        self.steps = 0

    def teardown(self) -> None:
        try:
            self.asleep = 0
            self.look()
            self.everything_ends()
        finally:
            self.run(self.stack.aclose())

    @initialize(capital=st.sampled_from([0, 400, 800, HELD]))
    def the_books_open(self, capital: int) -> None:
        self.look()
        if capital:
            self.deposit(OPENING, capital)
        self.look()

    # Orders

    @rule(premium=premiums, payout=payouts, duration=durations)
    def somebody_orders(self, premium: int, payout: int, duration: timedelta) -> None:
        number = len(self.model.orders) + self.steps + 1
        delay = timedelta(minutes=10)
        made = self.run(self.town.order(number, premium, payout, delay, duration, TTL))
        assert (made is not None) == (self.model.accounts()["POOL_FREE"] >= payout), "sold what it has"
        if made is not None:
            self.model.orders[made] = Order(premium, payout, delay, duration, self.clock() + TTL)
        event("ordered" if made else "capacity exhausted")
        self.look()

    @rule(which=some)
    def a_user_cancels(self, which: int) -> None:
        if (order_id := self.an_order(which)) is None:
            return
        order = self.model.orders[order_id]
        if self.run(self.town.cancel(order_id)) == "CANCELLED":
            assert order.status in (OPEN, CANCELLED)
            order.status = CANCELLED
        self.look()

    # What the chain shows

    @rule(which=some, payer=payers, before=st.integers(0, 1), also=st.sampled_from([0, 0, 0, 1, 7]))
    def an_order_is_paid(self, which: int, payer: bytes, before: int, also: int) -> None:
        """Right, or repeated, or late; behind somebody else's log; or with a gift in the same transaction."""
        if (order_id := self.an_order(which)) is not None:
            gift = [Came(payer, also)] if also else []
            self.mine(
                *[Other()] * before, *paying(order_id, payer, self.model.orders[order_id].premium), *gift
            )

    @rule(which=some, payer=payers, amount=st.sampled_from([0, 1, 8, 31]))
    def an_order_is_paid_wrongly(self, which: int, payer: bytes, amount: int) -> None:
        """With a quote that was signed for another amount."""
        if (order_id := self.an_order(which)) is not None:
            self.mine(*paying(order_id, payer, amount))

    @rule(payer=payers, amount=premiums)
    def an_unknown_order_is_paid(self, payer: bytes, amount: int) -> None:
        self.mine(*paying(self.chain.fresh("unknown"), payer, amount))

    @rule(sender=payers, amount=st.sampled_from([1, 7, 30, 500]))
    def a_transfer_is_made_by_hand(self, sender: bytes, amount: int) -> None:
        """Or through an old checkout, which looks the same."""
        self.mine(Came(sender, amount))

    @rule(blocks=st.sampled_from([1, 2, 3, 6]))
    def blocks_are_mined(self, blocks: int) -> None:
        for _ in range(blocks):
            self.chain.mine((), self.clock())
        self.look()

    @rule(depth=st.integers(1, 5), back=st.integers(0, 3), shift=st.integers(0, 2))
    def blocks_are_replaced(self, depth: int, back: int, shift: int) -> None:
        """Some of what was in them is in the newest one again, behind other logs; the rest is gone."""
        txs = self.chain.reorg(depth)
        if txs:
            others = [Tx(self.chain.fresh("tx"), (Other(),) * shift)] if shift else []
            self.chain.put(self.chain.head("latest").number, others + txs[:back])
            self.gone += txs[back:]
            event(f"{len(txs)} replaced")
        self.look()

    @precondition(lambda self: self.gone)
    @rule(which=some)
    def a_transaction_comes_back(self, which: int) -> None:
        tx = self.gone.pop(which % len(self.gone))
        if not any(isinstance(log, Left) for log in tx.logs) or self.can_spend(sent(tx)):
            self.chain.mine([tx], self.clock())
        self.look()

    # Time and the worker

    @rule(seconds=whiles)
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        self.chain.mine((), self.clock())
        self.look()

    @rule(seconds=whiles)
    def time_passes_without_blocks(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        self.look()

    @rule(tasks=st.integers(0, 8))
    def the_worker_is_replaced(self, tasks: int) -> None:
        """After some of its tasks, as they stand in its table."""
        for task in self.town.tasks()[:tasks]:
            self.run(done(task.step()))
        self.run(self.town.restart())
        self.asleep = 0
        self.look()

    @rule(steps=st.integers(1, 4))
    def nobody_works(self, steps: int) -> None:
        self.asleep = steps
        self.looked = False

    # The treasury, once it has looked

    @precondition(lambda self: self.looked)
    @rule(which=some, part=st.sampled_from([1, 2]))
    def suspense_is_deposited(self, which: int, part: int) -> None:
        if item := self.an_item(which):
            self.deposit(item[0], max(1, item[1] // part))
            self.look()

    @precondition(lambda self: self.looked)
    @rule(which=some, part=st.sampled_from([1, 2]), to=payers)
    def suspense_is_refunded(self, which: int, part: int, to: bytes) -> None:
        if item := self.an_item(which):
            ref, amount = item[0], max(1, item[1] // part)
            self.asked(
                ref,
                amount,
                lambda conn: disbursements.refund(
                    conn,
                    self.clock(),
                    self.dice(),
                    self.town.of.settings.chain,
                    ref,
                    by="a test",
                    reason="stray",
                    to=to,
                    amount=amount,
                ),
                "REFUND",
                to,
            )

    @precondition(lambda self: self.looked)
    @rule(amount=st.sampled_from([1, 100, 900]))
    def capital_is_withdrawn(self, amount: int) -> None:
        free = self.model.accounts()["POOL_FREE"]
        now, dice, chain = self.clock(), self.dice(), self.town.of.settings.chain

        def withdrawal(conn: Connection) -> Awaitable[Any]:
            return disbursements.withdraw(
                conn, now, dice, chain, amount, PARTNER, by="a test", reason="enough"
            )

        if amount > free:
            with pytest.raises(Problem, match="more than is free"):
                self.run(self.town.db.run(withdrawal))
        else:
            self.asked(None, amount, withdrawal, "WITHDRAWAL", PARTNER)

    @rule(which=some)
    def the_treasury_pays_what_is_due(self, which: int) -> None:
        """What was paid already too: twice is not explained."""
        if self.model.dues:
            due = self.model.dues[which % len(self.model.dues)]
            if self.can_spend(due.amount):
                self.mine(Left(due.recipient, due.amount))

    @rule(to=payers, amount=st.sampled_from([1, 7, 40]))
    def the_treasury_pays_somebody(self, to: bytes, amount: int) -> None:
        if self.can_spend(amount):
            self.mine(Left(to, amount))

    # How it is done

    def mine(self, *logs: Came | Left | Paid | Other) -> None:
        self.chain.mine([Tx(self.chain.fresh("tx"), logs)], self.clock())
        self.look()

    def deposit(self, ref: bytes, amount: int) -> None:
        chain, now, dice = self.town.of.settings.chain, self.clock(), self.dice()

        def deposit(conn: Connection) -> Awaitable[Any]:
            return pool.deposit(conn, now, dice, chain, by="a test", amount=amount, ref=ref)

        if self.is_final(ref):
            self.run(self.town.db.run(deposit))
            self.model.capital[ref] += amount
        else:
            with pytest.raises(Problem, match="not final"):
                self.run(self.town.db.run(deposit))
        event("deposited" if self.is_final(ref) else "not final")

    def asked(
        self, ref: bytes | None, amount: int, work: Callable[..., Any], purpose: str, to: bytes
    ) -> None:
        if ref is not None and not self.is_final(ref):
            with pytest.raises(Problem, match="not final"):
                self.run(self.town.db.run(work))
            return
        made = self.run(self.town.db.run(work))
        self.model.dues.append(Due(purpose, made.id.bytes if ref is None else ref, to, amount))
        event(f"{purpose} asked")
        self.look()

    def an_order(self, which: int) -> bytes | None:
        known = list(self.model.orders)
        return known[-1 - which % len(known)] if known else None

    def an_item(self, which: int) -> tuple[bytes, int] | None:
        items = sorted(self.model.in_suspense().items())
        return items[which % len(items)] if items else None

    def is_final(self, ref: bytes) -> bool:
        final = self.chain.head("finalized").number
        return ref == OPENING or any(s.ref == ref and s.block.number <= final for s in self.chain.shown())

    def can_spend(self, amount: int) -> bool:
        """Only what is final, and not sent already."""
        final = self.chain.head("finalized").number
        sending = sum(sent(tx) for block in self.chain.blocks[final + 1 :] for tx in block.txs)
        return bool(self.chain.balance_at(final) - sending >= amount)

    def dice(self) -> bytes:
        return bytes(self.chain.fresh("dice")[:10])

    def look(self) -> None:
        """The worker works, unless nobody does, and the books are what the model says."""
        self.steps += 1
        self.looked = not self.asleep
        if self.asleep:
            self.asleep -= 1
            self.agree_with_each_other(self.run(self.town.accounts()))
            return
        self.run(self.work())
        self.model.look(self.clock())
        self.compare()

    async def work(self) -> None:
        for _ in range(PASSES):
            for task in self.town.tasks():
                await task.step()
            waiting = "select (select count(*) from settle_queue) + (select count(*) from transfer_queue)"
            if not await self.town.owner.fetchval(waiting):
                return
        raise AssertionError("something waits for ever")

    def compare(self) -> None:
        stands, accounts = self.run(self.town.standing()), self.run(self.town.accounts())
        out = {key: stands.pop(key) for key in list(stands) if key[0] in PAID_AS}
        assert stands == self.model.stands()
        assert accounts == self.model.accounts()
        self.agree_with_each_other(accounts)
        assert accounts["TREASURY"] == self.chain.balance_at(self.chain.head("safe").number)
        left = {one.ref: one.log for one in self.model.went_out()}
        assert sorted(ref for _, ref in out) == sorted(left)
        booked: dict[tuple[bytes, int], Counter[str]] = {}
        for (kind, ref), amount in out.items():
            log = left[ref]
            assert isinstance(log, Left)
            assert amount == log.amount
            booked.setdefault((log.recipient, amount), Counter())[kind] += 1
        assert booked == {key: +kinds for key, kinds in self.model.paid_as().items()}

    @staticmethod
    def agree_with_each_other(accounts: dict[str, int]) -> None:
        debits = sum(amount for account, amount in accounts.items() if account in DEBIT_SIDE)
        assert 2 * debits == sum(accounts.values())

    def everything_ends(self) -> None:
        """When all covers are over and all quotes have run out, no capital is held and all is earned."""
        self.clock.advance(days=32)
        for _ in range(7):
            self.chain.mine((), self.clock())
        self.look()
        accounts = self.run(self.town.accounts())
        assert (accounts["POOL_LOCKED"], accounts["UNEARNED_PREMIUM"]) == (0, 0)


async def done(step: Awaitable[object]) -> None:
    """A step, as something that a runner runs."""
    await step


def paying(order_id: bytes, payer: bytes, amount: int) -> list[Came | Paid]:
    """What the checkout does."""
    return [Came(payer, amount, for_premium=True), Paid(order_id, payer, amount)]


def sent(tx: Tx) -> int:
    """What a transaction takes out of the treasury."""
    return sum(log.amount for log in tx.logs if isinstance(log, Left))


def test_the_books_are_what_the_model_says_whatever_happens(database_url: str) -> None:
    with asyncio.Runner() as runner, capture_logs():
        run_state_machine_as_test(
            lambda: Books(runner.run, database_url),  # type: ignore[arg-type]
            settings=settings(
                max_examples=30,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
