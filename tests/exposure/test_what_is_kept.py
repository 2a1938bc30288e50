"""What the database itself counts and refuses, whoever writes: to the micro-USDC."""

import pytest

from liqpass.db import Connection
from liqpass.exposure.limits import Scope
from liqpass.ledger.book import Kind
from liqpass.reconcile.invariant import Invariant
from liqpass.reconcile.rules_of_exposure import EXPOSURE
from tests.exposure.pool import Cover, Desk, alike
from tests.exposure.shares import share

SCOPES = [scope for scope in Scope if scope is not Scope.CLAIMS]
BEYOND, SHORT = "within_exposure_limits", "never_overdrawn"


async def counted_right(desk: Desk) -> bool:
    """Whether the books' own rule says so."""
    rule: Invariant = next(rule for rule in EXPOSURE if rule.name == "exposures_are_sums")

    async def found(conn: Connection) -> bool:
        return not await conn.fetch(rule.sql)

    return await desk.db.run(found)


@pytest.mark.parametrize("scope", SCOPES)
async def test_just_what_a_share_makes_is_sold_and_not_a_micro_usdc_more(desk: Desk, scope: Scope) -> None:
    """3.33 % of 1,000,003 are 33,300.0999."""
    await desk.capital(1_000_003)
    await share(desk.db, scope, 333)
    assert await desk.sell(Cover(1, 33_301, **alike(scope))) == BEYOND
    assert await desk.sell(Cover(2, 33_299, **alike(scope))) == "sold"
    assert await desk.sell(Cover(3, 2, **alike(scope))) == BEYOND
    assert await desk.sell(Cover(4, 1, **alike(scope))) == "sold"
    assert await desk.sell(Cover(5, 1, **alike(scope))) == BEYOND
    assert max((await desk.sums(scope)).values()) == 33_300
    # what has nothing in common with them is sold
    assert await desk.sell(Cover(6, 33_300)) == "sold"
    assert await counted_right(desk)


async def test_what_frees_capital_makes_room_in_every_scope(desk: Desk) -> None:
    """A draft that is cancelled, a quote that runs out, a cover that is settled: HELD goes to nothing."""
    await desk.capital(1_000)
    for scope in SCOPES:
        await share(desk.db, scope, 1_000)
    common = {key: value for scope in SCOPES for key, value in alike(scope).items()}
    first = Cover(1, 100, **common)
    assert await desk.sell(first) == "sold"
    for scope in SCOPES:
        assert list((await desk.sums(scope)).values()) == [100]
    assert await desk.sell(Cover(2, 1, **common)) == BEYOND
    await desk.stand((Kind.HELD, first.ref, 0))
    for scope in SCOPES:
        assert list((await desk.sums(scope)).values()) == [0]
    assert await desk.sell(Cover(3, 90, **common)) == "sold"
    assert await counted_right(desk)


async def test_what_a_claim_takes_stands_behind_nothing_any_more_and_comes_back_with_it(desk: Desk) -> None:
    """A part is paid, the rest is freed; later the payout is cancelled, and more is approved after settling:
    no limit stands in the way of what is owed."""
    await desk.capital(1_000)
    await desk.sell(cover := Cover(1, 100))

    async def stands() -> int:
        return (await desk.sums("DIRECTION"))["long"]

    await desk.stand((Kind.CLAIM, cover.ref, 60))
    assert await stands() == 40
    await desk.stand((Kind.HELD, cover.ref, 60))
    assert await stands() == 0
    for scope in Scope:
        await share(desk.db, scope, 0)
    await desk.stand((Kind.CLAIM, cover.ref, 20))
    assert await stands() == 40
    await desk.stand((Kind.CLAIM, cover.ref, 90), (Kind.HELD, cover.ref, 90))
    assert await stands() == 0
    assert await counted_right(desk)


async def test_orders_of_one_statement_are_counted_together(desk: Desk) -> None:
    await desk.capital(1_000)
    await share(desk.db, Scope.DIRECTION, 1_000)
    assert await desk.sell(Cover(1, 60), Cover(2, 41)) == BEYOND
    assert await desk.sums("DIRECTION") == {}
    assert await desk.sell(Cover(3, 60), Cover(4, 40), Cover(5, 100, direction="short")) == "sold"


async def test_a_limit_of_nothing_and_an_empty_pool_sell_nothing(desk: Desk) -> None:
    assert await desk.sell(Cover(1, 1)) == SHORT
    await desk.capital(1_000)
    assert await desk.sell(Cover(2, 1)) == "sold"
    await share(desk.db, Scope.WALLET, 0)
    assert await desk.sell(Cover(3, 1)) == BEYOND


async def test_a_pool_that_shrinks_keeps_what_is_open_and_sells_no_more(desk: Desk) -> None:
    await desk.capital(1_000)
    await share(desk.db, Scope.DIRECTION, 2_500)
    first, second = Cover(1, 200), Cover(2, 40)
    assert await desk.sell(first, second) == "sold"
    await desk.stand((Kind.WITHDRAWAL, b"\x01" * 16, 500))
    assert await desk.sell(Cover(3, 1)) == BEYOND
    assert await desk.sell(Cover(4, 125, direction="short")) == "sold"
    await desk.stand((Kind.HELD, second.ref, 0))
    assert await desk.sell(Cover(5, 1)) == BEYOND
    await desk.stand((Kind.HELD, first.ref, 0))
    assert await desk.sell(Cover(6, 125)) == "sold"
    assert await desk.sell(Cover(7, 1)) == BEYOND


async def test_a_limit_that_is_changed_holds_for_the_next_order(desk: Desk) -> None:
    await desk.capital(1_000)
    assert await desk.sell(Cover(1, 300)) == "sold"
    await share(desk.db, Scope.DIRECTION, 2_999)
    assert await desk.sell(Cover(2, 1)) == BEYOND
    await share(desk.db, Scope.DIRECTION, 3_100)
    assert await desk.sell(Cover(3, 10)) == "sold"
    assert await desk.sell(Cover(4, 1)) == BEYOND


async def test_a_pool_may_be_as_large_as_numbers_go(desk: Desk) -> None:
    await desk.capital(2**63 - 1)
    await share(desk.db, Scope.DIRECTION, 2_500)
    assert await desk.sell(Cover(1, 2**61)) == BEYOND
    assert await desk.sell(Cover(2, 2**61 - 1)) == "sold"


async def test_the_application_may_not_touch_what_is_counted(desk: Desk) -> None:
    await desk.capital(1_000)
    await desk.sell(Cover(1, 1))
    for change in (
        "update exposures set open_sum = 0",
        "delete from exposures",
        "delete from order_risks",
        "update order_risks set direction = 'short'",
        "delete from exposure_limits",
        "delete from exposure_limit_changes",
        "update exposure_limit_changes set changed_by = 'Eve'",
        "delete from sale_stops",
        "update sale_stops set direction = 'short'",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await desk.db.pool.execute(change)
