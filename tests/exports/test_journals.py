"""hledger and beancount accept what is written, come to the ledger's balances, and refuse what is wrong."""

from pathlib import Path

import pytest

from liqpass.ledger.posting import balances
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.exports.checkers import agrees_with_beancount, checked, debits_positive, totals_in_hledger
from tests.exports.facts import FINALIZED, HELD_ON_CHAIN, IN_TRANSIT, Books, block_hash, order_id, tx
from tests.exports.node import BalanceNode

FORMS = ("hledger", "beancount")
pytestmark = pytest.mark.usefixtures("hledger")


async def exported(form: str, path: Path, env: dict[str, str], *options: str) -> Done:
    """One export into a file, which has to succeed."""
    done = await liqpass("export", "--format", form, "--out", str(path), *options, env=env)
    assert done.status == 0, done.err
    return done


def usdc(micro: int) -> str:
    return f"{micro // 10**6}.{micro % 10**6:06d}"


@pytest.mark.parametrize("form", FORMS)
async def test_everything_that_can_happen_is_accepted(form: str, env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "books"
    assert (await exported(form, path, env)).err == ""
    assert checked(form, path) == (True, "")
    written = path.read_text()
    assert written.count("PREMIUM") == 5
    assert f"{usdc(HELD_ON_CHAIN)}" in written
    assert f"{FINALIZED}" in written and block_hash(FINALIZED).hex() in written


async def test_the_totals_of_both_are_the_ledgers(books: Books, env: dict[str, str], tmp_path: Path) -> None:
    wanted = debits_positive(await books.db.run(balances))
    assert sum(wanted.values()) == 0
    await exported("hledger", tmp_path / "journal", env)
    assert totals_in_hledger(tmp_path / "journal") == wanted
    await exported("beancount", tmp_path / "beans", env)
    assert agrees_with_beancount(tmp_path / "beans", wanted) == (True, "")
    off_by_one = {**wanted, "SUSPENSE": wanted["SUSPENSE"] + 1}
    assert "0.000001 too" in agrees_with_beancount(tmp_path / "beans", off_by_one).said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("by", [1, -1])
async def test_one_micro_usdc_more_or_less_on_chain_is_refused(
    form: str, by: int, node: BalanceNode, env: dict[str, str], tmp_path: Path
) -> None:
    node.balances[block_hash(FINALIZED)] += by
    await exported(form, tmp_path / "books", env)
    accepted, said = checked(form, tmp_path / "books")
    assert not accepted
    assert "0.000001" in said


@pytest.mark.parametrize(
    "sql",
    [
        "update ledger_transfers set amount = amount + 1 where kind = 'CAPITAL' and leg = 1",
        "delete from ledger_transfers where kind = 'EARNED' and leg = 2",
        "update ledger_accounts set balance = balance - 1 where id = 'EARNED_PREMIUM'",
    ],
)
async def test_a_ledger_changed_by_hand_is_refused(
    sql: str, own_books: Books, own_env: dict[str, str], tmp_path: Path
) -> None:
    await own_books.owner.execute("set session_replication_role = replica")
    await own_books.owner.execute(sql)
    for form in FORMS:
        await exported(form, tmp_path / form, own_env)
        assert not checked(form, tmp_path / form).accepted


async def test_money_of_which_the_ledger_knows_nothing_is_refused(
    own_books: Books, own_env: dict[str, str], tmp_path: Path
) -> None:
    """Final on chain, booked by nobody, and nobody waits to book it: time does not explain it."""
    await own_books.owner.execute("delete from transfer_queue")
    for form in FORMS:
        await exported(form, tmp_path / form, own_env)
        accepted, said = checked(form, tmp_path / form)
        assert not accepted
        assert "0.000043" in said


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_booked_and_not_final_is_in_transit(
    form: str, env: dict[str, str], tmp_path: Path
) -> None:
    await exported(form, tmp_path / "books", env)
    told = (tmp_path / "books").read_text().partition("In transit")[2]
    for number, amount in ((11, "8.000000"), (12, "0.000041"), (13, "-0.000043")):
        _, _, after = told.partition(tx(number).hex())
        assert f" {amount} USDC" in after.partition("In transit")[0]
    if form == "hledger":
        assert totals_in_hledger(tmp_path / "books")["TREASURY"] == HELD_ON_CHAIN + IN_TRANSIT


async def test_a_payment_whose_transfer_is_not_stored_is_in_transit_too(
    own_books: Books, own_env: dict[str, str], tmp_path: Path
) -> None:
    """Not every endpoint shows all transfers of a crowded block; payments wait for none of them."""
    await own_books.owner.execute("delete from usdc_transfers where tx_hash = $1", tx(11))
    await own_books.owner.execute("delete from transfer_queue where tx_hash = $1", tx(11))
    for form in FORMS:
        await exported(form, tmp_path / form, own_env)
        assert checked(form, tmp_path / form) == (True, "")


@pytest.mark.parametrize("form", FORMS)
async def test_without_a_node_nothing_is_asserted_of_the_chain_and_both_are_told(
    form: str, node: BalanceNode, env: dict[str, str], tmp_path: Path
) -> None:
    node.balances.clear()
    done = await exported(form, tmp_path / "books", env)
    assert "Not held against the chain: block 900" in done.err
    assert "needs an archive endpoint" in (tmp_path / "books").read_text()
    assert checked(form, tmp_path / "books") == (True, "")


async def test_books_that_were_not_opened_are_not_held_against_the_chain(
    own_env: dict[str, str], tmp_path: Path
) -> None:
    for form in FORMS:
        done = await exported(form, tmp_path / form, own_env)
        assert "not opened" in done.err
        assert checked(form, tmp_path / form) == (True, "")


async def test_order_and_transaction_are_tags(env: dict[str, str], tmp_path: Path) -> None:
    """Of the order that was paid twice: what was taken back names the transaction that has left the chain."""
    await exported("beancount", tmp_path / "books", env)
    written = (tmp_path / "books").read_text().split("\n\n")
    of_order = [part for part in written if order_id(2).hex() in part and '"PREMIUM"' in part]
    assert [tx(2).hex() in part for part in of_order] == [True, True, False]
    assert [tx(3).hex() in part for part in of_order] == [False, False, True]
    assert ["reversed" in part for part in of_order] == [False, True, False]


@pytest.mark.parametrize("form", FORMS)
async def test_the_same_books_are_the_same_file(form: str, env: dict[str, str], tmp_path: Path) -> None:
    for name in ("one", "two"):
        await exported(form, tmp_path / name, env)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
