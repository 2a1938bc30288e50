"""Operators and the treasury's owners: they approve, refuse, refund, batch, send, adopt, withdraw, cancel."""

import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from liqpass.app import Clients
from liqpass.claims.policy import CURRENT
from liqpass.db import DATABASE_AWAY, TRY_AGAIN
from liqpass.hexes import to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.problems import Problem
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.trader import Refused
from liqpass.treasury import adopting, disbursements, suspense
from soak.blocks import Blocks
from soak.people import People, Unanswered
from soak.record import Holder, Record

T = TypeVar("T")
STRUCK = (*DATABASE_AWAY, *TRY_AGAIN)
ADMIN = "/api/admin/claims"
WAITING = """
    select c.id, c.status::text, o.coverage_end_at, e.reason, c.amount - c.approved_amount as owed
    from claims c join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
    join claim_events e on e.user_id = c.user_id and e.claim_id = c.id and e.seq = c.event_seq
    where c.status in ('PAYABLE', 'IN_REVIEW') order by c.id
"""
UNPAID = """
    select d.id, d.recipient, d.amount from disbursements d
    where d.cancelled_at is null and d.amount > 1 and d.purpose <> 'WITHDRAWAL'
        and not exists (select from disbursements_made m where m.disbursement_id = d.id)
    order by d.id
"""
LONG_AFTER = timedelta(seconds=CURRENT.claim_window_sec) + timedelta(hours=1)


@dataclass
class ByHand:
    """Sent without a batch: less than was due."""

    due: UUID
    tx: bytes
    recipient: bytes
    amount: int


@dataclass
class Operators:
    """`sent`: by payout, the transaction that makes it. `by_hand`: what the books have not been told yet."""

    of: Clients
    blocks: Blocks
    record: Record
    people: People
    desk: list[Holder]
    sent: dict[UUID, bytes] = field(default_factory=dict)
    by_hand: list[ByHand] = field(default_factory=list)

    @property
    def chain(self) -> Any:
        return self.of.settings.chain

    async def operate(self, owner: asyncpg.Connection, draw: random.Random, *, last: bool = False) -> None:
        """All that waits for people. `last`: what is undecided is refused now."""
        await self.blocks.come_back()
        for row in await owner.fetch(WAITING):
            end = row["coverage_end_at"]
            late = last or (end is not None and self.of.clock() > end + LONG_AFTER)
            said = {"reason": "as it is shown"}
            if row["reason"] == "PAYOUT_CANCELLED":  # it is owed all the same: nobody has shown anything else
                said["amount"] = str(row["owed"])
            owed = row["status"] == "PAYABLE" or "amount" in said
            await self._decide(row["id"], said, owed=owed, late=late)
        await self._refund()
        await self._adopt()
        await self._send()

    async def _decide(self, claim: UUID, said: dict[str, str], *, owed: bool, late: bool) -> None:
        if owed:
            for who in self.desk:
                await self._said(who, "approve", claim, said)
        elif late:
            await self._said(self.desk[0], "refuse", claim, said)

    async def _said(self, who: Holder, verb: str, claim: UUID, said: dict[str, str]) -> None:
        path, what = f"{ADMIN}/{claim}/{verb}", {"approve": "approved", "refuse": "refused"}[verb]
        try:
            await self.people.asked(who, lambda: who.trader.call("POST", path, said))
        except (Refused, Unanswered) as refused:
            self.record.tell("not decided", claim=str(claim), why=str(refused))
            return
        self.record.counts[f"claims {what}"] += 1
        self.record.promise(what, claim=str(claim), by=who.number)

    async def _again(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Once more when it was cut short, as people do; None when that does not help, or it is refused."""
        for _ in range(3):
            try:
                return await work()
            except Problem as problem:
                self.record.counts[f"refused {problem.code}"] += 1
                return None
            except STRUCK as error:
                self.record.counts[f"struck {type(error).__name__}"] += 1
        return None

    async def _refund(self) -> None:
        """What pays no order goes back, once it is final and its sender may have it."""
        db = self.of.db

        async def found() -> list[Any]:
            async with db.pool.acquire() as conn:
                return await suspense.items(conn, self.chain)

        for item in await self._again(found) or []:
            why = suspense.why(item, self.chain)
            if why in (suspense.Why.OPENING, suspense.Why.GONE) or not suspense.is_final(item, self.chain):
                continue
            asked = await self._again(partial(db.run, partial(self._refunding, ref=item.ref)))
            if asked is not None:
                self.record.counts["refunds"] += 1
                self.record.promise("due", due=str(asked.id))

    async def _refunding(self, conn: Any, ref: bytes) -> disbursements.Asked:
        return await disbursements.refund(
            conn, self.of.clock(), os.urandom(RANDOM_BYTES), self.chain, ref, by="Ada", reason="pays no order"
        )

    async def _send(self) -> None:
        """A batch, and each transfer of it by itself: the sandbox's treasury is no Safe."""
        of = self.of
        try:
            batch = await disbursements.make_batch(of.db, of.nodes, self.chain, of.clock(), again=True)
        except Problem as problem:
            self.record.counts[f"no batch: {problem.code}"] += 1
            return
        except STRUCK:
            self.record.counts["no batch: struck"] += 1
            return
        self.record.counts["batches"] += 1
        for due in batch.included:
            if due.id in self.sent and not await self._failed(self.sent[due.id]):
                continue
            data = encode_call("transfer(address,uint256)", due.recipient, due.amount)
            treasury = self.blocks.chain.treasury_wallet
            self.sent[due.id] = await self.blocks.call(treasury, self.chain.usdc, data, faithful=True)
            self.record.counts["payouts sent"] += 1
            self.record.tell("sent", due=str(due.id), tx=to_hex(self.sent[due.id]))

    async def _failed(self, tx_hash: bytes) -> bool:
        """It is final, and moved nothing; or its place was taken for good."""
        chain = self.blocks.chain
        final = await chain.block_number("finalized")
        receipt = await chain.receipt(tx_hash)
        if receipt is not None:
            return int(receipt["status"], 16) != 1 and int(receipt["blockNumber"], 16) <= final
        one = self.blocks.sent[tx_hash]
        nonce = await chain.rpc("eth_getTransactionCount", [to_hex(one.by.address), hex(final)])
        return int(nonce, 16) > one.nonce

    async def pay_by_hand(self, owner: asyncpg.Connection, draw: random.Random) -> None:
        """Somebody sends a micro-USDC less than is due, past the product."""
        await self.blocks.come_back()
        rows = await owner.fetch(UNPAID)
        free = [row for row in rows if row["id"] not in self.sent]
        if not free:
            return
        due = draw.choice(free)
        data = encode_call("transfer(address,uint256)", due["recipient"], due["amount"] - 1)
        tx = await self.blocks.call(self.blocks.chain.treasury_wallet, self.chain.usdc, data, faithful=True)
        self.sent[due["id"]] = tx
        self.by_hand.append(ByHand(due["id"], tx, bytes(due["recipient"]), due["amount"] - 1))
        self.record.counts["paid by hand"] += 1

    async def _adopt(self) -> None:
        """What was sent by hand is told to the books, once it is final."""
        chain = self.blocks.chain
        for one in list(self.by_hand):
            receipt = await chain.receipt(one.tx)
            if receipt is None or int(receipt["blockNumber"], 16) > await chain.block_number("finalized"):
                continue
            self.by_hand.remove(one)
            if int(receipt["status"], 16) != 1:
                continue
            ref = one.tx + int(receipt["logs"][0]["logIndex"], 16).to_bytes(4, "big")
            done = await self._again(
                partial(self.of.db.run, partial(self._adopting, ref=ref, due=str(one.due)))
            )
            if done is None:
                self.by_hand.append(one)
                return
            self.record.counts["adopted"] += 1

    async def _adopting(self, conn: Any, ref: bytes, due: str) -> adopting.Adopted:
        ten, now = os.urandom(2 * RANDOM_BYTES), self.of.clock()
        return await adopting.adopt(
            conn, now, ten, self.chain, ref, [due], by="Bob", reason="sent by hand", write_off=False
        )

    async def cancel_due(self, owner: asyncpg.Connection, draw: random.Random) -> None:
        """Something is not to be paid out after all; whoever asked for it asks again."""
        rows = await owner.fetch(
            "select id from disbursements where cancelled_at is null and purpose <> 'WITHDRAWAL' order by id"
        )
        free = [row["id"] for row in rows if row["id"] not in self.sent]
        if not free:
            return
        due, now = str(draw.choice(free)), self.of.clock
        cancelling = partial(disbursements.cancel, by="Ada", reason="not yet")
        done = await self._again(
            lambda: self.of.db.run(lambda conn: cancelling(conn, now(), self.chain, due))
        )
        self.record.counts["dues cancelled"] += done is not None

    async def withdraw(self, amount: int, to: bytes) -> None:
        """Free capital leaves."""
        now = self.of.clock
        asked = await self._again(
            lambda: self.of.db.run(
                lambda conn: disbursements.withdraw(
                    conn, now(), os.urandom(RANDOM_BYTES), self.chain, amount, to, by="Ada", reason="profit"
                )
            )
        )
        self.record.counts["withdrawals"] += asked is not None
