"""What happens to an order while time passes, prices move, and people change their minds."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest

from liqpass.hexes import to_hex
from tests.flows.newcomers import INST, SLOT, Newcomer, newcomer
from tests.world import TestWorld

BIND, CREATE, CANCEL = (f"/api/insurance/{name}" for name in ("bind-position", "create-order", "cancel"))
POSITIONS = "/api/okx/positions"


async def seen_late(world: TestWorld) -> None:
    """The safe head's own time moves to the present."""
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await world.work()


async def test_a_quote_that_ran_out_is_cancelled_only_once_the_safe_heads_own_time_is_past_it(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await world.pass_time(minutes=16)
    await world.work(3)
    assert await alice.status(order) == "DRAFT"
    slot = {"apiAccountId": alice.account, "sku": "LIQPASS_8H", **SLOT}
    assert (await alice.refusal("POST", BIND, slot))[1] == "BINDING_HAS_OTHER_SKU"
    await seen_late(world)
    assert await alice.status(order) == "CANCELLED"
    assert await alice.reasons(order) == ["ORDERED", "NOT_PAID_IN_TIME"]
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert await alice.refusal("POST", CREATE, {"bindId": shown["bindId"]}) == (409, "BINDING_NOT_OPEN")
    again = await alice.bind("LIQPASS_8H")
    assert again["bindId"] != shown["bindId"]


@pytest.mark.parametrize("submitted", [True, False], ids=["submitted", "not submitted"])
async def test_a_quote_of_which_another_amount_was_paid_runs_out_as_well(
    world: TestWorld, alice: Newcomer, submitted: bool
) -> None:
    """Nobody can pay that without our signer; the position and the capital are free again anyway."""
    order = await alice.order()
    order_id = bytes.fromhex(order["purchaseOrderId"][2:])
    deadline = int((world.clock.now + timedelta(minutes=15)).timestamp())
    calls = world.chain.quote_calls(order_id, int(order["premiumAmount"]) + 1, deadline)
    tx_hash = await world.chain.pay(alice.trader.wallet, calls)
    if submitted:
        await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    await world.confirm()
    await world.pass_time(minutes=16)
    await seen_late(world)
    assert await alice.status(order) == "CANCELLED"


async def test_a_payment_in_the_last_minute_counts_although_the_clock_is_past_it(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await world.pass_time(minutes=14)  # a busy machine's chain is ahead of our clock
    await alice.trader.pay(world.chain, order)
    world.clock.advance(minutes=5)
    await world.work(2)
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    await world.chain.warp(300)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_the_contract_refuses_a_payment_after_the_quote(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    await world.pass_time(minutes=16)
    before = await world.chain.usdc_balance(world.chain.treasury)
    tx_hash = await alice.trader.pay(world.chain, order)
    assert int((await world.chain.wait(tx_hash))["status"], 16) == 0
    assert await world.chain.usdc_balance(world.chain.treasury) == before


async def test_a_cancelled_order_frees_its_position_for_any_wallet(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    second_key = await bob.trader.add_key(alice.key)
    await bob.trader.positions(second_key)
    order = await alice.order()
    same = {"apiAccountId": second_key, "sku": "LIQPASS_24H", **SLOT}
    assert await bob.refusal("POST", BIND, same) == (409, "POSITION_ALREADY_INSURED")
    cancelled = {"ok": True, "status": "CANCELLED"}
    for _ in range(2):
        body = {"purchaseOrderId": order["purchaseOrderId"]}
        assert await alice.trader.call("POST", CANCEL, body) == cancelled
    assert await alice.reasons(order) == ["ORDERED", "CANCELLED_BY_USER"]
    assert (await bob.trader.call("POST", BIND, same))["status"] == "DRAFT"
    assert (await alice.refusal("POST", BIND, {**same, "apiAccountId": alice.account}))[0] == 409


async def test_nobody_makes_and_cancels_orders_without_end(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    cancel = {"purchaseOrderId": order["purchaseOrderId"]}
    for _ in range(100):
        assert await alice.trader.call("POST", CANCEL, cancel) == {"ok": True, "status": "CANCELLED"}
    assert await alice.refusal("POST", CANCEL, cancel) == (429, "TOO_MANY_REQUESTS")
    world.clock.advance(seconds=2)
    await alice.trader.call("POST", CANCEL, cancel)


async def test_an_order_that_waits_for_its_payment_cannot_be_cancelled(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.submit(order["purchaseOrderId"], b"\x01" * 32)
    body = {"purchaseOrderId": order["purchaseOrderId"]}
    assert await alice.refusal("POST", CANCEL, body) == (409, "ORDER_NOT_CANCELLABLE")


async def test_orders_made_minutes_apart_are_sorted_by_their_ids_and_share_nothing_else_with_each_other(
    world: TestWorld, alice: Newcomer
) -> None:
    """So what is looked up by these ids is kept side by side for orders of one time."""
    made = []
    for _ in range(3):
        order = await alice.order()
        made.append(bytes.fromhex(order["purchaseOrderId"][2:]))
        await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
        await world.pass_time(minutes=1)
    assert made == sorted(made)
    since_1970 = [int.from_bytes(one[:4], "big") for one in made]
    assert [minute - since_1970[0] for minute in since_1970] == [0, 1, 2]
    assert len({one[4:8] for one in made}) == 3


@pytest.mark.parametrize(("sku", "hours"), [("LIQPASS_8H", 8), ("LIQPASS_24H", 24), ("LIQPASS_30D", 30 * 24)])
async def test_cover_lasts_as_long_as_its_product_says_and_then_the_position_is_insurable_again(
    world: TestWorld, alice: Newcomer, sku: str, hours: int
) -> None:
    order = await alice.order(sku)
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    paid_at, start, end = (
        datetime.fromisoformat(shown[name]) for name in ("paidAt", "coverageStartAt", "coverageEndAt")
    )
    assert (start - paid_at, end - start) == (timedelta(minutes=10), timedelta(hours=hours))

    world.clock.now = end - timedelta(seconds=1)
    await world.work()
    await alice.trader.sign_in()
    assert await alice.status(order) == "ACTIVE"
    world.clock.now = end
    await world.work()
    assert await alice.status(order) == "ACTIVE", "the worker's clock alone ends no cover"
    await world.chain_time(end)
    await world.work()
    assert await alice.status(order) == "EXPIRED"
    assert (await alice.reasons(order))[-1] == "COVER_OVER"
    await alice.trader.positions(alice.account)
    renewed = await alice.bind()
    assert renewed["bindId"] != shown["bindId"]
    assert (await alice.trader.create_order(renewed["bindId"]))["id"] != order["id"]


async def test_binding_an_active_position_again_answers_its_living_binding(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    again = await alice.bind()
    assert (again["bindId"], again["status"]) == (shown["bindId"], "ACTIVE")
    answer = await alice.trader.create_order(again["bindId"])
    assert (answer["id"], answer["status"]) == (order["id"], "ACTIVE")
    assert answer["coverageStartAt"] == shown["coverageStartAt"]


async def test_a_binding_that_nobody_orders_for_is_given_up_after_half_an_hour(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    bound = await alice.bind()
    second_key = await bob.trader.add_key(alice.key)
    same = {"apiAccountId": second_key, "sku": "LIQPASS_24H", **SLOT}
    await world.pass_time(minutes=29)
    await world.work()
    assert await bob.refusal("POST", BIND, same) == (409, "POSITION_ALREADY_INSURED")
    await world.pass_time(minutes=2)
    await world.work()
    assert await alice.refusal("POST", CREATE, {"bindId": bound["bindId"]}) == (409, "BINDING_NOT_OPEN")
    assert (await bob.trader.call("POST", BIND, same))["status"] == "DRAFT"


async def test_binding_takes_what_was_shown_up_to_thirty_seconds_ago(
    world: TestWorld, alice: Newcomer
) -> None:
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.clock.advance(seconds=30)
    assert (await alice.bind())["status"] == "DRAFT"
    world.clock.advance(seconds=1)
    slot = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    assert await alice.refusal("POST", BIND, slot) == (404, "POSITION_NOT_FOUND")


async def test_an_order_is_priced_from_what_was_shown_up_to_sixty_seconds_ago(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind()
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=5, lever=10)
    world.clock.advance(seconds=60)
    small = await alice.trader.create_order(bound["bindId"])
    assert small["payoutAmount"] == "150000000"
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": small["purchaseOrderId"]})
    world.clock.advance(seconds=1)
    again = await alice.bind()
    assert (await alice.trader.create_order(again["bindId"]))["payoutAmount"] == "300000000"


async def test_a_position_that_was_closed_before_the_order_is_refused(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind()
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.clock.advance(seconds=61)
    refused = await alice.refusal("POST", CREATE, {"bindId": bound["bindId"]})
    assert refused == (404, "POSITION_NOT_FOUND")


async def test_another_position_with_the_same_pos_id_is_another_position(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind()
    (before,) = await alice.trader.positions(alice.account)
    world.clock.advance(seconds=5)
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=5, lever=10)
    (after,) = await alice.trader.positions(alice.account)
    assert after["posId"] == before["posId"]
    assert after["cTime"] != before["cTime"]
    refused = await alice.refusal("POST", CREATE, {"bindId": bound["bindId"]})
    assert refused == (409, "POSITION_CHANGED")
    again = await alice.bind()  # without an order the binding takes the new position
    assert again["bindId"] == bound["bindId"]
    await alice.trader.create_order(again["bindId"])


async def test_an_order_for_an_earlier_position_is_in_the_way_of_the_new_one(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    world.clock.advance(seconds=5)
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=5, lever=10)
    await alice.trader.positions(alice.account)
    slot = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    assert await alice.refusal("POST", BIND, slot) == (409, "POSITION_CHANGED")
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    assert (await alice.bind())["status"] == "DRAFT"


async def test_a_key_that_grew_is_held_and_what_is_ordered_goes_on(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    world.exchange.books.set_perm(str(alice.key["apiKey"]), "read_only,trade")
    tx_hash = await alice.trader.pay(world.chain, order)
    await world.confirm()
    await world.pass_time(hours=6, minutes=1)
    await world.work()
    on_hold = (409, "API_ACCOUNT_ON_HOLD")
    slot = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    assert await alice.refusal("GET", POSITIONS, apiAccountId=alice.account) == on_hold
    assert await alice.refusal("POST", BIND, slot) == on_hold
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert (shown["status"], shown["payTxHash"]) == ("ACTIVE", to_hex(tx_hash))
    await world.pass_time(hours=19)
    await world.work()
    assert await alice.status(order) == "EXPIRED"


async def test_five_traders_at_once_live_through_it_side_by_side(world: TestWorld) -> None:
    async with AsyncExitStack() as stack:
        traders = [await stack.enter_async_context(newcomer(world)) for _ in range(5)]
        orders = await asyncio.gather(*(trader.order() for trader in traders))
        await asyncio.gather(
            *(
                t.trader.pay(world.chain, o)
                for t, o in zip(traders, orders, strict=True)
                if t is not traders[0]
            )
        )
        await world.confirm()
        statuses = [await t.status(o) for t, o in zip(traders, orders, strict=True)]
        assert statuses == ["DRAFT", *["ACTIVE"] * 4]
        await world.pass_time(minutes=16)
        await seen_late(world)
        assert await traders[0].status(orders[0]) == "CANCELLED"
