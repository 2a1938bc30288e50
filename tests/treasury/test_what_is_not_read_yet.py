"""A batch is made of what the chain shows now, not of what the watcher had read when it last ran: what was
paid since, it would pay again."""

import pytest

from liqpass.problems import Problem
from liqpass.sandbox.chain import USDC
from tests.treasury.conftest import CAPITAL, Desk

OTHERS = b"\x77" * 20


async def test_what_the_treasury_paid_since_the_watcher_read_is_not_paid_again(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    asked = await desk.withdraw(5 * USDC, OTHERS)
    await desk.pay_out(OTHERS, 5 * USDC)
    with pytest.raises(Problem, match=r"has left the treasury .* liqpass work") as refused:
        await desk.batch()
    assert refused.value.code == "CHAIN_NOT_READ"
    await desk.watch()
    made = await desk.batch()
    assert (made.included, [due.id for due in made.on_their_way]) == ([], [asked.id])


async def test_what_was_batched_before_and_is_paid_is_not_written_again_either(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    asked = await desk.withdraw(5 * USDC, OTHERS)
    assert [due.id for due in (await desk.batch()).included] == [asked.id]
    await desk.pay_out(OTHERS, 5 * USDC)
    with pytest.raises(Problem, match="has left the treasury"):
        await desk.batch(again=True)


async def test_what_was_final_before_the_watcher_began_to_read_again_is_found(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    await desk.withdraw(5 * USDC, OTHERS)
    await desk.pay_out(OTHERS, 5 * USDC)
    await desk.chain.finalize()
    with pytest.raises(Problem, match="has left the treasury"):
        await desk.batch()


async def test_money_that_came_in_and_is_not_read_yet_stops_no_batch(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    asked = await desk.withdraw(5 * USDC, OTHERS)
    await desk.send(7 * USDC)
    assert [due.id for due in (await desk.batch()).included] == [asked.id]


async def test_nothing_is_written_while_no_endpoint_says_what_left(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    await desk.withdraw(5 * USDC, OTHERS)
    desk.node.unavailable = True
    with pytest.raises(Problem) as refused:
        await desk.batch()
    assert refused.value.code == "NODE_UNAVAILABLE"
