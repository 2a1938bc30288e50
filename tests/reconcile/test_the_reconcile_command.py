"""`liqpass reconcile` as its users type it."""

import csv
import io
import json

import pytest

from liqpass.sandbox.chain import USDC
from liqpass.serving import free_port
from tests.commands.cli import Done
from tests.commands.conftest import chain, env, exchange
from tests.commands.forked import liqpass
from tests.flows.newcomers import Newcomer
from tests.reconcile.hands import by_hand, covered
from tests.world import TestWorld

__all__ = ["chain", "env", "exchange"]


@pytest.fixture
async def books(world: TestWorld, alice: Newcomer, database_url: str) -> dict[str, str]:
    """A world with one covered order; the environment of commands that work on it."""
    await covered(world, alice)
    return {**world.env, "DATABASE_URL": database_url}


async def stray(world: TestWorld) -> str:
    """Somebody sends 12.50 USDC; the transaction, which is final."""
    receipt = await world.chain.transfer(world.chain.wallets[3], world.chain.treasury, 12 * USDC + 500_000)
    await world.confirm()
    await world.chain.mine(2 * world.chain.slots_in_an_epoch)
    await world.work(2)
    return str(receipt["transactionHash"])


async def reconcile(books: dict[str, str], *arguments: str) -> Done:
    return await liqpass("reconcile", *arguments, env=books)


async def test_clean_books_end_with_zero_and_a_stray_transfer_with_one(
    world: TestWorld, books: dict[str, str]
) -> None:
    clean = await reconcile(books)
    assert clean.status == 0
    assert "No breaks are open: orders, chain and ledger agree." in clean.out
    assert "asking what the treasury held" in clean.err
    tx_hash = await stray(world)
    broken = await reconcile(books)
    assert broken.status == 1
    for said in ("MONEY_IN_SUSPENSE", "12.50 of 12.50 wait: sent straight", tx_hash, "liqpass suspense list"):
        assert said in broken.out
    assert all(len(line) <= 100 for line in broken.out.splitlines())


async def test_no_more_is_said_to_agree_than_was_looked_at(books: dict[str, str]) -> None:
    no_node = {**books, "LIQPASS_RPC_URLS": f"http://127.0.0.1:{free_port()}"}
    blind = (await reconcile(no_node)).out
    assert "chain: unknown" in blind and "holds on chain is unknown" in blind
    assert "agree" not in blind
    whole = (await reconcile(books, "breaks")).out
    assert whole.startswith("No breaks are open, as of run ")
    await reconcile(books, "--to", "2020-01-01")
    assert (await reconcile(books, "breaks")).out == whole


async def test_before_the_first_run_nothing_is_said_to_agree(env: dict[str, str]) -> None:
    before = await reconcile(env, "breaks")
    assert (before.status, before.out) == (0, "There is no run yet: liqpass reconcile makes one.\n")


async def test_json_and_csv_say_the_same_and_nothing_else_is_written_to_stdout(
    world: TestWorld, books: dict[str, str]
) -> None:
    tx_hash = await stray(world)
    told = json.loads((await reconcile(books, "--format", "json")).out, parse_float=pytest.fail)
    (one,) = told["breaks"]
    assert (one["type"], one["txHash"], one["found"]) == ("MONEY_IN_SUSPENSE", tx_hash, "12500000")
    assert told["run"]["chainBalance"] == told["run"]["ledgerBalance"]
    assert told["nextSteps"]["MONEY_IN_SUSPENSE"]
    (row,) = csv.DictReader(io.StringIO((await reconcile(books, "--format", "csv")).out))
    assert (row["type"], row["txHash"], row["foundUsd"]) == ("MONEY_IN_SUSPENSE", tx_hash, "12.50")
    shown = json.loads((await reconcile(books, "show", str(told["run"]["id"]), "--format", "json")).out)
    assert shown == told


async def test_an_operator_lists_closes_and_verifies(world: TestWorld, books: dict[str, str]) -> None:
    await stray(world)
    assert (await reconcile(books)).status == 1
    listed = await reconcile(books, "breaks", "--format", "json")
    (one,) = json.loads(listed.out)
    assert listed.status == 1
    closed = await reconcile(books, "close", str(one["id"]), "--by", "Ada", "--reason", "a gift")
    assert (closed.status, "MONEY_IN_SUSPENSE" in closed.out) == (0, True)
    assert (await reconcile(books)).status == 0
    again = await reconcile(books, "close", str(one["id"]), "--by", "Ada", "--reason", "a gift")
    assert (again.status, "was closed by Ada already" in again.err) == (1, True)
    verified = await reconcile(books, "verify")
    runs = await reconcile(books, "runs")
    assert (verified.status, "runs holds" in verified.out) == (0, True)
    assert len(runs.out.splitlines()) > 2


async def test_a_chain_that_does_not_hold_ends_with_one(world: TestWorld, books: dict[str, str]) -> None:
    await reconcile(books)
    await by_hand(books["DATABASE_URL"], "update reconciliation_runs set document = '{}' where id = 1")
    verified = await reconcile(books, "verify")
    assert (verified.status, "FAIL  Run 1" in verified.out) == (1, True)
    shown = await reconcile(books, "show", "1")
    assert (shown.status, "was changed after it was made" in shown.err) == (1, True)


async def test_a_period_is_told_and_kept(world: TestWorld, books: dict[str, str]) -> None:
    day = f"{world.clock.now:%Y-%m-%d}"
    told = json.loads((await reconcile(books, "--date", day, "--format", "json")).out)
    assert told["document"]["period"]["from"] == f"{day}T00:00:00Z"
    before = await reconcile(books, "--to", "2020-01-31")
    assert "Period: before 2020-02-01 00:00:00 UTC" in before.out
    assert "No breaks of this period are open." in before.out
    assert before.status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--date", "yesterday"], "--date is a day"),
        (["--date", "2026-02-30"], "there is no 2026-02-30"),
        (["--date", "2026-01-01T10:00"], "--date is a whole day"),
        (["--date", "2026-01-01", "--from", "2026-01-01"], "--date stands for both --from and --to"),
        (["--from", "2026-02-01", "--to", "2026-01-31"], "--to lies before --from"),
        (["--from", "2999-01-01"], "--from lies in the future"),
        (["--date", "2999-01-01"], "--date lies in the future"),
        (["--to", "9999-12-31"], "there is no 9999-12-31"),
        (["close", "1", "--by", " ", "--reason", "x"], "--by is 1 to 200 characters"),
        (["close", "1", "--by", "Ada", "--reason", "x"], "There is no break 1"),
        (["show", "77"], "There is no run 77"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_sentence(
    env: dict[str, str], arguments: list[str], said: str
) -> None:
    refused = await reconcile(env, *arguments)
    assert (refused.status, refused.out) == (1, "")
    assert said in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("arguments", [["show"], ["close", "--by", "Ada", "--reason", "x"]])
async def test_a_number_that_no_run_or_break_can_have_is_refused(
    env: dict[str, str], arguments: list[str]
) -> None:
    refused = await reconcile(env, *arguments, str(2**63))
    assert (refused.status, refused.out) == (2, "")
    assert "less than or equal to" in refused.err
    assert "Traceback" not in refused.err
