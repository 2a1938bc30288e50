"""kill -9 at every boundary of a claim's life: seen, evidence, verdict, approved, batched, matched.

After each kill the claim goes on from where it was; in the end it was opened, decided and paid once.

Who stands still in the middle of a transaction (gate.py) is killed there: the worker, of which another one
takes over, or an operator's command, which is given again.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liqpass.sandbox.world import command
from tests.outages.gate import Gate, Place
from tests.outages.two_workers import INST, Ordered, Town, until

EVIDENCE = ("/account/positions-history", "/account/bills", "/trade/orders-history", "/trade/fills")
# What a worker has taken is nobody else's for a minute or two; nobody waits for that here.
HASTE = """
    with watched as (update watched_accounts set due_at = now() where due_at > now())
    update claims set ask_at = now() where ask_at > now()
"""
LIFE = ["OPEN", "GATHERING", "PAYABLE", "APPROVED", "BATCHED", "PAID"]


@dataclass
class Claimed:
    """An order whose position will be liquidated; `uid` is its account at the exchange."""

    town: Town
    order: Ordered
    uid: str
    batch: Path

    async def claim(self) -> dict[str, Any]:
        """As its owner sees it."""
        listed = (await self.order.trader.call("GET", "/api/insurance/claims"))["claims"]
        assert len(listed) <= 1, "one claim an order"
        return dict(listed[0]) if listed else {"status": None, "history": []}

    async def is_at(self, status: str) -> bool:
        return bool((await self.claim())["status"] == status)

    async def arrives_at(self, status: str) -> None:
        await until(lambda: self.is_at(status), f"the claim is {status}")

    async def asked_again(self) -> None:
        """Its owner presses the button: the exchange is asked at once."""
        body = {"purchaseOrderId": self.order.answer["purchaseOrderId"]}
        await self.order.trader.call("POST", "/api/insurance/claims", body)

    # What makes it go on, fact by fact

    async def liquidated(self) -> None:
        """While the exchange shows no evidence of it."""
        for path in EVIDENCE:
            self.town.exchange.faults.html(path=path)
        self.town.exchange.books.liquidate(self.uid, INST)

    async def shown_in_part(self) -> None:
        """The position's own row, but no order and no bill of its liquidation."""
        self.town.exchange.faults.heal()
        for path in EVIDENCE[1:]:
            self.town.exchange.faults.answer('{"code":"0","data":[],"msg":""}', path=path)
        await self.asked_again()

    async def shown(self) -> None:
        self.town.exchange.faults.heal()
        await self.asked_again()

    async def executed(self) -> None:
        """The Safe sends what stands in the batch file."""
        batch = json.loads(self.batch.read_text(encoding="utf-8"))
        for one in batch["transactions"]:
            values = one["contractInputsValues"]
            to, amount = bytes.fromhex(values["to"][2:]), int(values["value"])
            await self.town.chain.transfer(self.town.chain.treasury_wallet, to, amount)
        await self.town.chain.mine(self.town.chain.slots_in_an_epoch)


async def claimed(town: Town) -> Claimed:
    """Covered, and nothing has happened yet."""
    order = await town.active("LIQPASS_30D")
    return Claimed(town, order, list(town.exchange.books.accounts)[-1], town.folder / f"{order.bind_id}.json")


async def worker_killed(town: Town, place: Place, fact: Callable[[], Awaitable[None]]) -> None:
    """The fact happens, the worker comes to the place, and dies there; another one goes on."""
    gate = Gate(town.owner, place)
    await gate.shut()
    await fact()
    await gate.somebody_stands()
    await town.kill_worker()
    await (gate.strike() if place.committing else gate.open())
    await town.owner.execute(HASTE)


async def command_killed(town: Town, place: Place, *words: str, instead: Sequence[str] = ()) -> None:
    """An operator's command dies there, and is given again, or another one `instead`."""
    gate = Gate(town.owner, place)
    await gate.shut()
    async with command(town.env, town.folder, *words) as process:
        await gate.somebody_stands()
        process.kill()
        await process.wait()
    await gate.strike()
    async with command(town.env, town.folder, *(instead or words)) as process:
        assert await process.wait() == 0


@pytest.mark.parametrize("committing", [False, True], ids=["before it is written", "before it is committed"])
async def test_a_claim_that_meets_a_kill_at_every_boundary_is_paid_once(town: Town, committing: bool) -> None:
    def at(event: str, table: str, when: str = "true") -> Place:
        return Place(event, table, when, committing)

    def moves_to(status: str) -> Place:
        return at("update", "claims", f"new.status = '{status}' and old.status <> new.status")

    mine = await claimed(town)
    before = await town.chain.usdc_balance(mine.order.trader.wallet.address)
    await worker_killed(town, at("insert", "claims"), mine.liquidated)
    await mine.arrives_at("GATHERING")
    await worker_killed(town, at("insert", "claim_evidence"), mine.shown_in_part)
    await worker_killed(
        town, moves_to("PAYABLE") if committing else at("insert", "claim_verdicts"), mine.shown
    )
    await mine.arrives_at("PAYABLE")

    claim_id = (await mine.claim())["claimId"]
    words = ("claims", "approve", claim_id, "--by", "Ada", "--reason", "shown")
    await command_killed(town, at("insert", "ledger_transfers", "new.kind = 'CLAIM'"), *words)
    await mine.arrives_at("APPROVED")
    cut_short, batch = (("suspense", "batch", "--out", str(out)) for out in (f"{mine.batch}.1", mine.batch))
    await command_killed(town, at("update", "disbursements"), *cut_short, instead=batch)
    await mine.arrives_at("BATCHED")
    await worker_killed(town, at("insert", "disbursements_made"), mine.executed)
    await mine.arrives_at("PAID")

    claim = await mine.claim()
    assert [event["toStatus"] for event in claim["history"]] == LIFE
    amount = int(claim["amount"])
    assert 0 < amount <= mine.order.payout
    assert await town.chain.usdc_balance(mine.order.trader.wallet.address) - before == amount
    assert await town.stands("CLAIM", mine.order.ref) == amount
    assert await town.stands("HELD", mine.order.ref) == amount
    await town.whole()
