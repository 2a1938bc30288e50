"""Whatever may happen to the books, and after each of it the books beside the model. The town says how it
happens: on paper, or on a real chain."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pytest
from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st

from liqpass.db import Connection
from liqpass.ledger.book import DEBIT_SIDE
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import disbursements, pool
from tests.properties.books_model import CANCELLED, OPEN, Due, Model
from tests.properties.books_town import Town
from tests.properties.hands import HANDS, Hand, Trace, reach_in
from tests.properties.shown import Came, Left

T = TypeVar("T")
PAID_AS = ("REFUND_PAID", "WITHDRAWAL_PAID", "CLAIM_PAID", "PAID_OUT")
PASSES = 6
PARTNER = b"\xbb" * 20
OPENING = (8453).to_bytes(8, "big")
BY = "a test"
DAY = 86_400


class Books:
    """The books of a town and those of the model. `asleep` counts the steps for which nobody works."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.model = Model(town.chain, OPENING)
        self.asleep = 0

    async def begin(self, capital: int) -> None:
        """The books are opened, and the pool is given its capital, unless the town has done that."""
        await self.work()
        self.model.look(self.town.clock())
        if self.town.deposited:
            self.model.capital[OPENING] = self.town.deposited
        elif capital:
            await self.deposit(OPENING, capital)
        await self.look()

    async def end(self, hands: Sequence[tuple[Hand, int]]) -> list[Trace]:
        """Reconciliation has nothing to say; then hands reach into the database or, without any, all covers
        end. What the hands did."""
        await self.town.mine(3)
        await self.awake()
        await self.nothing_is_broken()
        if hands:
            return await self.somebody_reaches_in(hands)
        await self.everything_ends()
        return []

    # Orders

    async def somebody_orders(self, what: int) -> None:
        free = self.model.accounts()["POOL_FREE"]
        order_id, terms = await self.town.order(what)
        assert (order_id is not None) == (free >= terms.payout), "it sells what it has"
        if order_id is not None:
            self.model.orders[order_id] = terms
        told("ordered" if order_id else "capacity exhausted")
        await self.look()

    async def somebody_buys(self, what: int, who: int) -> None:
        """Orders, pays, and is covered."""
        before = len(self.model.orders)
        await self.somebody_orders(what)
        if len(self.model.orders) > before:
            await self.an_order_is_paid(0, who, 0)
            await self.blocks_are_mined(self.town.safe_after)

    async def a_user_cancels(self, which: int) -> None:
        if order_id := self.an_order(which):
            order = self.model.orders[order_id]
            if await self.town.cancel(order_id):
                assert order.status in (OPEN, CANCELLED)
                order.status = CANCELLED
            await self.look()

    # What the chain shows

    async def an_order_is_paid(self, which: int, who: int, twist: int) -> None:
        """Right; or again; or late; or when it was cancelled."""
        if order_id := self.an_order(which):
            await self.town.pay(order_id, who, self.model.orders[order_id].premium, twist=twist)
            await self.look()

    async def an_order_is_paid_wrongly(self, which: int, who: int, amount: int) -> None:
        """With a quote that was signed for another amount."""
        if order_id := self.an_order(which):
            await self.town.pay(order_id, who, amount)
            await self.look()

    async def an_unknown_order_is_paid(self, who: int, amount: int) -> None:
        await self.town.pay(self.town.fresh("unknown"), who, amount)
        await self.look()

    async def a_transfer_is_made_by_hand(self, who: int, amount: int) -> None:
        await self.town.come(who, amount)
        await self.look()

    async def blocks_are_mined(self, blocks: int) -> None:
        await self.town.mine(blocks)
        await self.look()

    async def blocks_are_replaced(self, depth: int, back: int, shift: int) -> None:
        await self.town.replace(depth, back, shift)
        await self.look()

    async def a_transaction_comes_back(self, which: int) -> None:
        await self.town.bring_back(which)
        await self.look()

    # Time and the worker

    async def time_passes(self, seconds: int, with_block: bool) -> None:
        await self.town.pass_time(seconds, with_block=with_block)
        await self.look()

    async def the_worker_is_replaced(self, tasks: int) -> None:
        """After some of its tasks, as they stand in its table."""
        for task in self.town.tasks()[:tasks]:
            await task.step()
        await self.town.restart()
        await self.awake()

    async def nobody_works(self, steps: int) -> None:
        """For that many steps: then several things happen before one look."""
        self.asleep = steps

    # The treasury; whoever decides waits until the worker has looked

    async def suspense_is_deposited(self, which: int, part: int) -> None:
        await self.awake()
        if item := self.an_item(which):
            await self.deposit(item[0], max(1, item[1] // part))
            await self.look()

    async def suspense_is_refunded(self, which: int, part: int, who: int) -> None:
        await self.awake()
        if item := self.an_item(which):
            ref, amount, to = item[0], max(1, item[1] // part), self.town.address(who)

            async def refund(conn: Connection) -> disbursements.Asked:
                return await disbursements.refund(
                    conn, *self.desk(), ref, to=to, amount=amount, by=BY, reason="stray"
                )

            if asked := await self.decided(ref, refund):
                self.model.dues.append(Due(asked.id, "REFUND", ref, to, amount))
            await self.look()

    async def capital_is_withdrawn(self, amount: int) -> None:
        await self.awake()

        async def withdraw(conn: Connection) -> disbursements.Asked:
            return await disbursements.withdraw(conn, *self.desk(), amount, PARTNER, by=BY, reason="enough")

        if amount > self.model.accounts()["POOL_FREE"]:
            with pytest.raises(Problem, match="more than is free"):
                await self.town.db.run(withdraw)
        else:
            asked = await self.town.db.run(withdraw)
            self.model.dues.append(Due(asked.id, "WITHDRAWAL", asked.id.bytes, PARTNER, amount))
        await self.look()

    async def what_is_due_is_cancelled(self, which: int) -> None:
        """Only what no transfer has paid, nor seems to be paying."""
        if not self.model.dues:
            return
        await self.awake()
        due = self.model.dues[which % len(self.model.dues)]
        shown = [one.log for one in self.town.chain.shown()]

        async def cancel(conn: Connection) -> None:
            now, _, chain = self.desk()
            await disbursements.cancel(conn, now, chain, str(due.id), by=BY, reason="not any more")

        try:
            await self.town.db.run(cancel)
        except Problem:
            assert due.cancelled or Left(due.recipient, due.amount) in shown
        else:
            due.cancelled = True
        await self.look()

    async def the_treasury_pays_what_is_due(self, which: int) -> None:
        """What was paid already too: twice is not explained."""
        if self.model.dues:
            due = self.model.dues[which % len(self.model.dues)]
            await self.the_treasury_pays(due.recipient, due.amount)

    async def the_treasury_pays_somebody(self, who: int, amount: int) -> None:
        await self.the_treasury_pays(self.town.address(who), amount)

    # How it is done

    async def the_treasury_pays(self, to: bytes, amount: int) -> None:
        """Only out of what is final, and was not sent already."""
        final = self.town.chain.head("finalized").number
        has = self.town.chain.held
        for one in self.town.chain.shown():
            if isinstance(one.log, Left):
                has -= one.log.amount
            elif isinstance(one.log, Came) and one.block.number <= final:
                has += one.log.amount
        if has >= amount:
            await self.town.leave(to, amount)
            await self.look()

    def desk(self) -> tuple[datetime, bytes, ChainSettings]:
        """What every decision takes: the time, some randomness, the chain."""
        return self.town.clock(), self.town.fresh("dice")[:10], self.town.of.settings.chain

    async def deposit(self, ref: bytes, amount: int) -> None:
        async def deposit(conn: Connection) -> pool.Deposited:
            return await pool.deposit(conn, *self.desk(), by=BY, amount=amount, ref=ref)

        if await self.decided(ref, deposit):
            self.model.capital[ref] += amount

    async def decided(self, ref: bytes, work: Callable[[Connection], Awaitable[T]]) -> T | None:
        """Do what an operator decides of an item in suspense; it is refused while the item is not final."""
        final, shown = self.town.chain.head("finalized").number, self.town.chain.shown()
        if ref == OPENING or any(one.ref == ref and one.block.number <= final for one in shown):
            told("decided")
            done: T = await self.town.db.run(work)
            return done
        with pytest.raises(Problem, match="not final"):
            await self.town.db.run(work)
        return None

    def an_order(self, which: int) -> bytes | None:
        known = list(self.model.orders)
        return known[-1 - which % len(known)] if known else None

    def an_item(self, which: int) -> tuple[bytes, int] | None:
        items = sorted(self.model.in_suspense().items())
        return items[which % len(items)] if items else None

    async def look(self) -> None:
        """The worker works, unless nobody does, and the books are what the model says."""
        if self.asleep:
            self.asleep -= 1
            debits_are_credits(await self.town.accounts())
        else:
            await self.awake()

    async def awake(self) -> None:
        """The worker works, and the books are what the model says."""
        self.asleep = 0
        await self.work()
        self.model.look(self.town.clock())
        await self.compare()

    async def work(self) -> None:
        for _ in range(PASSES):
            for task in self.town.tasks():
                await task.step()
            if not await self.town.waiting():
                return
        raise AssertionError("something waits for ever")

    async def compare(self) -> None:
        stands, accounts = await self.town.standing(), await self.town.accounts()
        out = {key: stands.pop(key) for key in list(stands) if key[0] in PAID_AS}
        assert not (off := unlike(stands, self.model.stands())), off
        assert not (off := unlike(accounts, self.model.accounts())), off
        debits_are_credits(accounts)
        assert accounts["TREASURY"] == await self.town.treasury()
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

    async def nothing_is_broken(self) -> set[tuple[str, str]]:
        """The invariants hold, and reconciliation finds what waits for a decision, and nothing else."""
        assert await self.town.broken() == []
        found: set[tuple[str, str]] = await self.town.breaks()
        unexplained = sum(kinds["PAID_OUT"] for kinds in self.model.paid_as().values())
        assert len({subject for kind, subject in found if kind == "MONEY_LEFT_UNEXPLAINED"}) == unexplained
        assert {one for one in found if one[0] != "MONEY_LEFT_UNEXPLAINED"} == self.model.breaks()
        return found

    async def somebody_reaches_in(self, hands: Sequence[tuple[Hand, int]]) -> list[Trace]:
        """Each thing that a hand did is named; where no hand was, all is as before."""
        before = await self.town.breaks()
        traces = await reach_in(self.town.owner, self.model, hands)
        after = await self.town.breaks()
        for trace in traces:
            told(trace.name)
            assert trace.must in after, trace
        touched = {subject for trace in traces for subject in trace.touched}

        def elsewhere(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
            """Account balances and the treasury's are of everything."""
            wide = ("account ", "treasury") if traces else ()
            return {one for one in found if one[1] not in touched and not one[1].startswith(wide)}

        assert elsewhere(after) == elsewhere(before)
        return traces

    async def everything_ends(self) -> None:
        """All covers are over, nobody can claim: no capital waits but for claims, and all is earned."""
        await self.town.pass_time(32 * DAY, with_block=True)
        await self.blocks_are_mined(6)
        await self.town.pass_time(15 * DAY, with_block=True)
        await self.blocks_are_mined(6)
        accounts = await self.town.accounts()
        assert (accounts["POOL_LOCKED"], accounts["UNEARNED_PREMIUM"]) == (self.model.waiting(), 0)
        await self.nothing_is_broken()


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


# Programs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One of the things that may happen, and what it takes."""

    name: str
    takes: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value}' for name, value in self.takes.items())})"

    async def happens(self, books: Books) -> None:
        """To these books."""
        await getattr(books, self.name)(**self.takes)


PEOPLE = st.integers(1, 3)
SOME = st.integers(0, 5)
# Up to a quote's end and past it; past the delay and 8 hours, a day, three; days of long covers.
WHILES = st.sampled_from([1, 899, 901, 8 * 3600 + 900, DAY, DAY + 900, 3 * DAY + 900, 28 * DAY])
# How often, compared with the others, and what it takes.
HAPPENINGS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "somebody_orders": (2, {"what": SOME}),
    "somebody_buys": (5, {"what": SOME, "who": PEOPLE}),
    "a_user_cancels": (2, {"which": SOME}),
    "an_order_is_paid": (4, {"which": SOME, "who": PEOPLE, "twist": SOME}),
    "an_order_is_paid_wrongly": (1, {"which": SOME, "who": PEOPLE, "amount": st.sampled_from([1, 8, 31])}),
    "an_unknown_order_is_paid": (1, {"who": PEOPLE, "amount": st.sampled_from([1, 7, 30])}),
    "a_transfer_is_made_by_hand": (3, {"who": PEOPLE, "amount": st.sampled_from([1, 7, 30, 500])}),
    "blocks_are_mined": (3, {"blocks": st.sampled_from([1, 2, 3, 6])}),
    "blocks_are_replaced": (
        5,
        {"depth": st.integers(1, 5), "back": st.integers(0, 7), "shift": st.integers(0, 2)},
    ),
    "a_transaction_comes_back": (3, {"which": SOME}),
    "time_passes": (5, {"seconds": WHILES, "with_block": st.sampled_from([True, True, False])}),
    "the_worker_is_replaced": (2, {"tasks": st.integers(0, 8)}),
    "nobody_works": (2, {"steps": st.integers(1, 4)}),
    "suspense_is_deposited": (1, {"which": SOME, "part": st.sampled_from([1, 2])}),
    "suspense_is_refunded": (2, {"which": SOME, "part": st.sampled_from([1, 2]), "who": PEOPLE}),
    "capital_is_withdrawn": (1, {"amount": st.sampled_from([1, 100, 900])}),
    "what_is_due_is_cancelled": (1, {"which": SOME}),
    "the_treasury_pays_what_is_due": (2, {"which": SOME}),
    "the_treasury_pays_somebody": (1, {"who": PEOPLE, "amount": st.sampled_from([1, 7, 40])}),
}
_NAMES = [name for name, (often, _) in HAPPENINGS.items() for _ in range(often)]
STEPS = st.sampled_from(_NAMES).flatmap(
    lambda name: st.fixed_dictionaries(HAPPENINGS[name][1]).map(lambda takes: Step(name, takes))
)
CAPITALS = st.sampled_from([2000, 2000, 2000, 500, 0])
ANY_HANDS = st.lists(st.tuples(st.sampled_from(HANDS), SOME), max_size=4, unique_by=lambda pair: pair[0].name)
