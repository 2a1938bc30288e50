"""Three PostgreSQL under Patroni, as deploy/patroni has them: the one that leads stands still, another one
takes over, and it wakes up, with nobody to tell it that it leads no more; then it joins them again, and they
change places in order. Meanwhile traders buy, and claims are paid.

The other ways to lose a leader take minutes: `make test-failover`.
"""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from tests.failover.cluster import SECRET, Node, running_cluster
from tests.failover.reckoning import nothing_is_lost_and_nothing_twice
from tests.failover.town import town_on


async def connected(node: Node) -> asyncpg.Connection:
    """To this one, whatever it is."""
    port = node.ports["postgres"]
    return await asyncpg.connect(f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/liqpass", timeout=30)


async def test_no_answer_is_lost_with_a_leader_that_stands_still_and_it_decides_nothing_when_it_wakes_up(
    tmp_path: Path,
) -> None:
    async with running_cluster(3, hurried=True) as cluster, town_on(cluster, tmp_path, traders=6) as town:
        await town.sells(5)
        former = await cluster.leader()
        asking = await connected(former)
        await asking.execute("create table decisions (number int)")
        former.signal(signal.SIGSTOP)
        decision = asyncio.create_task(asking.execute("insert into decisions values (1)"))
        await cluster.leader(other_than=former)
        await town.sells(10)

        former.leave_alone()  # it takes itself for the leader, and answers whoever asks
        looking = await connected(former)
        assert not await looking.fetchval("select pg_is_in_recovery()")
        await town.sells(10)
        await town.serves()
        await town.sells(10)
        assert await looking.fetchval("select count(*) from decisions") == 0
        assert not decision.done()

        await former.start()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await decision
        await cluster.all_follow()
        assert await town.rows("select * from decisions") == []

        await cluster.switch_over()
        await town.sells(5)
        await town.closes()
        await nothing_is_lost_and_nothing_twice(town)
