"""Whatever may happen to the books, as a machine that Hypothesis drives: rules, and after each of them the
books beside the model. The town says how it happens: on paper, or on a real chain."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar

import pytest
from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from liqpass.db import Connection
from liqpass.ledger.book import DEBIT_SIDE
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import disbursements, pool
from liqpass.worker import Task
from tests.properties.books_model import CANCELLED, OPEN, Due, Model
from tests.properties.books_town import Town
from tests.properties.hands import HANDS, Hand, Trace, reach_in
from tests.properties.shown import Came, Left

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]
PAID_AS = ("REFUND_PAID", "WITHDRAWAL_PAID", "PAID_OUT")
PASSES = 6
PARTNER = b"\xbb" * 20
OPENING = (8453).to_bytes(8, "big")
BY = "a test"

people = st.integers(1, 3)
whiles = st.sampled_from([1, 60, 600, 899, 901, 8 * 3600, 86_400, 3 * 86_400, 28 * 86_400])
some = st.integers(0, 5)
hands = st.lists(st.tuples(st.sampled_from(HANDS), some), max_size=4)


class Books(RuleBasedStateMachine):
    """`asleep` counts the steps for which nobody works: then several things happen before one look.

    `hands` are what somebody does to the database in the end; without any, all covers end instead.
    """

    def __init__(self, run: Run, town: Callable[[], AbstractAsyncContextManager[Town]]) -> None:
        super().__init__()
        self.run, self.stack = run, AsyncExitStack()
        self.town: Town = run(self.stack.enter_async_context(town()))
        self.model = Model(self.town.chain, OPENING)
        self.asleep, self.looked = 0, False
        self.hands: list[tuple[Hand, int]] = []
        self.traces: list[Trace] = []

    def teardown(self) -> None:
        try:
            self.asleep = 0
            self.blocks_are_mined(3)
            self.nothing_is_broken()
            if self.hands:
                self.somebody_reaches_in()
            else:
                self.everything_ends()
        finally:
            self.run(self.stack.aclose())

    @initialize(capital=st.sampled_from([1000, 400, 0]), hands=hands)
    def the_books_open(self, capital: int, hands: list[tuple[Hand, int]]) -> None:
        self.hands = hands
        self.run(self.work())
        self.model.look(self.town.clock())
        if self.town.deposited:
            self.model.capital[OPENING] = self.town.deposited
        elif capital:
            self.deposit(OPENING, capital)
        self.look()

    # Orders

    @rule(what=some)
    def somebody_orders(self, what: int) -> None:
        free = self.model.accounts()["POOL_FREE"]
        order_id, terms = self.run(self.town.order(what))
        assert (order_id is not None) == (free >= terms.payout), "it sells what it has"
        if order_id is not None:
            self.model.orders[order_id] = terms
        told("ordered" if order_id else "capacity exhausted")
        self.look()

    @rule(what=some, who=people)
    def somebody_buys(self, what: int, who: int) -> None:
        """Orders, pays, and is covered."""
        before = len(self.model.orders)
        self.somebody_orders(what)
        if len(self.model.orders) > before:
            self.an_order_is_paid(0, who, 0)
            self.blocks_are_mined(self.town.safe_after)

    @rule(which=some)
    def a_user_cancels(self, which: int) -> None:
        if order_id := self.an_order(which):
            order = self.model.orders[order_id]
            if self.run(self.town.cancel(order_id)):
                assert order.status in (OPEN, CANCELLED)
                order.status = CANCELLED
            self.look()

    # What the chain shows

    @rule(which=some, who=people, twist=some)
    def an_order_is_paid(self, which: int, who: int, twist: int) -> None:
        """Right; or again; or late; or when it was cancelled."""
        if order_id := self.an_order(which):
            self.run(self.town.pay(order_id, who, self.model.orders[order_id].premium, twist=twist))
            self.look()

    @rule(which=some, who=people, amount=st.sampled_from([1, 8, 31]))
    def an_order_is_paid_wrongly(self, which: int, who: int, amount: int) -> None:
        """With a quote that was signed for another amount."""
        if order_id := self.an_order(which):
            self.run(self.town.pay(order_id, who, amount))
            self.look()

    @rule(who=people, amount=st.sampled_from([1, 7, 30]))
    def an_unknown_order_is_paid(self, who: int, amount: int) -> None:
        self.run(self.town.pay(self.town.fresh("unknown"), who, amount))
        self.look()

    @rule(who=people, amount=st.sampled_from([1, 7, 30, 500]))
    def a_transfer_is_made_by_hand(self, who: int, amount: int) -> None:
        self.run(self.town.come(who, amount))
        self.look()

    @rule(blocks=st.sampled_from([1, 2, 3, 6]))
    def blocks_are_mined(self, blocks: int) -> None:
        self.run(self.town.mine(blocks))
        self.look()

    @rule(depth=st.integers(1, 5), back=st.integers(0, 7), shift=st.integers(0, 2))
    def blocks_are_replaced(self, depth: int, back: int, shift: int) -> None:
        self.run(self.town.replace(depth, back, shift))
        self.look()

    @rule(which=some)
    def a_transaction_comes_back(self, which: int) -> None:
        self.run(self.town.bring_back(which))
        self.look()

    # Time and the worker

    @rule(seconds=whiles, with_block=st.booleans())
    def time_passes(self, seconds: int, with_block: bool) -> None:
        self.run(self.town.pass_time(seconds, with_block=with_block))
        self.look()

    @rule(tasks=st.integers(0, 8))
    def the_worker_is_replaced(self, tasks: int) -> None:
        """After some of its tasks, as they stand in its table."""
        for task in self.town.tasks()[:tasks]:
            self.run(finished(task))
        self.run(self.town.restart())
        self.asleep = 0
        self.look()

    @rule(steps=st.integers(1, 4))
    def nobody_works(self, steps: int) -> None:
        self.asleep, self.looked = steps, False

    # The treasury, once it has looked

    @precondition(lambda self: self.looked)
    @rule(which=some, part=st.sampled_from([1, 2]))
    def suspense_is_deposited(self, which: int, part: int) -> None:
        if item := self.an_item(which):
            self.deposit(item[0], max(1, item[1] // part))
            self.look()

    @precondition(lambda self: self.looked)
    @rule(which=some, part=st.sampled_from([1, 2]), who=people)
    def suspense_is_refunded(self, which: int, part: int, who: int) -> None:
        if item := self.an_item(which):
            ref, amount, to = item[0], max(1, item[1] // part), self.town.address(who)

            async def refund(conn: Connection) -> disbursements.Asked:
                return await disbursements.refund(
                    conn, *self.desk(), ref, to=to, amount=amount, by=BY, reason="stray"
                )

            if asked := self.decided(ref, refund):
                self.model.dues.append(Due(asked.id, "REFUND", ref, to, amount))
            self.look()

    @precondition(lambda self: self.looked)
    @rule(amount=st.sampled_from([1, 100, 900]))
    def capital_is_withdrawn(self, amount: int) -> None:
        async def withdraw(conn: Connection) -> disbursements.Asked:
            return await disbursements.withdraw(conn, *self.desk(), amount, PARTNER, by=BY, reason="enough")

        if amount > self.model.accounts()["POOL_FREE"]:
            with pytest.raises(Problem, match="more than is free"):
                self.run(self.town.db.run(withdraw))
        else:
            asked = self.run(self.town.db.run(withdraw))
            self.model.dues.append(Due(asked.id, "WITHDRAWAL", asked.id.bytes, PARTNER, amount))
        self.look()

    @precondition(lambda self: self.looked and self.model.dues)
    @rule(which=some)
    def what_is_due_is_cancelled(self, which: int) -> None:
        """Only what no transfer has paid, nor seems to be paying."""
        due = self.model.dues[which % len(self.model.dues)]
        shown = [one.log for one in self.town.chain.shown()]

        async def cancel(conn: Connection) -> None:
            now, _, chain = self.desk()
            await disbursements.cancel(conn, now, chain, str(due.id), by=BY, reason="not any more")

        try:
            self.run(self.town.db.run(cancel))
        except Problem:
            assert due.cancelled or Left(due.recipient, due.amount) in shown
        else:
            due.cancelled = True
        self.look()

    @rule(which=some)
    def the_treasury_pays_what_is_due(self, which: int) -> None:
        """What was paid already too: twice is not explained."""
        if self.model.dues:
            due = self.model.dues[which % len(self.model.dues)]
            self.the_treasury_pays(due.recipient, due.amount)

    @rule(who=people, amount=st.sampled_from([1, 7, 40]))
    def the_treasury_pays_somebody(self, who: int, amount: int) -> None:
        self.the_treasury_pays(self.town.address(who), amount)

    # How it is done

    def the_treasury_pays(self, to: bytes, amount: int) -> None:
        """Only out of what is final, and was not sent already."""
        final = self.town.chain.head("finalized").number
        has = self.town.chain.held
        for one in self.town.chain.shown():
            if isinstance(one.log, Left):
                has -= one.log.amount
            elif isinstance(one.log, Came) and one.block.number <= final:
                has += one.log.amount
        if has >= amount:
            self.run(self.town.leave(to, amount))
            self.look()

    def desk(self) -> tuple[datetime, bytes, ChainSettings]:
        """What every decision takes: the time, some randomness, the chain."""
        return self.town.clock(), self.town.fresh("dice")[:10], self.town.of.settings.chain

    def deposit(self, ref: bytes, amount: int) -> None:
        async def deposit(conn: Connection) -> pool.Deposited:
            return await pool.deposit(conn, *self.desk(), by=BY, amount=amount, ref=ref)

        if self.decided(ref, deposit):
            self.model.capital[ref] += amount

    def decided(self, ref: bytes, work: Callable[[Connection], Awaitable[T]]) -> T | None:
        """Do what an operator decides of an item in suspense; it is refused while the item is not final."""
        final, shown = self.town.chain.head("finalized").number, self.town.chain.shown()
        if ref == OPENING or any(one.ref == ref and one.block.number <= final for one in shown):
            told("decided")
            done: T = self.run(self.town.db.run(work))
            return done
        with pytest.raises(Problem, match="not final"):
            self.run(self.town.db.run(work))
        return None

    def an_order(self, which: int) -> bytes | None:
        known = list(self.model.orders)
        return known[-1 - which % len(known)] if known else None

    def an_item(self, which: int) -> tuple[bytes, int] | None:
        items = sorted(self.model.in_suspense().items())
        return items[which % len(items)] if items else None

    def look(self) -> None:
        """The worker works, unless nobody does, and the books are what the model says."""
        self.looked = not self.asleep
        if self.looked:
            self.run(self.work())
            self.model.look(self.town.clock())
            self.compare()
        else:
            self.asleep -= 1
            debits_are_credits(self.run(self.town.accounts()))

    async def work(self) -> None:
        for _ in range(PASSES):
            for task in self.town.tasks():
                await task.step()
            if not await self.town.waiting():
                return
        raise AssertionError("something waits for ever")

    def compare(self) -> None:
        stands, accounts = self.run(self.town.standing()), self.run(self.town.accounts())
        out = {key: stands.pop(key) for key in list(stands) if key[0] in PAID_AS}
        assert not (off := unlike(stands, self.model.stands())), off
        assert not (off := unlike(accounts, self.model.accounts())), off
        debits_are_credits(accounts)
        assert accounts["TREASURY"] == self.run(self.town.treasury())
        left = {one.ref: one.log for one in self.model.went_out()}
        assert sorted(ref for _, ref in out) == sorted(left)
        booked: dict[tuple[bytes, int], Counter[str]] = {}
        for (kind, ref), amount in out.items():
            log = left[ref]
            assert isinstance(log, Left)
            assert amount == log.amount
            booked.setdefault((log.recipient, amount), Counter())[kind] += 1
        assert booked == {key: +kinds for key, kinds in self.model.paid_as().items()}

    # What is found out

    def nothing_is_broken(self) -> set[tuple[str, str]]:
        """The invariants hold, and reconciliation finds what waits for a decision, and nothing else."""
        assert self.run(self.town.broken()) == []
        found: set[tuple[str, str]] = self.run(self.town.breaks())
        unexplained = sum(kinds["PAID_OUT"] for kinds in self.model.paid_as().values())
        assert len({subject for kind, subject in found if kind == "MONEY_LEFT_UNEXPLAINED"}) == unexplained
        assert {one for one in found if one[0] != "MONEY_LEFT_UNEXPLAINED"} == self.model.breaks()
        return found

    def somebody_reaches_in(self) -> None:
        """Each thing that a hand did is named; where no hand was, all is as before."""
        before = self.run(self.town.breaks())
        self.traces = self.run(reach_in(self.town.owner, self.model, self.hands))
        after = self.run(self.town.breaks())
        for trace in self.traces:
            told(trace.name)
            assert trace.must in after, trace
        touched = {subject for trace in self.traces for subject in trace.touched}

        def elsewhere(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
            """Account balances and the treasury's are of everything."""
            wide = ("account ", "treasury") if self.traces else ()
            return {one for one in found if one[1] not in touched and not one[1].startswith(wide)}

        assert elsewhere(after) == elsewhere(before)

    def everything_ends(self) -> None:
        """When all covers are over and all quotes have run out, no capital is held and all is earned."""
        self.run(self.town.pass_time(32 * 86_400, with_block=True))
        self.blocks_are_mined(6)
        accounts = self.run(self.town.accounts())
        assert (accounts["POOL_LOCKED"], accounts["UNEARNED_PREMIUM"]) == (0, 0)
        self.nothing_is_broken()


async def finished(task: Task) -> None:
    """One step of a task."""
    await task.step()


def told(what: str) -> None:
    """For Hypothesis' statistics, where there are any."""
    if currently_in_test_context():
        event(what)


def debits_are_credits(accounts: dict[str, int]) -> None:
    """The ledger sums to zero."""
    debits = sum(amount for account, amount in accounts.items() if account in DEBIT_SIDE)
    assert 2 * debits == sum(accounts.values())


def unlike(books: Mapping[Any, int], model: Mapping[Any, int]) -> dict[Any, tuple[int, int]]:
    """Where the two differ, and how."""
    pairs = {key: (books.get(key, 0), model.get(key, 0)) for key in {*books, *model}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
