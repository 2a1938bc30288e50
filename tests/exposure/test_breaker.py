"""Claims that pass their share of the pool stop the sale of their direction; so does an operator."""

import os
from datetime import timedelta

import pytest

from liqpass.exposure import changing
from liqpass.exposure.breaker import watch_claims
from liqpass.exposure.changing import Said
from liqpass.exposure.limits import Cause, Direction, Scope
from liqpass.exposure.reading import Exposure, shown
from liqpass.exposure.sql import StoredStop
from liqpass.ids import RANDOM_BYTES
from liqpass.problems import Problem
from tests.exposure.pool import Cover, Desk
from tests.exposure.shares import share

ADA = Said("Ada", "looked at")
STOPPED = "sale_not_stopped"


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Of its pool of 1,000 claims may take 50 a day; four covers of 40 of each direction are open."""
    await desk.capital(1_000)
    await share(desk.db, Scope.CLAIMS, 500)
    for number in range(1, 5):
        assert await desk.sell(Cover(number, 40), Cover(10 + number, 40, direction="short")) == "sold"
    return desk


async def watch(desk: Desk) -> list[StoredStop]:
    """One step of the worker; the stops that began."""
    return await desk.db.run(lambda conn: watch_claims(conn, desk.now))


async def sold(desk: Desk, direction: str = "long") -> str:
    """Whether one more is sold."""
    return await desk.sell(Cover(1_000 + len(desk.sold), 1, direction=direction))


async def seen(desk: Desk) -> Exposure:
    return await desk.db.run(lambda conn: shown(conn, desk.now))


async def test_claims_up_to_the_share_stop_nothing_and_one_more_stops_their_direction(desk: Desk) -> None:
    await desk.claims(desk.sold[0], 40)
    await desk.claims(desk.sold[2], 10)
    assert await watch(desk) == []
    assert await sold(desk) == "sold"
    await desk.found(desk.sold[2], 11)
    assert await sold(desk) == STOPPED  # at once, before any worker has looked
    assert await sold(desk, "short") == "sold"
    (stop,) = await watch(desk)
    assert (stop.direction, stop.cause, stop.claimed, stop.most) == (Direction.LONG, Cause.CLAIMS, 51, 50)
    assert stop.until_at == desk.now + timedelta(hours=24)
    assert await watch(desk) == []  # once


async def test_the_sale_goes_on_after_a_day_unless_as_much_was_claimed_meanwhile(desk: Desk) -> None:
    await desk.claims(desk.sold[0], 40)
    await desk.claims(desk.sold[2], 40)
    await watch(desk)
    desk.later(hours=23, minutes=59)
    assert await sold(desk) == STOPPED
    desk.later(minutes=1)
    assert await watch(desk) == []
    assert await sold(desk) == "sold"
    for cover in desk.sold[4], desk.sold[6]:
        await desk.claims(cover, 40)
    (again,) = await watch(desk)
    assert again.until_at == desk.now + timedelta(hours=24)


async def test_claims_during_a_stop_begin_the_next_from_their_own_time(desk: Desk) -> None:
    """Without a moment in between in which anything is sold."""
    await desk.claims(desk.sold[0], 40)
    await desk.claims(desk.sold[2], 40)
    (first,) = await watch(desk)
    desk.later(hours=20)
    await desk.claims(desk.sold[4], 40)
    assert await watch(desk) == []
    await desk.claims(desk.sold[6], 40)
    (second,) = await watch(desk)
    assert second.claimed == 80
    desk.later(hours=23)
    assert first.until_at is not None
    assert desk.now > first.until_at
    assert await sold(desk) == STOPPED
    desk.later(hours=1)
    assert await sold(desk) == "sold"


async def test_a_stop_by_what_turns_out_to_be_owed_to_nobody_ends_by_itself(desk: Desk) -> None:
    """Two positions were closed by their owners, and their claims counted whole until that was shown."""
    await desk.claims(desk.sold[0], 40)
    await desk.claims(desk.sold[2], 40)
    await watch(desk)
    desk.later(minutes=2)
    await desk.found(desk.sold[0], 0)
    assert await watch(desk) == []
    assert await sold(desk) == "sold"
    assert (await seen(desk)).stops == []
    # what is left of it counts towards the next
    await desk.claims(desk.sold[4], 11)
    (again,) = await watch(desk)
    assert again.claimed == 51


async def test_a_claim_that_counts_less_by_now_ends_no_stop_that_others_still_make(desk: Desk) -> None:
    for cover in desk.sold[0], desk.sold[2], desk.sold[4]:
        await desk.claims(cover, 40)
    await watch(desk)
    await desk.found(desk.sold[0], 0)
    await watch(desk)
    assert await sold(desk) == STOPPED


async def test_claims_of_more_than_a_day_ago_are_forgotten(desk: Desk) -> None:
    await desk.claims(desk.sold[0], 40)
    desk.later(hours=24)
    await desk.claims(desk.sold[2], 40)
    assert await watch(desk) == []
    assert await sold(desk) == "sold"


async def test_a_share_of_nothing_stops_at_the_first_claim(desk: Desk) -> None:
    await share(desk.db, Scope.CLAIMS, 0)
    assert await watch(desk) == []
    assert await sold(desk) == "sold"
    await desk.claims(desk.sold[0], 1)
    assert len(await watch(desk)) == 1


async def test_an_operator_who_resumes_knows_of_the_claims_so_far(desk: Desk) -> None:
    await desk.claims(desk.sold[0], 40)
    await desk.claims(desk.sold[2], 40)
    await watch(desk)
    ended = await desk.db.run(lambda conn: changing.resume(conn, desk.now, Direction.LONG, ADA))
    assert [stop.claimed for stop in ended] == [80]
    assert await watch(desk) == []
    assert await sold(desk) == "sold"
    desk.later(minutes=1)
    await desk.claims(desk.sold[4], 40)
    assert await watch(desk) == []
    await desk.claims(desk.sold[6], 40)
    assert [stop.claimed for stop in await watch(desk)] == [80]


async def test_an_operator_stops_a_direction_for_hours_or_until_it_is_resumed(desk: Desk) -> None:
    async def stop(direction: Direction, hours: int | None) -> None:
        until = None if hours is None else desk.now + timedelta(hours=hours)
        random = os.urandom(RANDOM_BYTES)
        await desk.db.run(lambda conn: changing.stop(conn, desk.now, random, direction, until, ADA))

    await stop(Direction.LONG, 2)
    await stop(Direction.SHORT, None)
    assert (await sold(desk, "long"), await sold(desk, "short")) == (STOPPED, STOPPED)
    assert [stop.direction for stop in (await seen(desk)).stops] == [Direction.LONG, Direction.SHORT]
    desk.later(hours=2)
    assert (await sold(desk, "long"), await sold(desk, "short")) == ("sold", STOPPED)
    desk.later(days=400)
    assert await sold(desk, "short") == STOPPED
    await desk.db.run(lambda conn: changing.resume(conn, desk.now, Direction.SHORT, ADA))
    assert await sold(desk, "short") == "sold"
    with pytest.raises(Problem, match="nothing to resume"):
        await desk.db.run(lambda conn: changing.resume(conn, desk.now, Direction.SHORT, ADA))


async def test_what_is_shown_beside_what_is_the_most(desk: Desk) -> None:
    await share(desk.db, Scope.DIRECTION, 2_500)
    await desk.claims(desk.sold[0], 40)
    desk.later(hours=1)
    found = await seen(desk)
    assert (found.pool, found.free) == (1_000, 680)
    longs = next(one for one in found.sums if (one.scope, one.key) == (Scope.DIRECTION, "long"))
    assert (longs.open_sum, longs.most, longs.room) == (160, 250, 90)
    limit = found.limit(Scope.DIRECTION)
    assert (limit.share_bps, limit.changed_by, limit.reason) == (2_500, "Ada", "a test")
    claimed = {one.direction: (one.last_24h, one.counted) for one in found.claimed_24h}
    assert claimed == {Direction.LONG: (40, 40), Direction.SHORT: (0, 0)}
