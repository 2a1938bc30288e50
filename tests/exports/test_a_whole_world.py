"""A real world's books: orders, a reorg, stray money, a refund and a withdrawal that the treasury's owners
paid, exported from the running product and held against its chain."""

import csv
from pathlib import Path

import pytest

from liqpass.exports.rows import WORDS, ExtraKind
from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Kind
from liqpass.ledger.posting import balances
from tests.claims.claimed import approve, covered, payable
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.exports.checkers import agrees_with_beancount, checked, debits_positive, totals_in_hledger
from tests.flows.conftest import alice, bob
from tests.flows.newcomers import Newcomer, newcomer
from tests.world import TestWorld

__all__ = ["alice", "bob"]
SIGNED = ("--by", "Ada", "--reason", "asked for, twice")


async def command(world: TestWorld, url: str, *words: str) -> Done:
    """A command of the operator on this world."""
    done = await liqpass(*words, env={**world.env, "DATABASE_URL": url})
    assert done.status == 0, done.err
    return done


async def pay(world: TestWorld, trader: Newcomer) -> bytes:
    """A new order of the trader, paid; the transaction."""
    return await trader.trader.pay(world.chain, await trader.order())


async def a_busy_day(world: TestWorld, url: str, alice: Newcomer, bob: Newcomer) -> None:
    """Alice's payment is reorged into another block; bob sends money by hand and pays; some is paid out; of
    two claims one is paid."""
    chain = world.chain
    await pay(world, alice)
    await world.confirm()
    await chain.reorg(chain.slots_in_an_epoch + 1)
    await world.work(2)
    stray = await chain.transfer(bob.trader.wallet, chain.treasury, 7_000_001)
    await chain.transfer(bob.trader.wallet, chain.treasury, 3)
    await chain.finalize()
    await world.work(2)
    item = f"{stray['transactionHash']}:{int(stray['logs'][0]['logIndex'], 16)}"
    await command(world, url, "suspense", "refund", item, *SIGNED)
    recipient = chain.wallets[5].address
    await command(world, url, "pool", "withdraw", "12.5", "--to", checksum(recipient), *SIGNED)
    await chain.transfer(chain.treasury_wallet, bob.trader.wallet.address, 7_000_001)
    await chain.transfer(chain.treasury_wallet, recipient, 12_500_000)
    await chain.transfer(chain.treasury_wallet, recipient, 1)
    async with newcomer(world) as cid, newcomer(world) as dan:
        for who, amount in ((cid, 5_000_000), (dan, 6_000_000)):
            await approve(world, await payable(world, await covered(world, who), amount), amount)
        await chain.transfer(chain.treasury_wallet, cid.trader.wallet.address, 5_000_000)
    await world.confirm()


async def held_at_finalized(world: TestWorld) -> int:
    """Asked of the chain itself."""
    number, _, _ = await world.chain.block("finalized")
    data = "0x70a08231" + "00" * 12 + world.chain.treasury.hex()
    answer = await world.chain.rpc("eth_call", [{"to": to_hex(world.chain.usdc), "data": data}, hex(number)])
    return int(answer, 16)


async def export(world: TestWorld, url: str, form: str, path: Path) -> None:
    """One whose form's own program accepts it."""
    done = await command(world, url, "export", "--format", form, "--out", str(path))
    assert done.err == ""
    assert checked(form, path) == (True, "")


@pytest.mark.usefixtures("hledger")
async def test_the_books_of_a_busy_day_agree_with_the_chain_and_in_the_end_nothing_is_in_transit(
    world: TestWorld, database_url: str, alice: Newcomer, bob: Newcomer, tmp_path: Path
) -> None:
    await a_busy_day(world, database_url, alice, bob)
    paid = await pay(world, bob)
    await world.confirm()
    held = await held_at_finalized(world)
    for form in ("hledger", "beancount"):
        await export(world, database_url, form, tmp_path / form)
        written = (tmp_path / form).read_text()
        asserted = written.rpartition("on chain after this block")[2]
        assert f" {held // 10**6}.{held % 10**6:06d} " in asserted
        assert paid.hex() in written.partition("In transit")[2]
    wanted = debits_positive(await world.db.run(balances))
    assert totals_in_hledger(tmp_path / "hledger") == wanted
    assert agrees_with_beancount(tmp_path / "beancount", wanted) == (True, "")
    assert wanted["CLAIMS_PAYABLE"] == -6_000_000
    assert "Claim approved" in written and "Claim paid" in written
    assert wanted["OUTFLOW_UNEXPLAINED"] == 1 and wanted["REFUNDS_DUE"] == wanted["WITHDRAWALS_DUE"] == 0

    await world.pass_time(days=2)
    await world.chain.finalize()
    await world.work(3)
    for form in ("hledger", "beancount"):
        await export(world, database_url, form, tmp_path / form)
        _, _, rows = (tmp_path / form).read_text().partition("*")
        assert "in transit" not in rows.lower()
        assert "EARNED" in rows and "reversed" in rows
    held = await world.chain.usdc_balance(world.chain.treasury)
    assert totals_in_hledger(tmp_path / "hledger")["TREASURY"] == held


def test_there_are_words_for_every_kind_of_transfer() -> None:
    assert set(WORDS) == {*Kind, *ExtraKind}


async def test_a_claim_and_its_payout_name_their_order_and_disbursement(
    world: TestWorld, database_url: str, alice: Newcomer, tmp_path: Path
) -> None:
    order = await covered(world, alice)
    asked = await approve(world, await payable(world, order, 7), 7)
    await world.chain.transfer(world.chain.treasury_wallet, asked.recipient, 7)
    await world.confirm()
    await command(world, database_url, "export", "--format", "csv", "--out", str(tmp_path / "books.csv"))
    with (tmp_path / "books.csv").open(newline="") as file:
        rows = {row["kind"]: row for row in csv.DictReader(file)}
    for kind in ("CLAIM", "CLAIM_PAID"):
        named = rows[kind]["order_id"], rows[kind]["disbursement_id"], rows[kind]["reason"]
        assert named == (order["purchaseOrderId"], str(asked.id), "shown")
