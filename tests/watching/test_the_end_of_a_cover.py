"""After its end a cover is watched until the exchange has shown how it went."""

import pytest

from liqpass.claims.opening import open_for
from liqpass.claims.states import Opener
from liqpass.exchange.okx import OkxGateway
from liqpass.watching.step import watch_due
from tests.flows.newcomers import INST
from tests.watching.covers import Insured, insured, look, row_of
from tests.world import TestWorld

SETTLE_SEC = 30


async def to_the_end(insured: Insured, **later: float) -> None:
    """So long after the cover's end that moment is."""
    town = insured.world
    (row,) = await insured.ask("select coverage_end_at from purchase_orders where purchase_order_id = $1")
    town.clock.now = row["coverage_end_at"]
    town.clock.advance(**later)


async def test_a_reading_at_the_end_and_one_after_it_that_shows_the_position_alive_is_the_last(
    town: TestWorld, alice: Insured
) -> None:
    await to_the_end(alice, seconds=-60)
    await look(town)
    await to_the_end(alice)
    await look(town)
    cover = await alice.cover()
    assert (cover["seen_at"], cover["alive_after_end_at"]) == (town.clock(), None)
    await look(town, seconds=SETTLE_SEC - 1)
    assert (await alice.cover())["alive_after_end_at"] is None
    await look(town, seconds=2)
    assert (await alice.cover())["alive_after_end_at"] == town.clock()
    assert await alice.changes() == [["alive_after_end"]]
    assert await alice.claims() == []
    await look(town, minutes=6)
    assert (await alice.account())["due_at"] is None
    assert await alice.changes() == [["alive_after_end"]]


async def test_what_counts_is_the_exchanges_clock(town: TestWorld, alice: Insured) -> None:
    """Its clock is twenty seconds behind ours, and it says what time it is."""
    await to_the_end(alice, seconds=SETTLE_SEC + 15)
    town.exchange.faults.skew_clock(-20)
    gateway = OkxGateway(town.exchange.hosts, town.clock)
    try:
        await watch_due(town.db, gateway, town.of.keyring, town.clock)
        assert (await alice.cover())["alive_after_end_at"] is None
        town.clock.advance(seconds=6)
        await watch_due(town.db, gateway, town.of.keyring, town.clock)
    finally:
        await gateway.close()
    seen = await alice.cover()
    assert (town.clock() - seen["alive_after_end_at"]).total_seconds() == 20
    (kept,) = await alice.ask(
        "select w.* from watched_changes w join watched_covers c using (user_id, order_id)"
        " where purchase_order_id = $1"
    )
    assert (kept["read_at"], kept["clock_offset_ms"]) == (town.clock(), -20_000)


async def test_what_changed_last_is_kept_with_the_reading_that_shows_it_alive(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.books.close_position(alice.uid, INST, contracts=1)
    await to_the_end(alice, minutes=1)
    await look(town)
    (what,) = await alice.changes()
    assert (what[0], what[-1]) == ("pos", "alive_after_end")


async def test_a_penalty_that_nobody_has_decided_on_lets_no_reading_after_the_end_count(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=2)
    await to_the_end(alice, minutes=1)
    await look(town)
    assert (await alice.cover())["alive_after_end_at"] is None
    assert await alice.claims() == [("WATCHER", "PENALTY_SHOWN")]
    penalty = row_of(alice)["liqPenalty"]
    await alice.write("update watched_covers set penalty = $2 where purchase_order_id = $1", penalty)
    await look(town, minutes=6)
    assert (await alice.cover())["alive_after_end_at"] == town.clock()


@pytest.mark.parametrize("missing", ["EPISODE_RUNS", "HISTORY_ROW"])
async def test_a_claim_that_waits_for_its_position_alone_is_asked_for_then(
    town: TestWorld, alice: Insured, missing: str
) -> None:
    async with town.db.transaction() as conn:
        await open_for(conn, town.clock(), bytes(10), alice.id, by=Opener.TRADER)
    later = "null" if missing == "EPISODE_RUNS" else "'2100-01-01'"
    await alice.write(
        f"update claims set status = 'GATHERING', missing = array[$2], ask_at = {later}"
        " where purchase_order_id = $1",
        missing,
    )
    await to_the_end(alice, minutes=1)
    await look(town)
    (claim,) = await alice.ask("select ask_at from claims where purchase_order_id = $1")
    assert (claim["ask_at"] == town.clock()) == (missing == "EPISODE_RUNS")


async def test_a_position_that_is_gone_when_it_is_looked_for_after_the_end_opens_a_claim(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.books.liquidate(alice.uid, INST)
    await to_the_end(alice, hours=2)
    await look(town)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
    assert (await alice.cover())["alive_after_end_at"] is None


async def test_what_is_settled_is_watched_no_more(town: TestWorld) -> None:
    async with insured(town) as bob:
        await bob.write(
            "update watched_covers set settled_at = $2, settled_by = 'WINDOW_OVER'"
            " where purchase_order_id = $1",
            town.clock(),
        )
        await look(town, minutes=6)
        assert ((await bob.account())["due_at"], (await bob.cover())["seen_at"]) == (None, None)


async def test_a_clock_that_was_wrong_when_it_was_asked_for_makes_no_reading_one_after_the_end(
    town: TestWorld, alice: Insured
) -> None:
    """The exchange said once that it is an hour later; it takes no request with such a time, and says so."""
    gateway = OkxGateway(town.exchange.hosts, town.clock)
    try:
        town.exchange.faults.skew_clock(3600)
        await gateway.clock_offset("global")
        town.exchange.faults.skew_clock(0)
        await to_the_end(alice, minutes=-50)
        await watch_due(town.db, gateway, town.of.keyring, town.clock)
        assert (await alice.cover())["seen_at"] == town.clock()
        assert (await alice.cover())["alive_after_end_at"] is None
    finally:
        await gateway.close()
