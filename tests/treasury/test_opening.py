"""The books begin with what the treasury held, once, whatever came in or left since."""

import asyncio

import asyncpg
import pytest

from liqpass.ledger.book import chain_ref
from liqpass.treasury.opening import open_books
from tests.treasury.conftest import CAPITAL, Desk


async def opened(desk: Desk) -> list[tuple[int, int]]:
    """Balance and opening."""
    rows = await desk.db.pool.fetch("select treasury_balance, opening from ledger_openings")
    return [tuple(row) for row in rows]


async def test_what_the_treasury_held_is_in_suspense_under_the_chains_name(new_desk: Desk) -> None:
    await new_desk.work()
    assert await opened(new_desk) == [(CAPITAL, CAPITAL)]
    assert await new_desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}
    rows = await new_desk.db.pool.fetch("select kind, ref, amount from ledger_transfers")
    assert [tuple(row) for row in rows] == [("OPENING", chain_ref(new_desk.chain.chain_id), CAPITAL)]


async def test_what_came_and_left_since_is_not_in_the_opening(new_desk: Desk) -> None:
    await new_desk.send(70)
    await new_desk.pay_out(new_desk.chain.wallets[1].address, 30)
    await new_desk.finalize()
    assert await opened(new_desk) == [(CAPITAL + 40, CAPITAL)]
    assert await new_desk.books() == {
        "TREASURY": CAPITAL + 40,
        "OUTFLOW_UNEXPLAINED": 30,
        "SUSPENSE": CAPITAL + 70,
    }


async def test_before_the_chain_was_read_nothing_is_opened(new_desk: Desk) -> None:
    assert not await open_books(new_desk.db, new_desk.nodes, new_desk.settings, new_desk.clock)
    assert await opened(new_desk) == []


async def test_nothing_is_booked_until_a_node_has_said_what_the_treasury_held(new_desk: Desk) -> None:
    await new_desk.send(70)
    new_desk.node.no_old_state = True
    await new_desk.finalize()
    assert (await opened(new_desk), await new_desk.waiting(), await new_desk.books()) == ([], 1, {})
    new_desk.node.no_old_state = False
    await new_desk.book()
    assert (await opened(new_desk), await new_desk.waiting()) == ([(CAPITAL + 70, CAPITAL)], 0)
    assert await new_desk.books() == {"TREASURY": CAPITAL + 70, "SUSPENSE": CAPITAL + 70}


async def test_many_workers_open_the_books_once(new_desk: Desk) -> None:
    await new_desk.watch()
    await asyncio.gather(*(new_desk.book() for _ in range(10)))
    assert await opened(new_desk) == [(CAPITAL, CAPITAL)]
    assert await new_desk.legs() == 1


async def test_what_left_before_it_was_ever_stored_is_left_without_explanation(new_desk: Desk) -> None:
    """A database older than the books has stored what came in only."""
    await new_desk.send(70)
    await new_desk.pay_out(new_desk.chain.wallets[1].address, CAPITAL + 30)
    await new_desk.chain.finalize()
    await new_desk.watch()
    await new_desk.owner(
        "delete from transfer_queue where tx_hash in "
        "(select tx_hash from usdc_transfers where recipient is not null)"
    )
    await new_desk.owner(
        "alter table usdc_transfers disable trigger final_is_final; "
        "delete from usdc_transfers where recipient is not null"
    )
    await new_desk.book()
    assert await opened(new_desk) == []
    await new_desk.book()
    assert await opened(new_desk) == [(40, -30)]
    assert await new_desk.books() == {"TREASURY": 40, "OUTFLOW_UNEXPLAINED": 30, "SUSPENSE": 70}
    assert await new_desk.in_suspense() != []


async def test_the_opening_and_who_deposited_cannot_be_changed(desk: Desk) -> None:
    for change in (
        "update ledger_openings set opening = 1",
        "delete from ledger_openings",
        "truncate ledger_openings",
        "update pool_deposits set deposited_by = 'Bob'",
        "delete from pool_deposits",
    ):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await desk.owner(change)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await desk.db.pool.execute("update ledger_openings set opening = 1")
