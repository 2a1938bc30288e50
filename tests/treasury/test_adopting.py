"""Money that left by hand and is not to the unit what was due: what it may be for is said, somebody says
which it was, and the books are whole before and after."""

import csv
import re
from io import StringIO
from pathlib import Path

import pytest

from liqpass.hexes import checksum
from liqpass.ledger.book import Account, chain_ref
from liqpass.reconcile.invariants import broken
from liqpass.treasury.disbursements import Asked, dues
from liqpass.treasury.suspense import key_of
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.treasury.conftest import CAPITAL, Desk, ref_of_log
from tests.treasury.test_commands import BECAUSE, env, good

__all__ = ["env"]
TO, OTHER = b"\x5b" * 20, b"\x5c" * 20
CENT = 10_000
Env = dict[str, str]


@pytest.fixture
async def free(desk: Desk) -> None:
    """The opening is the pool's, but for 20 USDC from which refunds come."""
    await desk.deposit(CAPITAL - 2000 * CENT, chain_ref(desk.chain.chain_id))


async def refund(desk: Desk, amount: int, to: bytes = TO) -> Asked:
    return await desk.refund(chain_ref(desk.chain.chain_id), amount=amount * CENT, to=to)


async def pay(desk: Desk, amount: int, to: bytes = TO) -> str:
    """The treasury's owners pay by hand, and it is final; how the transfer is named."""
    receipt = await desk.chain.transfer(desk.chain.treasury_wallet, to, amount * CENT)
    await desk.finalize()
    return key_of(ref_of_log(receipt["logs"][0]))


async def left_unexplained(desk: Desk, env: Env) -> list[str]:
    """What reconciliation says of money that left; the rules of the books hold meanwhile."""
    await desk.work()
    done = await liqpass("reconcile", "--format", "csv", env=env)
    assert done.status in (0, 1), done
    assert await desk.db.run(lambda conn: broken(conn, desk.clock())) == []
    rows = list(csv.DictReader(StringIO(done.out)))
    assert {row["type"] for row in rows} <= {"MONEY_LEFT_UNEXPLAINED", "MONEY_IN_SUSPENSE"}
    return [row["said"] for row in rows if row["type"] == "MONEY_LEFT_UNEXPLAINED"]


async def adopt(env: Env, transfer: str, *names: object, more: tuple[str, ...] = ()) -> Done:
    named = [word for name in names for word in ("--due", str(name))]
    return await liqpass("suspense", "adopt", transfer, *named, *more, *BECAUSE, env=env)


async def open_dues(desk: Desk) -> dict[str, int]:
    found = await desk.db.run(lambda conn: dues(conn, desk.settings))
    return {str(due.id): due.amount // CENT for due in found}


@pytest.mark.usefixtures("free")
async def test_a_due_that_was_paid_short_is_named_adopted_and_the_rest_is_paid(
    desk: Desk, env: Env, tmp_path: Path
) -> None:
    due = await refund(desk, 800)
    await refund(desk, 300, to=OTHER)
    transfer = await pay(desk, 750)
    (said,) = await left_unexplained(desk, env)
    assert said == (
        "7.50 left the treasury, and no refund or withdrawal asked for it; due to the same wallet: "
        f"refund {due.id} of 8.00 since {desk.clock():%Y-%m-%d}"
    )
    assert "liqpass suspense adopt" in await good_breaks(env)
    command = f"liqpass suspense adopt {transfer} --due {due.id} --by NAME --reason TEXT"
    assert (await good("suspense", "list", env=env)).count(command) == 1
    written = await good("suspense", "batch", "--out", str(tmp_path / "twice.json"), env=env)
    assert "7.50 USDC left to this wallet without a reason" in written
    assert written.count(command) == 1
    done = await adopt(env, transfer, due.id)
    assert done.status == 0, done
    assert re.search(rf"^Paid by {transfer}: 7\.50 USDC, refund \S+, a part of {due.id}\.$", done.out, re.M)
    rest = re.findall(r"^Still due: 0\.50 USDC, refund (\S+)\.$", done.out, re.M)[0]
    assert (await open_dues(desk))[rest] == 50
    assert (await desk.balance(Account.REFUNDS_DUE), await desk.balance(Account.OUTFLOW_UNEXPLAINED)) == (
        350 * CENT,
        0,
    )
    assert await left_unexplained(desk, env) == []
    assert "without a reason" not in await good("suspense", "list", env=env)
    await good("suspense", "batch", "--out", str(tmp_path / "rest.json"), env=env)
    assert f'"{50 * CENT}"' in (tmp_path / "rest.json").read_text()
    await pay(desk, 50)
    assert rest not in await open_dues(desk)
    assert await left_unexplained(desk, env) == []


async def good_breaks(env: Env) -> str:
    return (await liqpass("reconcile", "breaks", env=env)).out


@pytest.mark.usefixtures("free")
async def test_what_was_not_paid_can_be_written_off_by_name_and_reason(desk: Desk, env: Env) -> None:
    due = await refund(desk, 800)
    done = await adopt(env, await pay(desk, 750), due.id, more=("--write-off",))
    assert f"Written off: 0.50 USDC of {due.id}, which are in suspense again.\n" in done.out
    assert await open_dues(desk) == {}
    assert await desk.books() == {
        "TREASURY": CAPITAL - 750 * CENT,
        "POOL_FREE": CAPITAL - 2000 * CENT,
        "SUSPENSE": 1250 * CENT,
    }
    assert await left_unexplained(desk, env) == []
    row = await desk.db.pool.fetchrow(
        "select cancelled_by, cancel_reason from disbursements where id = $1", due.id
    )
    assert tuple(row or ()) == ("Ada", "sent by mistake")


@pytest.mark.usefixtures("free")
async def test_a_due_paid_in_two_transfers_is_paid(desk: Desk, env: Env) -> None:
    due = await refund(desk, 800)
    first, _ = await pay(desk, 500), await pay(desk, 300)
    assert len(await left_unexplained(desk, env)) == 2
    assert (await adopt(env, first, due.id)).status == 0
    await desk.work()  # the other one is of exactly the rest
    assert (await open_dues(desk), await left_unexplained(desk, env)) == ({}, [])


@pytest.mark.usefixtures("free")
async def test_one_transfer_pays_two_dues_of_different_kinds_and_is_exported_with_both(
    desk: Desk, env: Env
) -> None:
    one, two = await refund(desk, 500), await desk.withdraw(300 * CENT, TO)
    done = await adopt(env, await pay(desk, 800), one.id, two.id)
    assert done.out.count("Paid by") == 2
    assert (await open_dues(desk), await left_unexplained(desk, env)) == ({}, [])
    assert await desk.books() == {
        "TREASURY": CAPITAL - 800 * CENT,
        "POOL_FREE": CAPITAL - 2300 * CENT,
        "SUSPENSE": 1500 * CENT,
    }
    row = await desk.db.pool.fetchrow("select adopted_by, adopt_reason from disbursements_made limit 1")
    assert tuple(row or ()) == ("Ada", "sent by mistake")


@pytest.mark.usefixtures("free")
async def test_two_dues_of_one_kind_that_one_transfer_paid_are_one_row_of_an_export(
    desk: Desk, env: Env
) -> None:
    one, two = await refund(desk, 500), await refund(desk, 300)
    assert (await adopt(env, await pay(desk, 800), one.id, two.id)).status == 0
    rows = list(csv.DictReader(StringIO(await good("export", "--format", "csv", env=env))))
    (paid,) = [row for row in rows if row["kind"] == "REFUND_PAID"]
    assert (paid["amount_usdc"], paid["disbursement_id"]) == ("8.000000", f"{one.id} {two.id}")
    assert paid["reason"] == "a test; a test"
    assert len({row["seq"] for row in rows}) == len(rows)


@pytest.mark.usefixtures("free")
async def test_what_was_paid_over_stays_unexplained(desk: Desk, env: Env) -> None:
    due = await refund(desk, 800)
    transfer = await pay(desk, 850)
    done = await adopt(env, transfer, due.id)
    assert "Still left without explanation: 0.50 USDC of this transfer.\n" in done.out
    said = "0.50 of 8.50 left the treasury, and no refund or withdrawal asked for it"
    assert await left_unexplained(desk, env) == [said]
    later = await refund(desk, 60)
    assert (await adopt(env, transfer, later.id)).status == 0
    assert (list((await open_dues(desk)).values()), await left_unexplained(desk, env)) == ([10], [])


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("write_off", [True, False])
async def test_a_withdrawal_that_was_paid_short_is_parted_too(desk: Desk, env: Env, write_off: bool) -> None:
    due = await desk.withdraw(800 * CENT, TO)
    transfer = await pay(desk, 750)
    done = await adopt(env, transfer, due.id, more=("--write-off",) if write_off else ())
    assert done.status == 0, done
    assert await desk.balance(Account.POOL_FREE) == CAPITAL - (2750 if write_off else 2800) * CENT
    assert list((await open_dues(desk)).values()) == ([] if write_off else [50])
    assert await left_unexplained(desk, env) == []


@pytest.mark.usefixtures("free")
async def test_what_stands_in_a_batch_file_is_warned_of(desk: Desk, env: Env, tmp_path: Path) -> None:
    due = await refund(desk, 800)
    await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    done = await adopt(env, await pay(desk, 750), due.id)
    assert f"{due.id} stands in a batch file of " in done.out


@pytest.mark.usefixtures("free")
async def test_what_cannot_be_is_one_line_and_changes_nothing(desk: Desk, env: Env) -> None:
    here, there, gone = await refund(desk, 800), await refund(desk, 300, to=OTHER), await refund(desk, 200)
    paid = await refund(desk, 100, to=OTHER)
    exactly = await pay(desk, 100, to=OTHER)
    await desk.cancel(str(gone.id))
    transfer, came = await pay(desk, 750), key_of(await desk.send(900))
    receipt = await desk.chain.transfer(desk.chain.treasury_wallet, TO, 5)
    await desk.confirm()
    fresh = key_of(ref_of_log(receipt["logs"][0]))
    books = await desk.books()
    for named, due, said in (
        (f"0x{'5e' * 32}:1", [here.id], "Nothing left the treasury under 0x5e"),
        (came, [here.id], "Nothing left the treasury under "),
        (fresh, [here.id], "is not final: try again in some minutes."),
        (transfer, ["0197"], "There is no disbursement 0197"),
        (transfer, [there.id], f"is due to {checksum(OTHER)}, and the money went to {checksum(TO)}: if that"),
        (transfer, [gone.id], "was cancelled already"),
        (exactly, [paid.id], f"{paid.id} was paid by {exactly[:66]}."),
        (transfer, [here.id, here.id], "Each due is named once."),
        ("opening", [here.id], "the index of a log in it, 0x…:3, as liqpass reconcile breaks shows it."),
        ("0x12", [here.id], "the index of a log in it, 0x…:3, as liqpass reconcile breaks shows it."),
    ):
        done = await adopt(env, named, *due)
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
        assert said in done.err, done.err
    assert await desk.books() == books


@pytest.mark.usefixtures("free")
async def test_a_transfer_is_not_said_to_pay_more_than_it_is(desk: Desk, env: Env) -> None:
    one, two = await refund(desk, 800), await refund(desk, 300)
    transfer = await pay(desk, 750)
    done = await adopt(env, transfer, one.id, two.id)
    assert f"is left for {two.id}: it makes what stands before." in done.err
    assert (await adopt(env, transfer, one.id)).status == 0
    done = await adopt(env, transfer, two.id)
    assert f"Nothing of {transfer} is left for {two.id}" in done.err
    assert await left_unexplained(desk, env) == []
