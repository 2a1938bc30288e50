"""One position, one binding, one order, and fifty browsers that want it at the same moment."""

from liqpass.hexes import to_hex
from tests.flows.newcomers import Newcomer
from tests.races.crowd import all_told, counted
from tests.world import TestWorld


async def test_fifty_bindings_of_one_position_are_one(world: TestWorld, crowd: list[Newcomer]) -> None:
    answers = await all_told(one.bind() for one in crowd)
    assert isinstance(answers[0], dict)
    assert answers == [answers[0]] * 50
    assert await world.db.pool.fetchval("select count(*) from insured_bindings") == 1
    assert await world.db.pool.fetchval("select count(*) from insured_positions") == 1


async def test_fifty_orders_for_one_binding_are_one(world: TestWorld, crowd: list[Newcomer]) -> None:
    bound = await crowd[0].bind()
    answers = await all_told(one.trader.create_order(bound["bindId"]) for one in crowd)
    assert isinstance(answers[0], dict)
    assert answers == [answers[0]] * 50
    for table in ("purchase_orders", "order_refs", "order_events"):
        assert await world.db.pool.fetchval(f"select count(*) from {table}") == 1


async def test_one_hash_submitted_fifty_times_is_submitted_once_and_pays_once(
    world: TestWorld, crowd: list[Newcomer]
) -> None:
    order = await crowd[0].order()
    tx_hash = await crowd[0].trader.pay(world.chain, order)
    answers = await all_told(one.trader.submit(order["purchaseOrderId"], tx_hash) for one in crowd)
    assert answers == [{"ok": True, "status": "PAID_PENDING_CONFIRM"}] * 50
    assert await world.db.pool.fetchval("select count(*) from submitted_txs") == 1
    await world.confirm()
    assert await crowd[0].reasons(order) == ["ORDERED", "HASH_SUBMITTED", "PAYMENT_SAFE"]


async def test_of_fifty_hashes_for_one_order_one_wins_and_49_are_conflicts(
    world: TestWorld, crowd: list[Newcomer]
) -> None:
    order = await crowd[0].order()
    hashes = [bytes([n]) * 32 for n in range(1, 51)]
    answers = await all_told(
        one.trader.submit(order["purchaseOrderId"], tx_hash)
        for one, tx_hash in zip(crowd, hashes, strict=True)
    )
    assert counted(answers) == {"PAID_PENDING_CONFIRM": 1, "ORDER_ALREADY_HAS_DIFFERENT_TX": 49}
    winner = next(n for n, answer in enumerate(answers) if isinstance(answer, dict))
    shown = await crowd[0].trader.order(order["purchaseOrderId"])
    assert shown["payTxHash"] == to_hex(hashes[winner])
    assert await world.db.pool.fetchval("select count(*) from submitted_txs") == 1


async def test_the_whole_loop_fifty_times_at_once_is_one_order_with_one_payment(
    world: TestWorld, crowd: list[Newcomer]
) -> None:
    async def loop(one: Newcomer) -> dict[str, str]:
        order = await one.order()
        submitted = await one.trader.submit(order["purchaseOrderId"], b"\x07" * 32)
        return {"id": order["id"], "premium": order["premiumAmount"], "status": submitted["status"]}

    answers = await all_told(loop(one) for one in crowd)
    assert isinstance(answers[0], dict)
    assert answers == [answers[0]] * 50
    assert await world.db.pool.fetchval("select count(*) from order_events") == 2
