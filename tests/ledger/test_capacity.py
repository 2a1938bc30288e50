"""No more is covered than there is capital for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from liqpass.ledger.book import Account, Entry, Kind, chain_ref
from liqpass.ledger.posting import post
from liqpass.money import usd
from liqpass.sandbox.trader import Refused
from tests.exposure.shares import all_of_it
from tests.flows.newcomers import INST, Newcomer, newcomer
from tests.ledger.books import books
from tests.races.crowd import all_told, counted
from tests.world import TestWorld


async def leave_free(world: TestWorld, free: int) -> None:
    """Take capital out of the pool until this much is free, all of which may stand behind one cover."""
    await all_of_it(world.db)
    entry = Entry(Kind.CAPITAL, chain_ref(world.chain.chain_id), free)
    await world.db.run(lambda conn: post(conn, world.clock.now, [entry]))
    assert (await books(world))[Account.POOL_FREE] == free


async def is_large(world: TestWorld, alice: Newcomer) -> None:
    """Her margin becomes 12,000: the 30 days pay no more than 1,000 USDC for it, the 24 hours 2,000."""
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=195, lever=10)
    world.clock.advance(seconds=1)
    await alice.trader.positions(alice.account)


@pytest.fixture
async def payout(world: TestWorld, alice: Newcomer) -> AsyncIterator[int]:
    """What alice's cover pays."""
    order = await alice.order()
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})
    return_value = int(order["payoutAmount"])
    yield return_value


async def test_an_order_that_would_oversell_is_refused_and_leaves_nothing(
    world: TestWorld, alice: Newcomer, payout: int
) -> None:
    await leave_free(world, payout - 1)
    bound = await alice.bind()
    with pytest.raises(Refused) as refused:
        await alice.trader.create_order(bound["bindId"])
    assert (refused.value.status, refused.value.code) == (409, "CAPACITY_EXHAUSTED")
    assert refused.value.body["largestPayoutAmount"] == str(payout - 10_000), "payouts are whole cents"
    assert refused.value.body["limit"] == "CAPITAL"
    assert len((await alice.trader.call("GET", "/api/insurance/orders"))["orders"]) == 1
    assert (await books(world))[Account.POOL_LOCKED] == 0


async def test_the_refusal_names_a_smaller_cover_that_then_can_be_bought(
    world: TestWorld, alice: Newcomer
) -> None:
    await is_large(world, alice)
    dear = await alice.order("LIQPASS_24H")
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": dear["purchaseOrderId"]})
    cheap = await alice.order("LIQPASS_30D")
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": cheap["purchaseOrderId"]})
    assert int(cheap["payoutAmount"]) < int(dear["payoutAmount"])
    await leave_free(world, int(cheap["payoutAmount"]))
    with pytest.raises(Refused) as refused:
        await alice.order("LIQPASS_24H")
    (fits,) = refused.value.body["fits"]
    assert (fits["sku"], fits["payoutAmount"]) == ("LIQPASS_30D", cheap["payoutAmount"])
    assert "LIQPASS_30D" in refused.value.body["detail"]
    order = await alice.order(fits["sku"])
    assert (order["status"], order["payoutAmount"]) == ("DRAFT", cheap["payoutAmount"])


async def test_a_quote_says_that_the_free_capital_is_short_of_its_payout(
    world: TestWorld, alice: Newcomer
) -> None:
    await is_large(world, alice)
    dear = await alice.order("LIQPASS_24H")
    await alice.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": dear["purchaseOrderId"]})
    free = int(dear["payoutAmount"]) - 10_000
    await leave_free(world, free)
    told = await alice.trader.call("GET", "/api/insurance/quotes", apiAccountId=alice.account)
    quotes = {quote["sku"]: quote for quote in told["positions"][0]["quotes"]}
    assert (quotes["LIQPASS_24H"]["reasonCode"], quotes["LIQPASS_24H"]["payoutAmount"]) == (
        "CAPACITY_EXHAUSTED",
        None,
    )
    left = {"limit": "CAPITAL", "roomUsd": usd(free), "freeUsd": usd(free)}
    assert quotes["LIQPASS_24H"]["reasonValues"] == left
    assert quotes["LIQPASS_30D"]["reasonCode"] is None
    assert int(quotes["LIQPASS_30D"]["payoutAmount"]) <= free


async def test_capital_for_three_covers_sells_three_to_thirty_who_ask_at_once(
    world: TestWorld, alice: Newcomer, payout: int
) -> None:
    await leave_free(world, 3 * payout + payout // 2)
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(newcomer(world)) for _ in range(30)]
        bindings = [(await somebody.bind())["bindId"] for somebody in people]
        answers = await all_told(
            somebody.trader.create_order(binding) for somebody, binding in zip(people, bindings, strict=True)
        )
    assert counted(answers) == {"DRAFT": 3, "CAPACITY_EXHAUSTED": 27}
    found = await books(world)
    assert (found[Account.POOL_FREE], found[Account.POOL_LOCKED]) == (payout // 2, 3 * payout)
