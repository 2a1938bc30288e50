"""What a covered position does is seen and kept, and what may be a liquidation opens a claim, once."""

import pytest

from liqpass.claims.opening import open_for
from liqpass.claims.states import Opener
from liqpass.worker import tasks_of
from tests.flows.newcomers import INST, SLOT
from tests.watching.covers import Insured, answer_positions, insured, look, row_of
from tests.world import TestWorld


async def test_a_cover_is_read_when_it_begins_and_as_long_as_nothing_changes_nothing_is_kept(
    town: TestWorld, alice: Insured
) -> None:
    assert (await alice.cover())["seen_at"] is None
    await look(town, seconds=5)
    assert (await alice.cover())["seen_at"] == town.clock()
    town.exchange.books.move_mark(INST, 60_100)  # of itself that is no change of the position
    await look(town, minutes=6)
    town.exchange.books.move_mark(INST, 60_000)
    assert (await alice.cover())["seen_at"] == town.clock()
    assert await alice.changes() == []
    assert await alice.claims() == []


async def test_size_that_is_added_is_kept_with_the_row_that_shows_it(town: TestWorld, alice: Insured) -> None:
    await look(town, seconds=5)
    town.exchange.books.open_position(alice.uid, INST, contracts=3, lever=10, avg_px=61_000)
    await look(town, minutes=6)
    assert await alice.changes() == [["pos", "margin", "avgPx", "liqPx"]]
    (kept,) = await alice.ask(
        "select w.* from watched_changes w join watched_covers c using (user_id, order_id)"
        " where purchase_order_id = $1"
    )
    assert '"pos":"8"' in kept["row"]
    assert (await alice.cover())["seen"] == kept["row"]
    assert (kept["read_at"], kept["clock_offset_ms"]) == (town.clock(), 0)
    await look(town, minutes=6)
    assert len(await alice.changes()) == 1, "what is kept already is no news"
    assert await alice.claims() == []


async def test_what_changed_between_pricing_and_the_first_reading_is_kept(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.books.close_position(alice.uid, INST, contracts=2)
    await look(town, seconds=5)
    (what,) = await alice.changes()
    assert what[0] == "pos"


@pytest.mark.parametrize("by", ["its owner", "the exchange"])
async def test_a_position_that_is_gone_opens_one_claim_however_often_it_is_looked_for(
    town: TestWorld, alice: Insured, by: str
) -> None:
    await look(town, seconds=5)
    end = town.exchange.books.liquidate if by == "the exchange" else town.exchange.books.close_position
    end(alice.uid, INST)
    await look(town, minutes=6)
    gone_at = (await alice.cover())["gone_at"]
    assert gone_at == town.clock()
    await look(town, minutes=6)
    await look(town, minutes=6)
    assert await alice.changes() == [["gone"]]
    assert (await alice.cover())["gone_at"] == gone_at
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]


async def test_the_slot_that_was_opened_again_holds_another_position(town: TestWorld, alice: Insured) -> None:
    await look(town, seconds=5)
    town.exchange.books.close_position(alice.uid, INST)
    town.clock.advance(seconds=1)
    town.exchange.books.open_position(alice.uid, INST, contracts=5, lever=10)
    await look(town, minutes=6)
    assert await alice.changes() == [["other"]]
    assert (await alice.cover())["gone_at"] == town.clock()
    assert await alice.claims() == [("WATCHER", "ANOTHER_POSITION")]


async def test_a_position_that_turned_in_its_slot_is_another_one_whatever_its_times_say(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    turned = {**row_of(alice), "pos": "-5"}
    async with town.db.pool.acquire() as conn:
        await conn.execute(
            "update insured_bindings b set pos_side = 'net' from purchase_orders o"
            " where o.binding_id = b.id and o.purchase_order_id = $1",
            alice.id,
        )
    answer_positions(town, {**turned, "posSide": "net"})
    await look(town, minutes=6)
    assert await alice.changes() == [["other"]]


async def test_a_penalty_opens_a_claim_and_the_same_penalty_again_is_no_news(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=2)
    await look(town, minutes=6)
    (what,) = await alice.changes()
    assert {"pos", "liqPenalty"} <= set(what)
    assert await alice.claims() == [("WATCHER", "PENALTY_SHOWN")]
    await alice.write("update claims set ask_at = null, asked = 7 where purchase_order_id = $1")
    await look(town, minutes=6)
    (claim,) = await alice.ask("select * from claims where purchase_order_id = $1")
    assert (claim["ask_at"], claim["asked"]) == (None, 7)


async def test_a_second_penalty_has_the_claim_that_is_there_asked_for_again(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=1)
    await look(town, minutes=6)
    penalty = row_of(alice)["liqPenalty"]
    await alice.write("update watched_covers set penalty = $2 where purchase_order_id = $1", penalty)
    await alice.write("update claims set ask_at = null, asked = 7 where purchase_order_id = $1")
    await look(town, minutes=6)
    assert len(await alice.changes()) == 1
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=1)
    await look(town, minutes=6)
    (claim,) = await alice.ask("select * from claims where purchase_order_id = $1")
    assert (claim["ask_at"], claim["asked"]) == (town.clock(), 0)


async def test_an_answer_that_shows_nothing_for_once_is_gone_and_then_back(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    answer_positions(town)
    await look(town, minutes=6)
    town.exchange.faults.heal()
    await look(town, seconds=20)
    assert await alice.changes() == [["gone"], ["back"]]
    assert (await alice.cover())["gone_at"] is None
    await look(town, minutes=6)
    assert len(await alice.changes()) == 2
    assert len(await alice.claims()) == 1, "absence proves nothing: the claim finds out"


@pytest.mark.parametrize(
    ("field", "value"), [("pos", "many"), ("cTime", ""), ("liqPenalty", "some"), ("mgnMode", "both")]
)
async def test_a_row_that_cannot_be_read_is_neither_gone_nor_there(
    town: TestWorld, alice: Insured, field: str, value: str
) -> None:
    await look(town, seconds=5)
    seen_at = (await alice.cover())["seen_at"]
    answer_positions(town, {**row_of(alice), field: value})
    await look(town, minutes=6)
    cover, account = await alice.cover(), await alice.account()
    assert (cover["seen_at"], cover["gone_at"]) == (seen_at, None)
    assert f"its {field} cannot be read" in account["trouble"]
    assert SLOT["instId"] in account["trouble"]
    assert (await alice.changes(), await alice.claims()) == ([], [])
    town.exchange.faults.heal()
    await look(town, minutes=6)
    assert (await alice.account())["trouble"] is None


async def test_two_rows_that_contradict_each_other_are_neither_gone_nor_there(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    row = row_of(alice)
    answer_positions(town, row, {**row, "pos": "4"})
    await look(town, minutes=6)
    assert "two rows say different things" in (await alice.account())["trouble"]
    assert (await alice.changes(), await alice.claims()) == ([], [])


async def test_another_position_of_the_account_is_nobodys_business(town: TestWorld, alice: Insured) -> None:
    await look(town, seconds=5)
    town.exchange.books.open_position(alice.uid, "ETH-USDT-SWAP", contracts=5, lever=10)
    town.exchange.books.liquidate(alice.uid, "ETH-USDT-SWAP")
    await look(town, minutes=6)
    assert (await alice.changes(), await alice.claims()) == ([], [])


async def test_a_claim_of_its_owner_is_the_watchers_claim_too(town: TestWorld) -> None:
    async with insured(town) as bob:
        await look(town, seconds=5)
        async with town.db.transaction() as conn:
            await open_for(conn, town.clock(), bytes(10), bob.id, by=Opener.TRADER)
        await bob.write("update claims set ask_at = null where purchase_order_id = $1")
        town.exchange.books.liquidate(bob.uid, INST)
        await look(town, minutes=6)
        assert await bob.claims() == [("TRADER", "ASKED_FOR")]
        (claim,) = await bob.ask("select ask_at from claims where purchase_order_id = $1")
        assert claim["ask_at"] == town.clock()


@pytest.mark.parametrize("said", ["", None])
async def test_a_row_that_says_nothing_of_the_penalty_any_more_does_not_say_that_there_is_none(
    town: TestWorld, alice: Insured, said: str | None
) -> None:
    """Even after the cover's end: its capital is not freed by it."""
    await look(town, seconds=5)
    answer_positions(town, {**row_of(alice), "liqPenalty": said})
    (order,) = await alice.ask("select coverage_end_at from purchase_orders where purchase_order_id = $1")
    town.clock.now = order["coverage_end_at"]
    await look(town, minutes=1)
    assert (await alice.cover())["alive_after_end_at"] is None
    assert "its liqPenalty is not shown any more" in (await alice.account())["trouble"]
    town.exchange.faults.heal()
    await look(town, minutes=6)
    assert (await alice.cover())["alive_after_end_at"] is not None


async def gather(town: TestWorld) -> None:
    await next(task for task in tasks_of(town.of) if task.name == "gather evidence").step()


async def test_an_older_answer_that_shows_it_again_does_not_put_the_claim_to_sleep(
    town: TestWorld, alice: Insured
) -> None:
    """A second server of the exchange is ten minutes behind: asked about the claim, it shows the position."""
    await look(town, hours=1)
    town.exchange.books.liquidate(alice.uid, INST)
    await look(town, minutes=6)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
    town.exchange.faults.delay("", 600)
    town.clock.advance(seconds=2)
    await gather(town)
    (claim,) = await alice.ask("select missing from claims where purchase_order_id = $1")
    assert claim["missing"] == ["EPISODE_RUNS"]
    town.exchange.faults.heal()
    await look(town, minutes=6)
    await gather(town)
    (claim,) = await alice.ask("select status::text, reason_code from claims where purchase_order_id = $1")
    assert tuple(claim) == ("PAYABLE", None)
