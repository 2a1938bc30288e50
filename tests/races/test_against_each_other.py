"""People, products and workers that want different things of the same row at the same moment."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial

import aiohttp
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from liqpass.app import clients
from liqpass.db import open_database
from liqpass.payments import settle
from liqpass.sandbox.trader import Refused, Trader
from liqpass.worker import tasks_of
from tests.flows.newcomers import SLOT, Newcomer, new_wallet
from tests.races.crowd import all_told, counted, crowd_of
from tests.world import TestWorld, step_all

BIND, CANCEL = "/api/insurance/bind-position", "/api/insurance/cancel"
SKUS = ("LIQPASS_8H", "LIQPASS_24H")


async def test_of_two_wallets_with_the_same_exchange_account_one_gets_the_position(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    bobs_key = await bob.trader.add_key(alice.key)
    await bob.trader.positions(bobs_key)
    for _ in range(8):
        both = [
            (one, {"apiAccountId": account, "sku": SKUS[0], **SLOT})
            for one, account in ((alice, alice.account), (bob, bobs_key)) * 5
        ]
        answers = await all_told(one.trader.call("POST", BIND, body) for one, body in both)
        assert counted(answers) == {"DRAFT": 5, "POSITION_ALREADY_INSURED": 5}
        winners = {
            one.trader.address for (one, _), a in zip(both, answers, strict=True) if isinstance(a, dict)
        }
        assert len(winners) == 1
        winner = alice if winners == {alice.trader.address} else bob
        bind_id = next(a["bindId"] for a in answers if isinstance(a, dict))
        order = await winner.trader.create_order(bind_id)
        # given back for the next round
        await winner.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
        assert await world.db.pool.fetchval("select count(*) from insured_positions") == 0


async def test_an_order_has_the_product_of_its_binding_however_bindings_and_orders_interleave(
    world: TestWorld, alice: Newcomer
) -> None:
    async with crowd_of(world, alice, 20) as crowd:
        for _ in range(10):
            bound = await alice.bind(SKUS[0])
            calls = [
                one.trader.create_order(bound["bindId"]) if n % 4 == 0 else one.bind(SKUS[n % 2])
                for n, one in enumerate(crowd)
            ]
            answers = await all_told(calls)
            assert set(counted(answers, "sku")) <= {*SKUS, "BINDING_NOT_OPEN", "BINDING_HAS_OTHER_SKU"}
            order = await alice.trader.create_order(bound["bindId"])
            ordered = {a["sku"] for a in answers if isinstance(a, dict) and "purchaseOrderId" in a}
            assert ordered <= {order["sku"]}
            await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    different = await world.db.pool.fetchval(
        """select count(*) from purchase_orders o
           join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id where b.sku <> o.sku"""
    )
    assert different == 0
    assert await world.db.pool.fetchval("select count(*) from purchase_orders") == 10


async def test_cancelling_and_submitting_at_once_end_in_one_of_the_two(
    world: TestWorld, alice: Newcomer
) -> None:
    ends: Counter[str] = Counter()
    async with crowd_of(world, alice, 20) as crowd:
        for number in range(1, 9):
            order = await alice.order()
            order_id = order["purchaseOrderId"]
            calls = [
                one.trader.call("POST", CANCEL, {"purchaseOrderId": order_id})
                if (n + number) % 2
                else one.trader.submit(order_id, bytes([number]) * 32)
                for n, one in enumerate(crowd)
            ]
            answers = await all_told(calls)
            status = await alice.status(order)
            other = "ORDER_NOT_PAYABLE" if status == "CANCELLED" else "ORDER_NOT_CANCELLABLE"
            assert counted(answers) == {status: 10, other: 10}
            assert len(await alice.reasons(order)) == 2
            ends[status] += 1
            if status != "CANCELLED":
                await world.pass_time(minutes=16)
                await world.chain.mine(world.chain.slots_in_an_epoch)
                await world.work()
                await alice.trader.positions(alice.account)
    assert sum(ends.values()) == 8


async def test_binding_ordering_and_cancelling_at_once_never_fail_on_our_side(
    world: TestWorld, alice: Newcomer
) -> None:
    async with crowd_of(world, alice, 24) as crowd:
        for _ in range(12):
            order = await alice.order()
            bind_id = (await alice.trader.order(order["purchaseOrderId"]))["bindId"]
            calls = [
                (
                    partial(one.bind),
                    partial(one.trader.create_order, bind_id),
                    partial(one.trader.call, "POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]}),
                    partial(one.order),
                )[n % 4]()
                for n, one in enumerate(crowd)
            ]
            said = counted(await all_told(calls))
            assert set(said) <= {"DRAFT", "CANCELLED", "BINDING_NOT_OPEN", "ORDER_NOT_CANCELLABLE"}, said
            for listed in (await alice.trader.call("GET", "/api/insurance/orders"))["orders"]:
                if listed["status"] == "DRAFT":
                    body = {"purchaseOrderId": listed["purchaseOrderId"]}
                    await alice.trader.call("POST", CANCEL, body)
    # what is alive holds its position, and nothing else does
    left = await world.db.pool.fetchval(
        """select count(*) from insured_bindings b full join insured_positions p
               on p.user_id = b.user_id and p.binding_id = b.id
           where (b.status in ('DRAFT', 'ACTIVE')) is distinct from (p.binding_id is not null)"""
    )
    assert left == 0


async def test_many_workers_settle_each_payment_once(
    world: TestWorld, alice: Newcomer, bob: Newcomer, database_url: str
) -> None:
    orders = [await alice.order(), await bob.order()]
    for one, order in zip((alice, bob), orders, strict=True):
        await one.trader.pay(world.chain, order)
    async with AsyncExitStack() as stack:
        workers = []
        for number in range(6):
            db = await open_database(database_url, name=f"worker {number}")
            stack.push_async_callback(db.close)
            workers.append(await stack.enter_async_context(clients(world.of.settings, db, world.clock)))

        async def settle_all() -> list[int]:
            step = [w.db.run(lambda c: settle.settle_changed(c, world.clock(), 8453)) for w in workers * 3]
            return await asyncio.gather(*step)

        await tasks_of(world.of)[0].step()  # the watcher: both payments are in the queue
        assert sum(await settle_all()) == 2
        await world.chain.mine(world.chain.slots_in_an_epoch)
        await tasks_of(world.of)[0].step()
        assert sum(await settle_all()) == 2
        for one, order in zip((alice, bob), orders, strict=True):
            assert await one.reasons(order) == ["ORDERED", "PAYMENT_SEEN", "PAYMENT_SAFE"]
        # and everything that workers do, by all of them at once, to the end of the cover
        await world.pass_time(hours=25)
        await asyncio.gather(*(step_all(worker) for worker in workers * 3))
        for one, order in zip((alice, bob), orders, strict=True):
            assert (await one.reasons(order))[3:] == ["COVER_OVER"]
    assert await world.db.pool.fetchval("select count(*) from payment_settlements") == 2


async def test_submitting_while_the_workers_settle_ends_in_cover_and_never_fails(
    world: TestWorld, alice: Newcomer
) -> None:
    async with crowd_of(world, alice, 10) as crowd:
        order = await alice.order()
        tx_hash = await alice.trader.pay(world.chain, order)
        await world.chain.mine(world.chain.slots_in_an_epoch)

        async def work() -> dict[str, str]:
            await world.work(2)
            return {"status": "worked"}

        submits = [one.trader.submit(order["purchaseOrderId"], tx_hash) for one in crowd]
        said = counted(await all_told([*submits[:5], work(), *submits[5:]]))
        assert set(said) <= {"worked", "PAID_PENDING_CONFIRM", "ACTIVE"}, said
        await world.work()
        assert await alice.status(order) == "ACTIVE"
        assert len(await alice.reasons(order)) == 3


async def test_a_nonce_signed_once_opens_one_session_for_whoever_is_first(world: TestWorld) -> None:
    async with Trader(world.api, await new_wallet(world)) as trader:
        asked = await trader.call("POST", "/api/auth/nonce", {"address": trader.address})
        signed = Account.sign_message(encode_defunct(text=asked["message"]), trader.wallet.key)
        body = {"message": asked["message"], "signature": "0x" + signed.signature.hex()}

        async def verify() -> tuple[int, bool]:
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{world.api}/api/auth/verify", json=body) as answer,
            ):
                return answer.status, "Set-Cookie" in answer.headers

        answers = Counter(await asyncio.gather(*(verify() for _ in range(20))))
        assert answers == {(200, True): 1, (401, False): 19}
        assert await world.db.pool.fetchval("select count(*) from sessions") == 1
        with pytest.raises(Refused, match="SIGNIN_REJECTED"):
            await trader.call("POST", "/api/auth/verify", body)
