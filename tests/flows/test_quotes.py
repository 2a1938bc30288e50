"""Quotes: what each product would cost, told beside each other and before anything is bound."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from liqpass.money import usd
from tests.flows.newcomers import INST, SLOT, Newcomer
from tests.world import SKU, TestWorld

QUOTES, CANCEL = "/api/insurance/quotes", "/api/insurance/cancel"
AMOUNTS = ("premiumAmount", "premiumUsd", "payoutAmount", "payoutUsd")
CENT = 10_000
TIMES = ("coverageDelaySec", "coverageStartAt", "coverageEndAt")


async def quoted(alice: Newcomer) -> list[dict[str, Any]]:
    """Her positions with their quotes."""
    told = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    found: list[dict[str, Any]] = told["positions"]
    return found


async def test_what_is_quoted_is_what_an_order_then_costs(world: TestWorld, alice: Newcomer) -> None:
    products = (await alice.trader.call("GET", "/api/insurance/skus"))["skus"]
    (position,) = await quoted(alice)
    assert {name: position[name] for name in SLOT} == SLOT
    assert (position["bindId"], position["order"]) == (None, None)
    named = ("sku", "title", "durationSec", "coverageDelaySec")
    assert [[q[n] for n in named] for q in position["quotes"]] == [[p[n] for n in named] for p in products]
    for quote in position["quotes"]:
        order = await alice.order(quote["sku"])
        shared = ("sku", *AMOUNTS, "chancePpm", *TIMES)
        assert [quote[name] for name in shared] == [order[name] for name in shared]
        lasts = datetime.fromisoformat(quote["coverageEndAt"]) - datetime.fromisoformat(
            quote["coverageStartAt"]
        )
        assert lasts == timedelta(seconds=quote["durationSec"])
        assert (quote["reason"], quote["reasonCode"], quote["reasonValues"]) == (None, None, {})
        await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})


async def test_a_quote_says_what_its_premium_is_made_of_and_products_by_what_numbers(
    world: TestWorld, alice: Newcomer
) -> None:
    products = {one["sku"]: one for one in (await alice.trader.call("GET", "/api/insurance/skus"))["skus"]}
    (position,) = await quoted(alice)
    for quote in position["quotes"]:
        parts, product = (
            {name: int(amount) for name, amount in quote["madeOf"].items()},
            products[quote["sku"]],
        )
        assert sum(parts.values()) == int(quote["premiumAmount"])
        exact = int(quote["payoutAmount"]) * quote["chancePpm"] / 10**6
        assert 0 <= parts["riskAmount"] - exact < CENT
        assert abs(parts["loadAmount"] - exact * product["loadBps"] / 10_000) < CENT
        assert usd(parts["feeAmount"]) == product["feeUsd"]
        assert parts["leastAmount"] == 0 or quote["premiumUsd"] == product["minPremiumUsd"]
        assert quote["chancePpm"] <= product["mostChanceBps"] * 100
        assert int(quote["premiumAmount"]) <= int(quote["payoutAmount"]) * product["mostPremiumBps"] / 10_000


async def test_asking_for_quotes_binds_nothing(world: TestWorld, alice: Newcomer) -> None:
    await quoted(alice)
    assert await world.db.pool.fetchval("select count(*) from insured_bindings") == 0
    assert await world.db.pool.fetchval("select count(*) from insured_positions") == 0


async def test_each_product_refuses_for_itself_and_all_refuse_what_none_takes(
    world: TestWorld, alice: Newcomer
) -> None:
    books = world.exchange.books
    books.open_position(alice.okx.uid, "ETH-USDT-SWAP", contracts=20, lever=40)
    books.open_position(alice.okx.uid, "SOL-USDT-SWAP", contracts=20, lever=5, mgn_mode="cross")
    world.clock.advance(seconds=1)
    await alice.trader.positions(alice.account)
    by_name = {p["instId"]: p["quotes"] for p in await quoted(alice)}
    assert all(quote["premiumAmount"] for quote in by_name[INST])

    of_eth = {quote["sku"]: quote for quote in by_name["ETH-USDT-SWAP"]}
    assert of_eth["LIQPASS_8H"]["premiumAmount"] is not None
    thirty = of_eth["LIQPASS_30D"]
    assert (thirty["reasonCode"], thirty["reasonValues"]) == ("LEVERAGE_TOO_HIGH", {"limit": 20})
    assert thirty["reason"] == "Its leverage is over 20, the limit of this product."
    assert [thirty[name] for name in AMOUNTS] == [None] * 4
    assert thirty["coverageStartAt"] == of_eth["LIQPASS_8H"]["coverageStartAt"]

    assert {quote["reasonCode"] for quote in by_name["SOL-USDT-SWAP"]} == {"CROSS_MARGIN"}


async def test_quotes_are_of_what_was_seen_up_to_thirty_seconds_ago_and_then_read_anew(
    world: TestWorld, alice: Newcomer
) -> None:
    read_at = world.clock.now
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.clock.advance(seconds=30)
    told = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    assert (len(told["positions"]), datetime.fromisoformat(told["readAt"])) == (1, read_at)
    world.clock.advance(seconds=1)
    told = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    assert (told["positions"], datetime.fromisoformat(told["readAt"])) == ([], world.clock.now)


@pytest.mark.parametrize("left", [None, ["DOGE-USDT-SWAP"]], ids=["none", "others"])
async def test_a_reading_that_was_kept_by_code_of_before_without_its_instruments_is_read_anew(
    world: TestWorld, alice: Newcomer, left: list[str] | None
) -> None:
    await world.db.pool.execute("update position_readings set inst_ids = $1", left)
    world.clock.advance(seconds=1)
    told = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    assert datetime.fromisoformat(told["readAt"]) == world.clock.now
    assert all(quote["premiumAmount"] for quote in told["positions"][0]["quotes"])


async def test_a_position_is_told_with_its_binding_and_its_order_until_that_is_over(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind(SKU)
    (position,) = await quoted(alice)
    assert (position["bindId"], position["order"]) == (bound["bindId"], None)

    order = await alice.trader.create_order(bound["bindId"])
    (position,) = await quoted(alice)
    assert position["bindId"] == bound["bindId"]
    assert position["order"] == {
        "purchaseOrderId": order["purchaseOrderId"],
        "status": "DRAFT",
        "sku": SKU,
        "payBefore": order["payBefore"],
        "coverageStartAt": None,
        "coverageEndAt": None,
    }
    assert all(quote["premiumAmount"] for quote in position["quotes"])

    tx_hash = await alice.trader.pay(world.chain, order)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    (position,) = await quoted(alice)
    assert position["order"]["status"] == "PAID_PENDING_CONFIRM"
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    (position,) = await quoted(alice)
    covered = position["order"]
    assert covered["status"] == shown["status"] == "ACTIVE"
    assert [covered[name] for name in TIMES[1:]] == [shown[name] for name in TIMES[1:]]

    await world.pass_time(hours=25)
    await world.work()
    (position,) = await quoted(alice)
    assert (position["bindId"], position["order"]) == (None, None)


async def test_the_order_of_an_earlier_position_in_the_same_slot_is_not_told_as_this_ones(
    world: TestWorld, alice: Newcomer
) -> None:
    await alice.order()
    world.clock.advance(seconds=5)
    world.exchange.books.close_position(alice.okx.uid, INST)
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=5, lever=10)
    await alice.trader.positions(alice.account)
    (position,) = await quoted(alice)
    assert (position["bindId"], position["order"]) == (None, None)


async def test_orders_of_other_accounts_are_not_told(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    await alice.order()
    (position,) = await quoted(bob)
    assert (position["bindId"], position["order"]) == (None, None)
