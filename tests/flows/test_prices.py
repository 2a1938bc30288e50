"""What a price is made of: told beside it, stored with its order, and what happens while it is not known."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from math import exp, log, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec
import pytest

from liqpass.market.week import WEIGHTS
from liqpass.orders.priced import PricedFrom
from liqpass.pricing.premium import Price, price
from liqpass.pricing.skus import Sku, load_products
from liqpass.sandbox.calm_market import HOURLY_E12, read_calm
from liqpass.sandbox.trader import Refused
from tests.claims.claimed import step
from tests.flows.newcomers import INST, SLOT, Newcomer, newcomer
from tests.world import SKU, TestWorld

BIND, CREATE = "/api/insurance/bind-position", "/api/insurance/create-order"
UNAVAILABLE = (503, "PRICE_UNAVAILABLE")


@pytest.fixture
async def world(town: TestWorld) -> TestWorld:
    """Another moment of it, at which the market was read."""
    town.clock.advance(seconds=1)
    await town.read_market()
    return town


@pytest.fixture
async def alice(world: TestWorld) -> AsyncIterator[Newcomer]:
    """Her position is 5 contracts of 0.01 BTC, 10x."""
    async with newcomer(world) as somebody:
        yield somebody


async def quotes(of: Newcomer) -> dict[str, dict[str, Any]]:
    """Of her one position, by product."""
    told = await of.trader.call("GET", "/api/insurance/quotes", apiAccountId=of.account)
    (position,) = told["positions"]
    return {quote["sku"]: quote for quote in position["quotes"]}


async def stored(world: TestWorld, order: dict[str, Any]) -> str:
    """What is kept of how this order was priced."""
    made_from = await world.db.pool.fetchval(
        "select priced_from from purchase_orders where purchase_order_id = $1",
        bytes.fromhex(order["purchaseOrderId"][2:]),
    )
    assert isinstance(made_from, str)
    return made_from


def paid(order: dict[str, Any]) -> Price:
    """As the order was answered."""
    return Price(int(order["premiumAmount"]), int(order["payoutAmount"]), order["chancePpm"])


# By hand ------------------------------------------------------------------------------------------------


def weighed_hours(start: datetime, seconds: int) -> float:
    """Minute by minute, by what the hour of the week weighs."""
    total = 0.0
    for second in range(0, seconds, 60):
        at = start.astimezone(UTC) + timedelta(seconds=second)
        total += WEIGHTS[at.weekday() * 24 + at.hour] / 1000 * min(60, seconds - second) / 3600
    return total


def chance_by_hand(sku: Sku, distance: float, at: datetime) -> float:
    """Of a long in the calm market: ⅔·f(kσ) + ⅙·f(kσ·e^(√3·ν)) + ⅙·f(kσ·e^(−√3·ν))."""
    sigma = sku.model.scale_bps / 10_000 * sqrt(HOURLY_E12 / 1e12)
    step = exp(sqrt(3) * sku.model.spread_bps / 10_000)
    away = -log(1 - distance) / sqrt(weighed_hours(at, sku.delay_sec + sku.duration_sec))

    def touched(by: float) -> float:
        return 2 * NormalDist().cdf(-away / by)

    mixed = touched(sigma) * 2 / 3 + touched(sigma * step) / 6 + touched(sigma / step) / 6
    return max(0.005, mixed)


@pytest.mark.parametrize(("lever", "sku_id"), [(10, "LIQPASS_8H"), (20, "LIQPASS_24H"), (7, "LIQPASS_30D")])
async def test_a_premium_is_payout_times_chance_with_the_load_and_the_fee(
    world: TestWorld, lever: int, sku_id: str
) -> None:
    sku = load_products(Path(world.env["LIQPASS_SKUS"])).get(sku_id)
    async with newcomer(world, lever=lever) as somebody:
        (position,) = await somebody.trader.positions(somebody.account)
        order = await somebody.order(sku_id)
    mark, liquidation, margin = (float(position[name]) for name in ("markPx", "liqPx", "margin"))
    chance = chance_by_hand(sku, (mark - liquidation) / mark, world.clock())
    assert order["chancePpm"] / 1e6 == pytest.approx(chance, rel=1e-3)
    payout = min(margin * sku.payout_ratio_bps / 10_000, sku.payout_cap_micro / 1e6)
    assert float(order["payoutUsd"]) == pytest.approx(payout, abs=0.01)
    loaded = payout * chance * (1 + sku.load_bps / 10_000) + sku.fee_micro / 1e6
    premium = max(sku.floor_micro / 1e6, loaded)
    assert float(order["premiumUsd"]) == pytest.approx(premium, rel=1e-3, abs=0.011)
    assert int(order["premiumAmount"]) % 10_000 == int(order["payoutAmount"]) % 10_000 == 0, "whole cents"


# From what is stored ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lever", "sku_id"), [(10, "LIQPASS_8H"), (20, "LIQPASS_24H"), (7, "LIQPASS_30D")])
async def test_a_price_is_computed_again_from_what_is_stored_with_its_order(
    world: TestWorld, lever: int, sku_id: str
) -> None:
    async with newcomer(world, lever=lever) as somebody:
        order = await somebody.order(sku_id)
        made_from = msgspec.json.decode(await stored(world, order), type=PricedFrom)
        products = load_products(Path(world.env["LIQPASS_SKUS"]))
        assert (made_from.version, made_from.sku) == (products.version, sku_id)
        again = price(products.get(made_from.sku), made_from.facts, made_from.volatility, made_from.at)
        assert again == paid(order) == paid(await somebody.trader.order(order["purchaseOrderId"]))


async def test_what_is_stored_names_the_market_that_was_read_and_when_it_was_priced(
    world: TestWorld, alice: Newcomer
) -> None:
    read_at = world.clock()
    world.clock.advance(minutes=3)
    made_from = msgspec.json.decode(await stored(world, await alice.order()), type=PricedFrom)
    of = made_from.volatility
    assert (of.inst_id, of.read_at, of.short_e12, of.long_e12) == (INST, read_at, HOURLY_E12, HOURLY_E12)
    assert (len(bytes.fromhex(of.candles_sha256)), of.source) == (32, "sandbox: a calm market")
    assert made_from.at == world.clock()


async def test_an_instrument_that_nobody_held_before_has_a_price_when_its_candles_were_read(
    world: TestWorld, alice: Newcomer
) -> None:
    world.exchange.books.list_instrument("NEW-USDT-SWAP", mark="0.25")
    world.exchange.books.open_position(alice.okx.uid, "NEW-USDT-SWAP", contracts=4000, lever=5)
    world.clock.advance(seconds=1)

    async def listed() -> dict[str, Any]:
        shown = await alice.trader.positions(alice.account)
        return next(one for one in shown if one["instId"] == "NEW-USDT-SWAP")

    assert (await listed())["reasonCode"] == "PRICE_UNAVAILABLE"
    await step(world, "read the market")
    assert (await listed())["insurable"] is True
    order = await alice.trader.create_order((await alice.bind(instId="NEW-USDT-SWAP"))["bindId"])
    of = msgspec.json.decode(await stored(world, order), type=PricedFrom).volatility
    assert (of.inst_id, of.read_at) == ("NEW-USDT-SWAP", world.clock())
    assert "mark-price-candles" in of.source


# While it is not known ----------------------------------------------------------------------------------


async def test_without_a_market_read_within_the_hour_nothing_is_priced_and_this_is_said(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind()
    world.clock.advance(hours=1)
    assert {quote["reasonCode"] for quote in (await quotes(alice)).values()} == {None}, "at most an hour"
    world.clock.advance(seconds=1)

    (position,) = await alice.trader.positions(alice.account)
    assert (position["insurable"], position["reasonCode"]) == (False, "PRICE_UNAVAILABLE")
    assert "what OKX showed within the hour does not say how much" in position["reason"]
    for quote in (await quotes(alice)).values():
        assert quote["reasonCode"] == "PRICE_UNAVAILABLE"
        assert [quote[name] for name in ("premiumAmount", "payoutAmount", "chancePpm")] == [None] * 3
    with pytest.raises(Refused) as refused:
        await alice.bind()
    assert (refused.value.status, refused.value.code) == UNAVAILABLE
    assert (refused.value.body["field"], refused.value.body["detail"]) == ("instId", position["reason"])
    assert await alice.refusal("POST", CREATE, {"bindId": bound["bindId"]}) == UNAVAILABLE

    await world.read_market()
    assert (await alice.trader.create_order(bound["bindId"]))["status"] == "DRAFT"


async def test_what_no_product_takes_is_refused_for_that_and_not_for_want_of_a_price(
    world: TestWorld,
) -> None:
    async with newcomer(world) as bob:
        world.exchange.books.open_position(
            bob.okx.uid, "SOL-USDT-SWAP", contracts=9, lever=5, mgn_mode="cross"
        )
        world.clock.advance(hours=2)
        shown = {one["instId"]: one["reasonCode"] for one in await bob.trader.positions(bob.account)}
        assert shown == {INST: "PRICE_UNAVAILABLE", "SOL-USDT-SWAP": "CROSS_MARGIN"}


async def test_an_order_that_was_priced_before_is_answered_paid_and_covered_all_the_same(
    world: TestWorld, alice: Newcomer
) -> None:
    world.clock.advance(minutes=50)
    bound = await alice.bind()
    order = await alice.trader.create_order(bound["bindId"])
    world.clock.advance(minutes=11)
    assert {quote["reasonCode"] for quote in (await quotes(alice)).values()} == {"PRICE_UNAVAILABLE"}
    again = await alice.trader.create_order(bound["bindId"])
    assert (again["purchaseOrderId"], paid(again), again["calls"]) == (
        *(order["purchaseOrderId"], paid(order), order["calls"]),
    )
    await world.chain_time(world.clock())
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


# What moves more ----------------------------------------------------------------------------------------


async def test_the_same_position_costs_more_where_its_instrument_moves_more_until_it_is_too_risky(
    world: TestWorld, alice: Newcomer
) -> None:
    chances, said = [], None
    for hourly_e12 in (HOURLY_E12, 4 * HOURLY_E12, 9 * HOURLY_E12, 400 * HOURLY_E12):
        world.clock.advance(seconds=1)
        await read_calm(world.db.pool.execute, [INST], world.clock(), hourly_e12=hourly_e12)
        said = (await quotes(alice))[SKU]
        chances.append(said["chancePpm"])
    assert chances[:3] == sorted(set(chances[:3]))
    assert said is not None
    assert (said["reasonCode"], said["premiumAmount"]) == ("TOO_RISKY", None)
    limit = load_products(Path(world.env["LIQPASS_SKUS"])).get(SKU).most_chance_bps
    assert said["reasonValues"]["limitBps"] == limit
    assert said["reasonValues"]["chancePpm"] > limit * 100
    body = {"apiAccountId": alice.account, "sku": SKU, **SLOT}
    assert await alice.refusal("POST", BIND, body) == (409, "POSITION_NOT_INSURABLE")
