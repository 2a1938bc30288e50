"""The node is gone, slow, late, lying, counting or behind a page: nothing changes, and operators are told."""

from collections.abc import Awaitable, Callable

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.outages.conftest import metric, page, refusal, state_of
from tests.world import TestWorld, covered_position

Trouble = Callable[[RpcProxy], Awaitable[None]]


async def _down(node: RpcProxy) -> None:
    await node.refuse()


async def _unavailable(node: RpcProxy) -> None:
    node.unavailable = True


async def _slow(node: RpcProxy) -> None:
    node.delay_sec = 3  # the product's patience is a second here


async def _html(node: RpcProxy) -> None:
    node.html = True


async def _rate_limited(node: RpcProxy) -> None:
    node.rate_limited = True


async def _late(node: RpcProxy) -> None:
    node.lag = 12


async def _empty_list(node: RpcProxy) -> None:
    node.empty_logs = True


async def _heal(node: RpcProxy) -> None:
    node.unavailable = node.html = node.rate_limited = node.empty_logs = False
    node.delay_sec, node.lag = 0.0, 0
    await node.listen()


SILENT: dict[str, Trouble] = {
    "down": _down,
    "out of service": _unavailable,
    "slow": _slow,
    "a page instead of JSON": _html,
    "rate limited": _rate_limited,
}
WRONG: dict[str, Trouble] = {"late": _late, "an empty list": _empty_list}


async def _paid(world: TestWorld) -> str:
    """An order whose payment is seen, and not yet safe."""
    async with world.trader() as trader:
        _, order = await covered_position(world, trader)
        order_id = str(order["purchaseOrderId"])
        await trader.submit(order_id, await trader.pay(world.chain, order))
    await world.work()
    return order_id


async def _status(world: TestWorld, order_id: str) -> str:
    async with world.trader() as trader:
        await trader.sign_in()
        return str((await trader.order(order_id))["status"])


@pytest.mark.parametrize("trouble", [*SILENT, *WRONG])
async def test_while_the_node_fails_nothing_changes_it_is_said_and_all_goes_on_afterwards(
    trouble: str, hasty: TestWorld
) -> None:
    order_id = await _paid(hasty)
    assert (await page(hasty, "/readyz")).status == 200
    before, doubted = await state_of(hasty.db), await metric(hasty, "liqpass_chain_view_doubtful")
    await hasty.chain.mine(hasty.chain.slots_in_an_epoch)  # safe by now, if only somebody could see it

    await (SILENT | WRONG)[trouble](hasty.node)
    await hasty.work(2)
    assert await state_of(hasty.db) == before
    assert await _status(hasty, order_id) == "PAID_PENDING_CONFIRM"
    await _is_said(hasty, trouble, doubted)

    await _heal(hasty.node)
    await hasty.pass_time(seconds=16)
    await hasty.work(2)
    assert await _status(hasty, order_id) == "ACTIVE"
    assert (await page(hasty, "/readyz")).status == 200
    moves = [row[3] for row in await state_of(hasty.db) if row[0] == "event"]
    assert moves == ["DRAFT", "PAID_PENDING_CONFIRM", "ACTIVE"]


async def _is_said(world: TestWorld, trouble: str, doubted: float) -> None:
    """/readyz tells of it when it lasts; the metrics count answers that cannot be right at once."""
    await world.pass_time(minutes=3)
    said = await page(world, "/readyz")
    assert said.status == 503
    assert said.checks["watcher"].startswith("last good view of the chain ")
    assert said.checks["database"] == "ok"
    assert said.checks["sale"].startswith("the node does not answer: ") == (trouble in SILENT)
    assert await metric(world, "liqpass_watcher_lag_seconds") > 179
    views = await metric(world, "liqpass_chain_view_doubtful") - doubted
    assert views == (2 if trouble in WRONG else 0)


async def test_ordering_and_submitting_need_no_node(hasty: TestWorld) -> None:
    await hasty.node.refuse()
    async with hasty.trader() as trader:
        _, order = await covered_position(hasty, trader)
        tx_hash = await trader.pay(hasty.chain, order)
        answer = await trader.submit(str(order["purchaseOrderId"]), tx_hash)
    assert answer == {"ok": True, "status": "PAID_PENDING_CONFIRM"}
    await hasty.node.listen()
    await hasty.confirm()
    assert await _status(hasty, str(order["purchaseOrderId"])) == "ACTIVE"


async def test_a_late_order_is_not_cancelled_while_nobody_can_see_whether_it_was_paid(
    hasty: TestWorld,
) -> None:
    async with hasty.trader() as trader:
        _, order = await covered_position(hasty, trader)
        order_id = str(order["purchaseOrderId"])
        await hasty.work()
        await trader.pay(hasty.chain, order)  # in time, and told to nobody
        await hasty.node.refuse()
        await hasty.pass_time(hours=1)
        await hasty.work()
        assert (await trader.order(order_id))["status"] == "DRAFT"
        await hasty.node.listen()
        await hasty.confirm()
        assert (await trader.order(order_id))["status"] == "ACTIVE"


async def test_a_submitted_hash_is_not_given_up_while_no_node_can_be_asked_for_it(hasty: TestWorld) -> None:
    async with hasty.trader() as trader:
        _, order = await covered_position(hasty, trader)
        order_id = str(order["purchaseOrderId"])
        await hasty.work()
        await trader.submit(order_id, b"\x11" * 32)
        await hasty.node.refuse()
        await hasty.pass_time(minutes=5)
        await hasty.work()
        assert (await trader.order(order_id))["status"] == "PAID_PENDING_CONFIRM"
        await hasty.node.listen()
        await hasty.work()
        shown = await trader.order(order_id)
        assert shown["status"] == "DRAFT"
        assert shown["history"][-1]["reason"] == "TX_NOT_FOUND"


async def test_a_contract_wallet_is_told_that_no_node_can_be_asked_others_sign_in(hasty: TestWorld) -> None:
    async with hasty.trader() as owner, hasty.trader(1) as stranger:
        await hasty.node.refuse()
        await owner.sign_in()
        asked = await owner.call("POST", "/api/auth/nonce", {"address": owner.address})
        # a signature that no key of this account made: only a contract at its address could say yes
        signed = Account.sign_message(encode_defunct(text=asked["message"]), stranger.wallet.key)
        body = {"message": asked["message"], "signature": "0x" + signed.signature.hex()}
        refused = await refusal(owner.call("POST", "/api/auth/verify", body))
        assert (refused.status, refused.code) == (503, "NODE_UNAVAILABLE")
        assert "try again" in refused.body["detail"]
        await hasty.node.listen()
        refused = await refusal(owner.call("POST", "/api/auth/verify", body))
        assert (refused.status, refused.code) == (401, "SIGNIN_REJECTED")
