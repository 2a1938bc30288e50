"""Two thousand covers, three hundred of them liquidated in every way that the exchange has, while exchange
and database fail at random: each that is payable is paid once and to the micro-USDC, and no other.

What happens, and which statements fail, is the same on every run; SEED=7 plays another storm. Which of two
requests comes first is not.
"""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from structlog.testing import capture_logs

from liqpass.reconcile.invariants import broken
from liqpass.reconcile.runs import reconcile
from tests.properties.shown import Left
from tests.storms.storm import Storm
from tests.storms.town import Holder, StormTown, storm_town
from tests.storms.truth import MICRO, paid_in_all

SEED = int(os.environ.get("SEED", "1"))
BEGINS = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACCOUNTS, EACH, LIQUIDATED = 250, 8, 300
LASTS, LOOKS = timedelta(hours=8), 8
FAILS = 40  # one of so many statements
BREAKS = "select type::text, subject, said from reconciliation_breaks where closed_at is null"


async def sold(town: StormTown) -> int:
    """Two thousand orders, paid and safe; the pool has what they promise together, and not a micro-USDC more.
    That capital."""
    for number in range(ACCOUNTS):
        await town.newcomer(number, EACH)
    payouts = [[_payout(town, p.margin) for p in holder.okx.slots.values()] for holder in town.holders]
    capital = sum(map(sum, payouts))
    await town.open_books(capital)
    for holder, some in zip(town.holders, payouts, strict=True):
        await town.sell(holder, LASTS, dict(zip(holder.okx.slots, some, strict=True)))
    for holder in _with_another_key(town):
        await town.hand_over_key(holder)
    await town.pay(town.covers)
    await town.work()
    return capital


def _payout(town: StormTown, margin: Decimal) -> int:
    """Some are more than can be lost; all are whole tens, so that many of one wallet are alike."""
    return (int(margin * town.draw.choice((1, 2, 4, 20)) / 100) + 1) * 10 * MICRO


async def insured_again(town: StormTown) -> None:
    """What is still open in some accounts, out of the capital that the first covers have freed."""
    before = len(town.covers)
    for holder in town.holders[-10:]:
        await town.sell(holder, LASTS, dict.fromkeys(holder.okx.slots, 10 * MICRO))
    await town.pay(town.covers[before:])
    assert len(town.covers) > before


def _with_another_key(town: StormTown) -> list[Holder]:
    return town.holders[:4]


def _with_a_new_key(town: StormTown) -> list[Holder]:
    return town.holders[4:8]


def _with_no_key(town: StormTown) -> list[Holder]:
    return town.holders[8:12]


def program(storm: Storm) -> None:
    """What will happen, and to whom."""
    town = storm.town
    for holder in _with_another_key(town) + _with_no_key(town):
        storm.key_is_deleted(holder)
    for holder in _with_a_new_key(town):
        storm.key_is_deleted(holder, new_one=timedelta(days=8))
    unlucky = [cover for holder in town.holders[:12] for cover in holder.covers[::2]]
    others = [cover for holder in town.holders[12:] for cover in holder.covers]
    storm.fates_of(unlucky + town.draw.sample(others, LIQUIDATED - len(unlucky)))
    start = town.covers[0].start
    for part in (0.3, 0.7):
        storm.funding_is_settled(start + LASTS * part)


async def played(storm: Storm) -> None:
    """The covers' hours in a storm with an outage of the exchange, a day of lesser ones, then the weeks until
    no claim can come any more."""
    weather, start, end = storm.town.weather, storm.town.covers[0].start, storm.town.covers[0].end
    await weather.gather()
    for look in range(1, LOOKS + 1):
        await (weather.outage() if look == LOOKS // 2 else weather.storm(FAILS))
        await storm.goes_on(start + LASTS * look / LOOKS)
    for hours in (0.1, 0.4, 0.8, 1.5, 4, 12, 24):
        await weather.storm(FAILS)
        await storm.goes_on(end + timedelta(hours=hours))
        if hours == 1.5:
            await weather.calm()
            await insured_again(storm.town)
    await weather.calm()
    for days in (2, 7, 8.1, 9, 14.1, 14.2):
        await storm.goes_on(end + timedelta(days=days))
    await storm.goes_on(end + timedelta(days=14.3))


def received(storm: Storm) -> Counter[bytes]:
    """What each wallet got out of the treasury, micro-USDC."""
    found: Counter[bytes] = Counter()
    for tx in storm.operators.paid:
        for log in tx.logs:
            assert isinstance(log, Left)
            found[log.recipient] += log.amount
    return found


async def test_each_payable_claim_of_a_storm_is_paid_once_and_to_the_micro_usdc_and_no_other(
    database_url: str,
) -> None:
    with capture_logs():
        async with storm_town(database_url, SEED, begins=BEGINS) as town:
            storm = Storm(town, await sold(town))
            program(storm)
            await played(storm)
            assert await storm.wrong() == []
            assert received(storm) == paid_in_all(town.covers)
            assert town.struck_down and town.weather.struck, "it did not storm"
            assert town.left_over == []
            assert await broken(town.owner, town.clock()) == []
            await reconcile(town.of.db, town.of.nodes, town.of.settings.chain, town.clock)
            assert await town.owner.fetch(BREAKS) == []
