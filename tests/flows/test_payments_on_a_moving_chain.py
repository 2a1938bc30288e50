"""What happens to an order while its payment fails, waits, vanishes, comes back, or is somebody else's."""

from datetime import datetime, timedelta

import pytest

from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.trader import Refused, calls_of
from tests.flows.newcomers import Newcomer, new_wallet
from tests.world import TestWorld

CANCEL = "/api/insurance/cancel"

# Runs what is in its calldata, call by call: address, length, data. Fails when one of them does.
#   i = 0
#   while i < calldatasize:
#       copy data to memory; call(address, memory) or revert; i += 64 + length
BATCHER = bytes.fromhex(
    "5f"  # PUSH0                       i
    "5b"  # JUMPDEST (1)
    "368110"  # CALLDATASIZE DUP2 LT     i < size
    "600a57"  # PUSH1 10 JUMPI
    "00"  # STOP
    "fe"  # INVALID
    "5b"  # JUMPDEST (10)
    "8060200135"  # DUP1 PUSH1 32 ADD CALLDATALOAD   length
    "80826040015f37"  # DUP1 DUP3 PUSH1 64 ADD PUSH0 CALLDATACOPY
    "5f5f825f5f8635"  # PUSH0 PUSH0 DUP3 PUSH0 PUSH0 DUP7 CALLDATALOAD    out 0,0; in length,0; value 0; to
    "5af1"  # GAS CALL
    "602657"  # PUSH1 38 JUMPI
    "5f5ffd"  # PUSH0 PUSH0 REVERT
    "5b"  # JUMPDEST (38)
    "604001"  # PUSH1 64 ADD
    "01"  # ADD
    "600156"  # PUSH1 1 JUMP
)


async def settled(world: TestWorld) -> None:
    """Enough time for a hash to be asked after, and the asking."""
    await world.pass_time(seconds=15)
    await world.work(2)


async def outcomes(world: TestWorld) -> list[str]:
    """What settling made of every payment."""
    found = await world.db.pool.fetch("select outcome from payment_settlements order by settled_at, outcome")
    return [row["outcome"] for row in found]


async def test_a_reorg_suspends_cover_and_the_same_payment_in_another_block_brings_it_back(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    chain = world.chain
    tx_hash = await alice.trader.pay(chain, order)
    raw = await raw_of(world, tx_hash)
    await world.confirm()
    first = await alice.trader.order(order["purchaseOrderId"])
    assert first["status"] == "ACTIVE"

    paid_in = int((await chain.wait(tx_hash))["blockNumber"], 16)
    await chain.reorg(await chain.block_number() - paid_in + 1)
    await world.work(2)
    suspended = await alice.trader.order(order["purchaseOrderId"])
    assert suspended["status"] == "PAID_PENDING_CONFIRM"
    assert (suspended["coverageStartAt"], suspended["paidAt"]) == (None, None)
    assert (await alice.bind())["status"] == "DRAFT"

    await chain.send_raw(raw)
    await world.confirm()
    back = await alice.trader.order(order["purchaseOrderId"])
    assert (back["status"], back["payTxHash"]) == ("ACTIVE", to_hex(tx_hash))
    assert datetime.fromisoformat(back["coverageStartAt"]) == datetime.fromisoformat(
        back["paidAt"]
    ) + timedelta(seconds=order["coverageDelaySec"])
    assert (await alice.reasons(order))[1:] == [
        "PAYMENT_SEEN",
        "PAYMENT_SAFE",
        "PAYMENT_REORGED_AWAY",
        "PAYMENT_SAFE",
    ]
    assert await outcomes(world) == ["MATCHED"]


async def raw_of(world: TestWorld, tx_hash: bytes) -> bytes:
    """The signed transaction, as it can be sent again."""
    raw = await world.chain.rpc("eth_getRawTransactionByHash", [to_hex(tx_hash)])
    return bytes.fromhex(raw[2:])


@pytest.mark.parametrize("submitted", [True, False], ids=["submitted", "not submitted"])
async def test_a_payment_that_is_reorged_away_for_good_makes_the_order_payable_again(
    world: TestWorld, alice: Newcomer, submitted: bool
) -> None:
    order = await alice.order()
    chain = world.chain
    tx_hash = await alice.trader.pay(chain, order)
    if submitted:
        await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    await world.work()
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    await chain.reorg(2)
    await settled(world)
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    await world.pass_time(minutes=3)
    await world.work(2)
    assert await alice.status(order) == "DRAFT"
    assert (await alice.reasons(order))[-1] == "TX_NOT_FOUND"
    # the same calls again: the approval went with the payment
    await alice.trader.pay(chain, order)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_a_reverted_transaction_releases_its_order_for_another_hash(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    pay = calls_of(order)[1]
    failed = await world.chain.send(alice.trader.wallet, pay.to, pay.data)  # nothing was approved
    await alice.trader.submit(order["purchaseOrderId"], failed)
    await world.confirm()
    await settled(world)
    assert await alice.reasons(order) == ["ORDERED", "HASH_SUBMITTED", "TX_REVERTED"]
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert (shown["status"], shown["payTxHash"]) == ("DRAFT", None)
    assert [c["to"] for c in shown["calls"]] == [c["to"] for c in order["calls"]]
    paid = await alice.trader.pay(world.chain, shown)
    assert (await alice.trader.submit(order["purchaseOrderId"], paid))["status"] == "PAID_PENDING_CONFIRM"
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_a_hash_that_nobody_knows_is_waited_for_three_minutes(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.submit(order["purchaseOrderId"], b"\x02" * 32)
    await world.pass_time(minutes=2, seconds=55)
    await world.work(2)
    with pytest.raises(Refused, match="ORDER_ALREADY_HAS_DIFFERENT_TX"):
        await alice.trader.submit(order["purchaseOrderId"], b"\x03" * 32)
    await world.pass_time(seconds=10)
    await world.work(2)
    assert await alice.reasons(order) == ["ORDERED", "HASH_SUBMITTED", "TX_NOT_FOUND"]
    again = await alice.trader.submit(order["purchaseOrderId"], b"\x03" * 32)
    assert again["status"] == "PAID_PENDING_CONFIRM"


async def test_a_transaction_that_waits_for_a_block_is_not_given_up(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    approve, pay = calls_of(order)
    await world.chain.send(alice.trader.wallet, approve.to, approve.data)
    await world.chain.set_automine(False)
    tx_hash = await world.chain.send(alice.trader.wallet, pay.to, pay.data)
    await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    world.clock.advance(minutes=10)
    await world.work(3)
    assert await alice.status(order) == "PAID_PENDING_CONFIRM"
    await world.chain.mine()
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_two_payments_in_one_transaction_pay_two_orders(
    world: TestWorld, alice: Newcomer, bob: Newcomer
) -> None:
    orders = [await alice.order(), await bob.order()]
    batcher = await world.chain.deploy(
        b"\x60" + bytes([len(BATCHER)]) + bytes.fromhex("8060095f395ff3") + BATCHER
    )
    await world.chain.mint(batcher, sum(int(order["premiumAmount"]) for order in orders))
    calls = [call for order in orders for call in calls_of(order)]
    data = b"".join(
        call.to.rjust(32, b"\0") + len(call.data).to_bytes(32, "big") + call.data for call in calls
    )
    receipt = await world.chain.transact(await new_wallet(world), batcher, data)
    tx_hash = bytes.fromhex(receipt["transactionHash"][2:])
    await alice.trader.submit(orders[0]["purchaseOrderId"], tx_hash)
    with pytest.raises(Refused, match="TX_ALREADY_SUBMITTED"):
        await bob.trader.submit(orders[1]["purchaseOrderId"], tx_hash)
    await world.confirm()
    for somebody, order in zip((alice, bob), orders, strict=True):
        shown = await somebody.trader.order(order["purchaseOrderId"])
        assert (shown["status"], shown["payTxHash"]) == ("ACTIVE", to_hex(tx_hash))
        assert shown["payment"]["amount"] == order["premiumAmount"]
    assert await outcomes(world) == ["MATCHED", "MATCHED"]


async def test_anybodys_wallet_may_pay(world: TestWorld, alice: Newcomer) -> None:
    order = await alice.order()
    friend = await new_wallet(world)
    await world.chain.pay(friend, calls_of(order))
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert (shown["status"], shown["payer"]) == ("ACTIVE", checksum(friend.address))
    assert shown["payment"]["payer"] == checksum(friend.address)


async def test_a_second_payment_of_the_same_order_is_refused_by_the_contract(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.pay(world.chain, order)
    again = await world.chain.pay(await new_wallet(world), calls_of(order))
    assert int((await world.chain.wait(again))["status"], 16) == 0
    await world.confirm()
    assert await outcomes(world) == ["MATCHED"]


async def test_a_payment_after_cancelling_is_kept_in_sight_and_covers_nothing(
    world: TestWorld, alice: Newcomer
) -> None:
    order = await alice.order()
    await alice.trader.call("POST", CANCEL, {"purchaseOrderId": order["purchaseOrderId"]})
    tx_hash = await alice.trader.pay(world.chain, order)
    with pytest.raises(Refused, match="ORDER_NOT_PAYABLE"):
        await alice.trader.submit(order["purchaseOrderId"], tx_hash)
    await world.confirm()
    shown = await alice.trader.order(order["purchaseOrderId"])
    assert shown["status"] == "CANCELLED"
    assert shown["payment"]["txHash"] == to_hex(tx_hash)
    assert await outcomes(world) == ["ORDER_CLOSED"]
