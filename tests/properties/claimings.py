"""Books to which claims happen, too: a payout is approved, whole or in parts, cancelled, paid, and in the end
the cover is settled. What the exchange shows is no matter of the books: an operator says what is owed."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from liqpass.claims.opening import open_for
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.db import Connection
from liqpass.problems import Problem
from liqpass.treasury.disbursements import Asked
from tests.claims.claimed import GATHERED, approved, moved
from tests.properties.books_model import ACTIVE, EXPIRED, Due
from tests.properties.hands import Hand, Trace
from tests.properties.happenings import HAPPENINGS, PEOPLE, SOME, Books, Step, told

S = ClaimStatus
# By which moves an operator comes to approve more; there are none while a payout is on its way.
WAYS = {S.OPEN: GATHERED, S.PAID: GATHERED, S.IN_REVIEW: ()}
UNDECIDED = """
    select purchase_order_id from claims
    where status in ('OPEN', 'GATHERING', 'PAYABLE', 'IN_REVIEW', 'APPROVED', 'BATCHED')
        or (status = 'PAID' and not pay_final)
"""
# They tell of how long it takes and of what is paid once too often, which the model has no words for.
OF_CLAIMS = {"CLAIM_OVERDUE", "CLAIM_PAID_TWICE"}


class ClaimBooks(Books):
    """As without claims, and the model is told which of them wait for a decision, or to be paid for good."""

    async def work(self) -> None:
        await super().work()
        for task in self.town.tasks():
            if task.name == "settle covers":  # of claims that were seen to be paid after it
                await task.step()
        self.model.undecided = {row[0] for row in await self.town.owner.fetch(UNDECIDED)}

    async def end(self, hands: Sequence[tuple[Hand, int]]) -> list[Trace]:
        """What nobody has decided is approved: else it is held for ever."""
        await self.awake()
        for order_id in sorted(self.model.undecided):
            await self.approved(order_id, 1, 1)
        return await super().end(hands)

    async def a_claim_is_approved(self, which: int, part: int, who: int) -> None:
        """A part of what is left of an order's payout, at once or after others."""
        await self.awake()
        if order_id := self.an_order(which):
            await self.approved(order_id, part, who)

    async def approved(self, order_id: bytes, part: int, who: int) -> None:
        """The capital of a cover that was settled has to be free; until then it is held."""
        order, left = self.model.orders[order_id], self.model.left(order_id)
        if order.status not in (ACTIVE, EXPIRED) or not left:
            return
        amount, to = max(1, left // part), bytes([0xE0 + who]) * 20
        town: Any = self.town

        async def approve(conn: Connection) -> Asked | None:
            now, random, _ = self.desk()
            claim = await open_for(conn, now, random, order_id, by=Opener.OPERATOR)
            if claim.status not in WAYS:
                return None
            says = claim.approved_amount + amount
            await moved(conn, town, claim, *WAYS[claim.status], amount=says, ask_at=None)
            return await approved(conn, town, claim, amount, to=to)

        try:
            asked = await self.town.db.run(approve)
        except Problem as refused:
            told(refused.code)
            short = amount > self.model.accounts()["POOL_FREE"]
            assert order.settled
            assert refused.code == "ORDER_NOT_COVERED" or (refused.code == "CAPITAL_SHORT" and short)
        else:
            if asked:
                told("a claim approved")
                self.model.dues.append(Due(asked.id, "CLAIM", order_id, to, amount))
        await self.look()

    async def nothing_is_broken(self) -> set[tuple[str, str]]:
        """As without claims."""
        breaks = self.town.breaks

        async def others() -> set[tuple[str, str]]:
            return {one for one in await breaks() if one[0] not in OF_CLAIMS}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.town, "breaks", others)
            return await super().nothing_is_broken()


CLAIMINGS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    **HAPPENINGS,
    "somebody_buys": (8, HAPPENINGS["somebody_buys"][1]),
    "a_claim_is_approved": (10, {"which": SOME, "part": st.sampled_from([1, 2, 3]), "who": PEOPLE}),
    "what_is_due_is_cancelled": (4, {"which": SOME}),
    "the_treasury_pays_what_is_due": (6, {"which": SOME}),
}
_NAMES = [name for name, (often, _) in CLAIMINGS.items() for _ in range(often)]
CLAIM_STEPS = st.sampled_from(_NAMES).flatmap(
    lambda name: st.fixed_dictionaries(CLAIMINGS[name][1]).map(lambda takes: Step(name, takes))
)
