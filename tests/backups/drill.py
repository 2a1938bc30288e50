"""What people do before and after a backup, in the world that goes on and in the one that was restored."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from liqpass.app import clients, create_app
from liqpass.chain.checkout import TRANSFER_TOPIC, word
from liqpass.db import open_database
from liqpass.hexes import to_hex
from liqpass.ids import RANDOM_BYTES
from liqpass.pricing.versions import keep
from liqpass.reconcile.invariants import each
from liqpass.sandbox.trader import Trader
from liqpass.serving import free_port, listening
from liqpass.settings import Settings
from liqpass.treasury import disbursements
from liqpass.treasury.batch_file import file_of
from tests.flows.newcomers import INST, Newcomer
from tests.world import TestWorld


@asynccontextmanager
async def restored_world(world: TestWorld, url: str) -> AsyncIterator[TestWorld]:
    """The same chain, exchange, wallets and settings, on the restored database: another machine."""
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    env = {**world.env, "LIQPASS_PUBLIC_URL": api}
    db = await open_database(url, name="test")
    try:
        async with (
            clients(Settings.from_env(env), db, world.clock) as of,
            listening(create_app(of), "127.0.0.1", port),
        ):
            await keep(db, of.products, world.clock())
            yield replace(world, api=api, db=db, of=of, env=env)
    finally:
        await db.close()


@dataclass
class Cover:
    """Somebody's order."""

    who: Newcomer
    order: dict[str, Any]

    @property
    def order_id(self) -> str:
        return str(self.order["purchaseOrderId"])

    @property
    def payout(self) -> int:
        return int(self.order["payoutAmount"])

    @property
    def wallet(self) -> bytes:
        return self.who.trader.wallet.address

    async def claim(self, trader: Trader | None = None) -> dict[str, Any]:
        """As its owner sees it."""
        listed = (await (trader or self.who.trader).call("GET", "/api/insurance/claims"))["claims"]
        (claim,) = [claim for claim in listed if claim["purchaseOrderId"] == self.order_id]
        return dict(claim)


async def covered(world: TestWorld, who: Newcomer) -> Cover:
    """Ordered and paid; the cover has begun."""
    cover = Cover(who, await who.order())
    await who.trader.pay(world.chain, cover.order)
    await world.confirm()
    shown = await who.trader.order(cover.order_id)
    begins = datetime.fromisoformat(shown["coverageStartAt"])
    await later(world, begins - world.clock() + timedelta(seconds=5))
    return cover


async def later(world: TestWorld, by: timedelta = timedelta(minutes=6)) -> None:
    """Time passes, and the workers do what is to be done."""
    await world.pass_time(seconds=by.total_seconds())
    await world.work(2)


async def liquidated(world: TestWorld, cover: Cover) -> None:
    """The exchange closes the position, and the claim is shown to be payable."""
    world.exchange.books.liquidate(cover.who.okx.uid, INST)
    await later(world)


async def approve(operator: Trader, claim: dict[str, Any]) -> None:
    """By an operator, over HTTP."""
    assert claim["status"] == "PAYABLE", claim
    body = {"reason": "shown", "amount": claim["amount"]}
    await operator.call("POST", f"/api/admin/claims/{claim['claimId']}/approve", body)


async def batch_file(world: TestWorld) -> dict[str, Any]:
    """What an operator carries to the treasury's owners; an empty one where nothing is due."""
    of = world.of
    made = await disbursements.make_batch(world.db, of.nodes, of.settings.chain, world.clock(), again=False)
    return dict(file_of(made.included, of.settings.chain, world.clock())) if made.included else {}


def paid_by(file: dict[str, Any]) -> list[tuple[str, int]]:
    """Whom a file pays, and how much."""
    values = [one["contractInputsValues"] for one in file.get("transactions", [])]
    return [(value["to"], int(value["value"])) for value in values]


async def sign(world: TestWorld, file: dict[str, Any]) -> None:
    """The Safe sends what is in a file."""
    for to, amount in paid_by(file):
        await world.chain.transfer(world.chain.treasury_wallet, bytes.fromhex(to[2:]), amount)
    await world.confirm()


async def refund(world: TestWorld, ref: bytes) -> None:
    """Money in suspense is to go back to whom it came from."""
    chain, now, ten = world.of.settings.chain, world.clock(), os.urandom(RANDOM_BYTES)
    await world.db.run(
        lambda conn: disbursements.refund(conn, now, ten, chain, ref, by="Ada", reason="a drill")
    )


async def received(world: TestWorld, who: bytes) -> int:
    """Micro-USDC that the treasury has ever sent to a wallet, as the chain tells."""
    topics = [to_hex(topic) for topic in (TRANSFER_TOPIC, word(world.chain.treasury), word(who))]
    asked = {"address": to_hex(world.chain.usdc), "topics": topics}
    logs = await world.chain.rpc("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest", **asked}])
    return sum(int(log["data"], 16) for log in logs)


async def broken_rules(world: TestWorld) -> list[str]:
    """The rules of the books that do not hold."""
    async with world.db.pool.acquire() as conn:
        return [v.invariant.name async for v in each(conn, world.clock(), since=999) if not v.holds]
