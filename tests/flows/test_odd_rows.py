"""An account with a row that nobody has seen before: all else in it is shown, priced, bound and ordered."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from liqpass.sandbox.okx_rows import position_row
from tests.flows.newcomers import INST, SLOT, Newcomer, newcomer
from tests.outages.conftest import metric
from tests.world import SKU, TestWorld

LIFE = "币安人生-USDT-SWAP"
BIND, CREATE, QUOTES, ORDERS = (
    f"/api/insurance/{name}" for name in ("bind-position", "create-order", "quotes", "orders")
)
NAMES = {
    "Chinese": LIFE,
    "from right to left": "بيتكوين-USDT-SWAP",
    "with what addresses are made of": "A B+C&D=%2F?#/-USDT-SWAP",
    "with an accent of its own": "CAFE\u0301-USDT-SWAP",
    "as long as one may be": "币" * 245 + "-USDT-SWAP",
}


@pytest.fixture
async def alice(town: TestWorld) -> AsyncIterator[Newcomer]:
    """With a world that others use after her: the exchange is well again when she leaves."""
    async with newcomer(town) as somebody:
        yield somebody
        town.exchange.faults.heal()


def says(town: TestWorld, alice: Newcomer, *odd: dict[str, Any] | None, change: dict[str, Any]) -> None:
    """From now on the exchange shows her position in bitcoin with these changes, and these rows beside it."""
    rows: list[Any] = [position_row(alice.okx, slot) for slot in alice.okx.slots.values() if slot.contracts]
    rows = [{**row, **change} if row["instId"] == INST else row for row in rows]
    town.exchange.faults.heal()
    body = json.dumps({"code": "0", "data": [*odd, *rows], "msg": ""})
    town.exchange.faults.answer(body, path="/account/positions")
    town.clock.advance(seconds=1)  # a reading is kept in the place of an earlier one


async def quotes(alice: Newcomer) -> dict[str, dict[str, Any]]:
    """Her positions with their quotes, by name."""
    told = await alice.trader.call("GET", QUOTES, apiAccountId=alice.account)
    return {position["instId"]: position for position in told["positions"]}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_position_named_in_any_writing_is_shown_priced_ordered_and_covered(
    town: TestWorld, alice: Newcomer, name: str
) -> None:
    town.exchange.books.list_instrument(name, mark="0.25")
    town.exchange.books.open_position(alice.okx.uid, name, contracts=4000, lever=10)
    town.clock.advance(seconds=1)
    await town.read_market()
    shown = {p["instId"]: p for p in await alice.trader.positions(alice.account)}
    assert set(shown) == {INST, name}
    assert shown[name]["insurable"] is True
    asked = await alice.trader.call("GET", "/api/okx/positions", apiAccountId=alice.account, instId=name)
    assert [p["instId"] for p in asked["positions"]] == [name]

    (quote,) = [q for q in (await quotes(alice))[name]["quotes"] if q["sku"] == SKU]
    order = await alice.trader.create_order((await alice.bind(instId=name))["bindId"])
    assert order["premiumAmount"] == quote["premiumAmount"]
    await alice.trader.submit(order["purchaseOrderId"], await alice.trader.pay(town.chain, order))
    await town.confirm()
    covered = await alice.trader.order(order["purchaseOrderId"])
    assert (covered["status"], covered["instId"]) == ("ACTIVE", name)
    assert (await quotes(alice))[name]["order"]["status"] == "ACTIVE"
    listed = (await alice.trader.call("GET", ORDERS))["orders"]
    assert [one["instId"] for one in listed] == [name]


@pytest.mark.parametrize(
    ("odd", "name", "field"),
    [
        ({"instId": LIFE, "mgnMode": "portfolio", "posSide": "long", "pos": "1"}, LIFE, "mgnMode"),
        ({"instId": "ETH\u202e-USDT-SWAP", "pos": "1", "posSide": "long"}, "ETH\\u202e-USDT-SWAP", "instId"),
        ({"instId": "币" * 5000, "pos": "1", "posSide": "long"}, "币" * 254 + "…", "instId"),
        ({"pos": "1", "posSide": "long"}, "", "instId"),
        (None, "", "data"),
    ],
    ids=["new word", "hidden mark", "endless name", "no name", "no row"],
)
async def test_one_that_cannot_be_read_is_told_by_name_with_a_reason_and_the_other_is_sold(
    town: TestWorld, alice: Newcomer, odd: dict[str, Any] | None, name: str, field: str
) -> None:
    says(town, alice, odd, change={})
    counted = await metric(town, 'liqpass_exchange_errors_total{code="unread_row"}')
    shown = {p["instId"]: p for p in await alice.trader.positions(alice.account)}
    assert set(shown) == {INST, name}
    told = shown[name]
    assert (told["insurable"], told["reasonCode"], told["side"]) == (False, "UNREADABLE", None)
    assert told["reasonValues"] == {"field": field}
    assert field in told["reason"]
    assert await metric(town, 'liqpass_exchange_errors_total{code="unread_row"}') == counted + 1
    offers = await quotes(alice)
    assert {quote["reasonCode"] for quote in offers[name]["quotes"]} == {"UNREADABLE"}
    assert all(quote["premiumAmount"] for quote in offers[INST]["quotes"])
    assert await alice.status(await alice.order()) == "DRAFT"


@pytest.mark.parametrize("change", [{"markPx": "60,000"}, {"instId": None}, {"pos": None}])
async def test_a_position_that_cannot_be_read_any_more_is_not_said_to_be_closed(
    town: TestWorld, alice: Newcomer, change: dict[str, Any]
) -> None:
    bound = await alice.bind()
    says(town, alice, change=change)
    town.clock.advance(seconds=61)
    body = {"apiAccountId": alice.account, "sku": SKU, **SLOT}
    assert await alice.refusal("POST", BIND, body) == (409, "POSITION_NOT_INSURABLE")
    assert await alice.refusal("POST", CREATE, {"bindId": bound["bindId"]}) == (409, "POSITION_NOT_INSURABLE")
    town.exchange.faults.heal()
    town.clock.advance(seconds=61)
    assert (await alice.trader.create_order(bound["bindId"]))["status"] == "DRAFT"


@pytest.mark.parametrize(
    "number", ["9" * 40, "9" * 40 + "." + "9" * 40 + "E99", "1e-99", "-1E99", "0e0", "-0"]
)
@pytest.mark.parametrize("field", ["pos", "lever", "avgPx", "markPx", "liqPx", "margin", "notionalUsd"])
async def test_numbers_of_any_length_are_shown_and_spoil_nothing(
    town: TestWorld, alice: Newcomer, field: str, number: str
) -> None:
    row = position_row(alice.okx, next(iter(alice.okx.slots.values())))
    odd = {**row, "instId": LIFE, "posSide": "net", field: number}
    says(town, alice, odd, change={})
    shown = {p["instId"]: p for p in await alice.trader.positions(alice.account)}
    assert shown[INST]["insurable"] is True
    assert LIFE in shown or (field == "pos" and not Decimal(number))
    assert all(quote["premiumAmount"] for quote in (await quotes(alice))[INST]["quotes"])


async def test_of_two_rows_that_contradict_each_other_neither_is_sold_and_the_words_say_so(
    town: TestWorld, alice: Newcomer
) -> None:
    row = position_row(alice.okx, next(iter(alice.okx.slots.values())))
    says(town, alice, {**row, "pos": "7"}, change={})
    (told,) = await alice.trader.positions(alice.account)
    assert (told["instId"], told["insurable"], told["reasonCode"]) == (INST, False, "SHOWN_TWICE")
    body = {"apiAccountId": alice.account, "sku": SKU, **SLOT}
    assert await alice.refusal("POST", BIND, body) == (409, "POSITION_NOT_INSURABLE")
    says(town, alice, row, change={})
    assert [p["insurable"] for p in await alice.trader.positions(alice.account)] == [True]


async def test_what_is_covered_is_shown_with_its_cover_when_it_cannot_be_read_any_more(
    town: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.submit(order["purchaseOrderId"], await alice.trader.pay(town.chain, order))
    await town.confirm()
    says(town, alice, change={"lever": "high"})
    await alice.trader.positions(alice.account)
    told = (await quotes(alice))[INST]
    assert (told["order"]["purchaseOrderId"], told["order"]["status"]) == (
        order["purchaseOrderId"],
        "ACTIVE",
    )


@pytest.mark.parametrize(
    "kept", [b"", b"null", b'{"data":{}}', b"\xff\xfe"], ids=["empty", "null", "shape", "bytes"]
)
async def test_a_kept_reading_that_this_version_cannot_read_is_read_anew(
    town: TestWorld, alice: Newcomer, kept: bytes
) -> None:
    spoil = "update position_readings set body = $1 where api_account_id = $2"
    await town.db.pool.execute(spoil, kept, alice.account)
    assert set(await quotes(alice)) == {INST}
    await town.db.pool.execute(spoil, kept, alice.account)
    assert await alice.status(await alice.order()) == "DRAFT"


@pytest.mark.parametrize(
    "stored", ['{"instId":"BTC-USDT-SWAP"}', "[]", "nothing"], ids=["fields", "shape", "text"]
)
async def test_an_order_whose_kept_position_this_version_cannot_read_has_its_pages_all_the_same(
    world: TestWorld, database_url: str, stored: str
) -> None:
    async with newcomer(world) as bob:
        order = await bob.order()
        await bob.trader.submit(order["purchaseOrderId"], await bob.trader.pay(world.chain, order))
        await world.confirm()
        owner = await asyncpg.connect(database_url)
        spoil = "update purchase_orders set priced_from = (priced_from::jsonb || $1::jsonb)::text"
        await owner.execute(spoil, json.dumps({"position": stored}))
        await owner.close()
        for path in ("", "/receipt"):
            async with bob.trader.http.get(f"{world.api}/orders/{order['purchaseOrderId']}{path}") as answer:
                page = await answer.text()
            assert (answer.status, "BTC/USDT</bdi> perpetual, long" in page) == (200, True)
