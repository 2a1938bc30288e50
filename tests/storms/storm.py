"""A storm from the first sale to the last settled cover: what happens when, and what holds all the while."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from inspect import isawaitable
from itertools import count, cycle

from tests.storms.fates import IN_PARTS, MS, WHOLE, Doing, Fate, Hands
from tests.storms.operators import Operators, again
from tests.storms.town import Holder, StormTown
from tests.storms.truth import Cover

STANDS = """
    select t.kind::text, t.ref, sum(case when k.forward then t.amount else -t.amount end)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind in ('HELD', 'CLAIM', 'CLAIM_PAID') group by t.kind, t.ref
"""
DECIDED = """
    select purchase_order_id as ref, status::text, amount, approved_amount, reason_code, missing, trouble
    from claims
"""
BALANCES = """
    select id::text, balance from ledger_accounts
    where id in ('POOL_FREE', 'POOL_LOCKED', 'CLAIMS_PAYABLE')
"""

FUNDED = {"BTC": "0.003", "ETH": "-0.002"}


@dataclass
class Storm:
    """`capital` is all that the pool was given. `happenings` have a number, so that what happens in one
    moment happens in the order in which it was told."""

    town: StormTown
    capital: int
    hands: Hands = field(init=False)
    operators: Operators = field(init=False)
    happenings: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.hands, self.operators = Hands(self.town.exchange.books), Operators(self.town)

    def happens(self, at: datetime, doing: Callable[[], object]) -> None:
        """At that moment, by the exchange's clock."""
        self.happenings.append((at, next(self._numbers), doing))

    def fate_of(self, cover: Cover, fate: Fate) -> None:
        """This cover meets it."""
        cover.way = fate.__name__
        doings: list[Doing] = list(fate(self.hands, cover, self.town.draw))
        for at, doing in doings:
            self.happens(at, doing)

    def fates_of(self, covers: list[Cover]) -> None:
        """Each meets the next one. Where much funding is paid, only what ends at once: of what is left when a
        part is gone, funding moves the liquidation price less than that of the insured size."""
        whole, in_parts = cycle(WHOLE), cycle(IN_PARTS)
        for cover in covers:
            self.fate_of(cover, next(whole if cover.position.instrument.base in FUNDED else in_parts))

    def key_is_deleted(self, holder: Holder, new_one: timedelta | None = None) -> None:
        """Its owner deletes the key at the exchange before anything happens, and hands over a new one so much
        after the covers' end, or none."""
        start, end = holder.covers[0].start, holder.covers[0].end
        key, books = holder.keys[0].api_key, self.town.exchange.books
        self.happens(start - 2 * MS, lambda: books.delete_key(key))
        if new_one is not None:
            self.happens(end + new_one, lambda: again(lambda: self.town.hand_over_key(holder)))
        for cover in holder.covers:
            cover.shown = new_one is not None or len(holder.keys) > 1

    def funding_is_settled(self, at: datetime) -> None:
        """By all longs of some instruments, and of another one by its shorts."""
        for coin, rate in FUNDED.items():
            self.happens(at, partial(self.hands.books.fund, f"{coin}-USDT-SWAP", rate))

    async def goes_on(self, until: datetime) -> None:
        """All that happens until then; then blocks, workers, operators; and what has to hold, holds."""
        self.happenings.sort(key=lambda one: one[:2])
        while self.happenings and self.happenings[0][0] <= until:
            at, _, doing = self.happenings.pop(0)
            self.town.clock.now = max(at, self.town.clock.now)
            done = doing()
            if isawaitable(done):
                await done
        self.town.clock.now = until
        self.town.blocks(3)
        await self.town.work()
        await self.operators.work()
        await self.nothing_is_risked()

    async def nothing_is_risked(self) -> None:
        """Behind every cover whose position is open is its payout; behind every one that was liquidated,
        whoever knows of it, what is owed; and all of that together is never more than the capital."""
        now, stands = self.town.clock(), defaultdict[str, dict[bytes, int]](dict)
        for row in await self.town.owner.fetch(STANDS):
            stands[row["kind"]][row["ref"]] = row["stands"]
        for cover in self.town.covers:
            held, owed = stands["HELD"].get(cover.ref, 0), cover.to_be_paid()
            assert held <= cover.payout
            runs = now < cover.end and cover.position.contracts > 0
            assert held >= (cover.payout if runs else owed), cover
            assert stands["CLAIM"].get(cover.ref, 0) <= owed, cover
        balances = {row["id"]: row["balance"] for row in await self.town.owner.fetch(BALANCES)}
        paid = sum(stands["CLAIM_PAID"].values())
        assert balances["POOL_LOCKED"] + balances["CLAIMS_PAYABLE"] <= self.capital - paid
        assert sum(balances.values()) == self.capital - paid

    async def wrong(self) -> list[str]:
        """Each cover for which the product decided otherwise than is true."""
        rows = await self.town.owner.fetch(DECIDED)
        decided = {row["ref"]: row for row in rows}
        found = []
        for cover in self.town.covers:
            claim = decided.get(cover.ref)
            approved = claim["approved_amount"] if claim is not None else 0
            status = claim["status"] if claim is not None else None
            if approved != cover.to_be_paid() or (status == "PAID") != (approved > 0):
                found.append(f"{cover}: owed {cover.owed()}, and the claim is {claim}")
        return found
