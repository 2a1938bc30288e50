"""A break keeps its row, is closed by a run or by a name, and is open again when it is another one."""

from datetime import timedelta

import asyncpg
import pytest

from liqpass.connecting import APP_ROLE
from liqpass.problems import Problem
from liqpass.reconcile import closing
from liqpass.reconcile.invariants import broken
from liqpass.reconcile.periods import Period
from liqpass.reconcile.standing import overview
from liqpass.sandbox.chain import USDC
from tests.flows.newcomers import Newcomer, new_wallet
from tests.reconcile.hands import by_hand, covered, found, open_breaks, row, run_once
from tests.world import TestWorld

NAME = "Ada"


async def balance_is_off(world: TestWorld, url: str, by: int) -> None:
    """One balance differs from its transfers by so much more than before."""
    await by_hand(url, f"update ledger_accounts set balance = balance + {by} where id = 'CLAIMS_PAYABLE'")


async def close(world: TestWorld, break_id: int, by: str = NAME, reason: str = "known") -> None:
    """As an operator does."""
    await world.db.run(lambda conn: closing.close(conn, world.clock.now, break_id, by=by, reason=reason))


async def the_break(world: TestWorld) -> asyncpg.Record:
    """The only one there ever was."""
    (one,) = await world.db.pool.fetch("select * from reconciliation_breaks")
    return one


async def test_a_break_that_is_found_again_keeps_its_row_and_its_age(
    world: TestWorld, database_url: str
) -> None:
    await balance_is_off(world, database_url, 5)
    first = await run_once(world)
    before = await the_break(world)
    world.clock.advance(hours=3)
    last = await run_once(world)
    after = await the_break(world)
    assert (after["id"], after["opened_at"], after["first_run"]) == (before["id"], before["opened_at"], first)
    assert after["last_run"] == last
    assert world.clock.now - after["opened_at"] == timedelta(hours=3)


async def test_a_break_that_is_gone_is_closed_by_the_run_which_says_so(
    world: TestWorld, database_url: str
) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    await balance_is_off(world, database_url, -5)
    last = await run_once(world)
    closed = await the_break(world)
    assert (closed["closed_by"], closed["accepted"]) == ("reconciliation", False)
    assert closed["close_reason"] == f"run {last} did not find it any more"
    assert closed["closed_at"] == world.clock.now


async def test_one_that_comes_back_is_open_again_and_young(world: TestWorld, database_url: str) -> None:
    for by in (5, -5):
        await balance_is_off(world, database_url, by)
        await run_once(world)
        world.clock.advance(hours=1)
    await balance_is_off(world, database_url, 5)
    last = await run_once(world)
    again = await the_break(world)
    assert (again["closed_at"], again["first_run"], again["opened_at"]) == (None, last, world.clock.now)
    assert await world.db.pool.fetchval("select count(*) from reconciliation_closings") == 1


async def test_one_that_was_closed_by_name_stays_closed_until_its_amounts_change(
    world: TestWorld, database_url: str
) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    await close(world, (await the_break(world))["id"])
    assert await found(world) == set()
    kept = await the_break(world)
    assert (kept["closed_by"], kept["close_reason"], kept["accepted"]) == (NAME, "known", True)
    await balance_is_off(world, database_url, 1)
    assert await found(world) == {("LEDGER_INCONSISTENT", "account CLAIMS_PAYABLE")}
    told = await row(world, "select * from reconciliation_closings")
    assert (told["closed_by"], told["reason"], told["found"] - told["expected"]) == (NAME, "known", 5)


async def test_a_balance_that_was_accepted_may_move_as_long_as_it_is_off_by_the_same(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    await by_hand(database_url, "update ledger_accounts set balance = balance + 5 where id = 'TREASURY'")
    differs = ("BALANCE_DIFFERS", "treasury")
    assert await found(world) == {differs, ("LEDGER_INCONSISTENT", "account TREASURY")}
    for one in await open_breaks(world):
        await close(world, one["id"])
    await covered(world, alice)
    assert await found(world) == set()
    await world.chain.transfer(await new_wallet(world), world.chain.treasury, 7 * USDC)
    await world.confirm()
    async with world.db.pool.acquire() as conn:
        assert "closed_by_somebody" not in {one.name for one in await broken(conn, world.clock.now)}
    await by_hand(database_url, "update ledger_accounts set balance = balance + 1 where id = 'TREASURY'")
    assert differs in await found(world)


async def test_one_without_amounts_is_open_again_when_something_else_is_wrong(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    order = await covered(world, alice)
    for seq in (2, 3):
        await by_hand(database_url, f"delete from order_events where seq = {seq}")
        assert await found(world) == {("HISTORY_BROKEN", order["purchaseOrderId"])}
        await close(world, (await the_break(world))["id"])
        assert await found(world) == set()


async def test_one_that_was_closed_by_name_is_open_again_when_it_went_and_came_back(
    world: TestWorld, database_url: str
) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    await close(world, (await the_break(world))["id"])
    await balance_is_off(world, database_url, -5)
    await run_once(world)
    assert (await the_break(world))["closed_by"] == NAME
    await balance_is_off(world, database_url, 5)
    assert len(await found(world)) == 1


@pytest.mark.parametrize(
    ("by", "reason", "field"),
    [
        ("", "known", "--by"),
        ("  ", "known", "--by"),
        (NAME, " \n ", "--reason"),
        (NAME, "x" * 1001, "--reason"),
        ("reconciliation", "known", "--by"),
    ],
)
async def test_nobody_closes_a_break_without_name_and_reason(
    world: TestWorld, database_url: str, by: str, reason: str, field: str
) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    with pytest.raises(Problem) as refused:
        await close(world, (await the_break(world))["id"], by, reason)
    assert refused.value.extra["field"] == field
    assert len(await open_breaks(world)) == 1


async def test_a_break_is_closed_once_and_one_that_is_not_there_never(
    world: TestWorld, database_url: str
) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    number = (await the_break(world))["id"]
    await close(world, number)
    for break_id, code in ((number, "BREAK_CLOSED"), (number + 1, "BREAK_NOT_FOUND")):
        with pytest.raises(Problem) as refused:
            await close(world, break_id)
        assert refused.value.code == code


async def test_a_run_over_a_period_finds_and_closes_what_belongs_to_it_and_nothing_else(
    world: TestWorld, alice: Newcomer, bob: Newcomer, database_url: str
) -> None:
    """Two orders, days apart, whose history is broken and mended again."""
    old = await covered(world, alice)
    await world.pass_time(hours=20)
    young = await covered(world, bob)
    between = world.clock.now - timedelta(hours=10)
    reason = "update order_events set to_status = '{}' where seq = 3"
    await by_hand(database_url, reason.format("CANCELLED"))
    broken = {("HISTORY_BROKEN", order["purchaseOrderId"]) for order in (old, young)}
    await run_once(world, Period(between, None))
    assert {("HISTORY_BROKEN", "0x" + b["purchase_order_id"].hex()) for b in await open_breaks(world)} == {
        ("HISTORY_BROKEN", young["purchaseOrderId"])
    }
    assert await found(world) == broken
    await by_hand(database_url, reason.format("ACTIVE"))
    await run_once(world, Period(None, between))
    (left,) = await open_breaks(world)
    assert "0x" + left["purchase_order_id"].hex() == young["purchaseOrderId"]
    assert await found(world) == set()


async def test_a_run_of_a_period_is_not_taken_for_how_everything_stands(world: TestWorld) -> None:
    whole = await run_once(world)
    await run_once(world, Period(None, world.clock.now - timedelta(days=900)))
    async with world.db.pool.acquire() as conn:
        shown = (await overview(conn)).run
    assert shown is not None
    assert shown.id == whole


@pytest.mark.parametrize(
    "change",
    [
        "update reconciliation_runs set breaks_open = 0",
        "delete from reconciliation_runs",
        "truncate reconciliation_pages",
        "update reconciliation_pages set breaks = '[]'",
        "update reconciliation_closings set closed_by = 'Bob'",
        "delete from reconciliation_closings",
        "delete from reconciliation_breaks",
    ],
)
async def test_what_was_found_cannot_be_taken_back(world: TestWorld, database_url: str, change: str) -> None:
    await balance_is_off(world, database_url, 5)
    await run_once(world)
    await close(world, (await the_break(world))["id"])
    owner = await asyncpg.connect(database_url)
    try:
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.ForeignKeyViolationError)):
            await owner.execute(change)
        await owner.execute(f"set role {APP_ROLE}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(change)
    finally:
        await owner.close()
