"""/api/admin/treasury: what `liqpass suspense list` and `batch` do, for an admin in a browser."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from liqpass.db import Database
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import encode_call, wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from liqpass.treasury.safe_batch import batch_checksum
from tests.clock import SettableClock
from tests.commands.forked import liqpass
from tests.flows.newcomers import new_wallet, refusal_of
from tests.flows.test_admin import METHODS, answer
from tests.treasury.conftest import ref_of_log
from tests.world import TestWorld, running_world

HERE = "/api/admin/treasury"
ADMIN, STRANGER = wallet("an admin"), wallet("a stranger")


@pytest.fixture
async def office(
    db: Database, database_url: str, clock: SettableClock, tmp_path: Path
) -> AsyncIterator[TestWorld]:
    """A running product with an admin."""
    admins = checksum(ADMIN.address)
    async with running_world(
        db, clock, tmp_path, LIQPASS_ADMIN_WALLETS=admins, DATABASE_URL=database_url
    ) as world:
        yield world


@pytest.fixture
async def admin(office: TestWorld) -> AsyncIterator[Trader]:
    async with Trader(office.api, ADMIN) as trader:
        await trader.sign_in()
        yield trader


async def stray(world: TestWorld, amount: int) -> tuple[str, bytes]:
    """Somebody sends USDC to the treasury; how it is listed, and the sender."""
    sender = await new_wallet(world)
    receipt = await world.chain.transfer(sender, world.chain.treasury, amount)
    ref = ref_of_log(receipt["logs"][0])
    return f"{to_hex(ref[:32])}:{int.from_bytes(ref[32:], 'big')}", sender.address


async def refund(world: TestWorld, key: str) -> None:
    done = await liqpass("suspense", "refund", key, "--by", "Ada", "--reason", "by mistake", env=world.env)
    assert done.status == 0, done


@pytest.mark.parametrize("signed_in", [True, False])
async def test_for_others_there_is_nothing_whatever_they_ask(office: TestWorld, signed_in: bool) -> None:
    async with Trader(office.api, STRANGER) as stranger:
        if signed_in:
            await stranger.sign_in()
        for method in METHODS:
            nothing = await answer(stranger, method, "/api/admin/nothing")
            assert nothing[0] == 404
            for path in (HERE, f"{HERE}/suspense", f"{HERE}/batch"):
                assert await answer(stranger, method, path) == nothing, (method, path)


async def test_what_came_in_is_shown_with_what_to_do(office: TestWorld, admin: Trader) -> None:
    assert await admin.call("GET", f"{HERE}/suspense") == {"items": [], "dues": []}
    key, sender = await stray(office, 12 * USDC)
    await office.confirm()
    (item,) = (await admin.call("GET", f"{HERE}/suspense"))["items"]
    assert datetime.fromisoformat(item.pop("at")).tzinfo is not None
    assert item == {
        "key": key,
        "amount": str(12 * USDC),
        "remaining": str(12 * USDC),
        "sender": checksum(sender),
        "txHash": key[:66],
        "purchaseOrderId": None,
        "why": "PLAIN_TRANSFER",
        "said": "sent straight to the treasury, for no order",
        "final": False,
        "nextSteps": ["wait until its block is final"],
    }
    await office.chain.finalize()
    await office.work(2)
    (item,) = (await admin.call("GET", f"{HERE}/suspense"))["items"]
    assert item["final"] is True
    assert item["nextSteps"] == [
        f"liqpass suspense refund {key} --by NAME --reason TEXT",
        f"liqpass pool deposit --from {key} --by NAME",
    ]


async def test_a_refund_is_batched_once_signed_by_the_owners_and_gone(
    office: TestWorld, admin: Trader
) -> None:
    key, sender = await stray(office, 12 * USDC)
    await office.chain.finalize()
    await office.work(2)
    nothing = await admin.call("POST", f"{HERE}/batch", {"again": False})
    assert (nothing["file"], nothing["included"]) == (None, 0)
    await refund(office, key)
    said = await admin.call("GET", f"{HERE}/suspense")
    (due,) = said["dues"]
    assert said["items"] == []
    assert {name: due[name] for name in ("purpose", "recipient", "amount", "reason", "askedBy")} == {
        "purpose": "REFUND",
        "recipient": checksum(sender),
        "amount": str(12 * USDC),
        "reason": "by mistake",
        "askedBy": "Ada",
    }
    assert (due["batchedAt"], due["shown"]) == (None, None)
    made = await admin.call("POST", f"{HERE}/batch", {})
    assert made["name"] == f"liqpass-payouts-{office.clock():%Y%m%dT%H%M%SZ}.json"
    assert counts(made) == {"included": 1, "batched": 0, "onTheirWay": 0, "later": 0}
    assert made["file"]["meta"]["checksum"] == batch_checksum(made["file"])
    assert made["file"]["meta"]["description"] == f"refund, payout {due['id']}"
    (due,) = (await admin.call("GET", f"{HERE}/suspense"))["dues"]
    assert datetime.fromisoformat(due["batchedAt"]) == office.clock()
    twice = await admin.call("POST", f"{HERE}/batch", {})
    assert (twice["file"], counts(twice)["batched"]) == (None, 1)
    again = await admin.call("POST", f"{HERE}/batch", {"again": True})
    assert again["file"]["transactions"] == made["file"]["transactions"]
    before = await office.chain.usdc_balance(sender)
    await execute(office, made["file"])
    assert await office.chain.usdc_balance(sender) == before + 12 * USDC
    await office.work()
    on_its_way = await admin.call("POST", f"{HERE}/batch", {"again": True})
    assert (on_its_way["file"], counts(on_its_way)["onTheirWay"]) == (None, 1)
    (due,) = (await admin.call("GET", f"{HERE}/suspense"))["dues"]
    assert due["shown"].startswith("0x")
    await office.confirm()
    assert (await admin.call("GET", f"{HERE}/suspense"))["dues"] == []


async def test_the_file_is_what_the_command_writes(office: TestWorld, admin: Trader, tmp_path: Path) -> None:
    key, _ = await stray(office, 5 * USDC)
    await office.chain.finalize()
    await office.work(2)
    await refund(office, key)
    made = (await admin.call("POST", f"{HERE}/batch", {}))["file"]
    file = tmp_path / "batch.json"
    done = await liqpass("suspense", "batch", "--again", "--out", str(file), env=office.env)
    assert done.status == 0, done
    written = json.loads(file.read_text())
    for batch in (made, written):
        del batch["createdAt"], batch["meta"]["checksum"]
    assert made == written


async def test_bad_input_is_named_and_marks_nothing(office: TestWorld, admin: Trader) -> None:
    assert await refusal_of(admin, "POST", f"{HERE}/batch", {"again": "yes"}) == (400, "INVALID_FIELD")
    assert await refusal_of(admin, "POST", f"{HERE}/batch", [1]) == (400, "MALFORMED_JSON")
    async with admin.http.post(
        f"{admin.api}{HERE}/batch", json={}, headers={"origin": "https://elsewhere.example"}
    ) as said:
        assert said.status == 403


def counts(made: dict[str, Any]) -> dict[str, int]:
    return {name: made[name] for name in ("included", "batched", "onTheirWay", "later")}


async def execute(world: TestWorld, file: dict[str, Any]) -> None:
    """What the Safe does with a batch, sent by the sandbox's treasury key."""
    for one in file["transactions"]:
        given = one["contractInputsValues"]
        data = encode_call("transfer(address,uint256)", bytes.fromhex(given["to"][2:]), int(given["value"]))
        await world.chain.transact(world.chain.treasury_wallet, bytes.fromhex(one["to"][2:]), data)
