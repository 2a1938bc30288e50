"""The table of claims: one row each, as CSV and as Parquet."""

import csv
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.exports.spreadsheet import FORMULA
from liqpass.hexes import checksum, to_hex
from tests.claims.claimed import approve, claim_of, covered, move, payable
from tests.commands.forked import liqpass
from tests.exports.test_a_whole_world import alice, bob, command
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

__all__ = ["alice", "bob"]
CLAIMS = ("export", "--table", "claims", "--format")
ODD_PRICE = "=1+1"


async def table(world: TestWorld, url: str, *options: str) -> list[dict[str, str]]:
    """The CSV that goes to stdout, read back by the standard library."""
    done = await command(world, url, *CLAIMS, "csv", *options)
    return list(csv.DictReader(done.out.splitlines(), strict=True))


async def test_a_claim_is_one_row_from_its_opening_to_the_transactions_that_paid_it(
    world: TestWorld, database_url: str, alice: Newcomer, bob: Newcomer, tmp_path: Path
) -> None:
    paid_for, open_for = await covered(world, alice), await covered(world, bob)
    liquidated, hashes = world.clock(), []
    shown = {"trigger_px": ODD_PRICE, "liquidated_at": liquidated, "bundle_sha256": b"\x1c" * 32}
    claim = await payable(world, paid_for, 5_000_007, **shown)
    for amount in (2_000_000, 3_000_007):
        asked = await approve(world, claim, amount)
        sent = await world.chain.transfer(world.chain.treasury_wallet, asked.recipient, amount)
        hashes.append(sent["transactionHash"])
        await world.confirm()
        await world.work(2)
        if amount == 2_000_000:
            await move(world, claim, ClaimStatus.GATHERING, ClaimStatus.PAYABLE)
    world.clock.advance(seconds=1)
    waiting = await claim_of(world, open_for)

    first, second = await table(world, database_url)
    assert first == {
        "claim_id": str(claim.id),
        "order_id": paid_for["purchaseOrderId"],
        "status": "PAID",
        "opened_at_utc": f"{claim.opened_at:%Y-%m-%d %H:%M:%S}",
        "opened_by": "OPERATOR",
        "liquidated_at_utc": f"{liquidated:%Y-%m-%d %H:%M:%S}",
        "trigger_price": "'" + ODD_PRICE,
        "amount_usdc": "5.000007",
        "approved_usdc": "5.000007",
        "paid_usdc": "5.000007",
        "recipient": checksum(claim.recipient),
        "tx_hash": " ".join(hashes),
        "policy_version": first["policy_version"],
        "bundle_sha256": to_hex(b"\x1c" * 32),
    }
    assert (second["claim_id"], second["status"]) == (str(waiting.id), "OPEN")
    nothing = ("amount_usdc", "tx_hash", "liquidated_at_utc", "trigger_price", "bundle_sha256")
    assert {second[name] for name in nothing} == {""}
    assert (second["approved_usdc"], second["paid_usdc"]) == ("0.000000", "0.000000")
    assert not [cell for row in (first, second) for cell in row.values() if cell.startswith(FORMULA)]

    path = tmp_path / "claims.parquet"
    await command(world, database_url, *CLAIMS, "parquet", "--out", str(path))
    found = pq.read_table(path)
    assert found.schema.field("paid_usdc").type == pa.decimal128(38, 6)
    one, two = found.to_pylist()
    assert (one["paid_usdc"], one["trigger_price"], one["liquidated_at"]) == (
        Decimal("5.000007"), ODD_PRICE, liquidated,
    )  # fmt: skip
    assert (two["amount_usdc"], two["tx_hash"], two["opened_at"]) == (None, None, waiting.opened_at)
    same = ("claim_id", "order_id", "status", "opened_by", "recipient", "policy_version")
    for typed, row in ((one, first), (two, second)):
        assert [typed[name] for name in same] == [row[name] for name in same]

    day = f"{waiting.opened_at:%Y-%m-%d}"
    assert len(await table(world, database_url, "--from", day, "--to", day)) == 2
    assert await table(world, database_url, "--to", "2026-01-01") == []


@pytest.mark.parametrize("form", ["hledger", "beancount"])
async def test_a_journal_holds_no_claims(form: str) -> None:
    done = await liqpass(*CLAIMS, form, env={})
    assert (done.status, done.out) == (1, "")
    said = "liqpass: --table claims is for --format csv and parquet: journals hold transfers"
    assert done.err.strip() == said
