"""Two endpoints: money counts only when both show it. One that is down or tells otherwise holds it up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from liqpass.db import Database
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.sandbox.trader import calls_of
from tests.chain.ways_of_reverting import WITH_NOTHING
from tests.clock import SettableClock
from tests.contracts.actors import as_owner
from tests.outages.conftest import state_of
from tests.world import TestWorld, covered_position, running_world

Trouble = Callable[[RpcProxy], Awaitable[None]]


@pytest.fixture
async def two(db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[TestWorld]:
    """A world whose product asks two endpoints."""
    async with running_world(db, clock, tmp_path, second_endpoint=True) as world:
        yield world


async def _down(node: RpcProxy) -> None:
    await node.refuse()


async def _late(node: RpcProxy) -> None:
    node.lag = 12


async def _sees_no_payment(node: RpcProxy) -> None:
    node.empty_logs = True


async def _sees_another_amount(node: RpcProxy) -> None:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method != "eth_getLogs":
            return result
        return [{**log, "data": "0x" + (10**6).to_bytes(32, "big").hex()} for log in result]

    node.rewrite = lie


async def _heal(node: RpcProxy) -> None:
    node.lag, node.empty_logs, node.rewrite = 0, False, None
    await node.listen()


TROUBLES: dict[str, Trouble] = {
    "is down": _down,
    "is late": _late,
    "sees no payment": _sees_no_payment,
    "sees another amount": _sees_another_amount,
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_no_order_becomes_active_while_the_second_endpoint(trouble: str, two: TestWorld) -> None:
    second = two.second_node
    assert second is not None
    async with two.trader() as trader:
        _, order = await covered_position(two, trader)
        order_id = str(order["purchaseOrderId"])
        await TROUBLES[trouble](second)
        await trader.submit(order_id, await trader.pay(two.chain, order))
        await two.confirm()
        await two.chain.finalize()
        await two.work(2)
        shown = await trader.order(order_id)
        assert shown["status"] == "PAID_PENDING_CONFIRM"
        assert shown["payment"]["stage"] == "SEEN"

        await _heal(second)
        await two.work(2)
        assert (await trader.order(order_id))["status"] == "ACTIVE"
    assert [row[3] for row in await state_of(two.db) if row[0] == "event"].count("ACTIVE") == 1


async def test_when_the_first_endpoint_is_down_the_second_one_alone_confirms_nothing(two: TestWorld) -> None:
    async with two.trader() as trader:
        _, order = await covered_position(two, trader)
        order_id = str(order["purchaseOrderId"])
        await two.work()
        await two.node.refuse()
        await trader.submit(order_id, await trader.pay(two.chain, order))
        await two.confirm()
        assert (await trader.order(order_id))["status"] == "PAID_PENDING_CONFIRM"
        await two.node.listen()
        await two.work(2)
        assert (await trader.order(order_id))["status"] == "ACTIVE"


async def test_the_second_endpoint_is_asked_for_a_reason_that_the_first_does_not_name(two: TestWorld) -> None:
    second = two.second_node
    assert second is not None
    async with two.trader() as trader:
        _, order = await covered_position(two, trader)
        approve, _ = calls_of(order)
        await two.chain.transact(trader.wallet, approve.to, approve.data)
        await as_owner(two.chain, "setSigner(address)", wallet("another signer").address)
        two.node.retell = WITH_NOTHING["no data"]

        async def obstacles() -> list[tuple[str, dict[str, str]]]:
            path = f"/api/insurance/orders/{order['purchaseOrderId']}/preflight"
            said = await trader.call("POST", path, {"payer": trader.address})
            return [(one["code"], one["values"]) for one in said["obstacles"]]

        assert await obstacles() == [("QUOTE_NOT_ACCEPTED", {})]
        await _down(second)
        assert await obstacles() == [("WOULD_FAIL", {"words": "the contract gives no reason"})]
