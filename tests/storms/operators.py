"""People who do their work while it storms: they approve what is payable, and send what is due."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from liqpass.problems import Problem
from liqpass.review import approving
from liqpass.treasury import disbursements
from tests.properties.shown import Left, Tx
from tests.storms.town import STRUCK_DOWN, StormTown

T = TypeVar("T")
TRIES = 20
NAMES = ("Ada", "Bob")


@dataclass
class Operators:
    """`paid` are the transactions that left the treasury, `sent` the payouts that they made. `lost`: a batch
    was cut short, and nobody knows whether its payouts are marked as batched."""

    town: StormTown
    paid: list[Tx] = field(default_factory=list)
    sent: set[UUID] = field(default_factory=set)
    lost: bool = False

    async def work(self) -> None:
        """What waits for people."""
        for row in await self.town.owner.fetch("select id from claims where status = 'PAYABLE' order by id"):
            for name in NAMES:
                with suppress(Problem):  # done already, by a statement of which no answer came
                    await again(partial(self._approve, row["id"], name))
        await self._send()

    async def _approve(self, claim: UUID, by: str) -> approving.Approved:
        of, now, ten = self.town.of, self.town.clock(), self.town.draw.randbytes(10)
        said = approving.Said(by=by, reason="shown")
        chain, limits = of.settings.chain, of.settings.claims
        return await of.db.run(lambda conn: approving.approve(conn, now, ten, chain, limits, claim, said))

    async def _send(self) -> None:
        """All that is due in one transaction, as a Safe does; it is safe before anybody looks again."""
        of, now = self.town.of, self.town.clock()
        try:
            batch = await disbursements.make_batch(of.db, of.nodes, of.settings.chain, now, again=self.lost)
        except STRUCK_DOWN:
            self.lost = True  # the next time what was batched before is asked for, too
            return
        self.lost = False
        if due := [one for one in batch.included if one.id not in self.sent]:
            tx = Tx(self.town.chain.fresh("batch"), tuple(Left(one.recipient, one.amount) for one in due))
            self.town.chain.mine([tx], now)
            self.paid.append(tx)
            self.sent |= {one.id for one in due}
            self.town.blocks(3)


async def again(work: Callable[[], Awaitable[T]]) -> T | None:
    """Once more when it was cut short, as people do; None when even that does not help."""
    for _ in range(TRIES):
        with suppress(*STRUCK_DOWN):
            return await work()
    return None
