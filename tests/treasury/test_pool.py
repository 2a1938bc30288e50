"""Capital comes out of suspense, is held by orders, and leaves as it came: never more than is free."""

import pytest

from liqpass.hexes import checksum
from liqpass.ledger.book import Account, Entry, Kind, chain_ref
from liqpass.ledger.posting import post
from liqpass.problems import Problem
from liqpass.treasury import pool
from liqpass.treasury.suspense import key_of
from tests.treasury.conftest import CAPITAL, Desk

TO = b"\x5b" * 20


async def refused(desk: Desk, amount: int | None = None, ref: bytes | None = None) -> str:
    with pytest.raises(Problem) as problem:
        await desk.deposit(amount, ref)
    return problem.value.detail


async def test_the_opening_balance_becomes_capital_by_its_amount(desk: Desk) -> None:
    made = await desk.deposit(CAPITAL)
    assert (made.ref, made.amount, made.left, made.free) == (
        chain_ref(desk.chain.chain_id),
        CAPITAL,
        0,
        CAPITAL,
    )
    assert await desk.books() == {"TREASURY": CAPITAL, "POOL_FREE": CAPITAL}
    rows = await desk.db.pool.fetch("select ref, amount, deposited_by from pool_deposits")
    assert [tuple(row) for row in rows] == [(made.ref, CAPITAL, "Ada")]


async def test_a_part_of_an_item_becomes_capital_and_then_the_rest(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    assert (await desk.deposit(100, opening)).left == CAPITAL - 100
    assert (await desk.deposit(ref=opening)).free == CAPITAL
    assert await desk.books() == {"TREASURY": CAPITAL, "POOL_FREE": CAPITAL}


async def test_of_items_of_the_same_amount_one_has_to_be_named(desk: Desk) -> None:
    refs = [await desk.send(70), await desk.send(70)]
    await desk.finalize()
    said = await refused(desk, 70)
    assert said.startswith("Several items are of 0.00007 USDC: say with --from which one.")
    assert all(key_of(ref) in said for ref in refs)
    assert (await desk.deposit(70, refs[1])).ref == refs[1]
    assert (await desk.deposit(70)).ref == refs[0]


async def test_without_an_amount_or_an_item_it_is_said_how_capital_comes(desk: Desk) -> None:
    said = await refused(desk)
    assert said.startswith(f"Capital comes as USDC sent to the treasury {checksum(desk.chain.treasury)}: ")
    assert said.endswith("In suspense: opening (1000.00 USDC).")
    await desk.deposit(CAPITAL)
    assert (await refused(desk)).endswith("Nothing is in suspense now that could be deposited.")


async def test_an_amount_that_nobody_sent_is_no_capital(desk: Desk) -> None:
    assert (await refused(desk, 71)).startswith("In suspense is no item of 0.000071 USDC. Capital comes as")


async def test_what_a_reorg_could_still_take_away_is_no_capital(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.confirm()
    assert "is not final" in await refused(desk, 70)
    assert "is not final" in await refused(desk, ref=ref)
    await desk.finalize()
    assert (await desk.deposit(70)).ref == ref


async def test_more_than_there_is_of_an_item_is_no_capital(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    assert await refused(desk, CAPITAL + 1, opening) == "Of opening only 1000.00 USDC are in suspense."
    await desk.refund(opening, amount=CAPITAL - 5, to=TO)
    assert await refused(desk, 6, opening) == "Of opening only 0.000005 USDC are in suspense."


async def test_capital_is_not_deposited_before_the_books_begin(new_desk: Desk) -> None:
    said = await refused(new_desk, ref=chain_ref(new_desk.chain.chain_id))
    assert said == "The books have not begun yet: liqpass work opens them."


async def test_no_more_is_withdrawn_than_is_free(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    await desk.db.run(lambda conn: post(conn, desk.clock(), [Entry(Kind.HELD, b"\x0d" * 32, CAPITAL - 40)]))
    with pytest.raises(Problem) as problem:
        await desk.withdraw(41, TO)
    assert problem.value.detail == "AMOUNT is more than is free: 0.00004 USDC."
    assert await desk.db.pool.fetchval("select count(*) from disbursements") == 0
    assert (await desk.withdraw(40, TO)).left == 0


async def test_the_pool_shows_where_the_money_is(desk: Desk) -> None:
    await desk.send(70)
    await desk.deposit(CAPITAL)
    await desk.withdraw(40, TO)
    await desk.finalize()
    found = await desk.db.run(lambda conn: pool.show(conn, desk.settings))
    assert {account: amount for account, amount in found.balances.items() if amount} == {
        Account.TREASURY: CAPITAL + 70,
        Account.SUSPENSE: 70,
        Account.POOL_FREE: CAPITAL - 40,
        Account.WITHDRAWALS_DUE: 40,
    }
    assert [(due.recipient, due.amount) for due in found.dues] == [(TO, 40)]
    assert [item.remaining for item in found.suspended] == [70]
    assert found.open_cover == []
