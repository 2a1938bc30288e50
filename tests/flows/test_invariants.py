"""The invariants of DESIGN 1, each held by at least one test that fails when it is broken.

1  here: no key that can send, nothing sent
2  here: only the exact payment at the safe head; tests/outages/test_the_second_endpoint.py: every endpoint
3  here; tests/schema/test_states_in_the_database.py: the database refuses a cover before its waiting period
5  tests/schema/test_states_in_the_database.py: append-only, final rows, accounts with orders;
   test_traps_of_the_first_version.py: revoking keeps orders; here: a history only grows
6  tests/seen/test_canary.py: logs, answers, metrics; tests/vault/test_cipher.py and
   test_traps_of_the_first_version.py: no ciphertext opens elsewhere
7  tests/vault/test_key_gate.py, test_recheck.py; here: through the front door
8  here; test_bad_requests.py: another user's ids; tests/schema: the foreign keys carry user_id
9  tests/outages: the exchange, the node, the database; here: whatever the node does, nothing moves
10 here: no float in the rules of money, in the database, in an answer
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import liqpass
from liqpass.hexes import to_hex
from liqpass.sandbox.trader import Refused
from liqpass.settings import ChainSettings, Settings
from tests.flows.newcomers import Newcomer, open_account
from tests.world import TestWorld

SOURCES = Path(liqpass.__file__).parent
SENDING = re.compile(r"eth_send|eth_sign|personal_|wallet_|account_", re.I)


def product_files() -> list[Path]:
    """The product's own sources, without the sandbox."""
    return [path for path in SOURCES.rglob("*.py") if "sandbox" not in path.parts]


# 1 ------------------------------------------------------------------------------------------------


async def test_1_a_whole_loop_sends_no_transaction_and_needs_no_wallet(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.submit(order["purchaseOrderId"], await alice.trader.pay(world.chain, order))
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"
    assert world.node.seen
    assert not [method for method in world.node.seen if SENDING.match(method)]
    # the one key that the server has is that of an account which owns nothing and has never sent anything
    signer = to_hex(world.chain.signer.address)
    assert int(await world.chain.rpc("eth_getBalance", [signer, "latest"]), 16) == 0
    assert int(await world.chain.rpc("eth_getTransactionCount", [signer, "latest"]), 16) == 0
    assert await world.chain.usdc_balance(world.chain.signer.address) == 0


def test_1_no_setting_holds_a_key_but_the_quote_signer_and_the_vault() -> None:
    named = [f.name for kind in (Settings, ChainSettings) for f in fields(kind)]
    assert [n for n in named if re.search("key|secret|mnemonic|wallet|private", n)] == [
        "api_keys_enc_key",
        "admin_wallets",  # addresses
        "quote_signer_key",
    ]


def test_1_only_the_deployment_which_asks_first_can_send() -> None:
    senders = {p.name for p in product_files() if re.search(r"eth_send|sign_transaction", p.read_text())}
    assert senders <= {"deploy.py", "contracting.py"}


# 2, 3 -----------------------------------------------------------------------------------------------


async def test_2_and_3_nothing_but_the_exact_payment_at_the_safe_head_makes_cover_and_it_begins_after_it(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    order, other = await alice.order(), await bob.order()
    chain = world.chain
    # what a browser says, somebody else's payment, and a plain transfer of the amount
    await alice.trader.submit(order["purchaseOrderId"], await bob.trader.pay(chain, other))
    await chain.transfer(alice.trader.wallet, chain.treasury, int(order["premiumAmount"]))
    await world.confirm()
    assert (await alice.status(order), await bob.status(other)) == ("PAID_PENDING_CONFIRM", "ACTIVE")

    tx_hash = await alice.trader.pay(chain, order)
    paid_in = int((await chain.wait(tx_hash))["blockNumber"], 16)
    while await chain.block_number("safe") < paid_in:
        await world.work()
        assert await alice.status(order) != "ACTIVE"
        await chain.mine()
    await world.work(2)
    shown = await alice.trader.order(order["purchaseOrderId"])
    _, _, block_time = await chain.block(paid_in)
    assert shown["status"] == "ACTIVE"
    assert datetime.fromisoformat(shown["paidAt"]) == datetime.fromtimestamp(block_time, UTC)
    delay = timedelta(seconds=order["coverageDelaySec"])
    assert datetime.fromisoformat(shown["coverageStartAt"]) == datetime.fromtimestamp(block_time, UTC) + delay


@pytest.mark.parametrize("change", [{"amount": 1}, {"amount": -1}, {"deadline": 60}])
async def test_2_another_amount_or_deadline_than_the_signed_one_is_refused_by_the_contract(
    world: TestWorld, alice: Newcomer, change: dict[str, int]
) -> None:
    order = await alice.order()
    call = order["calls"][1]
    # payPremium(bytes32 id, uint256 amount, uint256 deadline, bytes signature)
    words = [call["data"][10 + 64 * n : 74 + 64 * n] for n in range(3)]
    place = 1 if "amount" in change else 2
    words[place] = f"{int(words[place], 16) + next(iter(change.values())):064x}"
    call["data"] = call["data"][:10] + "".join(words) + call["data"][10 + 64 * 3 :]
    tx_hash = await alice.trader.pay(world.chain, order)
    assert int((await world.chain.wait(tx_hash))["status"], 16) == 0
    await world.confirm()
    assert await alice.status(order) == "DRAFT"


# 5 ------------------------------------------------------------------------------------------------


async def test_5_a_history_only_grows_whatever_happens(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()

    async def history() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await alice.trader.order(order["purchaseOrderId"]))["history"]
        return found

    before = await history()
    tx_hash = await alice.trader.pay(world.chain, order)
    raw = await world.chain.rpc("eth_getRawTransactionByHash", [to_hex(tx_hash)])
    for happens in ("submit", "reorg", "again", "revoke", "over"):
        if happens == "submit":
            await alice.trader.submit(order["purchaseOrderId"], tx_hash)
        elif happens == "reorg":
            await world.chain.reorg(world.chain.slots_in_an_epoch + 1)
        elif happens == "again":
            await world.chain.send_raw(bytes.fromhex(raw[2:]))
        elif happens == "revoke":
            await alice.trader.call("DELETE", f"/api/okx/api-accounts/{alice.account}")
        elif happens == "over":
            await world.pass_time(hours=25)
        await (world.work(2) if happens == "reorg" else world.confirm())
        after = await history()
        assert after[: len(before)] == before, happens
        assert [event["seq"] for event in after] == list(range(1, len(after) + 1))
        before = after
    assert [event["toStatus"] for event in before] == [
        "DRAFT",
        "PAID_PENDING_CONFIRM",
        "ACTIVE",
        "PAID_PENDING_CONFIRM",
        "ACTIVE",
        "EXPIRED",
    ]


# 7 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "perm", ["read_only,trade", "read_only,withdraw", "read_only,trade,withdraw", "trade"]
)
async def test_7_a_key_that_can_do_more_than_read_leaves_no_trace(
    world: TestWorld, alice: Newcomer, perm: str
) -> None:
    _, key = open_account(world)
    world.exchange.books.set_perm(str(key["apiKey"]), perm)
    with pytest.raises(Refused):
        await alice.trader.add_key(key)
    stored = await world.db.pool.fetchval("select string_agg(a::text, ' ') from api_accounts a")
    assert str(key["apiKey"]) not in stored
    assert (await alice.trader.call("GET", "/api/okx/api-accounts"))["apiAccounts"][1:] == []


# 8 ------------------------------------------------------------------------------------------------


# That every query names its user: tests/schema/test_queries.py.


async def test_8_nobody_sees_or_moves_anything_of_anybody_else(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    order = await alice.order()
    hers = await alice.trader.order(order["purchaseOrderId"])
    ids = {order["purchaseOrderId"], order["id"], hers["bindId"], alice.account, alice.okx.uid}
    for path in (
        "/api/insurance/orders",
        "/api/okx/api-accounts",
        f"/api/okx/positions?apiAccountId={bob.account}",
    ):
        answer = json.dumps(await bob.trader.call("GET", path))
        assert not [one for one in ids if one in answer]
    page = await bob.trader.call(
        "GET", "/api/insurance/orders", before="f" * 8 + "-ffff-ffff-ffff-" + "f" * 12
    )
    assert page["orders"] == []
    assert await alice.trader.order(order["purchaseOrderId"]) == hers


# 9 ------------------------------------------------------------------------------------------------


async def test_9_whatever_the_node_and_the_exchange_do_nothing_changes_state(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    covered, pending = await alice.order(), await bob.order()
    await alice.trader.pay(world.chain, covered)
    await world.confirm()
    await bob.trader.submit(pending["purchaseOrderId"], b"\x05" * 32)
    world.exchange.faults.fail("50001", status=503)
    # long enough for the hash to be given up, the quote to run out, and the keys to be checked again
    await world.pass_time(hours=7)
    await world.chain.mine(world.chain.slots_in_an_epoch)

    async def shown() -> list[dict[str, Any]]:
        return [await one.trader.order(o["purchaseOrderId"]) for one, o in ((alice, covered), (bob, pending))]

    before = await shown()
    assert [order["status"] for order in before] == ["ACTIVE", "PAID_PENDING_CONFIRM"]
    for knob, value in (("unavailable", True), ("html", True), ("rate_limited", True), ("lag", 50)):
        setattr(world.node, knob, value)
        await world.work()
        assert await shown() == before, knob
        setattr(world.node, knob, False)
        world.exchange.faults.heal()
    assert await world.db.pool.fetchval("select count(*) from api_accounts where held_at is not null") == 0
    await world.work(3)
    assert [order["status"] for order in await shown()] == ["ACTIVE", "CANCELLED"]


# 10 -----------------------------------------------------------------------------------------------

OF_MONEY = ("pricing", "orders", "payments", "positions", "chain/checkout.py", "chain/view.py", "money.py")
# How probable, not how much: what is made of it is a whole number of millionths.
CHANCES = {SOURCES / "pricing" / name for name in ("model.py", "dominance.py")}
# Seconds between two looks at a history; a path; chances and shares in words, as percentages.
NO_MONEY = {"routes.py1.0", "routes.py/", "skus.py/", "premium.py/", "again.py/"}


def floats_in(path: Path) -> Iterator[str]:
    """Float literals, true divisions and the name float."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{path.name}:{node.lineno} {node.value}"
        if isinstance(node, ast.Name) and node.id == "float":
            yield f"{path.name}:{node.lineno} float"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield f"{path.name}:{node.lineno} /"


def test_10_the_rules_of_money_hold_no_floating_point_number() -> None:
    files = [p for p in product_files() if str(p.relative_to(SOURCES)).startswith(OF_MONEY)]
    assert len(files) > 15
    assert set(files) >= CHANCES
    files = [p for p in files if p not in CHANCES]
    found = {one.partition(":")[0] + one.partition(" ")[2] for p in files for one in floats_in(p)}
    assert found <= NO_MONEY


async def test_10_no_column_is_a_floating_point_or_numeric_one(world: TestWorld) -> None:
    found = await world.db.pool.fetch(
        """select table_name || '.' || column_name as name from information_schema.columns
           where table_schema = 'public' and data_type in ('real', 'double precision', 'numeric', 'money')"""
    )
    assert [row["name"] for row in found] == []


async def test_10_every_amount_in_an_answer_is_a_whole_number_of_micro_usdc_in_a_string(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    answers = [
        order,
        await alice.trader.order(order["purchaseOrderId"]),
        await alice.trader.call("GET", "/api/insurance/orders"),
        await alice.trader.call("GET", "/api/insurance/skus"),
        await alice.trader.positions(alice.account),
    ]
    amounts = []
    for name, value in (pair for answer in answers for pair in leaves(answer)):
        assert not isinstance(value, float), name
        if name.lower().endswith("amount"):
            assert isinstance(value, str), name
            assert value.isdecimal(), name
            amounts.append(value)
        if name.endswith("Usd"):
            assert isinstance(value, str), name
            assert re.fullmatch(r"\d+\.\d{2,6}", value), name
    assert len(amounts) >= 7


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every name and plain value in a JSON document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value
