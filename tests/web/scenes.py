"""A world in which every page has something to show: orders in every state, claims, a key on hold, money that
no order explains. Made once, and then nothing moves but the clock."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liqpass.sandbox.chain import USDC
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.okx_margin import Account
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import SHORT_SKU
from tests.flows.newcomers import new_wallet
from tests.web.town import OPERATOR
from tests.world import SKU, TestWorld

QUOTE_HOLDS = timedelta(seconds=900)
LONGS = [(f"{coin}-USDT-SWAP", "long") for coin in ("BTC", "ETH", "SOL", "DOGE")]
SHORTS = [(f"{coin}-USDT-SWAP", "short") for coin in ("BTC", "ETH", "SOL")]
CONTRACTS = {"BTC": 5, "ETH": 8, "SOL": 40, "DOGE": 20}


@dataclass(frozen=True)
class Scene:
    """`orders`: id by what its page shows (web/timeline.py: Phase, and SEEN for a payment in a block).
    `newcomer` has signed in and no more."""

    world: TestWorld
    trader: Trader
    newcomer: Trader
    operator: Trader
    orders: dict[str, str]


@asynccontextmanager
async def scene(world: TestWorld) -> AsyncIterator[Scene]:
    """Everything there."""
    wallets = [await new_wallet(world), await new_wallet(world), OPERATOR]
    async with (
        Trader(world.api, wallets[0]) as trader,
        Trader(world.api, wallets[1]) as newcomer,
        Trader(world.api, wallets[2]) as operator,
    ):
        okx = position_of_each_kind(world)
        await trader.sign_in()
        await _key_on_hold(world, trader)
        await _unexplained(world)
        orders = await _orders(world, trader, okx)
        for one in (trader, newcomer, operator):
            await one.sign_in()
        yield Scene(world, trader, newcomer, operator, orders)


def position_of_each_kind(world: TestWorld) -> Account:
    """An exchange account with positions that can be covered, and others that cannot."""
    books = world.exchange.books
    okx = books.add_account(balance=100_000)
    for inst, side in [*LONGS, *SHORTS]:
        contracts = CONTRACTS[inst.partition("-")[0]]
        books.open_position(okx.uid, inst, side=side, contracts=contracts, lever=10)
    books.open_position(okx.uid, "DOGE-USDT-SWAP", side="short", contracts=20, lever=75)
    books.open_position(okx.uid, "SOL-USDT-SWAP", contracts=20, lever=5, mgn_mode="cross")
    return okx


async def hand_over(trader: Trader, key: Mapping[str, object], label: str) -> str:
    """With a name for it; the account's id."""
    given = {name: key[name] for name in ("apiKey", "secret", "passphrase", "region", "demo")}
    kept = await trader.call("POST", "/api/okx/api-accounts", {**given, "label": label})
    return str(kept["apiAccountId"])


async def _key_on_hold(world: TestWorld, trader: Trader) -> None:
    key = world.key("reads two")
    await hand_over(trader, key, "Second account")
    world.exchange.books.set_perm(str(key["apiKey"]), "read_only,trade")
    await world.pass_time(hours=6, minutes=1)
    await world.work()


async def _unexplained(world: TestWorld) -> None:
    """Money that came for no order, and money that left for no reason that the books know."""
    chain = world.chain
    await chain.transfer(chain.wallets[0], chain.treasury, 25 * USDC)
    await chain.transfer(chain.treasury_wallet, chain.wallets[1].address, 3 * USDC)
    await chain.finalize()
    await world.work(2)


async def _orders(world: TestWorld, trader: Trader, okx: Account) -> dict[str, str]:
    """One in each state; a payment in a block is not safe before more blocks come, and none do."""
    key = key_json(world.exchange.books, world.exchange.books.add_key(okx.uid))
    account = await hand_over(trader, key, "Main account")
    slots = iter([*LONGS, *SHORTS])

    async def order(sku: str = SKU) -> dict[str, Any]:
        inst, side = next(slots)
        await trader.positions(account)
        slot = {"instId": inst, "mgnMode": "isolated", "posSide": side}
        return await trader.create_order((await trader.bind(account, slot, sku))["bindId"])

    async def paid(order: dict[str, Any]) -> dict[str, Any]:
        await trader.submit(order["purchaseOrderId"], await trader.pay(world.chain, order))
        await world.work()
        return order

    made = {"ENDED": await paid(await order(SHORT_SKU)), "CANCELLED": await order()}
    await trader.call(
        "POST", "/api/insurance/cancel", {"purchaseOrderId": made["CANCELLED"]["purchaseOrderId"]}
    )
    await world.confirm()
    made["COVERED"] = await paid(await order("LIQPASS_30D"))
    await world.confirm()
    await world.pass_time(hours=2)
    await world.work(2)
    await _claims(world, trader, okx, made)
    made["LAPSED"] = await order()
    pay_before = datetime.fromisoformat(made["LAPSED"]["payBefore"])
    await world.chain_time(pay_before - timedelta(seconds=60))  # the chain does not know yet that it is late
    world.clock.advance(seconds=QUOTE_HOLDS.total_seconds() + 20)
    made["WAITING"] = await paid(await order())
    await world.confirm()
    made["SEEN"] = await paid(await order("LIQPASS_8H"))
    made["CONFIRMING"] = await order()
    await trader.submit(made["CONFIRMING"]["purchaseOrderId"], os.urandom(32))
    made["UNPAID"] = await _another(trader, account)
    return {name: str(one["purchaseOrderId"]) for name, one in made.items()}


async def _claims(
    world: TestWorld, trader: Trader, okx: Account, orders: Mapping[str, Mapping[str, Any]]
) -> None:
    """Of the cover that runs one that is to be paid, of the one that ended one that is not covered."""
    world.exchange.books.liquidate(okx.uid, LONGS[2][0], pos_side="long")
    world.exchange.books.close_position(okx.uid, LONGS[0][0], pos_side="long")
    for state, wanted in (("COVERED", "PAYABLE"), ("ENDED", "NOT_COVERED")):
        order = orders[state]["purchaseOrderId"]
        await trader.call("POST", "/api/insurance/claims", {"purchaseOrderId": order})
        await world.work(2)
        assert (await trader.order(order))["claim"]["status"] == wanted


async def _another(trader: Trader, account: str) -> dict[str, Any]:
    """The position whose order was cancelled."""
    slot = {"instId": LONGS[1][0], "mgnMode": "isolated", "posSide": LONGS[1][1]}
    return await trader.create_order((await trader.bind(account, slot, SKU))["bindId"])
