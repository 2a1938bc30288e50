"""What the list of positions tells, and by which code it tells why one of them cannot be covered."""

from typing import Any

import pytest

from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Refused
from tests.flows.newcomers import INST, SLOT, Newcomer
from tests.world import SKU, TestWorld

BIND = "/api/insurance/bind-position"


async def refused_to_bind(alice: Newcomer, account: str, **slot: str) -> dict[str, Any]:
    """The problem document of a binding that is not made."""
    body = {"apiAccountId": account, "sku": SKU, **SLOT, **slot}
    with pytest.raises(Refused) as refused:
        await alice.trader.call("POST", BIND, body)
    return refused.value.body


async def test_a_position_is_shown_with_its_side_its_size_and_how_far_it_is_from_liquidation(
    world: TestWorld, alice: Newcomer
) -> None:
    (long,) = await alice.trader.positions(alice.account)
    assert (long["side"], long["lever"], long["pos"]) == ("long", "10", "5")
    assert (float(long["margin"]), float(long["notionalUsd"])) == (300, 3000)
    away = 1 - float(long["liqPx"]) / float(long["markPx"])
    assert long["distanceBps"] == int(away * 10_000) == 959
    assert (long["insurable"], long["reason"]) == (True, None)
    assert (long["reasonCode"], long["reasonValues"]) == (None, {})

    net = world.exchange.books.add_account(pos_mode="net_mode")
    world.exchange.books.open_position(net.uid, INST, side="short", contracts=5, lever=10)
    other = await alice.trader.add_key(key_json(world.exchange.books, world.exchange.books.add_key(net.uid)))
    (short,) = await alice.trader.positions(other)
    assert (short["posSide"], short["side"], short["pos"]) == ("net", "short", "-5")
    away = float(short["liqPx"]) / float(short["markPx"]) - 1
    assert short["distanceBps"] == int(away * 10_000) > 900


async def test_what_the_exchange_does_not_show_is_empty(world: TestWorld, alice: Newcomer) -> None:
    """A cross long in an account that is worth more than the position has no liquidation price."""
    world.exchange.books.open_position(alice.okx.uid, "SOL-USDT-SWAP", contracts=1, lever=5, mgn_mode="cross")
    shown = next(p for p in await alice.trader.positions(alice.account) if p["mgnMode"] == "cross")
    assert (shown["margin"], shown["liqPx"], shown["distanceBps"]) == ("", "", None)
    assert float(shown["notionalUsd"]) == 150


async def test_why_a_position_cannot_be_covered_is_told_by_code_in_the_list_and_when_it_is_to_be_bound(
    world: TestWorld, alice: Newcomer
) -> None:
    books = world.exchange.books
    books.open_position(alice.okx.uid, "ETH-USDT-SWAP", contracts=2, lever=5, mgn_mode="cross")
    books.open_position(alice.okx.uid, "SOL-USDT-SWAP", contracts=20, lever=120)
    world.clock.advance(seconds=1)
    by_name = {p["instId"]: p for p in await alice.trader.positions(alice.account)}
    cross, fast = by_name["ETH-USDT-SWAP"], by_name["SOL-USDT-SWAP"]
    assert [(p["insurable"], p["reasonCode"]) for p in (cross, fast)] == [
        (False, "CROSS_MARGIN"),
        (False, "LEVERAGE_TOO_HIGH"),
    ]
    assert cross["reason"].startswith("It is in cross margin")
    assert (cross["reasonValues"], fast["reasonValues"]) == ({}, {"limit": 100})

    said = await refused_to_bind(alice, alice.account, instId="SOL-USDT-SWAP")
    assert (said["code"], said["field"]) == ("POSITION_NOT_INSURABLE", "instId")
    assert (said["reasonCode"], said["reasonValues"]) == ("LEVERAGE_TOO_HIGH", {"limit": 50})


async def test_a_position_that_grew_too_risky_since_it_was_bound_is_not_ordered_and_the_code_says_why(
    world: TestWorld, alice: Newcomer
) -> None:
    bound = await alice.bind()
    world.exchange.books.move_mark(INST, "54500")
    world.clock.advance(seconds=61)
    with pytest.raises(Refused) as refused:
        await alice.trader.create_order(bound["bindId"])
    said = refused.value.body
    assert (said["code"], said["field"], said["reasonCode"]) == (
        "POSITION_NOT_INSURABLE",
        "bindId",
        "TOO_CLOSE",
    )
    assert said["reasonValues"] == {"limitBps": 140}


async def test_demo_trading_is_not_covered(world: TestWorld, alice: Newcomer) -> None:
    books = world.exchange.books
    demo = books.add_account(demo=True)
    books.open_position(demo.uid, INST, contracts=5, lever=10)
    account = await alice.trader.add_key(key_json(books, books.add_key(demo.uid)))
    (shown,) = await alice.trader.positions(account)
    assert (shown["insurable"], shown["reasonCode"], shown["reasonValues"]) == (False, "DEMO_TRADING", {})
    assert (await refused_to_bind(alice, account))["reasonCode"] == "DEMO_TRADING"
    told = await alice.trader.call("GET", "/api/insurance/quotes", apiAccountId=account)
    (position,) = told["positions"]
    assert {quote["reasonCode"] for quote in position["quotes"]} == {"DEMO_TRADING"}


async def test_a_key_on_hold_is_refused_alike_with_a_kept_reading_and_without(
    world: TestWorld, alice: Newcomer
) -> None:
    world.exchange.books.set_perm(str(alice.key["apiKey"]), "read_only,trade")
    await world.pass_time(hours=6, minutes=1)
    await world.work()
    said = []
    for path in ("/api/okx/positions", "/api/insurance/quotes"):
        with pytest.raises(Refused) as refused:
            await alice.trader.call("GET", path, apiAccountId=alice.account)
        said.append({name: refused.value.body.get(name) for name in ("code", "detail", "field")})
    assert said[0] == said[1]
    assert said[0]["field"] == "apiAccountId"
