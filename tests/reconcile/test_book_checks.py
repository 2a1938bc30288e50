"""The worker checks the books by itself; what it finds shows in /readyz and /metrics of other processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from math import isnan

import asyncpg
import pytest

from liqpass.clock import Clock
from liqpass.ledger.posting import balances
from liqpass.reconcile.book_checks import check_due
from liqpass.reconcile.rules import INVARIANTS
from liqpass.worker import tasks_of
from tests.conftest import in_database
from tests.outages.conftest import metric, page
from tests.world import TestWorld

BROKEN = 'liqpass_books_broken{{check="{}"}}'


@pytest.fixture
async def hand(world: TestWorld, server_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the world's database, past all triggers."""
    name = await world.db.pool.fetchval("select current_database()")
    conn = await asyncpg.connect(in_database(server_url, name))
    await conn.execute("set session_replication_role = replica")
    yield conn
    await conn.close()


@asynccontextmanager
async def seven_too_much(hand: asyncpg.Connection) -> AsyncIterator[None]:
    """An account has seven micro-USDC that came from nowhere; afterwards it has not."""
    change = "update ledger_accounts set balance = balance {} 7 where id = 'EARNED_PREMIUM'"
    await hand.execute(change.format("+"))
    yield
    await hand.execute(change.format("-"))


async def test_before_the_first_check_readyz_only_remarks_on_it(world: TestWorld) -> None:
    await world.db.pool.execute("delete from book_checks")
    said = await page(world, "/readyz")
    assert said.checks["books"] == "ok"
    assert "The books have not been checked yet." in said.text
    assert isnan(await metric(world, "liqpass_books_late_seconds"))  # unknown is not zero
    assert isnan(await metric(world, BROKEN.format("held_is_payout")))


async def test_whole_books_are_ready_and_counted_as_zero(world: TestWorld) -> None:
    await world.work()
    said = await page(world, "/readyz")
    assert (said.status, said.checks["books"]) == (200, "ok")
    assert '"remarks":[]' in said.text
    text = (await page(world, "/metrics")).text
    assert all(f"{BROKEN.format(invariant.name)} 0.0" in text for invariant in INVARIANTS)
    assert await metric(world, "liqpass_books_late_seconds") == 0
    for account, balance in (await world.db.run(balances)).items():
        assert await metric(world, f'liqpass_ledger_balance_micro_usdc{{account="{account}"}}') == balance


async def test_broken_books_take_the_process_from_the_balancer_until_they_are_whole(
    world: TestWorld, hand: asyncpg.Connection
) -> None:
    await world.work()
    async with seven_too_much(hand):
        await world.pass_time(minutes=9)
        await world.work()
        assert (await page(world, "/readyz")).status == 200  # not looked at again so soon
        await world.pass_time(minutes=1)
        await world.work()
        said = await page(world, "/readyz")
        assert said.status == 503
        assert said.checks["books"] == (
            "broken: balances_are_sums, debits_equal_credits. liqpass check --books shows it"
        )
        assert await metric(world, BROKEN.format("balances_are_sums")) == 1
        assert await metric(world, BROKEN.format("held_is_payout")) == 0
    await world.pass_time(minutes=1)  # what is broken is looked at every minute
    await world.work()
    assert (await page(world, "/readyz")).status == 200
    assert await metric(world, BROKEN.format("balances_are_sums")) == 0


async def test_a_payment_that_waits_is_a_remark_and_stops_nothing(
    world: TestWorld, hand: asyncpg.Connection
) -> None:
    nowhere = "'\\x" + "77" * 32 + "'"
    await hand.execute(f"insert into settle_queue values (1, {nowhere}, 0)")
    await world.work()
    said = await page(world, "/readyz")
    assert (said.status, said.checks["books"]) == (200, "ok")
    assert "settling_goes_on: 1. A payment has waited to be settled for more than ten minutes." in said.text
    assert await metric(world, BROKEN.format("settling_goes_on")) == 1


async def test_books_that_nobody_has_checked_for_long_are_remarked_on(world: TestWorld) -> None:
    await world.work()
    await world.pass_time(minutes=31)
    said = await page(world, "/readyz")
    assert said.checks["books"] == "ok"
    assert "The books were last checked 31 minutes ago." in said.text
    assert await metric(world, "liqpass_books_late_seconds") == 21 * 60


def ticking(world: TestWorld, tick: timedelta) -> Clock:
    """A clock by which each rule takes a tick."""
    ticks = count()
    return lambda: world.clock() + next(ticks) * tick


async def test_rules_that_take_long_are_asked_more_rarely_and_are_not_late_for_that(world: TestWorld) -> None:
    """A hundredth of the time at most. The check ends ten minutes ahead of the world's clock."""
    assert await check_due(world.db, ticking(world, timedelta(seconds=10))) == len(INVARIANTS)
    await world.pass_time(minutes=26)
    assert await check_due(world.db, world.clock) == 0
    assert await metric(world, "liqpass_books_late_seconds") == 0
    assert '"remarks":[]' in (await page(world, "/readyz")).text
    await world.pass_time(minutes=22)
    assert "The books were last checked" in (await page(world, "/readyz")).text
    assert await check_due(world.db, world.clock) == len(INVARIANTS)
    await world.pass_time(minutes=9)
    assert await check_due(world.db, world.clock) == 0
    await world.pass_time(minutes=1)
    assert await check_due(world.db, world.clock) == len(INVARIANTS)  # they are quick again


async def test_however_long_a_rule_took_it_is_asked_again_within_an_hour(world: TestWorld) -> None:
    await check_due(world.db, ticking(world, timedelta(hours=3)))
    rests = "select max(due_at - checked_at) from book_checks"
    assert await world.db.pool.fetchval(rests) == timedelta(hours=1)


async def test_a_rule_that_was_not_answered_is_asked_again_after_ten_minutes(
    world: TestWorld, hand: asyncpg.Connection
) -> None:
    await hand.execute("alter table insured_positions rename to somewhere_else")
    await check_due(world.db, ticking(world, timedelta(seconds=10)))
    rests = "select distinct due_at - checked_at from book_checks where broken is null"
    assert [row[0] for row in await world.db.pool.fetch(rests)] == [timedelta(minutes=10)]


async def test_what_a_version_kept_that_knew_of_no_rest_is_due_ten_minutes_after(world: TestWorld) -> None:
    await world.work()
    await world.db.pool.execute("update book_checks set due_at = null")
    await world.pass_time(minutes=9)
    assert await check_due(world.db, world.clock) == 0
    await world.pass_time(minutes=1)
    assert await check_due(world.db, world.clock) == len(INVARIANTS)


async def test_a_rule_of_an_older_version_is_forgotten(world: TestWorld) -> None:
    await world.db.pool.execute("insert into book_checks values ('of old', 3, '[]', $1)", world.clock())
    await world.work()
    assert (await page(world, "/readyz")).status == 200
    assert await world.db.pool.fetchval("select count(*) from book_checks") == len(INVARIANTS)


async def test_a_rule_that_cannot_be_asked_is_unknown_and_hides_no_other(
    world: TestWorld, hand: asyncpg.Connection
) -> None:
    asking = {invariant.name for invariant in INVARIANTS if "insured_positions" in invariant.sql}
    await hand.execute("alter table insured_positions rename to somewhere_else")
    check = next(task for task in tasks_of(world.of) if task.name == "check books")
    await check.step()
    assert asking
    for invariant in INVARIANTS:
        rows = await metric(world, BROKEN.format(invariant.name))
        assert isnan(rows) if invariant.name in asking else rows == 0, invariant.name
    said = await page(world, "/readyz")
    assert all(f"{name} was not answered." in said.text for name in asking)
