"""Every way to lose a leader, one after the other on one cluster that looks as often as deploy/patroni says,
while traders buy and claims are paid: `make test-failover`. It takes minutes, so `make test` has none of it.

How long nothing was sold is told, not asserted.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest

from tests.failover.cluster import Node, running_cluster, until
from tests.failover.reckoning import nothing_is_lost_and_nothing_twice
from tests.failover.town import Town, town_on

TRADERS = 16
Fault = Callable[[Town, Node], Awaitable[None]]


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """For all of them; what is true in the end is true of all that happened."""
    tell(f"three servers under Patroni, {TRADERS} traders; each way takes half a minute to some minutes")
    async with (
        running_cluster(3) as cluster,
        town_on(cluster, tmp_path_factory.mktemp("town"), TRADERS) as town,
    ):
        await town.sells(5)
        yield town
        await town.closes()
        await nothing_is_lost_and_nothing_twice(town)
        tell(f"told: { {kind: len(ids) for kind, ids in town.told.items()} }")
        tell(f"asked again: {dict(town.unanswered)}")


def tell(line: str) -> None:
    """Beside pytest's dots."""
    os.write(2, f"\n  {line}\n".encode())


async def killed(_: Town, leader: Node) -> None:
    """The machine is gone: Patroni and PostgreSQL get kill -9."""
    leader.signal(signal.SIGKILL)


async def postgres_killed(_: Town, leader: Node) -> None:
    """PostgreSQL alone gets kill -9; its Patroni lives."""
    leader.signal(signal.SIGKILL, but=(leader.patroni,))


async def left_alone(_: Town, leader: Node) -> None:
    """Patroni alone gets kill -9: PostgreSQL goes on, and nobody tells it anything."""
    leader.leave_alone()


async def stands_still(_: Town, leader: Node) -> None:
    """The machine is stopped (SIGSTOP), and takes connections that it never answers."""
    leader.signal(signal.SIGSTOP)


async def cut_off(_: Town, leader: Node) -> None:
    """Neither etcd nor the other nodes are reached, nor reach it; LiqPass still does."""
    await leader.cut_off()


async def mended(leader: Node) -> None:
    """Whatever was done to it is undone."""
    leader.signal(signal.SIGCONT)
    await leader.joined_again()
    if leader.patroni not in leader.pids():
        await leader.start()


@pytest.mark.parametrize("fault", [killed, postgres_killed, left_alone, stands_still, cut_off])
async def test_the_sale_goes_on_without_the_leader_and_it_joins_again(town: Town, fault: Fault) -> None:
    leader = await town.cluster.leader()
    began = time.monotonic()
    tell(f"{fault.__name__}: {fault.__doc__}")
    await fault(town, leader)
    if fault is postgres_killed:  # Patroni starts it again
        await town.sells(TRADERS)
    else:
        await town.cluster.leader(other_than=leader)
        led = time.monotonic() - began
        await town.sells(2 * TRADERS)
        tell(f"{fault.__name__}: another one leads after {led:.1f} s")
    tell(f"{fault.__name__}: nothing was sold for {longest(town, began):.1f} s")
    await mended(leader)
    await town.cluster.all_follow()
    await town.sells(5)


async def test_the_leader_hands_over_in_order(town: Town) -> None:
    began = time.monotonic()
    await town.cluster.switch_over()
    await town.cluster.all_follow()
    await town.sells(2 * TRADERS)
    tell(f"switchover: nothing was sold for {longest(town, began):.1f} s")


async def test_without_etcd_nobody_leads_and_the_sale_goes_on_when_it_is_back(town: Town) -> None:
    leader, began = await town.cluster.leader(), time.monotonic()
    os.kill(town.cluster.etcd, signal.SIGSTOP)
    await until(lambda: _leads_no_more(leader), town.cluster, "without etcd, nobody leads")
    os.kill(town.cluster.etcd, signal.SIGCONT)
    await town.sells(2 * TRADERS)
    await town.cluster.all_follow()
    tell(f"etcd away and back: nothing was sold for {longest(town, began):.1f} s")


async def test_what_no_standby_has_is_confirmed_to_nobody_and_nobody_else_leads(town: Town) -> None:
    """Both standbys are away, and people ask again and again; then the leader is gone, and they come back."""
    leader = await town.cluster.leader()
    others = [node for node in town.cluster.nodes if node is not leader]
    began = time.monotonic()
    for node in others:
        node.signal(signal.SIGSTOP)
    wanted = town.unanswered.total() + 3 * TRADERS

    async def asked_again() -> bool:
        return town.unanswered.total() >= wanted

    await until(asked_again, town.cluster, "everybody asks for the third time", spare_sec=300)
    leader.signal(signal.SIGKILL)
    for node in others:
        node.signal(signal.SIGCONT)
    await leader.start()
    assert await town.cluster.leader() is leader, "another one leads, which has not all that it had"
    await town.sells(TRADERS)
    tell(f"no standby, and the leader killed meanwhile: nothing was sold for {longest(town, began):.1f} s")
    await town.cluster.all_follow()
    await town.sells(5)


async def _leads_no_more(leader: Node) -> bool:
    return await leader.says("/primary") != 200


def longest(town: Town, began: float) -> float:
    """Seconds between two orders, since then."""
    times = [began, *(at for at in town.sold_at if at > began)]
    return max(b - a for a, b in pairwise(times))
