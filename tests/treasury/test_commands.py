"""`liqpass pool` and `liqpass suspense` as an operator types them: what they say, what they write, what they
refuse."""

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest

from liqpass.hexes import checksum
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.world import environment
from liqpass.treasury.safe_batch import batch_checksum
from liqpass.treasury.suspense import key_of
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.treasury.conftest import CAPITAL, Desk

SAID_BY = ("--by", "Ada")
BECAUSE = (*SAID_BY, "--reason", "sent by mistake")


@pytest.fixture
def env(desk: Desk, database_url: str, tmp_path: Path) -> dict[str, str]:
    made = environment(desk.chain, {"global": "http://127.0.0.1:1"}, api="http://127.0.0.1:1", skus=tmp_path)
    return {**made, "DATABASE_URL": database_url}


async def good(*arguments: str, env: dict[str, str]) -> str:
    done = await liqpass(*arguments, env=env)
    assert (done.status, done.err) == (0, ""), done
    return done.out


async def execute(desk: Desk, content: str) -> None:
    """What the Safe does with a batch, sent by the sandbox's treasury key."""
    batch = json.loads(content)
    assert batch["meta"]["checksum"] == batch_checksum(batch)
    assert batch["meta"]["createdFromSafeAddress"] == checksum(desk.chain.treasury)
    for one in batch["transactions"]:
        given = one["contractInputsValues"]
        data = encode_call("transfer(address,uint256)", bytes.fromhex(given["to"][2:]), int(given["value"]))
        await desk.chain.transact(desk.chain.treasury_wallet, bytes.fromhex(one["to"][2:]), data)


async def test_stray_money_is_listed_given_back_by_a_batch_and_gone_from_the_books(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    chain, file = desk.chain, tmp_path / "refunds.json"
    assert "Free capital: 1000.00 USDC" in await good("pool", "deposit", "1000", *SAID_BY, env=env)
    assert await good("suspense", "list", env=env) == "Nothing is in suspense.\n"
    item = key_of(await desk.send(12_340_000, chain.wallets[3]))
    await desk.finalize()
    (listed,) = json.loads(await good("suspense", "list", "--format", "json", env=env))
    assert {name: listed[name] for name in ("item", "sender", "remainingUsd", "final", "why")} == {
        "item": item,
        "sender": checksum(chain.wallets[3].address),
        "remainingUsd": "12.34",
        "final": True,
        "why": "PLAIN_TRANSFER",
    }
    out = await good("suspense", "refund", item, *BECAUSE, env=env)
    assert f"A refund of 12.34 USDC to {listed['sender']} is due: " in out
    assert "Posted: 12.34 USDC from suspense to refunds due." in out
    assert "Next: liqpass suspense batch --out FILE" in out
    assert f"{file}: 1 payout, 12.34 USDC\n" in await good("suspense", "batch", "--out", str(file), env=env)
    before = await chain.usdc_balance(chain.wallets[3].address)
    await execute(desk, file.read_text())
    assert await chain.usdc_balance(chain.wallets[3].address) == before + 12_340_000
    await desk.confirm()
    assert await good("suspense", "list", env=env) == "Nothing is in suspense.\n"
    assert await desk.books() == {"TREASURY": CAPITAL, "POOL_FREE": CAPITAL}


async def test_a_batch_is_written_once_and_a_cancelled_payout_is_in_none(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    file, other = tmp_path / "a.json", tmp_path / "b.json"
    await desk.deposit(CAPITAL)
    to = checksum(desk.chain.wallets[1].address)
    out = await good("pool", "withdraw", "20.5", "--to", to, *BECAUSE, env=env)
    assert f"A withdrawal of 20.50 USDC to {to} is due: " in out
    assert "Free capital: 979.50 USDC." in out
    due = re.findall(r"is due: (\S+)", out)[0]
    await good("suspense", "batch", "--out", str(file), env=env)
    refused = await liqpass("suspense", "batch", "--out", str(file), env=env)
    assert (refused.status, refused.out) == (1, "")
    assert f"{file} is there already, and an earlier batch may be in it" in refused.err
    out = await good("suspense", "batch", "--out", str(other), env=env)
    assert out.startswith("Nothing new is to be paid out: no file was written.")
    assert "an earlier batch holds them: 1 payout, 20.50 USDC" in out
    assert not other.exists()
    out = await good("suspense", "batch", "--again", "--out", str(other), env=env)
    assert json.loads(other.read_text())["transactions"] == json.loads(file.read_text())["transactions"]
    shown = await good("suspense", "list", env=env)
    assert f"{due}\n    withdrawal of 20.50 USDC to {to}\n    asked for by Ada" in shown
    out = await good("suspense", "cancel", due, *BECAUSE, env=env)
    assert "Posted: 20.50 USDC are free capital again." in out
    assert "see that nobody signs that file" in out
    assert await desk.books() == {"TREASURY": CAPITAL, "POOL_FREE": CAPITAL}


async def test_a_file_that_cannot_be_written_marks_nothing_as_batched(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    await desk.deposit(CAPITAL)
    await desk.withdraw(5, desk.chain.wallets[1].address)
    path = tmp_path / "nowhere" / "a.json"
    done = await liqpass("suspense", "batch", "--out", str(path), env=env)
    said = f"liqpass: --out {path} cannot be written: No such file or directory\n"
    assert done == Done(1, "", said)
    assert await desk.db.pool.fetchval("select count(*) from disbursements where batched_at is null") == 1


async def test_the_list_opens_in_a_spreadsheet(desk: Desk, env: dict[str, str]) -> None:
    ref = await desk.send(12_340_000)
    await desk.confirm()
    rows = list(csv.DictReader(StringIO(await good("suspense", "list", "--format", "csv", env=env))))
    assert [(row["item"], row["amountUsd"], row["final"]) for row in rows] == [
        ("opening", "1000.00", "yes"),
        (key_of(ref), "12.34", "no"),
    ]
    assert [row["nextStep"] for row in rows] == [
        "liqpass pool deposit --from opening --by NAME",
        "wait until its block is final",
    ]


async def test_the_pool_is_shown_with_what_could_be_deposited(desk: Desk, env: dict[str, str]) -> None:
    await desk.send(70)
    await desk.confirm()
    shown = await good("pool", "show", env=env)
    assert re.search(r"^treasury, by the books +1000\.00007 USDC  0x", shown, re.M)
    assert re.search(r"^pool, free +0\.00 USDC$", shown, re.M)
    assert re.search(
        r"^in suspense +1000\.00007 USDC  2 items; 1000\.00 USDC could be deposited$", shown, re.M
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("pool deposit --by Ada", "Capital comes as USDC sent to the treasury 0x"),
        (
            "pool deposit 1.0000001 --by Ada",
            "AMOUNT is an amount of USDC above zero with at most six decimals",
        ),
        ("pool deposit 5 --from 0x12 --by Ada", "--from is a transaction and the index of a log in it"),
        ("pool withdraw 5 --to 0x12 --by Ada --reason x", "--to is 0x and 40 hexadecimal digits."),
        (
            f"pool withdraw 5 --to 0x{'5b' * 20} --by Ada --reason x",
            "AMOUNT is more than is free: 0.00 USDC.",
        ),
        ("suspense refund opening --by Ada --reason x", "opening has no sender: name with --to where it"),
        (f"suspense refund opening --by Ada --reason x --to 0x5B{'5b' * 19}", "a character is mistyped"),
        ("suspense cancel 0197 --by Ada --reason x", "There is no disbursement 0197"),
    ],
)
async def test_what_cannot_be_done_is_one_line_that_says_why(
    desk: Desk, env: dict[str, str], typed: str, said: str
) -> None:
    done = await liqpass(*typed.split(), env=env)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert said in done.err
    assert await desk.books() == {"TREASURY": CAPITAL, "SUSPENSE": CAPITAL}


async def test_a_payout_that_is_on_its_way_is_not_asked_for_again(desk: Desk, env: dict[str, str]) -> None:
    await good("pool", "deposit", "1000", *SAID_BY, env=env)
    to = desk.chain.wallets[3].address
    await good("pool", "withdraw", "40", "--to", checksum(to), *BECAUSE, env=env)
    assert "1 payout in no batch yet: liqpass suspense batch" in await good("pool", "show", env=env)
    await desk.pay_out(to, 40_000_000)
    await desk.watch()
    shown = await good("pool", "show", env=env)
    assert "1 payout seen on chain, not yet settled\n" in shown
    assert "in no batch yet" not in shown


async def test_a_withdrawal_says_which_covers_are_sold_no_more(desk: Desk, env: dict[str, str]) -> None:
    await good("pool", "deposit", "1000", *SAID_BY, env=env)
    await good("pool", "limits", "set", "direction", "0", *BECAUSE, env=env)
    to = checksum(desk.chain.wallets[3].address)
    out = await good("pool", "withdraw", "10", "--to", to, *BECAUSE, env=env)
    assert "Covers of longs are sold out: 0.00 USDC stand behind them, and 0.00 USDC are the most: " in out
