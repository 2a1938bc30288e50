"""When an account is read again: by what its covers need, the most urgent of them first."""

from datetime import timedelta

from liqpass.watching.pace import GONE_SOONEST, LATEST, SOONEST, UNCLEAR
from tests.flows.newcomers import INST
from tests.watching.covers import Insured, answer_positions, insured, look, row_of
from tests.world import TestWorld


async def due_in(who: Insured) -> timedelta:
    """How long until its account is read again."""
    wait: timedelta = (await who.account())["due_at"] - who.world.clock()
    return wait


async def test_a_position_that_is_far_from_liquidation_waits_some_minutes_and_a_near_one_seconds(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    assert await due_in(alice) == LATEST
    near = {**row_of(alice), "markPx": "54300"}
    answer_positions(town, {**near, "liqPx": "54295"})
    await look(town, minutes=6)
    assert await due_in(alice) == SOONEST
    answer_positions(town, {**near, "liqPx": "54200"})
    await look(town, minutes=6)
    assert SOONEST < await due_in(alice) < timedelta(seconds=30)


async def test_what_is_not_covered_makes_no_account_more_urgent(town: TestWorld, alice: Insured) -> None:
    answer_positions(
        town, {**row_of(alice), "markPx": "1", "liqPx": "1", "instId": "ETH-USDT-SWAP"}, row_of(alice)
    )
    await look(town, minutes=20)
    assert await due_in(alice) == LATEST


async def test_a_cover_that_ends_soon_is_read_at_its_end_and_when_it_is_surely_over(
    town: TestWorld, alice: Insured
) -> None:
    (order,) = await alice.ask("select * from purchase_orders where purchase_order_id = $1")
    end = order["coverage_end_at"]
    town.clock.now = end - timedelta(seconds=100)
    await look(town)
    assert (await alice.account())["due_at"] == end
    town.clock.now = end
    await look(town)
    assert await due_in(alice) == timedelta(seconds=31)


async def test_a_cover_that_begins_soon_is_read_at_its_beginning(town: TestWorld) -> None:
    async with insured(town) as bob:
        (order,) = await bob.ask("select * from purchase_orders where purchase_order_id = $1")
        town.clock.now = order["coverage_start_at"] - timedelta(seconds=20)
        await look(town)
        assert await due_in(bob) == timedelta(seconds=20)


async def test_what_is_gone_or_cannot_be_read_is_looked_for_again_soon_then_less_often(
    town: TestWorld, alice: Insured
) -> None:
    answer_positions(town, {**row_of(alice), "pos": "many"})
    await look(town, minutes=6)
    assert await due_in(alice) == UNCLEAR
    answer_positions(town)
    await look(town, minutes=6)
    assert await due_in(alice) == GONE_SOONEST
    await look(town, seconds=40)
    assert await due_in(alice) == timedelta(seconds=40)
    await look(town, hours=1)
    assert await due_in(alice) == LATEST


async def test_pauses_grow_while_an_account_fails_and_begin_anew_when_it_is_read(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.faults.answer("{}", path="/api/v5/account/positions")
    pauses = []
    for _ in range(4):
        await look(town, minutes=6)
        pauses.append(int((await due_in(alice)).total_seconds()))
    assert pauses == [5, 10, 20, 40]
    town.exchange.faults.heal()
    await look(town, minutes=6)
    assert ((await alice.account())["failures"], await due_in(alice)) == (0, LATEST)


async def test_a_liquidation_is_seen_within_seconds_where_the_price_was_near(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    liq_px = row_of(alice)["liqPx"]
    near = float(liq_px) * 1.0005
    town.exchange.books.move_mark(INST, str(round(near, 1)))
    await look(town, minutes=6)
    town.exchange.books.liquidate(alice.uid, INST)
    await look(town, seconds=30)
    town.exchange.books.move_mark(INST, 60_000)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
