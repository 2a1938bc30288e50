"""Each run's hash covers the one before: what was changed afterwards shows."""

import json
from hashlib import sha256

import asyncpg
import pytest

from liqpass.hexes import to_hex
from liqpass.reconcile.documents import verify
from tests.reconcile.hands import by_hand, run_once
from tests.world import TestWorld


async def faults(world: TestWorld) -> list[str]:
    """What `liqpass reconcile verify` says."""
    async with world.db.transaction() as conn:
        return [fault async for fault in verify(conn)]


async def three_runs(world: TestWorld, url: str) -> list[asyncpg.Record]:
    """The second and third leave a break open."""
    await run_once(world)
    await by_hand(url, "update ledger_accounts set balance = 7 where id = 'CLAIMS_PAYABLE'")
    await run_once(world)
    await run_once(world)
    return list(await world.db.pool.fetch("select * from reconciliation_runs order by id"))


async def test_anybody_can_compute_the_hashes_again(world: TestWorld, database_url: str) -> None:
    runs = await three_runs(world, database_url)
    assert await faults(world) == []
    previous = None
    for run in runs:
        assert sha256(run["document"].encode()).digest() == run["sha256"]
        document = json.loads(run["document"], parse_float=pytest.fail)
        assert document["previousSha256"] == (to_hex(previous) if previous else None)
        previous = run["sha256"]
    (page,) = await world.db.pool.fetch("select * from reconciliation_pages where run_id = 3")
    assert document["breaks"]["pages"] == [to_hex(sha256(page["breaks"].encode()).digest())]
    (one,) = json.loads(page["breaks"])
    assert (one["type"], one["expected"], one["found"]) == ("LEDGER_INCONSISTENT", "0", "7")


async def test_a_document_says_what_it_was_made_from(world: TestWorld, database_url: str) -> None:
    run = (await three_runs(world, database_url))[-1]
    document = json.loads(run["document"])
    number, block_hash, _ = await world.chain.block("finalized")
    assert document["chain"]["toBlock"] == {"number": number, "hash": to_hex(block_hash)}
    assert document["balance"]["chain"] == document["balance"]["ledger"] == str(10**12)
    assert document["ledger"]["seq"] == run["ledger_seq"] > 0
    assert document["breaks"]["types"] == [{"type": "LEDGER_INCONSISTENT", "found": 1, "open": 1}]


RICHER = """replace(document, '"ledger":"1000000000000"', '"ledger":"1000000000001"')"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "update reconciliation_runs set document = document || ' ' where id = 2",
            ["Run 2: its document is not the one that was hashed."],
        ),
        (
            f"update reconciliation_runs set document = {RICHER}, "
            f"sha256 = sha256(convert_to({RICHER}, 'UTF8')) where id = 2",
            [
                "Run 2: its row says something else than its document.",
                "Run 3 does not follow the run that stands before it.",
            ],
        ),
        (
            "delete from reconciliation_pages where run_id = 2; delete from reconciliation_runs where id = 2",
            [
                "Run 3 follows run 1: a run is missing between.",
                "Run 3 does not follow the run that stands before it.",
            ],
        ),
        (
            "update reconciliation_pages set breaks = '[]' where run_id = 3",
            ["Run 3: page 1 is not the one that was hashed."],
        ),
        (
            "delete from reconciliation_pages where run_id = 3",
            ["Run 3: its document names other pages than there are."],
        ),
        (
            "update reconciliation_runs set breaks_open = 0 where id = 3",
            ["Run 3: its row says something else than its document."],
        ),
        (
            "update reconciliation_runs set document = '{}' where id = 3",
            ["Run 3: its document is not the one that was hashed.", "Run 3: its document cannot be read."],
        ),
    ],
)
async def test_what_was_changed_afterwards_is_named(
    world: TestWorld, database_url: str, change: str, said: list[str]
) -> None:
    await three_runs(world, database_url)
    await by_hand(database_url, change)
    assert await faults(world) == said


COLUMNS = {
    "started_at": "started_at - interval '1 day'",
    "finished_at": "'2100-01-01'",
    "period_from": "'2020-01-01'",
    "period_to": "'2100-01-01'",
    "chain_id": "5",
    "from_block": "from_block + 1",
    "to_block": "to_block + 1",
    "block_hash": "sha256(block_hash)",
    "ledger_seq": "ledger_seq + 1",
    "ledger_rows": "ledger_rows + 1",
    "ledger_balance": "ledger_balance + 1",
    "chain_balance": "chain_balance + 1",
    "orders": "orders + 1",
    "payments": "payments + 1",
    "transfers": "transfers + 1",
    "breaks_found": "breaks_found + 1",
    "breaks_open": "breaks_open + 1",
}


async def test_no_column_of_a_run_can_be_changed_unseen(world: TestWorld, database_url: str) -> None:
    """A run that seems to end in a hundred years would be the last one: the next is made an hour after it."""
    await three_runs(world, database_url)
    await by_hand(database_url, "create table kept as select * from reconciliation_runs")
    for column, value in COLUMNS.items():
        await by_hand(database_url, f"update reconciliation_runs set {column} = {value} where id = 3")
        assert await faults(world) == ["Run 3: its row says something else than its document."], column
        put_back = f"update reconciliation_runs r set {column} = kept.{column} from kept where kept.id = r.id"
        await by_hand(database_url, put_back)
    assert await faults(world) == []


async def test_two_runs_cannot_follow_the_same_one(world: TestWorld, database_url: str) -> None:
    await three_runs(world, database_url)
    copy = (
        "insert into reconciliation_runs select (jsonb_populate_record(r, '{\"id\": 9}')).* "
        "from reconciliation_runs r where id = 2"
    )
    with pytest.raises(asyncpg.UniqueViolationError, match="previous_sha256"):
        await by_hand(database_url, copy)
