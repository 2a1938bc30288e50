"""The traps of the first version of this product, row by row as DESIGN 11 lists them."""

import asyncio
import base64
import json
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liqpass.sandbox.trader import Refused
from liqpass.vault import keys
from tests.flows.newcomers import SLOT, Newcomer, newcomer
from tests.world import TestWorld

ORDERS = "/api/insurance/orders"


async def test_on_conflict_names_the_index_by_inference_so_every_binding_is_taken(alice: Newcomer) -> None:
    first = await alice.bind()
    assert first["status"] == "DRAFT"
    assert await alice.bind() == first


async def test_insert_then_select_is_one_statement_so_fifty_at_once_get_one_binding(
    world: TestWorld, alice: Newcomer
) -> None:
    answers = await asyncio.gather(*(alice.bind() for _ in range(50)))
    assert answers == [answers[0]] * 50
    assert await world.db.pool.fetchval("select count(*) from insured_bindings") == 1


async def test_binding_again_with_another_sku_changes_a_draft_without_an_order(alice: Newcomer) -> None:
    first = await alice.bind("LIQPASS_24H")
    again = await alice.bind("LIQPASS_8H")
    assert (again["bindId"], again["sku"]) == (first["bindId"], "LIQPASS_8H")
    order = await alice.trader.create_order(again["bindId"])
    assert order["sku"] == "LIQPASS_8H"


async def test_binding_again_with_another_sku_beside_an_open_order_is_a_conflict(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order("LIQPASS_24H")
    other = {"apiAccountId": alice.account, "sku": "LIQPASS_8H", **SLOT}
    for _ in range(2):
        refused = await alice.refusal("POST", "/api/insurance/bind-position", other)
        assert refused == (409, "BINDING_HAS_OTHER_SKU")
        await alice.trader.pay(world.chain, order)
        await world.confirm()
    assert (await alice.trader.order(order["purchaseOrderId"]))["sku"] == "LIQPASS_24H"


async def test_any_caller_using_any_account_id_gets_404(alice: Newcomer, bob: Newcomer) -> None:
    bind = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    listing = {"apiAccountId": alice.account}
    not_there = (404, "API_ACCOUNT_NOT_FOUND")
    assert await bob.refusal("POST", "/api/insurance/bind-position", bind) == not_there
    assert await bob.refusal("GET", "/api/okx/positions", **listing) == not_there
    assert await bob.refusal("DELETE", f"/api/okx/api-accounts/{alice.account}") == not_there
    # word for word what is said of an account that nobody has
    nobody = {**bind, "apiAccountId": str(uuid4())}
    said = []
    for body in (bind, nobody):
        with pytest.raises(Refused) as refused:
            await bob.trader.call("POST", "/api/insurance/bind-position", body)
        said.append(refused.value.body["detail"])
    assert said[0] == said[1]
    assert (await alice.bind())["status"] == "DRAFT"


async def test_the_covers_start_is_not_fixed_before_the_payment(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    assert (await alice.trader.order(order["purchaseOrderId"]))["coverageStartAt"] is None
    await world.pass_time(minutes=12)
    tx_hash = await alice.trader.pay(world.chain, order)
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    receipt = await world.chain.wait(tx_hash)
    _, _, paid_at = await world.chain.block(int(receipt["blockNumber"], 16))
    start = datetime.fromtimestamp(paid_at, UTC) + timedelta(seconds=order["coverageDelaySec"])
    assert datetime.fromisoformat(shown["coverageStartAt"]) == start
    # what create-order told was "as if paid now", twelve minutes too early
    assert start > datetime.fromisoformat(order["coverageStartAt"]) + timedelta(minutes=11)


async def test_read_status_then_update_is_one_guarded_statement_that_says_why_it_did_not_match(
    alice: Newcomer,
) -> None:
    order = await alice.order()
    cancel = {"purchaseOrderId": order["purchaseOrderId"]}
    pay = {**cancel, "payTxHash": "0x" + "ab" * 32}

    async def call(path: str, body: dict[str, str]) -> str:
        try:
            return str((await alice.trader.call("POST", f"/api/insurance/{path}", body))["status"])
        except Refused as refused:
            return refused.code

    both = [call("cancel", cancel) if n % 2 else call("submit-payment", pay) for n in range(20)]
    said = set(await asyncio.gather(*both))
    assert said in (
        {"CANCELLED", "ORDER_NOT_PAYABLE"},
        {"PAID_PENDING_CONFIRM", "ORDER_NOT_CANCELLABLE"},
    )
    assert len(await alice.reasons(order)) == 2


async def test_a_hash_in_upper_case_is_the_same_hash(alice: Newcomer, bob: Newcomer) -> None:
    order, other = await alice.order(), await bob.order()
    lower, upper = "0x" + "ab" * 32, "0x" + "AB" * 32
    path = "/api/insurance/submit-payment"
    first = await alice.trader.call(
        "POST", path, {"purchaseOrderId": order["purchaseOrderId"], "payTxHash": lower}
    )
    shouted = {"purchaseOrderId": "0x" + order["purchaseOrderId"][2:].upper(), "payTxHash": upper}
    assert await alice.trader.call("POST", path, shouted) == first
    assert (await alice.trader.order(shouted["purchaseOrderId"]))["payTxHash"] == lower
    taken = {"purchaseOrderId": other["purchaseOrderId"], "payTxHash": upper}
    assert await bob.refusal("POST", path, taken) == (409, "TX_ALREADY_SUBMITTED")


async def test_nobody_attaches_a_hash_to_somebody_elses_order(alice: Newcomer, bob: Newcomer) -> None:
    order = await alice.order()
    hers = {"purchaseOrderId": order["purchaseOrderId"], "payTxHash": "0x" + "cd" * 32}
    not_there = (404, "ORDER_NOT_FOUND")
    assert await bob.refusal("POST", "/api/insurance/submit-payment", hers) == not_there
    assert await bob.refusal("POST", "/api/insurance/cancel", hers) == not_there
    assert await bob.refusal("GET", f"{ORDERS}/{order['purchaseOrderId']}") == not_there
    assert await bob.refusal("GET", f"{ORDERS}/{order['purchaseOrderId']}/events") == not_there
    assert await alice.status(order) == "DRAFT"


async def test_who_claims_somebody_elses_hash_first_gains_nothing_and_spoils_nothing(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    order, false = await alice.order(), await bob.order()
    tx_hash = await alice.trader.pay(world.chain, order)
    await bob.trader.submit(false["purchaseOrderId"], tx_hash)
    with pytest.raises(Refused, match="TX_ALREADY_SUBMITTED"):
        await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"
    # the claim is hers now, so she may repeat it; his order is payable again
    assert (await alice.trader.submit(order["purchaseOrderId"], tx_hash))["status"] == "ACTIVE"
    await world.pass_time(seconds=15)
    await world.work(2)
    assert await bob.status(false) == "DRAFT"
    assert (await bob.reasons(false))[-1] == "TX_PAYS_SOMETHING_ELSE"
    with pytest.raises(Refused, match="TX_ALREADY_SUBMITTED"):
        await bob.trader.submit(false["purchaseOrderId"], tx_hash)
    await bob.trader.pay(world.chain, false)
    await world.confirm()
    assert await bob.status(false) == "ACTIVE"


async def test_a_submitted_hash_is_not_believed(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    # a real transaction, of the very amount, to the very treasury, that is no payment of a premium
    receipt = await world.chain.transfer(
        alice.trader.wallet, world.chain.treasury, int(order["premiumAmount"])
    )
    await alice.trader.submit(order["purchaseOrderId"], bytes.fromhex(receipt["transactionHash"][2:]))
    await world.confirm()
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    await world.pass_time(seconds=15)
    await world.work(2)
    assert await alice.status(order) == "DRAFT"
    assert await alice.reasons(order) == ["ORDERED", "HASH_SUBMITTED", "TX_PAYS_SOMETHING_ELSE"]
    tx_hash = await alice.trader.pay(world.chain, order)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_revoking_an_account_keeps_its_orders(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    await world.confirm()
    await alice.trader.call("DELETE", f"/api/okx/api-accounts/{alice.account}")
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert (shown["status"], len(shown["history"])) == ("ACTIVE", 3)
    assert [o["id"] for o in (await alice.trader.call("GET", ORDERS))["orders"]] == [order["id"]]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.db.pool.execute("delete from api_accounts")
    owner = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute("delete from api_accounts")
    finally:
        await owner.close()


async def test_a_ciphertext_copied_to_another_row_does_not_open(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    await world.db.pool.execute(
        """update api_accounts a set api_key = b.api_key, secret_enc = b.secret_enc,
               passphrase_enc = b.passphrase_enc, uid = b.uid
           from api_accounts b where a.user_id = $1 and b.user_id = $2""",
        bob.trader.wallet.address,
        alice.trader.wallet.address,
    )
    refused = await bob.refusal("GET", "/api/okx/positions", apiAccountId=bob.account)
    assert refused == (503, "API_ACCOUNT_UNREADABLE")
    # given again, it is sealed anew
    await world.db.pool.execute(
        "update api_accounts set api_key = $2 where user_id = $1",
        bob.trader.wallet.address,
        bob.key["apiKey"],
    )
    assert await bob.trader.add_key(bob.key) == bob.account
    assert len(await bob.trader.positions(bob.account)) == 1


async def test_a_secret_copied_to_the_column_beside_it_does_not_open(
    world: TestWorld, alice: Newcomer
) -> None:
    await world.db.pool.execute("update api_accounts set passphrase_enc = secret_enc")
    refused = await alice.refusal("GET", "/api/okx/positions", apiAccountId=alice.account)
    assert refused == (503, "API_ACCOUNT_UNREADABLE")


async def test_a_secret_in_the_old_layout_opens_and_is_rewritten_by_rewrap(
    world: TestWorld, alice: Newcomer
) -> None:
    key = base64.b64decode(world.env["API_KEYS_ENC_KEY"])
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, str(alice.key["secret"]).encode(), None)
    old = base64.b64encode(nonce + sealed[-16:] + sealed[:-16]).decode()
    await world.db.pool.execute("update api_accounts set secret_enc = $1", old)
    assert len(await alice.trader.positions(alice.account)) == 1
    done = await keys.rewrap(world.db, world.of.keyring)
    assert (done.rewritten, done.unopened) == (1, [])
    assert str(await world.db.pool.fetchval("select secret_enc from api_accounts")).startswith("v1.")
    assert len(await alice.trader.positions(alice.account)) == 1


async def test_create_order_twice_makes_one_order_until_it_expires(world: TestWorld, alice: Newcomer) -> None:
    bound = await alice.bind()
    first = await alice.trader.create_order(bound["bindId"])
    second = await alice.trader.create_order(bound["bindId"])
    assert second == first
    await world.pass_time(minutes=16)
    again = {"bindId": bound["bindId"]}
    assert await alice.refusal("POST", "/api/insurance/create-order", again) == (409, "ORDER_NOT_PAYABLE")
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await world.work()
    third = await alice.order()
    assert third["purchaseOrderId"] != first["purchaseOrderId"]
    assert await alice.status(first) == "CANCELLED"


async def test_product_and_position_decide_price_and_duration(world: TestWorld) -> None:
    shares, payouts = {}, {}
    products = {"LIQPASS_8H": 8 * 3600, "LIQPASS_24H": 24 * 3600, "LIQPASS_30D": 30 * 24 * 3600}
    for lever in (5, 7, 10):
        async with newcomer(world, lever=lever) as somebody:
            for sku, lasts in products.items():
                order = await somebody.order(sku)
                shown = await somebody.trader.order(order["purchaseOrderId"])
                assert shown["durationSec"] == lasts
                shares[lever, sku] = int(order["premiumAmount"]) / int(order["payoutAmount"])
                payouts[lever, sku] = int(order["payoutAmount"])
                again = {"purchaseOrderId": order["purchaseOrderId"]}
                await somebody.trader.call("POST", "/api/insurance/cancel", again)
    # 5 contracts of 0.01 BTC at 60,000 and 10x: margin 300, half of it is paid out
    assert {payouts[10, sku] for sku in products} == {150_000_000}
    for lever in (5, 7, 10):
        eight, day, month = (shares[lever, sku] for sku in products)
        assert eight <= day < month
    assert shares[5, "LIQPASS_30D"] < shares[7, "LIQPASS_30D"] < shares[10, "LIQPASS_30D"]


async def test_database_errors_are_never_in_an_answer(world: TestWorld, alice: Newcomer) -> None:
    bound = await alice.bind()
    bind = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    calls: list[tuple[str, str, object]] = [
        ("POST", "/api/insurance/create-order", {"bindId": bound["bindId"]}),
        ("POST", "/api/insurance/bind-position", bind),
        ("GET", f"/api/okx/positions?apiAccountId={alice.account}", None),
        ("GET", ORDERS, None),
        ("GET", "/api/auth/me", None),
    ]
    await world.db.close()
    await world.db.pool.expire_connections()
    for method, path, body in calls:
        async with alice.trader.http.request(method, world.api + path, json=body) as answer:
            text = await answer.text()
        assert (answer.status, answer.content_type) == (503, "application/problem+json")
        assert json.loads(text)["code"] == "DATABASE_UNAVAILABLE"
        for word in ("asyncpg", "pool", "connection", "relation", "select", "Traceback"):
            assert word not in text


async def test_a_constraint_that_refuses_is_not_told_of(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("alter table insured_bindings add constraint never check (sku = '')")
    finally:
        await owner.close()
    bind = {"apiAccountId": alice.account, "sku": "LIQPASS_24H", **SLOT}
    async with alice.trader.http.post(f"{world.api}/api/insurance/bind-position", json=bind) as answer:
        text = await answer.text()
    assert (answer.status, json.loads(text)["code"]) == (500, "INTERNAL_ERROR")
    for word in ("never", "violates", "constraint", "relation", "insured_bindings"):
        assert word not in text
